package exec

import (
	"context"
	"maps"
	"time"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/child"
)

// Trial is an adapter to verify. Its upstream has to hold at least three records.
type Trial struct {
	Command []string
	// Dir is where it runs, Config what it gets, Env what it inherits beside the usual.
	Dir    string
	Config map[string]string
	Env    map[string]string
	// Patience is how long an answer may take, 10s by default, Quiet how long nothing must come for the upstream to count
	// as read to its end, 1s by default.
	Patience, Quiet time.Duration
	// Said gets what the adapter writes to standard error; it may be nil.
	Said func(line string)
}

// Case is the outcome of one check.
type Case struct {
	// Name is what an adapter has to do. Err is nil where it does.
	Name string
	Err  error
}

// Verify puts an adapter through what the hub will ask of it: the whole conversation, crashes of either side at every
// point, pipes that nobody reads. It reports each case as it is done and returns whether all passed. When an adapter
// cannot be started, or gives no records, the rest is not tried.
func Verify(ctx context.Context, t Trial, report func(Case)) bool {
	if t.Patience <= 0 {
		t.Patience = 10 * time.Second
	}
	if t.Quiet <= 0 {
		t.Quiet = time.Second
	}
	v := &verifier{Trial: t}
	passed := true
	for i, c := range v.cases() {
		err := c.run(ctx)
		report(Case{c.name, err})
		passed = passed && err == nil
		if err != nil && i < needed || ctx.Err() != nil {
			return false
		}
	}
	return passed
}

// verifier remembers what the upstream gave the first time: everything later is compared with it.
type verifier struct {
	Trial

	all []message
}

// needed is how many cases the others build upon.
const needed = 2

// Bounds of a trial: how many records it reads at most, and at least.
const (
	mostRecords  = 200
	leastRecords = 3
)

type verifyCase struct {
	name string
	run  func(context.Context) error
}

func (v *verifier) cases() []verifyCase {
	return []verifyCase{
		{"answers init with ready", v.becomesReady},
		{"gives records with id, position and body", v.givesRecords},
		{"gives every record an id of its own", v.uniqueIDs},
		{"goes on waiting when there is no more", v.staysAlive},
		{"gives the same again after kill -9 before any ack", v.sameAgain},
		{"gives the same again after kill -9 while its pipe is full", v.sameAfterFullPipe},
		{"waits, and loses nothing, while nobody reads", v.waitsForReader},
		{"resumes after each position", v.resumes},
		{"resumes after kill -9 between record and ack", v.killBeforeAck},
		{"resumes after kill -9 right after an ack", v.killAfterAck},
		{"goes on while acks come in", v.acksMeanwhile},
		{"goes on when acks come late", v.acksLate},
		{"ends when it is told to stop", v.stops},
		{"ends when it is told to stop while its pipe is full", v.stopsWhenFull},
		{"ends when the hub is gone", v.endsWithHub},
		{"refuses a protocol that it does not speak", v.refusesProtocol},
	}
}

// start starts the adapter without a word.
func (v *verifier) start(ctx context.Context) (*adapter, error) {
	return launch(ctx, child.Program{
		Command: v.Command, Dir: v.Dir, Env: child.Environment(v.Env), MaxLine: longestLine, Said: v.Said,
	})
}

// at starts the adapter at a position and waits until it is ready.
func (v *verifier) at(ctx context.Context, position string) (*adapter, error) {
	c, err := v.start(ctx)
	if err != nil {
		return nil, err
	}
	config := maps.Clone(v.Config)
	if config == nil {
		config = map[string]string{}
	}
	var name string
	if err := c.begin(ctx, initMessage{"init", Protocol, config, position}, v.Patience, &name); err != nil {
		c.abandon()
		return nil, err
	}
	return c, nil
}

// abandon ends a child as a crash of the machine would: with kill -9.
func (c *adapter) abandon() {
	c.Kill()
	c.close(0)
}

// take reads up to n records; fewer when nothing comes for the quiet time.
func (v *verifier) take(ctx context.Context, c *adapter, n int) ([]message, error) {
	var out []message
	wait := v.Patience // the first may take its time
	for len(out) < n {
		m, err := v.next(ctx, c, wait)
		if err != nil || m == nil {
			return out, err
		}
		out = append(out, *m)
		wait = v.Quiet
	}
	return out, nil
}

// next reads one record, nil when none comes in time.
func (v *verifier) next(ctx context.Context, c *adapter, wait time.Duration) (*message, error) {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case m, ok := <-c.Messages():
		switch {
		case !ok:
			return nil, c.why(ctx)
		case m.T == "error":
			return nil, m.fault()
		case m.T != "record":
			return nil, broken("exec.ready-twice", "it says %s again", m.T)
		}
		return &m, nil
	case <-t.C:
		return nil, nil //nolint:nilnil // no record is no error here
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// same compares records with those of the first run from number i on.
func (v *verifier) same(got []message, i int) error {
	want := v.all[i:]
	for n := range min(len(got), len(want)) {
		a, b := want[n], got[n]
		switch {
		case a.ID != b.ID:
			return failed("record %d had the id %q, now it has %q", i+n+1, a.ID, b.ID)
		case a.Pos != b.Pos:
			return failed("record %d had the position %q, now it has %q", i+n+1, a.Pos, b.Pos)
		case string(a.body) != string(b.body):
			return failed("record %d (%q) has another body than before", i+n+1, a.ID)
		}
	}
	if len(got) < len(want) {
		return failed("%d records came where %d came before", len(got), len(want))
	}
	return nil
}

func failed(format string, args ...any) *hub.Fault {
	return hub.Faultf(hub.Invalid, "exec.verify", format, args...)
}
