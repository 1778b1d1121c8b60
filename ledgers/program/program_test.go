package program_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/ledgers/program"
)

// memory is a ledger that holds what it was given. Size 7 is refused, of size 8 the outcome stays unknown, and size 9 takes until
// the hub is gone.
type memory struct{ held map[uint64]program.Request }

func (m memory) Commit(ctx context.Context, r program.Request) (json.RawMessage, error) {
	switch r.Size {
	case 7:
		return nil, fmt.Errorf("commit: %w", program.Refuse(program.Conflict, "size %d is not mine", r.Size))
	case 8:
		return nil, errors.New("who knows")
	case 9:
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if r.ArrivedAt.IsZero() {
		return nil, errors.New("it never arrived")
	}
	m.held[r.Size] = r
	return json.Marshal(r.Consistency)
}

func (m memory) Lookup(_ context.Context, r program.Request) (program.Held, error) {
	found := m.held[r.Size]
	return program.Held{Note: found.Note, Evidence: json.RawMessage(`[]`)}, nil
}

func (m memory) Latest(context.Context, program.Request) (program.Held, error) {
	var newest program.Request
	for size, r := range m.held {
		if size > newest.Size {
			newest = r
		}
	}
	return program.Held{Note: newest.Note}, nil
}

func example() program.Program {
	return program.Program{
		Spec: program.Spec{Name: "memory", Version: "1", Kind: "memory"},
		Open: func(_ context.Context, s program.Settings) (program.Ledger, any, error) {
			if s.Config["bad"] != "" {
				return nil, nil, program.Refuse(program.Config, "bad is no setting")
			}
			return memory{map[uint64]program.Request{}}, map[string]int{"logs": len(s.Logs)}, nil
		},
		Verify: func(_ json.RawMessage, note string, pinned json.RawMessage) (string, error) {
			if note != "n" {
				return "", errors.New("it is about another checkpoint")
			}
			return "memory " + string(pinned), nil
		},
	}
}

const begin = `{"t":"init","protocol":1,"config":{"a":"b"},"logs":[{"key":"k","hash":"sha-256"}]}`

func TestConversation(t *testing.T) {
	ready := `{"t":"ready","spec":{"name":"memory","version":"1","kind":"memory","pin":{"logs":1}}}`
	for _, c := range []struct {
		name string
		in   []string
		want []string
		err  string
	}{
		{"commit and look up", []string{
			begin, `{"t":"commit","id":1,"origin":"o","size":5,"root":"aa","note":"n","previous":0,"consistency":[],"new":"member"}`,
			`{"t":"commit","id":2,"origin":"o","size":6,"root":"bb","note":"m","previous":5,"consistency":["cc"]}`,
			`{"t":"lookup","id":3,"origin":"o","size":5}`, `{"t":"lookup","id":4,"origin":"o","size":4}`, `{"t":"latest","id":5,"origin":"o"}`, `{"t":"stop"}`,
		}, []string{
			ready, `{"t":"evidence","id":1,"evidence":[]}`, `{"t":"evidence","id":2,"evidence":["cc"]}`,
			`{"t":"held","id":3,"note":"n","evidence":[]}`, `{"t":"none","id":4}`, `{"t":"held","id":5,"note":"m"}`,
		}, ""},
		{"refused, and unknown", []string{begin, `{"t":"commit","id":1,"size":7}`, `{"t":"commit","id":2,"size":8}`}, []string{
			ready, `{"t":"error","id":1,"code":"conflict","message":"commit: size 7 is not mine"}`,
			`{"t":"error","id":2,"code":"unknown","message":"who knows"}`,
		}, ""},
		{"only to verify", []string{
			`{"t":"init","protocol":1}`, `{"t":"commit","id":1,"size":5}`, `{"t":"verify","id":2,"note":"n","evidence":{},"pinned":{"a":1}}`,
			`{"t":"verify","id":3,"note":"m","evidence":{}}`,
		}, []string{
			`{"t":"ready","spec":{"name":"memory","version":"1","kind":"memory"}}`,
			`{"t":"error","id":1,"code":"config","message":"without config this program only verifies"}`,
			`{"t":"genuine","id":2,"by":"memory {\"a\":1}"}`,
			`{"t":"error","id":3,"code":"invalid","message":"it is about another checkpoint"}`,
		}, ""},
		{"the hub is gone", []string{begin, `{"t":"commit","id":1,"size":9}`}, []string{
			ready, `{"t":"error","id":1,"code":"unknown","message":"context canceled"}`,
		}, ""},
		{"an unknown request", []string{begin, `{"t":"tomorrow","id":7}`}, []string{
			ready, `{"t":"error","id":7,"code":"unsupported","message":"\"tomorrow\" is no request that this ledger knows"}`,
		}, ""},
		{"another protocol", []string{`{"t":"init","protocol":2}`, begin}, []string{
			`{"t":"error","code":"protocol","message":"this ledger speaks protocol 1"}`,
		}, "speaks protocol 1"},
		{"a bad config", []string{`{"t":"init","protocol":1,"config":{"bad":"x"}}`}, []string{
			`{"t":"error","code":"config","message":"bad is no setting"}`,
		}, "bad is no setting"},
		{"no message", []string{begin, `x`}, []string{ready}, "read request: invalid character"},
		{"too long a line", []string{begin, `{"t":"` + strings.Repeat("x", 5<<20)}, []string{ready}, "token too long"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			err := example().Serve(strings.NewReader(strings.Join(c.in, "\n")+"\n"), &out)
			if got, want := strings.TrimSuffix(out.String(), "\n"), strings.Join(c.want, "\n"); got != want {
				t.Errorf("it says\n%s\nnot\n%s", got, want)
			}
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("it ends with %v, not %q", err, c.err)
			}
		})
	}
}

// TestHubDoesNotRead: an answer that cannot be written ends the program.
func TestHubDoesNotRead(t *testing.T) {
	in, hub := io.Pipe()
	defer hub.Close()
	answers, out := io.Pipe()
	_ = answers.Close()
	go func() { _, _ = io.WriteString(hub, begin+"\n") }()
	if err := example().Serve(in, out); err == nil || !strings.Contains(err.Error(), "write answer") {
		t.Error(err)
	}
}

func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, text := range []string{"first", "second, and longer", "3"} {
		if err := program.WriteFile(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != text {
			t.Errorf("the file holds %q, %v", b, err)
		}
	}
	if err := program.WriteFile(filepath.Join(path, "below a file"), nil); err == nil {
		t.Error("it wrote below a file")
	}
	if left, err := filepath.Glob(path + ".*"); err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
}

func FuzzServe(f *testing.F) {
	f.Add(begin + "\n" + `{"t":"commit","id":1,"origin":"o","size":5}` + "\n" + `{"t":"verify","note":"n"}`)
	f.Add(`{"t":"stop"}`)
	f.Fuzz(func(t *testing.T, in string) {
		var out bytes.Buffer
		err := example().Serve(strings.NewReader(in), &out)
		for line := range strings.Lines(out.String()) {
			if !json.Valid([]byte(line)) {
				t.Errorf("%q is no message (%v)", line, err)
			}
		}
	})
}
