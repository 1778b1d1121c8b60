// Package decode turns the bytes of legacy formats into plain trees: csv, xlsx, json, ndjson, xml, EDIFACT, X12,
// TRADACOMS and fixed width. A [Decoder] first cuts an item into records that can each be decoded alone, streaming and
// byte for byte, and later decodes one record into a [Tree] that can point back into the sender's own bytes.
//
// It leaves the meaning of the trees to connectors/mapping.
package decode
