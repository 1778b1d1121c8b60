package pipeline

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
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

	mu sync.Mutex
	// sent are some of the frames that this process has published and that were not recorded when last looked at, oldest first.
	sent []sentFrame
	// last is the newest frame that this process has published, done the newest that it has recorded. Frames are recorded in
	// their order.
	last, done uint64
}

// sentFrame is when a frame was published, by its sequence in the stream.
type sentFrame struct {
	sequence uint64
	at       time.Time
}

// sentEvery is how far apart the frames are that are noted.
const sentEvery = 100 * time.Millisecond

// published notes that a frame stands in the stream.
func (b *behind) published(sequence uint64) {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last = max(b.last, sequence)
	if n := len(b.sent); n == 0 || now.Sub(b.sent[n-1].at) >= sentEvery {
		b.sent = append(b.sent, sentFrame{sequence, now})
	}
}

// recorded notes that this process has recorded a frame.
func (b *behind) recorded(sequence uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done = max(b.done, sequence)
}

// own returns up to where this process has recorded, and whether something may be left: before it has published it does not know.
func (b *behind) own() (floor uint64, left bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.done, b.last > b.done || b.last == 0
}

// oldest returns when the oldest frame beyond floor was published, about; false when it was not by this process in its life.
func (b *behind) oldest(floor uint64) (at time.Time, known bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for n+1 < len(b.sent) && b.sent[n+1].sequence <= floor+1 {
		n++
	}
	b.sent = b.sent[n:]
	if len(b.sent) == 0 || b.sent[0].sequence > floor+1 {
		return at, false
	}
	return b.sent[0].at, true
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
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			const seldom = 4
			if p.group.Load() == nil && n%seldom != 0 {
				continue
			}
			p.lookBehind(ctx)
		}
	}
}

// lookBehind looks once: at what this process knows itself when it records, otherwise at the consumer, and less often, since
// the server answers that between two frames that are published.
func (p *Pipeline) lookBehind(ctx context.Context) {
	floor, left := p.behind.own()
	if p.group.Load() == nil {
		ctx, cancel := context.WithTimeout(ctx, brokerTimeout)
		defer cancel()
		c, err := p.link.stream.Consumer(ctx, consumerName(p.cfg.Partition))
		if err != nil {
			return
		}
		info := c.CachedInfo()
		floor, left = info.AckFloor.Stream, info.NumPending > 0 || info.NumAckPending > 0
	}
	oldest, known := p.behind.oldest(floor)
	switch {
	case !left:
		p.behind.look(floor, time.Time{})
	case known:
		p.behind.look(floor, oldest)
	}
}
