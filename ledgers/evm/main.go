// Command evm is a ledger out of process (docs/ledger-exec.md) for consortium chains that run the Ethereum virtual machine, such as
// Besu or GoQuorum: it commits checkpoints to the contract in contract/, which checks itself that each extends the last, and proves
// them by the block's receipts. It speaks JSON-RPC by way of go-ethereum, which must not be linked into the hub.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/suyuan-io/suyuan/ledgers/evm/evidence"
	"github.com/suyuan-io/suyuan/ledgers/program"
)

// grace is how much longer than it may wait for a block a request may take, for the calls to the node.
const grace = 3 * time.Second

func main() {
	var err error
	if len(os.Args) > 1 && os.Args[1] == "deploy" {
		err = deploy(context.Background(), os.Args[2:], os.Stdout)
	} else {
		err = served().Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "E!", err)
		os.Exit(1)
	}
}

// served is what the hub starts.
func served() program.Program {
	return program.Program{
		Spec: program.Spec{Name: "evm", Version: "1", Kind: evidence.Kind, Unsigned: true},
		Open: begin, Verify: evidence.Verify,
	}
}

// begin reads the config and asks the chain whether it is the one that is meant.
func begin(ctx context.Context, s program.Settings) (program.Ledger, any, error) {
	for _, log := range s.Logs {
		if log.Hash != "" && log.Hash != "sha-256" {
			return nil, nil, program.Refuse(program.Config, "the contract checks proofs of SHA-256, and the log %s is of %s", log.Key, log.Hash)
		}
	}
	l, err := open(ctx, s.Config)
	if err != nil {
		return nil, nil, err
	}
	return l, l.pin, nil
}

// within bounds a request: a node that hangs must not have the hub kill the program.
func (l *ledger) within(ctx context.Context, r program.Request) (context.Context, context.CancelFunc) {
	return context.WithDeadline(ctx, r.ArrivedAt.Add(l.wait+grace))
}

// Commit implements [program.Ledger].
func (l *ledger) Commit(ctx context.Context, r program.Request) (json.RawMessage, error) {
	ctx, cancel := l.within(ctx, r)
	defer cancel()
	return l.commit(ctx, r)
}

// Lookup implements [program.Ledger].
func (l *ledger) Lookup(ctx context.Context, r program.Request) (program.Held, error) {
	ctx, cancel := l.within(ctx, r)
	defer cancel()
	note, entry, err := l.lookup(ctx, r)
	return program.Held{Note: note, Evidence: entry}, err
}

// Latest implements [program.Ledger].
func (l *ledger) Latest(ctx context.Context, r program.Request) (program.Held, error) {
	ctx, cancel := l.within(ctx, r)
	defer cancel()
	note, err := l.latest(ctx, r.Origin)
	return program.Held{Note: note}, err
}
