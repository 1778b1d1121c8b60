package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// Ask asks n questions, so many at a time, and takes the time of each. path gives the i-th question's; any answer but 200
// is a fault.
func Ask(ctx context.Context, name string, t Target, n, connections int, path func(i int) string) (Result, error) { //nolint:revive // one more than five: a struct for one call says less
	before, err := t.usage()
	if err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := client(connections)
	latencies := make([]time.Duration, n)
	var next atomic.Int64
	var workers sync.WaitGroup
	began := time.Now()
	for range connections {
		workers.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				asked := time.Now()
				if status, err := t.get(ctx, c, path(i)); err != nil {
					cancel(err)
				} else if status != http.StatusOK {
					cancel(hub.Faultf(hub.Internal, "bench.answer", "GET %s is answered %d", path(i), status))
				}
				latencies[i] = time.Since(asked)
			}
		})
	}
	workers.Wait()
	r := Result{Name: name, Records: n, Sending: time.Since(began)}
	if err := context.Cause(ctx); err != nil {
		return r, err
	}
	r.spread(latencies)
	err = r.charge(t, before)
	r.Disk = 0
	return r, err
}

// NewKey makes a key of the hub and returns its secret.
func (t Target) NewKey(ctx context.Context, provider string, scopes ...string) (string, error) {
	body, err := json.Marshal(map[string]any{"provider": provider, "scopes": scopes, "note": "benchmark"})
	if err != nil {
		return "", err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.URL+"/v1/keys", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	r.Header = http.Header{"Authorization": {"Bearer " + t.Key}, "Content-Type": {"application/json"}}
	a, err := client(1).Do(r)
	if err != nil {
		return "", hub.Faultf(hub.Unavailable, "hub.unreachable", "cannot reach the hub").Because(err)
	}
	defer a.Body.Close()
	var out struct{ Secret string }
	if err := json.NewDecoder(a.Body).Decode(&out); err != nil || out.Secret == "" {
		return "", hub.Faultf(hub.Internal, "bench.answer", "the hub makes no key: %s", a.Status).Because(err)
	}
	return out.Secret, nil
}

// get asks one question and throws the answer away.
func (t Target) get(ctx context.Context, c *http.Client, path string) (status int, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, t.URL+path, http.NoBody)
	if err != nil {
		return 0, err
	}
	if t.Key != "" {
		r.Header.Set("Authorization", "Bearer "+t.Key)
	}
	a, err := c.Do(r)
	if err != nil {
		return 0, hub.Faultf(hub.Unavailable, "hub.unreachable", "cannot reach the hub").Because(err)
	}
	defer a.Body.Close()
	_, err = io.Copy(io.Discard, a.Body)
	return a.StatusCode, err
}

// Visible sends the load and takes, for one record in every so many, the time from its 202 until path answers 200.
func Visible(ctx context.Context, name string, l Load, t Target, every int, path func(run string, i int) string) (Result, error) { //nolint:revive // as Ask
	var mu sync.Mutex
	var latencies []time.Duration
	var watchers sync.WaitGroup
	c := client(every)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	l.Accepted = func(run string, from, _ int, at time.Time) {
		if from/l.Batch%every != 0 {
			return
		}
		watchers.Go(func() {
			if err := t.seen(ctx, c, path(run, from)); err != nil {
				cancel(err)
				return
			}
			mu.Lock()
			latencies = append(latencies, time.Since(at))
			mu.Unlock()
		})
	}
	r, err := Run(ctx, name, l, t, nil)
	watchers.Wait()
	if err != nil {
		return r, err
	}
	if err := context.Cause(ctx); err != nil {
		return r, err
	}
	r.spread(latencies)
	return r, nil
}

// seen waits until path answers 200.
func (t Target) seen(ctx context.Context, c *http.Client, path string) error {
	const often, patience = 5 * time.Millisecond, time.Minute
	tick := time.NewTicker(often)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		status, err := t.get(ctx, c, path)
		if err != nil {
			return err
		}
		if status == http.StatusOK {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return hub.Faultf(hub.Internal, "bench.unseen", "%s cannot be seen within %s", path, patience)
		}
	}
}
