package bench

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// Storm is what an overloaded hub did.
type Storm struct {
	Accepted, Shed, Bare int64 // records accepted; requests refused with 429 or 503, and those of them without Retry-After
	Unknown              int64 // requests that failed without an answer
	Answers              Result
	// First and Last are the resident memory in the first and in the last fifth of the storm, at their highest.
	First, Last int64
	// Caught is how long after the storm everything was recorded and anchored; Calm is the answer to a request then.
	Caught, Calm time.Duration
}

// String renders the storm on a few lines.
func (s Storm) String() string {
	return fmt.Sprintf("accepted %d records, shed %d requests (%d of them without Retry-After), %d without an answer\n"+
		"answers of accepted requests: p50 %s p90 %s p99 %s max %s\n"+
		"resident memory: at most %d MiB in the first fifth, %d MiB in the last\n"+
		"after the storm: everything recorded and anchored %s later; a request is then answered in %s",
		s.Accepted, s.Shed, s.Bare, s.Unknown, s.Answers.P50, s.Answers.P90, s.Answers.P99, s.Answers.Max,
		s.First>>20, s.Last>>20, s.Caught.Round(time.Millisecond), s.Calm.Round(10*time.Microsecond))
}

// Overload sends for d as much as the connections of l can, whatever the hub asks for, and then waits until what was
// accepted is anchored. It is a fault when less is recorded than was accepted.
func Overload(ctx context.Context, l Load, t Target, d time.Duration) (Storm, error) {
	var out Storm
	start, err := t.logSize(ctx)
	if err != nil {
		return out, err
	}
	s := newSender(l, t)
	storm, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	w := &weather{sender: s}
	var watching sync.WaitGroup
	watching.Go(func() { out.First, out.Last = t.watchMemory(storm, d) })
	var next atomic.Int64
	var workers sync.WaitGroup
	for range l.Connections {
		workers.Go(func() {
			conn, err := newWire(ctx, t.URL)
			if err != nil {
				s.fail(err)
				return
			}
			defer conn.close()
			for storm.Err() == nil {
				w.request(conn, int(next.Add(1))-1)
			}
		})
	}
	workers.Wait()
	watching.Wait()
	out.Accepted, out.Shed, out.Bare, out.Unknown = s.accepted.Load(), s.refused.Load(), w.bare.Load(), w.unknown.Load()
	out.Answers.spread(s.latencies)
	if s.err != nil {
		return out, s.err
	}
	over := time.Now()
	if err := t.atLeast(ctx, start+uint64(out.Accepted), uint64(out.Shed+out.Unknown)*uint64(l.Batch)); err != nil {
		return out, err
	}
	out.Caught = time.Since(over)
	calm, err := Run(ctx, "calm", Load{Records: l.Batch, Batch: l.Batch, Connections: 1, Sign: l.Sign}, t, nil)
	out.Calm = calm.Max
	return out, err
}

// weather sends requests without mercy.
type weather struct {
	*sender
	bare, unknown atomic.Int64
}

// request sends one batch once.
func (w *weather) request(conn *wire, i int) {
	from := i * w.load.Batch
	body := w.load.Body(w.run, from, w.load.Batch)
	h, err := w.load.Sign("msg_"+w.run+"_"+strconv.Itoa(from), body)
	if err != nil {
		w.fail(err)
		return
	}
	began := time.Now()
	a, err := conn.post(w.target.Path, h, body)
	if err != nil {
		w.unknown.Add(1)
		return
	}
	switch a.status {
	case http.StatusAccepted:
		w.accepted.Add(int64(w.load.Batch))
		w.mu.Lock()
		w.latencies = append(w.latencies, time.Since(began))
		w.mu.Unlock()
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.refused.Add(1)
		if !a.retry {
			w.bare.Add(1)
		}
	default:
		w.fail(hub.Faultf(hub.Internal, "bench.answer", "the hub answered %d", a.status))
	}
}

// watchMemory looks at the resident memory every second and returns its highest in the first and in the last fifth of d.
func (t Target) watchMemory(ctx context.Context, d time.Duration) (first, last int64) {
	if t.Usage == nil {
		return 0, 0
	}
	began := time.Now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			u, err := t.Usage()
			if err != nil {
				continue // the process is gone, and the requests say so
			}
			if since := time.Since(began); since < d/5 {
				first = max(first, u.Resident)
			} else if since > d-d/5 {
				last = max(last, u.Resident)
			}
		case <-ctx.Done():
			return first, last
		}
	}
}

// atLeast waits until want events are recorded and everything recorded is anchored. Beyond want there may be spare: what
// was refused after it was written.
func (t Target) atLeast(ctx context.Context, want, spare uint64) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	p := newProgress()
	for {
		size, committed, err := t.log(ctx)
		if err != nil {
			return err
		}
		if size > want+spare {
			return hub.Faultf(hub.Internal, "bench.doubled", "%d events are recorded, %d were accepted", size, want)
		}
		if size >= want && committed == size {
			return nil
		}
		if p.stands(size+committed, time.Minute) {
			return hub.Faultf(hub.Internal, "bench.lost", "%d records were accepted, %d are recorded and %d anchored", want, size, committed)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
