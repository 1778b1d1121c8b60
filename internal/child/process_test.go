package child_test

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/child"
)

// start runs a script of the shell whose lines are the messages.
func start(t *testing.T, script string, said func(string)) *child.Process[string] {
	t.Helper()
	p, err := child.Start(t.Context(), child.Program{
		Command: []string{"sh", "-c", script}, Dir: t.TempDir(), Env: []string{"PATH=" + os.Getenv("PATH")}, MaxLine: 100, Said: said,
	}, func(line []byte) (string, error) {
		if strings.HasPrefix(string(line), "!") {
			return "", errNonsense
		}
		return string(line), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var errNonsense = errors.New("nonsense")

// all returns the messages until there are no more.
func all(p *child.Process[string]) []string {
	var out []string
	for m := range p.Messages() {
		out = append(out, m)
	}
	return out
}

const grace = 30 * time.Second

func TestAProgramAnswersAndEndsWhenAsked(t *testing.T) {
	p := start(t, `while read -r line; do echo "got $line"; [ "$line" = stop ] && exit 3; done`, nil)
	p.Send([]byte("a\n"), false)
	if m := <-p.Messages(); m != "got a" {
		t.Errorf("it said %q", m)
	}
	if !p.Close([]byte("stop\n"), grace) {
		t.Error("it had to be killed")
	}
	if code := p.State().ExitCode(); code != 3 {
		t.Errorf("exit code %d", code)
	}
	p.Kill() // its number may be another's: nothing happens
}

func TestAProgramThatDiesIsToldByItsLastWords(t *testing.T) {
	var mu sync.Mutex
	var said []string
	p := start(t, `echo one; echo >&2 "   "; echo >&2 "no disk"; kill -9 $$`, func(line string) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, line)
	})
	defer p.Close(nil, grace)
	if got := all(p); !slices.Equal(got, []string{"one"}) || !errors.Is(p.End(), io.EOF) {
		t.Errorf("it said %v, %v", got, p.End())
	}
	err := p.Died(t.Context(), "the sorter", "分拣程序已退出")
	f := hub.AsFault(err)
	if f.Kind != hub.Unavailable || f.Code != "exec.ended" || f.MessageZh != "分拣程序已退出" ||
		!strings.HasPrefix(f.Message, "the sorter ended: ") || f.Err == nil || f.Err.Error() != "it said: no disk" {
		t.Errorf("%+v", f)
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(said, []string{"no disk"}) {
		t.Errorf("it said on standard error %q", said)
	}
}

func TestDiedEndsWithItsContext(t *testing.T) {
	p := start(t, `exec 1>&-; read -r line`, nil)
	defer p.Close([]byte("\n"), grace)
	all(p)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Died(ctx, "x", "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestOutputThatMakesNoSenseEndsTheMessages(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		want   error
	}{
		"a long line":        {`echo one; printf '%0200d\n' 1; echo two; read -r line`, child.ErrLongLine},
		"what parse refuses": {`echo one; echo '!'; echo two; read -r line`, errNonsense},
	} {
		p := start(t, c.script, nil)
		if got := all(p); !slices.Equal(got, []string{"one"}) || !errors.Is(p.End(), c.want) {
			t.Errorf("%s: %v, %v", name, got, p.End())
		}
		p.Close([]byte("\n"), grace)
	}
}

func TestAProgramThatDoesNotListenIsKilledWithItsChildren(t *testing.T) {
	p := start(t, `trap '' TERM; sleep 1000 & echo "$!"; wait`, nil)
	<-p.Messages()
	if p.Close([]byte("stop\n"), 0) {
		t.Error("it ended by itself")
	}
	select {
	case <-p.Exited():
	default:
		t.Error("it runs")
	}
}

func TestAProgramThatIsNotThere(t *testing.T) {
	_, err := child.Start(t.Context(), child.Program{Command: []string{"./none"}, Dir: t.TempDir(), MaxLine: 10}, func([]byte) (int, error) { return 0, nil })
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
