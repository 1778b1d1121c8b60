package relational

import (
	"context"
	"errors"

	"github.com/suyuan-io/suyuan/hub"
)

const subscriptionColumns = `id, provider, query, view, dest, secret, stream, schedule, report_if_empty, format, initial_at,
	created_at, next_seq, last_run_at, last_notified_at, failures, last_error`

func scanSubscription(row interface{ Scan(...any) error }) (hub.Subscription, error) {
	var sub hub.Subscription
	var schedule string
	var initial, created, run, notified int64
	p := &sub.Progress
	if err := row.Scan(&sub.ID, &sub.Provider, &sub.Query, &sub.View, &sub.Dest, &sub.Secret, &sub.Stream, &schedule,
		&sub.ReportIfEmpty, &sub.Format, &initial, &created, &p.Next, &run, &notified, &p.Failures, &p.LastError); err != nil {
		return sub, err
	}
	if schedule != "" {
		sub.Schedule = []byte(schedule)
	}
	sub.InitialRecordTime, sub.CreatedAt = fromMicros(initial), fromMicros(created)
	p.LastRunAt, p.LastNotifiedAt = fromMicros(run), fromMicros(notified)
	return sub, nil
}

// AddSubscription stores a new subscription of a query that is there; a fault of kind NotFound says that it is not.
func (s *Store) AddSubscription(ctx context.Context, sub hub.Subscription) error {
	return s.inTx(ctx, "store subscription", func(tx *Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM named_queries WHERE provider = ? AND name = ?`,
			string(sub.Provider), sub.Query).Scan(&n); err != nil {
			return err
		}
		if n == 0 {
			return hub.Faultf(hub.NotFound, "query.unknown-name", "there is no query %q", sub.Query)
		}
		p := sub.Progress
		_, err := tx.ExecContext(ctx, `INSERT INTO subscriptions (`+subscriptionColumns+`) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
			sub.ID, string(sub.Provider), sub.Query, string(sub.View), sub.Dest, sub.Secret, sub.Stream, string(sub.Schedule),
			sub.ReportIfEmpty, sub.Format, micros(sub.InitialRecordTime), micros(sub.CreatedAt), int64(p.Next),
			micros(p.LastRunAt), micros(p.LastNotifiedAt), p.Failures, p.LastError)
		return err
	})
}

// SaveDelivery notes how far a subscription's delivery came; one that was deleted meanwhile stays deleted.
func (s *Store) SaveDelivery(ctx context.Context, id string, p hub.Progress) error {
	return s.inTx(ctx, "save delivery", func(tx *Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE subscriptions SET next_seq = ?, last_run_at = ?, last_notified_at = ?, failures = ?,
			last_error = ? WHERE id = ?`, int64(p.Next), micros(p.LastRunAt), micros(p.LastNotifiedAt), p.Failures, p.LastError, id)
		return err
	})
}

// Subscriptions lists the subscriptions of a party's query by id, those behind after, at most limit.
func (s *Store) Subscriptions(ctx context.Context, provider hub.ProviderID, query, after string, limit int) ([]hub.Subscription, error) {
	return s.subscriptions(ctx, ` WHERE provider = ? AND query = ? AND id > ? ORDER BY id LIMIT ?`, string(provider), query, after, limit)
}

// AllSubscriptions lists every subscription of every party.
func (s *Store) AllSubscriptions(ctx context.Context) ([]hub.Subscription, error) {
	return s.subscriptions(ctx, ` ORDER BY id`)
}

func (s *Store) subscriptions(ctx context.Context, where string, args ...any) ([]hub.Subscription, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+subscriptionColumns+` FROM subscriptions`+where, args...)
	if err != nil {
		return nil, s.unavailable("list subscriptions", err)
	}
	defer rows.Close()
	var out []hub.Subscription
	for rows.Next() {
		sub, err := scanSubscription(rows)
		if err != nil {
			return nil, s.unavailable("list subscriptions", err)
		}
		out = append(out, sub)
	}
	if err := rows.Err(); err != nil {
		return nil, s.unavailable("list subscriptions", err)
	}
	return out, nil
}

// DeleteSubscription deletes a subscription; a fault of kind NotFound says that there is none.
func (s *Store) DeleteSubscription(ctx context.Context, provider hub.ProviderID, query, id string) error {
	return s.inTx(ctx, "delete subscription", func(tx *Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM subscriptions WHERE provider = ? AND query = ? AND id = ?`, string(provider), query, id)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, hub.Faultf(hub.NotFound, "subscription.unknown", "there is no subscription %q", id))
		}
		return nil
	})
}
