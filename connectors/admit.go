package connectors

import (
	"context"
	"net/http"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// admitWait is how long a request that was read and found good may wait for those before it. To throw it away at once
// would waste what was done for it.
const admitWait = time.Second

// behindWait is when to try again while recording is behind.
const behindWait = 2 * time.Second

// enter lets a request in whose body nobody has read yet, or refuses it at once. What is let in is bounded, so what is
// accepted is answered in bounded time however many others ask; refusing costs next to nothing. The caller calls leave with the number
// of the request.
func (r *runner) enter() (int, error) {
	if r.host.cfg.Busy() {
		return 0, limited(behindWait, "hub.behind", "the hub records more slowly than it is sent to", "系统的记录速度低于接收速度")
	}
	if !r.inFlight.TryAcquire(1) { // full, or others that have been read wait for room
		return 0, r.full()
	}
	r.inFlight.Release(1)
	if r.limiter != nil {
		if tokens := r.limiter.TokensAt(r.host.cfg.Now()); tokens < 1 {
			wait := time.Duration((1 - tokens) / float64(r.limiter.Limit()) * float64(time.Second))
			return 0, limited(wait, "connector.rate", "over the rate limit of this connector", "超过此连接器的速率上限")
		}
	}
	return r.host.slot()
}

func (r *runner) leave(slot int) { r.host.slots <- slot }

// What slow senders must give up when there is no room for others: one whose body has been coming for slowBody, and another one
// waits placeWait for its place.
const (
	slowBody  = 2 * time.Second
	placeWait = 500 * time.Millisecond
)

// slot takes the number of a request.
func (h *Host) slot() (int, error) {
	select {
	case n := <-h.slots:
		return n, nil
	default:
	}
	if h.hurry() {
		t := time.NewTimer(placeWait)
		defer t.Stop()
		select {
		case n := <-h.slots:
			return n, nil
		case <-t.C:
		}
	}
	return 0, limited(0, "hub.busy", "the hub serves too many requests at once", "系统正在处理过多请求")
}

// hurry ends the request whose body has been coming for longest, if that is long. Who sends nothing would otherwise keep everybody
// out: a place is taken before it is known whose it is.
func (h *Host) hurry() bool {
	var slowest *limitedBody
	for i := range h.reading {
		if b := h.reading[i].Load(); b != nil && (slowest == nil || b.began.Before(slowest.began)) {
			slowest = b
		}
	}
	return slowest != nil && time.Since(slowest.began) >= slowBody && slowest.cut()
}

// weight is what records count against the in-flight limit.
func (r *runner) weight(records int) int64 { return min(int64(records), int64(r.inst.Limits.InFlight)) }

// admit holds records against the rate and in-flight limits until they are dismissed. A request that is larger than a limit
// passes when nothing else is in the way, and is paid for afterwards.
func (r *runner) admit(ctx context.Context, records int) error {
	weight := r.weight(records)
	if !r.inFlight.TryAcquire(weight) {
		ctx, cancel := context.WithTimeout(ctx, admitWait)
		defer cancel()
		if r.inFlight.Acquire(ctx, weight) != nil {
			return r.full()
		}
	}
	if r.limiter != nil {
		now := r.host.cfg.Now()
		for left := records; left > 0; left -= r.limiter.Burst() {
			r.limiter.ReserveN(now, min(left, r.limiter.Burst()))
		}
	}
	r.board.inFlight.Add(int64(records))
	return nil
}

// dismiss gives back what admit took.
func (r *runner) dismiss(records int) {
	r.inFlight.Release(r.weight(records))
	r.board.inFlight.Add(-int64(records))
}

func (r *runner) full() error {
	return limited(time.Second, "connector.in-flight", "too many records of this connector are in flight", "此连接器有过多记录正在处理")
}

func limited(after time.Duration, code, en, zh string) error {
	return tryLater(http.StatusTooManyRequests, after, &hub.Fault{Code: code, Message: en, MessageZh: zh})
}
