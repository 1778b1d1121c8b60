// Package epcis reads and writes EPCIS 2.0 (and reads 1.2): events in JSON and XML, whole documents of any size as
// streams, the canonical bytes of an event, the CBV event hash, the facets by which stores find events, master data,
// and the query language of SimpleEventQuery with its reference semantics.
//
// An [Event] is an immutable-looking tree that keeps everything that was stated: standard fields, extensions, ILMD, and
// numbers as they were written. [ParseEvent] and [FromTree] make one from JSON, [ReadDocument] streams them out of
// documents, [ReadXML] does the same for XML, where the result is the JSON form of the same statement, so that the
// hash, the canonical bytes and every query see one model.
//
// It leaves the syntax of GS1 identifiers to epcis/gs1, the validation against the JSON Schema to schemas, storage and
// the evaluation order of queries to stores, and HTTP to api.
package epcis
