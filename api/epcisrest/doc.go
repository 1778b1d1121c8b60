// Package epcisrest is the EPCIS 2.0 REST binding under /epcis: discovery, capture, events and top-level resources, named
// queries, and subscriptions by webhook and WebSocket (EPCIS 2.0 section 12).
//
// Capture is a door to the same way that every other record goes: a posted document is spooled and validated event by
// event, and then published to the raw stream, so that captured events have receipts. Queries see one snapshot of the log
// for all of their pages.
//
// It leaves the query language and its meaning to epcis, the search for candidates and all state to the store that it is
// given, API keys to the function that it is given, and normalising to the pipeline.
package epcisrest
