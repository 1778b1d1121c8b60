// Package program is a Go program's side of a ledger out of process (docs/ledger-exec.md): it reads the hub's requests from
// standard input, has a [Ledger] meet them one after another, and writes the answers. It needs nothing but the standard
// library, so that a program may bring whatever SDK its chain has.
//
// It leaves to the ledger what a ledger must do: to check that a log only grows, to be durable before it answers, and to say
// no only when it is sure.
package program

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Protocol is the version that this package speaks.
const Protocol = 1

// maxLine bounds a request in bytes, waiting the requests that are read before they are met.
const (
	maxLine = 4 << 20
	waiting = 1024
)

// Ledger meets requests, one at a time. An error is a [Refusal], or else the outcome is unknown and the hub looks up.
// The context ends when the hub is gone.
type Ledger interface {
	// Commit returns the evidence of a checkpoint: durable on return, and the same bytes whenever it is committed again.
	Commit(ctx context.Context, r Request) (json.RawMessage, error)
	// Lookup returns what is held of the size in r, the zero value if it is sure that nothing is.
	Lookup(ctx context.Context, r Request) (Held, error)
	// Latest returns the newest checkpoint held of the origin in r, the zero value if it is sure that none is. It needs no evidence.
	Latest(ctx context.Context, r Request) (Held, error)
}

// Request is what the hub asks about a log. Lookup has no more than its origin and size, Latest the origin.
type Request struct {
	Origin string `json:"origin"`
	Size   uint64 `json:"size"`
	// Root and the hashes of Consistency have 64 hexadecimal digits; the proof begins at size Previous, 0 for none.
	Root        string   `json:"root"`
	Previous    uint64   `json:"previous"`
	Consistency []string `json:"consistency"`
	// Note is the signed checkpoint, which states origin, size and root.
	Note string `json:"note"`
	// ArrivedAt is when the request was read. The hub kills a program that does not answer in time, 25 s by default.
	ArrivedAt time.Time `json:"-"`
}

// Held is a checkpoint that a ledger holds.
type Held struct {
	Note     string
	Evidence json.RawMessage
}

// Settings are what the hub gives a program that it starts.
type Settings struct {
	Config map[string]string `json:"config"`
	Logs   []Log             `json:"logs"`
}

// Log is a log to serve: its verifier key, and its hash function, "" or "sha-256", or "sm3".
type Log struct {
	Key  string `json:"key"`
	Hash string `json:"hash"`
}

// Spec is what a program says of itself. Its members are explained in docs/ledger-exec.md.
type Spec struct {
	Name       string `json:"name"`
	Version    string `json:"version"`
	Kind       string `json:"kind"`
	Unsigned   bool   `json:"unsigned,omitempty"`
	NewestOnly bool   `json:"newestOnly,omitempty"`
	// Pin is what a reader may pin in a trust file, nil for nothing.
	Pin any `json:"pin,omitempty"`
}

// Program is a ledger's program.
type Program struct {
	Spec Spec
	// Open opens the ledger and returns what may be pinned of it. It is not called for `suyuan verify`, which gives no settings.
	Open func(ctx context.Context, s Settings) (l Ledger, pin any, err error)
	// Verify checks offline that evidence is genuine and about exactly the checkpoint of note, by what the reader has pinned, nil for
	// nothing, and says in words who witnessed. It is nil where the hub itself can.
	Verify func(evidence json.RawMessage, note string, pinned json.RawMessage) (by string, err error)
}

// Refusal is an error with the code that tells the hub what it may do.
type Refusal struct {
	Code string
	Err  error
}

// The codes. Invalid, Forbidden and Unavailable promise that nothing was committed; after Conflict the hub stops for good.
// Config is of settings, Unsupported of a request; any other word means that the outcome is unknown.
const (
	Conflict    = "conflict"
	Invalid     = "invalid"
	Forbidden   = "forbidden"
	Unavailable = "unavailable"
	Config      = "config"
	Unsupported = "unsupported"
	unknown     = "unknown"
)

func (r Refusal) Error() string { return r.Err.Error() }

// Unwrap returns the cause.
func (r Refusal) Unwrap() error { return r.Err }

// Refuse makes a refusal.
func Refuse(code, format string, args ...any) error {
	return Refusal{code, fmt.Errorf(format, args...)}
}

// CodeOf returns the code of an error, "unknown" if it has none.
func CodeOf(err error) string {
	if refused, ok := errors.AsType[Refusal](err); ok {
		return refused.Code
	}
	return unknown
}

// Run serves the hub on standard input and output. What an SDK prints goes to standard error, which is the log.
func (p Program) Run() error {
	out := os.Stdout
	os.Stdout = os.Stderr
	return p.Serve(os.Stdin, out)
}

// request is a line of the hub's.
type request struct {
	T        string `json:"t"`
	ID       uint64 `json:"id"`
	Protocol int    `json:"protocol"`
	Settings
	Request
	Evidence json.RawMessage `json:"evidence"`
	Pinned   json.RawMessage `json:"pinned"`
}

// answer is a line of the program's.
type answer struct {
	T        string          `json:"t"`
	ID       uint64          `json:"id,omitempty"`
	Spec     *Spec           `json:"spec,omitempty"`
	Note     string          `json:"note,omitempty"`
	Evidence json.RawMessage `json:"evidence,omitempty"`
	By       string          `json:"by,omitempty"`
	Code     string          `json:"code,omitempty"`
	Message  string          `json:"message,omitempty"`
}

// Serve answers requests until the hub says stop or is gone; then it also gives up what is under way.
func (p Program) Serve(in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(context.Background())
	requests, ended := make(chan request, waiting), make(chan error, 1)
	go func() {
		defer close(requests)
		defer cancel()
		ended <- read(in, requests)
	}()
	s := server{program: p}
	for r := range requests {
		a, err := s.reply(ctx, r)
		if err != nil {
			a = answer{T: "error", Code: CodeOf(err), Message: err.Error()}
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
	lines.Buffer(make([]byte, 64<<10), maxLine)
	for lines.Scan() {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return fmt.Errorf("read request: %w", err)
		}
		if r.T == "stop" {
			return nil
		}
		r.ArrivedAt = time.Now()
		requests <- r
	}
	return lines.Err()
}

// server is a program with the ledger that it has opened, if it has.
type server struct {
	program Program
	ledger  Ledger
}

func (s *server) reply(ctx context.Context, r request) (answer, error) {
	switch r.T {
	case "init":
		return s.begin(ctx, r)
	case "verify":
		return s.verify(r)
	case "commit", "lookup", "latest":
		if s.ledger == nil {
			return answer{}, Refuse(Config, "without config this program only verifies")
		}
	default:
		return answer{}, Refuse(Unsupported, "%q is no request that this ledger knows", r.T)
	}
	if r.T == "commit" {
		evidence, err := s.ledger.Commit(ctx, r.Request)
		return answer{T: "evidence", Evidence: evidence}, err
	}
	find := s.ledger.Lookup
	if r.T == "latest" {
		find = s.ledger.Latest
	}
	held, err := find(ctx, r.Request)
	if held.Note == "" {
		return answer{T: "none"}, err
	}
	return answer{T: "held", Note: held.Note, Evidence: held.Evidence}, err
}

func (s *server) begin(ctx context.Context, r request) (answer, error) {
	if r.Protocol != Protocol {
		return answer{}, Refuse("protocol", "this ledger speaks protocol %d", Protocol)
	}
	spec := s.program.Spec
	if len(r.Config) == 0 && len(r.Logs) == 0 { // only to verify
		return answer{T: "ready", Spec: &spec}, nil
	}
	var err error
	s.ledger, spec.Pin, err = s.program.Open(ctx, r.Settings)
	return answer{T: "ready", Spec: &spec}, err
}

func (s *server) verify(r request) (answer, error) {
	if s.program.Verify == nil {
		return answer{}, Refuse(Unsupported, "the hub verifies evidence of the kind %s itself", s.program.Spec.Kind)
	}
	by, err := s.program.Verify(r.Evidence, r.Note, r.Pinned)
	if err != nil {
		err = Refusal{Invalid, err}
	}
	return answer{T: "genuine", By: by}, err
}
