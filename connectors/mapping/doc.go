// Package mapping says what a record means: a YAML file shaped like the EPCIS events that it makes, in which a leaf
// that begins with "=" is an expression over the decoded record. It compiles such files, reports every fault in them
// with file, line and column, runs them, and runs the tests that stand beside them.
//
// It leaves decoding to connectors/decode and the validation of what it makes to schemas and epcis.
package mapping
