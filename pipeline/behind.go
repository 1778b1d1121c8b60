package pipeline

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// behind watches how far recording is behind acceptance, so that what is accepted is recorded soon: raw records that arrive
// faster than they can be recorded would otherwise pile up for as long as the disk is large.
//
// It does not hold anything up where recording has stopped, or catches up after that: the raw stream is there to take what
// arrives while a database is down.
//
//	keeping up ──oldest older than maxLag──▶ too far behind     (Busy)
//	     ▲  ▲──────────younger───────────────────┘
//	     └──younger── catching up ◀── nothing recorded for stopped, or at the start
type behind struct {
	maxLag time.Duration
	now    func() time.Time

	busy       atomic.Bool
	catchingUp bool
	floor      uint64
	moved      time.Time // when floor last changed
}

// stopped is how long nothing may be recorded before recording counts as down, not slow.
const stopped = 10 * time.Second

func newBehind(maxLag time.Duration, now func() time.Time) *behind {
	return &behind{maxLag: maxLag, now: now, catchingUp: true, moved: now()}
}

// look takes what the stream says: everything up to floor is recorded, and the oldest record that is not came at oldest, the
// zero time when there is none.
func (b *behind) look(floor uint64, oldest time.Time) {
	now := b.now()
	if floor != b.floor {
		b.floor, b.moved = floor, now
	}
	switch {
	case oldest.IsZero() || now.Sub(oldest) < b.maxLag:
		b.catchingUp, b.moved = false, now
		b.busy.Store(false)
	case b.catchingUp:
	case now.Sub(b.moved) >= stopped:
		b.catchingUp = true
		b.busy.Store(false)
	default:
		b.busy.Store(true)
	}
}

// Busy reports whether recording is too far behind acceptance: new records had better come later. Publish takes them all
// the same. It costs nothing.
func (p *Pipeline) Busy() bool { return p.behind.busy.Load() }

// watchLag looks at the stream until ctx is done. What it cannot see it leaves as it was.
func (p *Pipeline) watchLag(ctx context.Context) {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if floor, oldest, err := p.oldest(ctx); err == nil {
				p.behind.look(floor, oldest)
			}
		}
	}
}

// oldest returns up to where everything of the partition is recorded, and when the oldest frame beyond it came.
func (p *Pipeline) oldest(ctx context.Context) (floor uint64, at time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, brokerTimeout)
	defer cancel()
	c, err := p.link.stream.Consumer(ctx, consumerName(p.cfg.Partition))
	if err != nil {
		return 0, at, err
	}
	info := c.CachedInfo()
	if info.NumPending == 0 && info.NumAckPending == 0 {
		return info.AckFloor.Stream, at, nil
	}
	m, err := p.link.stream.GetMsg(ctx, info.AckFloor.Stream+1, jetstream.WithGetMsgSubject(rawSubject(p.cfg.Partition, ">")))
	if err != nil {
		return info.AckFloor.Stream, at, err
	}
	return info.AckFloor.Stream, m.Time, nil
}
