package exec_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/notary"
	"github.com/suyuan-io/suyuan/hub"
)

// TestMain lets the test binary be a ledger's program, too.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "ledger" {
		os.Exit(program(os.Args[2]))
	}
	os.Exit(m.Run())
}

// ask is what the hub says; docs/ledger-exec.md has it.
type ask struct {
	T           string            `json:"t"`
	ID          int               `json:"id"`
	Protocol    int               `json:"protocol"`
	Config      map[string]string `json:"config"`
	Logs        []struct{ Key, Hash string }
	Origin      string
	Size        uint64
	Root        hub.Digest
	Note        string
	Previous    uint64
	Consistency []hub.Digest
	Evidence    json.RawMessage
	Pinned      json.RawMessage
}

// program is a notary behind the protocol. The way in which it misbehaves is its argument.
func program(manner string) int {
	in := bufio.NewReader(os.Stdin)
	p := &served{manner: manner}
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			if manner == "deaf" {
				select {}
			}
			return 0
		}
		var a ask
		if err := json.Unmarshal(line, &a); err != nil {
			fmt.Fprintln(os.Stderr, "E!", err)
			return 2
		}
		if a.T == "stop" {
			if manner == "deaf" {
				select {}
			}
			return 0
		}
		if code := p.answer(a); code >= 0 {
			return code
		}
	}
}

// served is the notary and what was asked for.
type served struct {
	manner string
	ledger *notary.Ledger
}

func say(m map[string]any) {
	b, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(b))
}

// answer answers one request, or returns an exit code.
func (p *served) answer(a ask) int {
	switch a.T {
	case "init":
		return p.begin(a)
	case "commit":
		return p.commit(a)
	case "lookup":
		c, e, err := p.ledger.Lookup(nil, a.Origin, a.Size) //nolint:staticcheck // a notary does not look at the context
		p.held(a, c, e, err)
	case "latest":
		c, err := p.ledger.Latest(nil, a.Origin) //nolint:staticcheck // the same
		p.held(a, c, hub.Evidence{Entry: json.RawMessage("null")}, err)
	case "verify":
		p.verify(a)
	default:
		if p.manner != "silent" {
			say(map[string]any{"t": "error", "id": a.ID, "code": "unsupported"})
		}
	}
	return -1
}

func (p *served) begin(a ask) int {
	switch p.manner {
	case "crash":
		fmt.Fprintln(os.Stderr, "E! cannot open the gate with "+a.Config["password"])
		return 3
	case "not ready":
		select {}
	case "noise":
		fmt.Println("Hello from the ledger")
	case "busy":
		say(map[string]any{"t": "error", "code": "unavailable", "message": "come back with " + a.Config["password"]})
		return 1
	}
	if a.Protocol != 1 && p.manner != "any protocol" {
		say(map[string]any{"t": "error", "code": "protocol"})
		return 1
	}
	spec := map[string]any{"name": "test", "version": "1", "kind": "test", "pin": map[string]string{"key": "k"}}
	if p.manner == "other kind" {
		spec["kind"] = "other"
	}
	if len(a.Logs) > 0 {
		if err := p.open(a); err != nil {
			say(map[string]any{"t": "error", "code": "unavailable", "message": err.Error()})
			return 1
		}
	}
	say(map[string]any{"t": "ready", "spec": spec})
	return -1
}

func (p *served) open(a ask) error {
	dir := a.Config["dir"]
	if p.manner == "forgets" {
		var err error
		if dir, err = os.MkdirTemp(dir, "run-"); err != nil {
			return err
		}
	}
	key, err := anchor.LoadOrCreateKey(filepath.Join(dir, "key"), "notary.example")
	if err != nil {
		return err
	}
	opts := notary.Options{Key: key}
	name := ""
	for _, log := range a.Logs {
		k, err := anchor.ParseVerifierKey(log.Key)
		if err != nil {
			return err
		}
		name += strings.ReplaceAll(k.Name(), "/", "_")
		opts.Logs = append(opts.Logs, k)
	}
	p.ledger, err = notary.Open(filepath.Join(dir, name), opts)
	return err
}

func (p *served) commit(a ask) int {
	switch p.manner {
	case "dies before a commit":
		return 4
	case "hangs":
		return -1
	case "answers something else":
		say(map[string]any{"t": "none", "id": a.ID})
		return -1
	case "answers another":
		say(map[string]any{"t": "none", "id": a.ID + 1})
		return -1
	case "long line":
		fmt.Println(strings.Repeat("x", 2<<20))
		return -1
	case "lies about proofs":
		a.Consistency = nil
		a.Previous = 0
	}
	c := anchor.Commitment{
		Checkpoint:   hub.Checkpoint{Origin: a.Origin, Size: a.Size, Root: a.Root, Note: []byte(a.Note)},
		PreviousSize: a.Previous, Consistency: a.Consistency,
	}
	e, err := p.ledger.Commit(nil, c) //nolint:staticcheck // a notary does not look at the context
	switch {
	case p.manner == "dies after a commit" && a.Previous == 0:
		return 4
	case err != nil && p.manner == "takes everything":
		say(map[string]any{"t": "evidence", "id": a.ID, "evidence": map[string]any{"taken": true}})
	case err != nil:
		fault(a, err)
	case p.manner == "no evidence":
		say(map[string]any{"t": "evidence", "id": a.ID, "evidence": nil})
	case p.manner == "evidence changes":
		say(map[string]any{"t": "evidence", "id": a.ID, "evidence": map[string]any{"entry": e.Entry, "pid": os.Getpid()}})
	default:
		say(map[string]any{"t": "evidence", "id": a.ID, "evidence": e.Entry})
	}
	return -1
}

func (p *served) held(a ask, c hub.Checkpoint, e hub.Evidence, err error) {
	if hub.KindOf(err) == hub.NotFound {
		say(map[string]any{"t": "none", "id": a.ID})
		return
	}
	if err != nil {
		fault(a, err)
		return
	}
	note := string(c.Note)
	if p.manner == "another note" {
		note = strings.Replace(note, "\n", "x\n", 1)
	}
	say(map[string]any{"t": "held", "id": a.ID, "note": note, "evidence": e.Entry})
}

func (p *served) verify(a ask) {
	c, _, err := anchor.ParseCheckpoint([]byte(a.Note))
	var by string
	if err == nil {
		by, err = notary.Verify(a.Evidence, c, nil)
	}
	if err == nil && len(a.Pinned) > 0 && !strings.Contains(string(a.Evidence), strings.Trim(string(a.Pinned), `{}"`)) {
		err = errors.New("it is not the trusted one")
	}
	if p.manner == "believes everything" {
		by, err = "somebody", nil
	}
	if err != nil {
		say(map[string]any{"t": "error", "id": a.ID, "code": "invalid", "message": err.Error()})
		return
	}
	say(map[string]any{"t": "genuine", "id": a.ID, "by": by})
}

func fault(a ask, err error) {
	say(map[string]any{"t": "error", "id": a.ID, "code": hub.KindOf(err).String(), "message": err.Error()})
}
