// Command fabric-sdk-go is a ledger out of process (docs/ledger-exec.md) for Hyperledger Fabric consortia whose peers predate
// the Gateway service: Fabric 1.4 to 2.3. It speaks the peers' own endorsement protocol by way of fabric-sdk-go, which is
// archived and must not be linked into the hub: two registrations of Fabric's protocol buffers in one program panic.
//
// Its evidence is that of the hub's own driver, of the kind fabric, and is verified by the hub itself.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

const protocol = 1

// request is what the hub says.
type request struct {
	T           string            `json:"t"`
	ID          uint64            `json:"id"`
	Protocol    int               `json:"protocol"`
	Config      map[string]string `json:"config"`
	Origin      string            `json:"origin"`
	Size        uint64            `json:"size"`
	Root        string            `json:"root"`
	Note        string            `json:"note"`
	Previous    uint64            `json:"previous"`
	Consistency []string          `json:"consistency"`
}

// answer is what this program says.
type answer struct {
	T        string          `json:"t"`
	ID       uint64          `json:"id,omitempty"`
	Spec     *spec           `json:"spec,omitempty"`
	Note     string          `json:"note,omitempty"`
	Evidence json.RawMessage `json:"evidence,omitempty"`
	Code     string          `json:"code,omitempty"`
	Message  string          `json:"message,omitempty"`
}

type spec struct {
	Name     string `json:"name"`
	Version  string `json:"version"`
	Kind     string `json:"kind"`
	Unsigned bool   `json:"unsigned"`
}

// refusal is an error with the code that tells the hub what it may do.
type refusal struct {
	code string
	err  error
}

func (r refusal) Error() string { return r.err.Error() }
func (r refusal) Unwrap() error { return r.err }

func refuse(code, format string, args ...interface{}) error {
	return refusal{code, fmt.Errorf(format, args...)}
}

func main() {
	// The SDK logs to standard output, which is for messages only.
	out := os.Stdout
	os.Stdout = os.Stderr
	if err := serve(os.Stdin, out); err != nil {
		fmt.Fprintln(os.Stderr, "E!", err)
		os.Exit(1)
	}
}

// serve answers requests, one after another, until there are no more.
func serve(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), 4<<20)
	var l *ledger
	for lines.Scan() {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return fmt.Errorf("read request: %w", err)
		}
		if r.T == "stop" {
			return nil
		}
		a, err := reply(&l, r)
		if err != nil {
			code := "unknown"
			var refused refusal
			if errors.As(err, &refused) {
				code = refused.code
			}
			a = answer{T: "error", Code: code, Message: err.Error()}
		}
		a.ID = r.ID
		b, err := json.Marshal(a)
		if err != nil {
			return fmt.Errorf("write answer: %w", err)
		}
		if _, err := out.Write(append(b, '\n')); err != nil {
			return fmt.Errorf("write answer: %w", err)
		}
		if r.T == "init" && a.T == "error" {
			return errors.New(a.Message)
		}
	}
	return lines.Err() // the end of the input means that the hub is gone
}

// reply answers one request.
func reply(l **ledger, r request) (answer, error) {
	switch r.T {
	case "init":
		if r.Protocol != protocol {
			return answer{}, refuse("protocol", "this ledger speaks protocol %d", protocol)
		}
		var err error
		*l, err = open(r.Config)
		return answer{T: "ready", Spec: &spec{Name: "fabric-sdk-go", Version: "1", Kind: "fabric", Unsigned: true}}, err
	case "commit":
		evidence, err := (*l).commit(r)
		return answer{T: "evidence", Evidence: evidence}, err
	case "lookup":
		note, evidence, err := (*l).lookup(r.Origin, r.Size)
		if note == "" {
			return answer{T: "none"}, err
		}
		return answer{T: "held", Note: note, Evidence: evidence}, err
	case "latest":
		rec, err := (*l).record("Latest", r.Origin)
		if rec == nil {
			return answer{T: "none"}, err
		}
		return answer{T: "held", Note: rec.Checkpoint}, err
	}
	return answer{}, refuse("unsupported", "%q is no request that this ledger knows; the hub verifies evidence of Fabric itself", r.T)
}
