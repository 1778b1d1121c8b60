// Package hub is the vocabulary of Suyuan: the values that travel the way of one event, and nothing that moves them.
//
// An [Envelope] carries raw [Record]s from one connector into the durable raw stream. Normalising a record gives an
// [Outcome]: canonical [Event]s and master data, or a [DeadLetter]. Appending an outcome assigns each event its
// [Seq], which is its leaf index in the Merkle log. A [Checkpoint] commits a prefix of that log, a ledger witnesses
// the checkpoint as [Evidence], and a [Receipt] carries all of it to whoever wants to check.
//
// It leaves I/O, third-party packages and policy to others: every other package may import hub, hub imports only the
// standard library.
package hub
