// Package mapping says what a record means: a YAML file shaped like the EPCIS events that it makes, in which a leaf
// that begins with "=" is an expression over the decoded record. It compiles such files, reports every fault in them
// with file, line and column, runs them, and runs the tests that stand beside them.
//
// The grammar of the expressions is expr-lang's and is read by its parser; the evaluation is our own, closures over the
// plain trees of connectors/decode. Only so does a number keep its digits, an absent field become a fault that names the
// nearest one, and every fault find its way back to the part of the record that was read; and it is faster than the virtual
// machine (docs/mapping.md is the reference for authors).
//
// It leaves decoding to connectors/decode and the validation of what it makes to schemas and epcis.
package mapping
