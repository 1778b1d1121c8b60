// Package witness lets parties without a node of the consortium watch over a log. A [Witness] is a small HTTP service
// (c2sp.org/tlog-witness) that remembers the newest checkpoint of each log that it knows and cosigns
// (c2sp.org/tlog-cosignature, Ed25519) only one that provably extends it: a hub that rewrites history is refused. A
// [Ledger] asks such a witness, ours or anyone's, and keeps the cosignature as evidence.
//
// It leaves to others: how witnesses are chosen (trust files), TLS (a proxy in front), and what a cosignature does not
// prove (docs/threat-model.md).
package witness
