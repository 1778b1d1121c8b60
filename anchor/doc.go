// Package anchor makes the hub's history checkable by those who do not trust it. It keeps one append-only RFC 6962
// Merkle log over the store's gapless event sequence, seals it into signed checkpoints (C2SP tlog-checkpoint), commits
// them to a [Ledger], proves that an event is in the log, and verifies receipts offline.
//
// The steps are Seal, Commit and Apply; each is durable before the next begins and its comment states what is true
// after a crash there. Restart runs the same functions as normal work. Committing is exactly once in effect: a
// checkpoint is sealed before it is submitted, and an unknown outcome is looked up, never blindly repeated.
//
// It leaves leaves and bytes to the store that it is given, ledgers to its sub-packages, and the question what an
// anchor does not prove to docs/threat-model.md.
package anchor
