// Package exec is a ledger out of process: a program in any language that brings checkpoints before a consortium chain and
// speaks with the hub in lines of JSON on standard input and output. docs/ledger-exec.md specifies the protocol; [Trial]
// puts a program through it and through the suite of ledgers.
//
// A program that dies is started anew by a later call, after growing delays; one that does not answer in time is killed.
// Whatever was asked of it then and not answered is of unknown outcome, which the hub looks up. The package leaves retries
// to the hub, and what evidence means to the program.
package exec
