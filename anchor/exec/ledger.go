package exec

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/child"
)

// Env is what a ledger is opened in.
type Env struct {
	// Dir is where the program runs.
	Dir string
	// Logs are the logs that it serves.
	Logs []Log
	// Note takes what the program writes to standard error; it may be nil.
	Note func(level slog.Level, text string)
	// Verify, if set, checks evidence before it is given out.
	Verify anchor.EvidenceVerifier
}

// Ledger is a ledger out of process. It implements [anchor.Ledger].
type Ledger struct {
	config Config
	env    Env

	// gate holds a token while somebody looks at, or changes, what follows.
	gate    chan struct{}
	process *process
	wait    *backoff.ExponentialBackOff
	// retryAt is when the program may be started again, failed why it has to be.
	retryAt time.Time
	failed  error
	closed  bool
}

// Open returns the ledger; the program is started when first needed.
func Open(c Config, env Env) *Ledger {
	c.complete()
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = 100*time.Millisecond, 30*time.Second
	return &Ledger{config: c, env: env, gate: make(chan struct{}, 1), wait: wait}
}

// Name implements [anchor.Ledger].
func (l *Ledger) Name() string { return l.config.LedgerName() }

// Commit implements [anchor.Ledger].
func (l *Ledger) Commit(ctx context.Context, c anchor.Commitment) (hub.Evidence, error) {
	if err := checkNote(c.Checkpoint); err != nil {
		return hub.Evidence{}, err
	}
	p, err := l.running(ctx)
	if err != nil {
		return hub.Evidence{}, err // nothing was sent
	}
	m, err := p.ask(ctx, commitRequest(c), l.config.Answer)
	if err != nil {
		f := hub.Faultf(hub.Internal, "exec.unknown", "commit checkpoint %d: the outcome is not known yet", c.Checkpoint.Size).
			Because(l.clean(err)).WithHint("nothing is lost: it is looked up, and counts once")
		f.MessageZh, f.HintZh = "提交结果尚未可知", "数据不会丢失:系统会先查询,且只计一次"
		return hub.Evidence{}, f
	}
	switch m.T {
	case "error":
		return hub.Evidence{}, l.clean(m.reported())
	case "evidence":
		return l.evidence(m, c.Checkpoint)
	}
	return hub.Evidence{}, refuse(p, m, "commit")
}

// Lookup implements [anchor.Ledger].
func (l *Ledger) Lookup(ctx context.Context, origin string, size uint64) (hub.Checkpoint, hub.Evidence, error) {
	m, err := l.question(ctx, request{T: "lookup", Origin: origin, Size: size})
	if err != nil {
		return hub.Checkpoint{}, hub.Evidence{}, err
	}
	c, err := m.checkpoint(origin, size)
	if err != nil {
		return hub.Checkpoint{}, hub.Evidence{}, err
	}
	e, err := l.evidence(m, c)
	return c, e, err
}

// Latest implements [anchor.Ledger].
func (l *Ledger) Latest(ctx context.Context, origin string) (hub.Checkpoint, error) {
	m, err := l.question(ctx, request{T: "latest", Origin: origin})
	if err != nil {
		return hub.Checkpoint{}, err
	}
	return m.checkpoint(origin, 0)
}

// Spec returns what the program says of itself.
func (l *Ledger) Spec(ctx context.Context) (Spec, error) {
	p, err := l.running(ctx)
	if err != nil {
		return Spec{}, err
	}
	return p.spec, nil
}

// Close implements [anchor.Ledger]. It asks the program to end.
func (l *Ledger) Close() error {
	l.gate <- struct{}{}
	defer func() { <-l.gate }()
	if l.closed {
		return nil
	}
	l.closed = true
	l.end()
	return nil
}

// end ends the program, if it runs.
func (l *Ledger) end() {
	if l.process == nil {
		return
	}
	close(l.process.stop)
	<-l.process.gone
	l.process = nil
}

// question asks for what the ledger holds.
func (l *Ledger) question(ctx context.Context, r request) (message, error) {
	p, err := l.running(ctx)
	if err != nil {
		return message{}, err
	}
	m, err := p.ask(ctx, r, l.config.Answer)
	if err != nil {
		return message{}, l.clean(err)
	}
	switch m.T {
	case "held":
		return m, nil
	case "none":
		f := hub.Faultf(hub.NotFound, "exec.none", "the ledger %s does not hold it", l.Name())
		f.MessageZh = "账本上没有该检查点"
		return message{}, f
	case "error":
		return message{}, l.clean(m.reported())
	}
	return message{}, refuse(p, m, r.T)
}

// refuse kills a program that answers something else than it was asked.
func refuse(p *process, m message, asked string) error {
	p.Kill()
	return broken("it answers %s with %s", asked, m.T)
}

// running returns the program, which it starts if it does not run. A fault of kind Unavailable says that it cannot be had
// now.
func (l *Ledger) running(ctx context.Context) (*process, error) {
	select {
	case l.gate <- struct{}{}:
		defer func() { <-l.gate }()
	case <-ctx.Done():
		return nil, unavailable("wait for the ledger's program", ctx.Err())
	}
	if l.closed {
		return nil, unavailable("ask the ledger's program", errClosed)
	}
	if p := l.process; p != nil {
		select {
		case <-p.gone:
			if p.answered { // no lock is needed: serve has ended
				l.wait.Reset()
			}
			l.process = nil
			l.backOff(p.why)
		default:
			return p, nil
		}
	}
	if left := time.Until(l.retryAt); left > 0 {
		return nil, unavailable(fmt.Sprintf("the ledger's program is started again in %v", left.Round(time.Millisecond)), l.failed)
	}
	p, err := launch(ctx, l.program(), l.hello(), l.config)
	if err != nil {
		l.backOff(err)
		if hub.KindOf(err) != hub.Unavailable {
			err = unavailable("start the ledger's program", err)
		}
		return nil, l.clean(err)
	}
	l.process = p
	return p, nil
}

func (l *Ledger) backOff(why error) {
	l.failed, l.retryAt = l.clean(why), time.Now().Add(l.wait.NextBackOff())
}

func (l *Ledger) program() child.Program {
	return child.Program{
		Command: l.config.Command, Dir: l.env.Dir, Env: child.Environment(l.config.Env), MaxLine: maxLine,
		Said: child.NewListener(l.env.Note, l.config.redact).Hear,
	}
}

func (l *Ledger) hello() request {
	r := request{T: "init", Protocol: Protocol, Config: l.config.settings(), Logs: []logMessage{}}
	for _, log := range l.env.Logs {
		r.Logs = append(r.Logs, logMessage{Key: log.Key.String(), Hash: max(log.Hash, log.Key.Hash()).String()})
	}
	return r
}

// evidence takes the evidence of c out of a message.
func (l *Ledger) evidence(m message, c hub.Checkpoint) (hub.Evidence, error) {
	entry, err := m.evidence()
	if err != nil {
		return hub.Evidence{}, err
	}
	if l.env.Verify != nil {
		if _, err := l.env.Verify(entry, c, nil); err != nil {
			return hub.Evidence{}, hub.Faultf(hub.Internal, "exec.evidence", "the evidence of checkpoint %d by %s does not hold", c.Size, l.Name()).
				Because(err)
		}
	}
	return hub.Evidence{Ledger: l.Name(), Entry: entry}, nil
}

// clean takes the secrets out of a fault's texts.
func (l *Ledger) clean(err error) error {
	f, ok := errors.AsType[*hub.Fault](err)
	if !ok || len(l.config.Secrets) == 0 {
		return err
	}
	cleaned := *f
	cleaned.Message, cleaned.MessageZh = l.config.redact(f.Message), l.config.redact(f.MessageZh)
	if f.Err != nil {
		cleaned.Err = errors.New(l.config.redact(f.Err.Error()))
	}
	return &cleaned
}

func unavailable(what string, cause error) error {
	f := hub.Faultf(hub.Unavailable, "exec.unavailable", "%s", what).Because(cause)
	f.MessageZh = "账本程序暂不可用"
	return f
}

// checkNote refuses a checkpoint that is not what its note says.
func checkNote(c hub.Checkpoint) error {
	stated, _, err := anchor.ParseCheckpoint(c.Note)
	if err != nil {
		return err
	}
	if stated.Origin != c.Origin || stated.Size != c.Size || stated.Root != c.Root || c.Size == 0 {
		return hub.Faultf(hub.Invalid, "exec.note", "the checkpoint is not what its note says")
	}
	return nil
}
