package exec_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/connectortest"
	connexec "github.com/suyuan-io/suyuan/connectors/exec"
	"github.com/suyuan-io/suyuan/hub"
)

// diary keeps what an adapter says.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(level slog.Level, text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, level.String()+" "+text)
}

func (d *diary) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.lines, "\n")
}

func open(t *testing.T, o *connexec.Options, d *diary) (connectors.Source, error) {
	t.Helper()
	existing := goleak.IgnoreCurrent()
	src, err := o.Open(t.Context(), connectors.Env{Connector: "lines", Dir: t.TempDir(), Now: time.Now, Note: d.note})
	t.Cleanup(func() {
		if err == nil {
			if cerr := src.Close(); cerr != nil {
				t.Error(cerr)
			}
		}
		goleak.VerifyNone(t, existing)
	})
	return src, err
}

func TestAdapterThatDoesNotBegin(t *testing.T) {
	for manner, want := range map[string]struct {
		kind  hub.Kind
		code  string
		after time.Duration
	}{
		"crash":          {hub.Unavailable, "exec.ended", 0},
		"not ready":      {hub.Unavailable, "exec.not-ready", 0},
		"noise":          {hub.Invalid, "exec.line", 0},
		"busy":           {hub.Unavailable, "exec.reported", 90 * time.Second},
		"wrong password": {hub.Invalid, "exec.reported", 0},
	} {
		t.Run(manner, func(t *testing.T) {
			o, d := options(sampleLines(t), testAdapter(manner)...), &diary{}
			o.Start, o.Stop = time.Minute, 100*time.Millisecond
			if manner == "not ready" {
				o.Start = 200 * time.Millisecond
			}
			_, err := open(t, o, d)
			f := hub.AsFault(err)
			if f.Kind != want.kind || f.Code != want.code {
				t.Errorf("%s %s: %v", f.Kind, f.Code, err)
			}
			var later *connectors.Later
			if got := errors.As(err, &later); got != (want.after > 0) || got && later.After != want.after {
				t.Errorf("wait %v", later)
			}
			if shown := err.Error() + d.text(); strings.Contains(shown, password) {
				t.Errorf("the password shows: %s", shown)
			}
			if manner == "crash" && !strings.Contains(err.Error(), "exit status 3") {
				t.Errorf("it does not say how the adapter ended: %v", err)
			}
		})
	}
}

func TestProgramThatIsNotThere(t *testing.T) {
	_, err := open(t, options(nil, "./no-such-adapter"), &diary{})
	if hub.KindOf(err) != hub.Invalid || !strings.Contains(err.Error(), "no-such-adapter") {
		t.Error(err)
	}
}

func TestStandardErrorIsTheLog(t *testing.T) {
	d := &diary{}
	if _, err := open(t, options(sampleLines(t), testAdapter("well")...), d); err != nil {
		t.Fatal(err)
	}
	want := "WARN the password is ${env:PASSWORD}"
	connectortest.WaitFor(t, "the line arrives", func() bool { return d.text() == want }, func() any { return d.text() })
}

func TestAdapterThatDiesLater(t *testing.T) {
	o, d := options(sampleLines(t), testAdapter("child")...), &diary{}
	src, err := open(t, o, d)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := src.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	var grandchild int
	connectortest.WaitFor(t, "it names what it started", func() bool {
		_, after, ok := strings.Cut(d.text(), "child ")
		for _, r := range after {
			if r < '0' || r > '9' {
				break
			}
			grandchild = 10*grandchild + int(r-'0')
		}
		return ok
	}, func() any { return d.text() })
	adapterPID := parentOf(t, grandchild)
	if err := syscall.Kill(adapterPID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	connectortest.WaitFor(t, "the crash shows", func() bool {
		_, err = src.Next(t.Context())
		return err != nil && !errors.Is(err, io.EOF)
	}, func() any { return err })
	if f := hub.AsFault(err); f.Kind != hub.Unavailable || f.Code != "exec.ended" || !strings.Contains(f.Message, "killed") {
		t.Errorf("the crash is %v", err)
	}
	connectortest.WaitFor(t, "what it started ends with it", func() bool { return !runs(grandchild) }, func() any { return grandchild })
}

func TestSilentAdapterIsStartedAnew(t *testing.T) {
	o := options(map[string]string{"path": "/nowhere"}, testAdapter("well")...)
	o.Quiet, o.RestartAfter = time.Millisecond, 20*time.Millisecond
	src, err := open(t, o, &diary{})
	if err != nil {
		t.Fatal(err)
	}
	connectortest.WaitFor(t, "it counts as hanging", func() bool {
		_, err = src.Next(t.Context())
		return hub.KindOf(err) == hub.Unavailable
	}, func() any { return err })
}

func TestEndlessLineIsRefused(t *testing.T) {
	o := options(sampleLines(t), "sh", "-c", `echo '{"t":"ready"}'; head -c 100000 /dev/zero; sleep 600`)
	o.MaxLine, o.Stop = 2000, 10*time.Millisecond
	src, err := open(t, o, &diary{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := src.Next(t.Context()); hub.KindOf(err) != hub.Invalid || !strings.Contains(err.Error(), "2000 bytes") {
		t.Error(err)
	}
}

// TestDeafAdapterCostsNothing: acks that nobody reads neither block nor pile up.
func TestDeafAdapterCostsNothing(t *testing.T) {
	o := options(nil, "sh", "-c", `read init; echo '{"t":"ready"}'; sleep 600`)
	o.Stop = 10 * time.Millisecond
	src, err := open(t, o, &diary{})
	if err != nil {
		t.Fatal(err)
	}
	position := hub.Position(bytes.Repeat([]byte("x"), 100))
	for range 50_000 {
		if err := src.Settle(t.Context(), connectors.Item{Position: position}, nil); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzMessages(f *testing.F) {
	for _, s := range []string{
		`{"t":"ready","spec":{"name":"x"}}`, `{"t":"record","id":"1","body_b64":"YQ==","pos":"1"}`, `{"t":"error","code":"x","retry_after_ms":-1}`,
		`{"t":"record"}`, `[]`, `null`, `{"t":"record","id":"1","body_b64":"%","pos":"1"}`, "{\"t\":\"ready\"}\n{}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, m := range connexec.ReadMessages(bytes.NewReader(data), 1<<16) {
			if m == nil {
				t.Fatal("neither a message nor a fault")
			}
		}
	})
}
