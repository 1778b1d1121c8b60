// Package anchortest tests what package anchor stands on: a conformance suite for every implementation of
// [anchor.Journal] and [anchor.Leaves], an in-memory store that passes it, a small log that makes commitments, and the
// switch by which fakes fail.
//
// It leaves ledgers to ledgertest.
package anchortest
