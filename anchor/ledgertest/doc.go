// Package ledgertest is the conformance suite of [anchor.Ledger]: what every ledger must do, however it is built. [Run] runs
// it as tests, [Case.Judge] a case of it outside of tests, for `suyuan ledger verify`. It brings an in-memory ledger that
// passes it, and a wrapper that lets any ledger fail: a commit that is lost, and one that lands while its answer is lost.
//
// It leaves to the drivers' own tests what their networks alone can do.
package ledgertest
