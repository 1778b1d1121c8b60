// Package sql reads tables and queries of relational databases. It walks a keyset: the rows after the last cursor, in the
// cursor's order, page by page, never by OFFSET. A row becomes one JSON object with exact numbers and times with their
// offset; its identity is its key and its version.
//
// Drivers of database/sql are passed in by cmd; the package knows their dialects only. It changes nothing in the
// database. It leaves intervals, retries and limits to the host.
package sql
