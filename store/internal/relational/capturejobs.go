package relational

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

const jobColumns = `id, provider, connector, proceed, content_type, file, events, failed, errors, running, success, created_at, finished_at`

func scanJob(row interface{ Scan(...any) error }) (hub.CaptureJob, error) {
	var j hub.CaptureJob
	var errs []byte
	var created, finished int64
	if err := row.Scan(&j.ID, &j.Provider, &j.Connector, &j.Proceed, &j.ContentType, &j.File, &j.Events, &j.Failed, &errs,
		&j.Running, &j.Success, &created, &finished); err != nil {
		return j, err
	}
	j.CreatedAt, j.FinishedAt = fromMicros(created), fromMicros(finished)
	if err := json.Unmarshal(errs, &j.Errors); err != nil {
		return j, fmt.Errorf("decode the errors of capture job %s: %w", j.ID, err)
	}
	return j, nil
}

// PutJob stores a capture job, or the new state of one that is there.
func (s *Store) PutJob(ctx context.Context, j hub.CaptureJob) error {
	if j.Errors == nil {
		j.Errors = []hub.JobError{}
	}
	errs, err := json.Marshal(j.Errors)
	if err != nil {
		return fmt.Errorf("encode the errors of capture job %s: %w", j.ID, err)
	}
	return s.inTx(ctx, "store capture job", func(tx *Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO capture_jobs (`+jobColumns+`) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)`+
			`ON CONFLICT (id)`+replacing(jobColumns),
			j.ID, string(j.Provider), string(j.Connector), j.Proceed, j.ContentType, j.File, j.Events, j.Failed, string(errs),
			j.Running, j.Success, micros(j.CreatedAt), micros(j.FinishedAt))
		return err
	})
}

// Job returns a capture job, or a fault of kind NotFound.
func (s *Store) Job(ctx context.Context, id string) (hub.CaptureJob, error) {
	j, err := scanJob(s.read.QueryRowContext(ctx, `SELECT `+jobColumns+` FROM capture_jobs WHERE id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return j, hub.Faultf(hub.NotFound, "capture.unknown", "there is no capture job %q", id)
	}
	if err != nil {
		return j, s.unavailable("read capture job", err)
	}
	return j, nil
}

// Jobs lists a provider's capture jobs, or everybody's if provider is empty, the newest first: those created before the
// given time, or at it with a smaller id; at most limit. The zero time begins with the newest.
func (s *Store) Jobs(ctx context.Context, provider hub.ProviderID, before time.Time, id string, limit int) ([]hub.CaptureJob, error) {
	text, args := ` WHERE true`, []any{}
	if provider != "" {
		text, args = text+` AND provider = ?`, append(args, string(provider))
	}
	if !before.IsZero() {
		text, args = text+` AND (created_at, id) < (?, ?)`, append(args, micros(before), id)
	}
	return s.jobs(ctx, text+` ORDER BY created_at DESC, id DESC LIMIT ?`, append(args, limit)...)
}

// RunningJobs lists every capture job that is not finished, the oldest first.
func (s *Store) RunningJobs(ctx context.Context) ([]hub.CaptureJob, error) {
	return s.jobs(ctx, ` WHERE running ORDER BY created_at, id`)
}

func (s *Store) jobs(ctx context.Context, where string, args ...any) ([]hub.CaptureJob, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+jobColumns+` FROM capture_jobs`+where, args...)
	if err != nil {
		return nil, s.unavailable("list capture jobs", err)
	}
	defer rows.Close()
	var out []hub.CaptureJob
	for rows.Next() {
		j, err := scanJob(rows)
		if err != nil {
			return nil, s.unavailable("list capture jobs", err)
		}
		out = append(out, j)
	}
	if err := rows.Err(); err != nil {
		return nil, s.unavailable("list capture jobs", err)
	}
	return out, nil
}
