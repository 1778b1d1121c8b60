// Command evm is a ledger out of process (docs/ledger-exec.md) for consortium chains that run the Ethereum virtual machine, such as
// Besu or GoQuorum: it commits checkpoints to the contract in contract/, which checks itself that each extends the last, and proves
// them by the block's receipts. It speaks JSON-RPC by way of go-ethereum, which must not be linked into the hub.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/suyuan-io/suyuan/ledgers/evm/evidence"
)

const protocol = 1

// grace is how much longer than it may wait for a block a request may take, for the calls to the node.
const grace = 3 * time.Second

// request is what the hub says.
type request struct {
	T           string            `json:"t"`
	ID          uint64            `json:"id"`
	Protocol    int               `json:"protocol"`
	Config      map[string]string `json:"config"`
	Logs        []log             `json:"logs"`
	Origin      string            `json:"origin"`
	Size        uint64            `json:"size"`
	Root        string            `json:"root"`
	Note        string            `json:"note"`
	Previous    uint64            `json:"previous"`
	Consistency []string          `json:"consistency"`
	Evidence    json.RawMessage   `json:"evidence"`
	Pinned      json.RawMessage   `json:"pinned"`

	arrivedAt time.Time
}

type log struct {
	Key  string `json:"key"`
	Hash string `json:"hash"`
}

// answer is what this program says.
type answer struct {
	T        string          `json:"t"`
	ID       uint64          `json:"id,omitempty"`
	Spec     *spec           `json:"spec,omitempty"`
	Note     string          `json:"note,omitempty"`
	Evidence json.RawMessage `json:"evidence,omitempty"`
	By       string          `json:"by,omitempty"`
	Code     string          `json:"code,omitempty"`
	Message  string          `json:"message,omitempty"`
}

type spec struct {
	Name     string           `json:"name"`
	Version  string           `json:"version"`
	Kind     string           `json:"kind"`
	Unsigned bool             `json:"unsigned"`
	Pin      *evidence.Pinned `json:"pin,omitempty"`
}

// refusal is an error with the code that tells the hub what it may do. Any other error leaves the outcome unknown.
type refusal struct {
	code string
	err  error
}

func (r refusal) Error() string { return r.err.Error() }
func (r refusal) Unwrap() error { return r.err }

func refuse(code, format string, args ...any) error {
	return refusal{code, fmt.Errorf(format, args...)}
}

func main() {
	var err error
	if len(os.Args) > 1 && os.Args[1] == "deploy" {
		err = deploy(context.Background(), os.Args[2:], os.Stdout)
	} else {
		err = serve(os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "E!", err)
		os.Exit(1)
	}
}

// serve answers requests, one after another, until the hub says stop or is gone; then it also gives up what is under way.
func serve(in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(context.Background())
	requests, ended := make(chan request, 1024), make(chan error, 1)
	go func() {
		defer close(requests)
		defer cancel()
		ended <- read(in, requests)
	}()
	var l *ledger
	for r := range requests {
		a, err := reply(ctx, &l, r)
		if err != nil {
			code := "unknown"
			if refused := (refusal{}); errors.As(err, &refused) {
				code = refused.code
			}
			a = answer{T: "error", Code: code, Message: err.Error()}
		}
		a.ID = r.ID
		b, err := json.Marshal(a)
		if err != nil {
			return fmt.Errorf("write answer: %w", err)
		}
		if _, err := out.Write(append(b, '\n')); err != nil && ctx.Err() == nil {
			return fmt.Errorf("write answer: %w", err)
		}
		if r.T == "init" && a.T == "error" {
			return errors.New(a.Message)
		}
	}
	return <-ended
}

// read reads requests until stop or the end of the input.
func read(in io.Reader, requests chan<- request) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), 4<<20)
	for lines.Scan() {
		r := request{arrivedAt: time.Now()}
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return fmt.Errorf("read request: %w", err)
		}
		if r.T == "stop" {
			return nil
		}
		requests <- r
	}
	return lines.Err()
}

// reply answers one request.
func reply(ctx context.Context, l **ledger, r request) (answer, error) {
	switch r.T {
	case "init":
		return begin(ctx, l, r)
	case "verify":
		by, err := evidence.Verify(r.Evidence, r.Note, r.Pinned)
		if err != nil {
			err = refusal{"invalid", err}
		}
		return answer{T: "genuine", By: by}, err
	case "commit", "lookup", "latest":
		if *l == nil {
			return answer{}, refuse("config", "without config this program only verifies")
		}
	default:
		return answer{}, refuse("unsupported", "%q is no request that this ledger knows", r.T)
	}
	ctx, cancel := context.WithDeadline(ctx, r.arrivedAt.Add((*l).wait+grace)) // a node that hangs must not have the hub kill us
	defer cancel()
	switch r.T {
	case "commit":
		entry, err := (*l).commit(ctx, r)
		return answer{T: "evidence", Evidence: entry}, err
	case "lookup":
		note, entry, err := (*l).lookup(ctx, r)
		if note == "" {
			return answer{T: "none"}, err
		}
		return answer{T: "held", Note: note, Evidence: entry}, err
	}
	note, err := (*l).latest(ctx, r.Origin)
	if note == "" {
		return answer{T: "none"}, err
	}
	return answer{T: "held", Note: note}, err
}

// begin reads the config and asks the chain whether it is the one that is meant.
func begin(ctx context.Context, l **ledger, r request) (answer, error) {
	if r.Protocol != protocol {
		return answer{}, refuse("protocol", "this ledger speaks protocol %d", protocol)
	}
	s := &spec{Name: "evm", Version: "1", Kind: evidence.Kind, Unsigned: true}
	for _, log := range r.Logs {
		if log.Hash != "" && log.Hash != "sha-256" {
			return answer{}, refuse("config", "the contract checks proofs of SHA-256, and the log %s is of %s", log.Key, log.Hash)
		}
	}
	if len(r.Config) == 0 { // only to verify
		return answer{T: "ready", Spec: s}, nil
	}
	opened, err := open(ctx, r.Config)
	if err != nil {
		return answer{}, err
	}
	*l, s.Pin = opened, opened.pin
	return answer{T: "ready", Spec: s}, nil
}
