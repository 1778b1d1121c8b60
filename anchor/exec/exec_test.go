package exec_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/anchortest"
	"github.com/suyuan-io/suyuan/anchor/exec"
	"github.com/suyuan-io/suyuan/anchor/ledgertest"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

const password = "pw-92eb5ffee6"

// config is that of the program of this test binary.
func config(t *testing.T, manner string) exec.Config {
	t.Helper()
	return exec.Config{
		Kind: "test", Command: []string{os.Args[0], "ledger", manner}, Config: map[string]string{"dir": t.TempDir()},
		Env:     map[string]string{"GORACE": "atexit_sleep_ms=0"}, // a program with the race detector waits for a second at its end
		Secrets: map[string]strictyaml.Secret{"password": strictyaml.NewSecret("${env:PASSWORD}", password)},
		Start:   time.Minute, Stop: time.Minute,
	}
}

// trial puts a program through everything, or until a case fails that is waited for, and returns what failed.
func trial(t *testing.T, tr exec.Trial, until string) map[string]error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	failed, n := make(map[string]error), 0
	passed := tr.Run(ctx, func(c exec.Case) {
		n++
		if c.Err != nil && !errors.As(c.Err, new(ledgertest.Skipped)) {
			failed[c.Name] = c.Err
		}
		if c.Name == until && c.Err != nil {
			cancel()
		}
	})
	if passed != (len(failed) == 0) {
		t.Errorf("passed is %v with %d failures", passed, len(failed))
	}
	if passed && n < 20 {
		t.Errorf("only %d cases were tried", n)
	}
	return failed
}

func TestProgramThatIsALedger(t *testing.T) {
	for name, err := range trial(t, exec.Trial{Config: config(t, "well")}, "") {
		t.Errorf("%s: %v", name, err)
	}
}

// TestTrialFindsWhatIsWrong puts programs through the trial that misbehave in one way each.
func TestTrialFindsWhatIsWrong(t *testing.T) {
	for manner, want := range map[string]string{
		"crash":               "answers init with ready",
		"noise":               "answers init with ready",
		"any protocol":        "refuses a protocol that it does not speak",
		"silent":              "answers what it does not know with an error",
		"deaf":                "ends when it is told to stop",
		"forgets":             "kill -9 after an answer",
		"lies about proofs":   "checkpoints are held in order",
		"believes everything": "evidence is of one checkpoint",
		"takes everything":    "rewritten history",
		"evidence changes":    "the same commit has the first evidence",
		"another note":        "checkpoints are held in order",
	} {
		t.Run(manner, func(t *testing.T) {
			t.Parallel()
			c := config(t, manner)
			c.Answer, c.Stop = time.Second, 100*time.Millisecond
			if failed := trial(t, exec.Trial{Config: c}, want); failed[want] == nil {
				t.Errorf("%q did not fail; what failed: %v", want, failed)
			}
		})
	}
}

// TestExampleIsALedger puts the example in Python through the trial.
func TestExampleIsALedger(t *testing.T) {
	t.Parallel() // it starts Python two dozen times
	if err := osexec.CommandContext(t.Context(), "python3", "-c", "import cryptography").Run(); err != nil {
		t.Skip("SKIPPED, NOT PASSED: there is no python3 with the package cryptography")
	}
	example, err := filepath.Abs(filepath.Join("..", "..", "examples", "python-ledger"))
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Config{Command: []string{"python3", "ledger.py"}, Config: map[string]string{"dir": t.TempDir()}}
	for name, err := range trial(t, exec.Trial{Config: c, Dir: example}, "") {
		t.Errorf("%s: %v", name, err)
	}
}

func open(t *testing.T, c exec.Config, note func(slog.Level, string), logs ...anchor.VerifierKey) *exec.Ledger {
	t.Helper()
	existing := goleak.IgnoreCurrent()
	env := exec.Env{Dir: t.TempDir(), Note: note}
	for _, key := range logs {
		env.Logs = append(env.Logs, exec.Log{Key: key})
	}
	l := exec.Open(c, env)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		goleak.VerifyNone(t, existing)
	})
	return l
}

// TestProgramThatDoesNotBegin: nothing was committed, and the hub is told why, without the secrets.
func TestProgramThatDoesNotBegin(t *testing.T) {
	for manner, want := range map[string]string{
		"crash": "exit status 3", "not ready": "not ready after", "noise": "is no message", "busy": "come back with ${env:PASSWORD}",
		"other kind": `of the kind "other"`,
	} {
		t.Run(manner, func(t *testing.T) {
			c := config(t, manner)
			if manner == "not ready" {
				c.Start, c.Stop = 100*time.Millisecond, 50*time.Millisecond
			}
			log := anchortest.NewLog(t, "log.example/a", "a")
			l := open(t, c, nil, log.Key.Public())
			_, err := l.Commit(t.Context(), log.Commit(t, 0, 5))
			if hub.KindOf(err) != hub.Unavailable || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
			if strings.Contains(err.Error(), password) {
				t.Errorf("the password shows: %v", err)
			}
			if _, err := l.Latest(t.Context(), "log.example/a"); hub.KindOf(err) != hub.Unavailable || !strings.Contains(err.Error(), "started again in") {
				t.Errorf("it is started again at once: %v", err)
			}
		})
	}
}

func TestProgramThatIsNotThere(t *testing.T) {
	c := config(t, "")
	c.Command = []string{"./no-such-ledger"}
	_, err := open(t, c, nil).Latest(t.Context(), "log.example/a")
	if hub.KindOf(err) != hub.Unavailable || !strings.Contains(err.Error(), "no-such-ledger") {
		t.Error(err)
	}
}

// TestCommitThatIsNotAnswered: the outcome is unknown, and no fault of a kind that means that nothing was committed.
func TestCommitThatIsNotAnswered(t *testing.T) {
	for manner, want := range map[string]string{
		"dies before a commit": "exit status 4", "dies after a commit": "exit status 4", "hangs": "has not answered for",
		"answers something else": "answers commit with none", "answers another": "which was not made", "long line": "more than",
		"no evidence": "lacks evidence",
	} {
		t.Run(manner, func(t *testing.T) {
			t.Parallel()
			c := config(t, manner)
			if manner == "hangs" {
				c.Answer = 100 * time.Millisecond
			}
			log := anchortest.NewLog(t, "log.example/a", "a")
			l := exec.Open(c, exec.Env{Logs: []exec.Log{{Key: log.Key.Public()}}})
			defer l.Close()
			_, err := l.Commit(t.Context(), log.Commit(t, 0, 5))
			if hub.KindOf(err) != hub.Internal || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		})
	}
}

// TestLogOnAProgramThatDies anchors a log on a program that dies after its first commit: the hub looks it up.
func TestLogOnAProgramThatDies(t *testing.T) {
	key, err := anchor.GenerateKey("hub.example/log")
	if err != nil {
		t.Fatal(err)
	}
	store := &anchortest.Store{}
	l := open(t, config(t, "dies after a commit"), nil, key.Public())
	log, err := anchor.New(anchor.Options{Key: key, Leaves: store, Journal: store, Ledgers: []anchor.Ledger{l}})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 2 {
		store.Append(anchortest.Event(n, time.Now()))
		tick := time.NewTicker(20 * time.Millisecond)
		for err := log.Flush(t.Context()); err != nil; err = log.Flush(t.Context()) {
			if hub.KindOf(err) == hub.Conflict {
				t.Fatal(err)
			}
			<-tick.C // the program is started again after a while
		}
		tick.Stop()
	}
	sealed, err := store.SealedFrom(t.Context(), 0, 9)
	if err != nil || len(sealed) != 2 {
		t.Fatalf("%d checkpoints, %v", len(sealed), err)
	}
	for _, s := range sealed {
		_, e, err := l.Lookup(t.Context(), "hub.example/log", s.Checkpoint.Size)
		if err != nil || len(s.Evidence) != 1 || !bytes.Equal(s.Evidence[0].Entry, e.Entry) {
			t.Errorf("checkpoint %d: %v", s.Checkpoint.Size, err)
		}
	}
}

// TestSlowCallerDoesNotEndTheProgram gives up on one answer; the next call has its own.
func TestSlowCallerDoesNotEndTheProgram(t *testing.T) {
	log := anchortest.NewLog(t, "log.example/a", "a")
	l := open(t, config(t, "hangs"), nil, log.Key.Public())
	if _, err := l.Latest(t.Context(), "log.example/a"); hub.KindOf(err) != hub.NotFound {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := l.Commit(ctx, log.Commit(t, 0, 5)); !errors.Is(err, context.DeadlineExceeded) || hub.KindOf(err) != hub.Internal {
		t.Errorf("got %v", err)
	}
	if _, err := l.Latest(t.Context(), "log.example/a"); hub.KindOf(err) != hub.NotFound {
		t.Errorf("got %v", err)
	}
}

func TestStandardErrorIsTheLog(t *testing.T) {
	var mu sync.Mutex
	var lines []string
	l := open(t, config(t, "crash"), func(level slog.Level, text string) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, level.String()+" "+text)
	})
	if _, err := l.Latest(t.Context(), "log.example/a"); err == nil {
		t.Fatal("it crashed")
	}
	mu.Lock()
	defer mu.Unlock()
	if got := strings.Join(lines, "\n"); got != "ERROR cannot open the gate with ${env:PASSWORD}" {
		t.Errorf("got %q", got)
	}
}

func TestVerifierAsksTheProgram(t *testing.T) {
	log := anchortest.NewLog(t, "log.example/a", "a")
	c := log.Commit(t, 0, 5)
	e, err := open(t, config(t, "well"), nil, log.Key.Public()).Commit(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	v := exec.OpenVerifier(config(t, "well"), ".")
	defer v.Close()
	if by, err := v.Verify(e.Entry, c.Checkpoint, nil); err != nil || !strings.Contains(by, "notary.example") {
		t.Errorf("by %q, %v", by, err)
	}
	if _, err := v.Verify(e.Entry, c.Checkpoint, anchor.Pinned("notary.example")); err != nil {
		t.Errorf("the trusted one: %v", err)
	}
	if _, err := v.Verify(e.Entry, c.Checkpoint, anchor.Pinned("other.example")); err == nil || !strings.Contains(err.Error(), "not the trusted one") {
		t.Errorf("another: %v", err)
	}
	if _, err := v.Verify(append([]byte(" "), e.Entry...), c.Checkpoint, nil); err == nil {
		t.Error("evidence that is not canonical was accepted")
	}
}

func TestConfigIsChecked(t *testing.T) {
	for text, want := range map[string]string{
		"{kind: test, command: [x]}":          "",
		"{kind: test}":                        "command",
		"{command: [x]}":                      "kind",
		"{kind: notary, command: [x]}":        "the hub has itself",
		"{kind: Test, command: [x]}":          "Test",
		"{kind: test, name: A, command: [x]}": `"A"`,
		"{kind: test, command: ['']}":         "names no program",
		"{kind: test, command: [x], config: {a: b}, secrets: {a: '${env:A}'}}": "in secrets",
	} {
		var c exec.Config
		lookup := strictyaml.NewLookup(func(string) (string, bool) { return "secret", true }, nil)
		err := strictyaml.Decode("ledger.yaml", []byte(text), &c, strictyaml.Options{Lookup: lookup}).Err()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func FuzzMessage(f *testing.F) {
	for _, s := range []string{
		`{"t":"ready","spec":{"name":"x","kind":"k","pin":{"key":"a"}}}`, `{"t":"evidence","id":1,"evidence":{"b":1,"a":[2.50]}}`,
		`{"t":"held","id":2,"note":"a\n1\nAA==\n\n— a AAAA\n","evidence":null}`, `{"t":"none","id":3}`, `{"t":"genuine","id":4,"by":"x"}`,
		`{"t":"error","id":5,"code":"conflict"}`, `{"t":"error"}`, `[]`, `null`, `{"t":"held","t":"none"}`, "{\"t\":\"none\"}\n{}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		entry, err := exec.ReadMessage(line)
		if err != nil || entry == nil {
			return
		}
		if again, err := exec.ReadMessage([]byte(`{"t":"evidence","id":1,"evidence":` + string(entry) + `}`)); err != nil || !bytes.Equal(again, entry) {
			t.Errorf("%s becomes %s, %v", entry, again, err)
		}
		if !json.Valid(entry) {
			t.Errorf("%q is not JSON", entry)
		}
	})
}
