package relational

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// scanGroup commits scans in groups, as pages are opened in crowds: those that come while one transaction is on its way to the
// disk go into the next one together.
type scanGroup struct {
	mu      sync.Mutex
	waiting []*scan
	busy    bool
}

// scan is one opening of a page that waits to be counted.
type scan struct {
	id   string
	at   time.Time
	done chan error
}

// CountScan implements trace.Library. A scan is on disk when it returns.
func (s *Store) CountScan(ctx context.Context, id string, at time.Time) (hub.Scans, error) {
	if !at.IsZero() {
		if err := s.count(ctx, id, at); err != nil {
			return hub.Scans{}, err
		}
	}
	var sc hub.Scans
	var first, last int64
	err := s.read.QueryRowContext(ctx, `SELECT count, first_at, last_at FROM scans WHERE id = ?`, id).Scan(&sc.Count, &first, &last)
	if errors.Is(err, sql.ErrNoRows) {
		return sc, nil
	}
	if err != nil {
		return sc, s.unavailable("read scans", err)
	}
	sc.FirstAt, sc.LastAt = fromMicros(first), fromMicros(last)
	return sc, nil
}

// count counts a scan with those that wait already, or waits for who does.
func (s *Store) count(ctx context.Context, id string, at time.Time) error {
	g := &s.scans
	sc := &scan{id: id, at: at, done: make(chan error, 1)}
	g.mu.Lock()
	g.waiting = append(g.waiting, sc)
	leads := !g.busy
	g.busy = true
	g.mu.Unlock()
	if leads { // for the others too, so that its own caller's end does not end it
		go s.countWaiting(context.WithoutCancel(ctx))
	}
	select {
	case err := <-sc.done:
		return err
	case <-ctx.Done():
		return s.unavailable("count scan", ctx.Err())
	}
}

// countWaiting counts until nobody waits.
func (s *Store) countWaiting(ctx context.Context) {
	g := &s.scans
	for {
		g.mu.Lock()
		group := g.waiting
		g.waiting = nil
		g.busy = len(group) > 0
		g.mu.Unlock()
		if len(group) == 0 {
			return
		}
		err := s.countAll(ctx, group)
		for _, sc := range group {
			if err != nil && len(group) > 1 { // one that the database does not take must not cost the others
				sc.done <- s.countAll(ctx, []*scan{sc})
				continue
			}
			sc.done <- err
		}
	}
}

func (s *Store) countAll(ctx context.Context, group []*scan) error {
	ctx, cancel := context.WithTimeout(ctx, scanTimeout)
	defer cancel()
	return s.inTx(ctx, "count scan", func(tx *Tx) error {
		for _, sc := range group {
			us := micros(sc.at)
			if _, err := tx.ExecContext(ctx, `INSERT INTO scans (id, count, first_at, last_at) VALUES (?,1,?,?)
				ON CONFLICT (id) DO UPDATE SET count = scans.count + 1,
				first_at = CASE WHEN excluded.first_at < scans.first_at THEN excluded.first_at ELSE scans.first_at END,
				last_at = CASE WHEN excluded.last_at > scans.last_at THEN excluded.last_at ELSE scans.last_at END`, sc.id, us, us); err != nil {
				return err
			}
		}
		return nil
	})
}

// scanTimeout bounds the count of one group.
const scanTimeout = 30 * time.Second
