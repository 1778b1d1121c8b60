// Package exec runs an adapter in any language as a child process and speaks with it in lines of JSON. It holds the
// protocol, the kind, and [Verify], which puts an adapter through what the hub will ask of it.
//
//	hub → adapter (stdin)                                            adapter → hub (stdout)
//	{"t":"init","protocol":1,"config":{},"position":"…"}             {"t":"ready","spec":{}}
//	{"t":"ack","pos":"…"}                                            {"t":"record","id":"…","ct":"text/csv","body_b64":"…","pos":"…"}
//	{"t":"stop"}                                                     {"t":"error","code":"…","message":"…","retry_after_ms":0}
//
// A position is the adapter's own; the one of a record is where reading resumes after it. An ack says that the record
// with that position and all before it are durable. What was not acknowledged comes again after a crash of either side.
// A full pipe makes the adapter wait. Standard error is its log: lines that begin with E!, W!, I! or D!.
//
// The package starts the process in a group of its own and kills the whole group where it crashes, hangs or does not
// stop. It leaves starting anew, with growing delays, to the host.
package exec
