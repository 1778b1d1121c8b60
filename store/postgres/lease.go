package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"time"
)

const (
	// leaseTry is how often a process asks for a lease that another one holds, leaseBeat how often the holder makes sure
	// that it still does, leaseTimeout how long it waits for the answer.
	leaseTry     = 500 * time.Millisecond
	leaseBeat    = time.Second
	leaseTimeout = 5 * time.Second
)

// Lease runs lead while this process holds the lease of a name, of which there is one among all processes on the database,
// again and again until ctx is done. lead must return soon after its context ends.
//
// The lease is a lock of a session of its own: the server gives it up when the session ends, which a killed process's does
// at once, and when the session is silent for 15 s. A process that is cut off loses the lease at the server before it knows of it: for up to the beat and its time-out
// two may believe to hold it. What only one may do must therefore be fenced where it is written, as Seal is.
func (s *Store) Lease(ctx context.Context, name string, lead func(ctx context.Context)) {
	for {
		_ = s.hold(ctx, name, lead) // whatever ended it, ask again
		select {
		case <-time.After(leaseTry):
		case <-ctx.Done():
			return
		}
	}
}

// errHeld says that another process holds a lease.
var errHeld = errors.New("another process holds the lease")

// hold tries once to get the lease, and runs lead as long as it is held.
func (s *Store) hold(ctx context.Context, name string, lead func(ctx context.Context)) error {
	asking, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	conn, err := s.leases.Conn(asking)
	if err != nil {
		return err
	}
	defer func() {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // the session ends with the lease
		_ = conn.Close()
	}()
	held := false
	if err := conn.QueryRowContext(asking, `SELECT pg_try_advisory_lock(hashtextextended(current_schema() || '/' || $1, 0))`, name).
		Scan(&held); err != nil {
		return err
	}
	if !held {
		return errHeld
	}
	leading, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		lead(leading)
	}()
	err = beat(leading, conn, done)
	stop()
	<-done
	return err
}

// beat returns when the lease is lost, ctx is done, or who leads has ended.
func beat(ctx context.Context, conn *sql.Conn, done <-chan struct{}) error {
	tick := time.NewTicker(leaseBeat)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
		asking, cancel := context.WithTimeout(ctx, leaseTimeout)
		_, err := conn.ExecContext(asking, `SELECT 1`)
		cancel()
		if err != nil {
			return err
		}
	}
}
