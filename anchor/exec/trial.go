package exec

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/anchortest"
	"github.com/suyuan-io/suyuan/anchor/ledgertest"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/child"
)

// Trial is a program to put through the protocol and through the suite of ledgers. It writes checkpoints of logs with names
// of their own, "suite.example/…", to whatever ledger the program's config names.
type Trial struct {
	// Config is the program with its config. Kind may be empty: it is then the program's own.
	Config Config
	// Dir is where it runs.
	Dir string
	// Verify checks the evidence; if nil the program itself does.
	Verify anchor.EvidenceVerifier
	// Said gets what the program writes to standard error; it may be nil.
	Said func(line string)
}

// Case is the outcome of one check.
type Case struct {
	// Name is what a program has to do. Err is nil where it does, and [ledgertest.Skipped] where it need not.
	Name string
	Err  error
}

// Run reports each case as it is done and returns whether all passed. When a program cannot be started the rest is not
// tried.
func (t Trial) Run(ctx context.Context, report func(Case)) bool {
	t.Config.complete()
	spec, err := t.greet(ctx)
	report(Case{"answers init with ready", err})
	if err != nil {
		return false
	}
	if t.Config.Kind == "" {
		t.Config.Kind = spec.Kind
	}
	passed := true
	tell := func(name string, err error) {
		if ctx.Err() == nil {
			report(Case{name, err})
		}
		passed = passed && (err == nil || errors.As(err, new(ledgertest.Skipped)))
	}
	for _, c := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"refuses a protocol that it does not speak", t.refusesProtocol},
		{"answers what it does not know with an error", t.unknownRequest},
		{"ends when it is told to stop", t.stops},
		{"ends when the hub is gone", t.endsWithHub},
	} {
		if ctx.Err() == nil {
			tell(c.name, c.run(ctx))
		}
	}
	if ctx.Err() != nil {
		return false
	}
	check := t.Verify
	if check == nil {
		v := OpenVerifier(t.Config, t.Dir)
		defer v.Close()
		check = v.Verify
	}
	s := ledgertest.Subject{Open: t.open, Reopen: t.reopen, Verify: check, Slow: true, NewestOnly: spec.NewestOnly, Unsigned: spec.Unsigned}
	for _, c := range append(t.crashes(), ledgertest.Cases()...) {
		if ctx.Err() != nil {
			return false
		}
		tell(c.Name, c.Judge(ctx, s))
	}
	return passed && ctx.Err() == nil
}

// crashes are the cases that only a program can be put through.
func (t Trial) crashes() []ledgertest.Case {
	return []ledgertest.Case{
		ledgertest.NewCase("kill -9 after an answer", t.killedAfterAnswer),
		ledgertest.NewCase("kill -9 while a commit is under way", t.killedMeanwhile),
	}
}

// greet starts the program and ends it.
func (t Trial) greet(ctx context.Context) (Spec, error) {
	c, err := child.Start(ctx, t.program(), parseMessage)
	if err != nil {
		return Spec{}, err
	}
	p := &process{Process: c}
	defer p.abandon()
	if err := p.begin(ctx, t.hello(Protocol), t.Config.Start); err != nil {
		return Spec{}, err
	}
	switch {
	case hub.CheckName(p.spec.Kind) != nil:
		return p.spec, fmt.Errorf("its spec names no kind: %w", hub.CheckName(p.spec.Kind))
	case t.Config.Kind != "" && t.Config.Kind != p.spec.Kind:
		return p.spec, fmt.Errorf("its evidence is of the kind %q, not %q", p.spec.Kind, t.Config.Kind)
	}
	return p.spec, nil
}

func (t Trial) program() child.Program {
	return child.Program{
		Command: t.Config.Command, Dir: t.Dir, Env: child.Environment(t.Config.Env), MaxLine: maxLine, Said: t.Said,
	}
}

func (t Trial) hello(protocol int) request {
	return request{T: "init", Protocol: protocol, Config: t.Config.settings(), Logs: []logMessage{}}
}

// abandon ends a program as a crash of the machine would: with kill -9.
func (p *process) abandon() {
	p.Kill()
	p.Close(nil, 0)
}

// ready starts the program and waits until it is ready.
func (t Trial) ready(ctx context.Context) (*process, error) {
	c, err := child.Start(ctx, t.program(), parseMessage)
	if err != nil {
		return nil, err
	}
	p := &process{Process: c}
	if err := p.begin(ctx, t.hello(Protocol), t.Config.Start); err != nil {
		p.abandon()
		return nil, err
	}
	return p, nil
}

func (t Trial) refusesProtocol(ctx context.Context) error {
	c, err := child.Start(ctx, t.program(), parseMessage)
	if err != nil {
		return err
	}
	p := &process{Process: c}
	defer p.abandon()
	const unknown = 1_000_000
	switch err := p.begin(ctx, t.hello(unknown), t.Config.Answer); {
	case err == nil:
		return fmt.Errorf("it is ready for protocol %d: answer with an error, or end with a status other than 0", unknown)
	case ctx.Err() != nil:
		return ctx.Err()
	case hub.AsFault(err).Code == "exec.not-ready":
		return errors.New("it neither answers nor ends: answer with an error, or end with a status other than 0")
	}
	return nil
}

func (t Trial) unknownRequest(ctx context.Context) error {
	p, err := t.ready(ctx)
	if err != nil {
		return err
	}
	defer p.abandon()
	p.Send([]byte(`{"t":"a-request-of-tomorrow","id":1}`+"\n"), false)
	timer := time.NewTimer(t.Config.Answer)
	defer timer.Stop()
	select {
	case m, ok := <-p.Messages():
		if !ok {
			return p.died(ctx)
		}
		if m.T != "error" || m.ID != 1 {
			return fmt.Errorf("it answers with %q of id %d, not with an error of id 1", m.T, m.ID)
		}
		return nil
	case <-timer.C:
		return fmt.Errorf("it does not answer for %s", t.Config.Answer)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t Trial) stops(ctx context.Context) error {
	p, err := t.ready(ctx)
	if err != nil {
		return err
	}
	if !p.Close(stopLine(), t.Config.Stop) {
		return fmt.Errorf("it still runs %s after stop", t.Config.Stop)
	}
	if code := p.State().ExitCode(); code != 0 {
		return fmt.Errorf("it ended with %v, not with status 0", p.State())
	}
	return nil
}

func (t Trial) endsWithHub(ctx context.Context) error {
	p, err := t.ready(ctx)
	if err != nil {
		return err
	}
	defer p.abandon()
	p.Hangup()
	timer := time.NewTimer(t.Config.Stop)
	defer timer.Stop()
	select {
	case <-p.Exited():
		return nil
	case <-timer.C:
		return fmt.Errorf("it still runs %s after its standard input has ended", t.Config.Stop)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// open opens the program as the ledger of logs.
func (t Trial) open(tb testing.TB, logs ...anchor.VerifierKey) anchor.Ledger {
	env := Env{Dir: t.Dir}
	for _, key := range logs {
		env.Logs = append(env.Logs, Log{Key: key, Hash: key.Hash()})
	}
	return t.start(tb, env)
}

func (t Trial) start(tb testing.TB, env Env) anchor.Ledger {
	l := Open(t.Config, env)
	tb.Cleanup(func() { _ = l.Close() })
	return l
}

// reopen ends the program and opens it again.
func (t Trial) reopen(tb testing.TB, ledger anchor.Ledger) anchor.Ledger {
	l, ok := ledger.(*Ledger)
	if !ok {
		tb.Fatalf("%T is not the ledger under trial", ledger)
	}
	if err := l.Close(); err != nil {
		tb.Fatal(err)
	}
	return t.start(tb, l.env)
}

// crash kills the program of a ledger.
func (t Trial) crash(tb testing.TB, ledger anchor.Ledger) anchor.Ledger {
	l, ok := ledger.(*Ledger)
	if !ok || l.process == nil {
		tb.Fatalf("%T has no program that runs", ledger)
	}
	l.process.Kill()
	return t.reopen(tb, ledger)
}

// killedAfterAnswer kills the program right after it has answered: the checkpoint must be there, with the same evidence.
func (t Trial) killedAfterAnswer(tb testing.TB, s ledgertest.Subject) {
	log := anchortest.NewLog(tb, ledgertest.Origin("log"), "a")
	l := s.Open(tb, log.Key.Public())
	c := log.Commit(tb, 0, 5)
	e := ledgertest.Must(tb, l, c)
	l = t.crash(tb, l)
	ledgertest.Holds(tb, l, c.Checkpoint, e)
	ledgertest.Must(tb, l, log.Commit(tb, 5, 9))
}

// killedMeanwhile kills the program a little later each time after it was asked to commit. Whatever came of it, the hub's way
// must lead to one checkpoint with one evidence: look it up, and commit it if it is certainly not there.
func (t Trial) killedMeanwhile(tb testing.TB, s ledgertest.Subject) {
	log := anchortest.NewLog(tb, ledgertest.Origin("log"), "a")
	l := s.Open(tb, log.Key.Public())
	held := uint64(0)
	for round := range uint64(5) {
		if _, err := l.Latest(tb.Context(), log.Key.Public().Name()); err != nil && hub.KindOf(err) != hub.NotFound {
			tb.Fatalf("round %d: latest: %v", round, err) // it also has started the program
		}
		c := log.Commit(tb, held, held+3)
		ctx, cancel := context.WithTimeout(tb.Context(), time.Duration(round)*2*time.Millisecond)
		_, _ = l.Commit(ctx, c) // whether it is answered in time is chance
		cancel()
		l = t.crash(tb, l)
		_, e, err := l.Lookup(tb.Context(), c.Checkpoint.Origin, c.Checkpoint.Size)
		switch {
		case hub.KindOf(err) == hub.NotFound:
			e = ledgertest.Must(tb, l, c)
		case err != nil:
			tb.Fatalf("round %d: look up: %v", round, err)
		}
		held = c.Checkpoint.Size
		ledgertest.Holds(tb, l, c.Checkpoint, e)
	}
}
