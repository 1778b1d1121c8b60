// Package decode turns the bytes of legacy formats into plain trees: csv, xlsx, json, ndjson, xml, EDIFACT, X12,
// TRADACOMS and fixed width. A [Decoder] first cuts an item into records that can each be decoded alone, streaming and
// byte for byte, and later decodes one record into a [Tree] that can point back into the sender's own bytes.
//
//	format     record              preamble                      tree
//	csv        row                 header row                    {"column": "text", …}
//	xlsx       row, as JSON        sheet and header, as JSON     {"column": "text", …}
//	fixed      line or block       –                             {"column": "text", …}
//	json       element or whole    –                             the value; numbers are json.Number as written
//	ndjson     line                –                             the value
//	xml        element or whole    XML declaration, start tags   {"Name": {"@attribute": …, "Child": …, "#text": …}}
//	edifact    UNH … UNT           UNA, UNB, UNG                 {"interchange", "group", "message", "segments", "tags", "body"}
//	x12        ST … SE             ISA, GS                       the same
//	tradacoms  MHD … MTR           STX, BAT, header message      the same, and "header"
//
// An element of mere text is a string, one that repeats (or is declared under arrays:) is an array, one that is empty is
// "". An EDI element is a list of components: row.segments[1].elements[0][1], or row.tags.BGM[0][1][0] by tag; with a
// guide, row.body has names.
//
// Every refusal is a hub.Fault in English and Chinese with line and column. Codes begin with the format ("edi" for the
// three EDI standards): *.size over a limit, *.encoding bytes that are no text, *.truncated an item that ends too early,
// *.syntax, *.depth, csv.quote, csv.width, csv.header, xml.dtd, xml.entity, edi.count, edi.reference, edi.trailer,
// edi.envelope, edi.segment, edi.release, edi.guide, gzip.corrupt, zip.corrupt, decode.settings and so on.
//
// What an item is read with is bounded: one record is held at a time (workbooks are held whole, up to maxItem), and time
// is linear in the item's size. The formats are those of RFC 4180, ECMA-376, RFC 8259, XML 1.0, ISO 9735 and ANSI X12.5.
//
// It leaves the meaning of the trees to connectors/mapping.
package decode
