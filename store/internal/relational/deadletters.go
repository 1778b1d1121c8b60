package relational

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// deadFrom makes the dead letter of an outcome that normalised well but cannot be appended. The raw bytes are not part
// of an outcome's events, so the letter points at the raw record by its digest.
func deadFrom(o *hub.Outcome, f *hub.Fault) *hub.DeadLetter {
	d := hub.DeadLetter{
		Record: o.Record, Provider: o.Provider, ReceivedAt: o.ReceivedAt, Stage: "append", Fault: *f,
	}
	if o.Raw != nil {
		d.ContentType, d.Origin, d.Line, d.Column = o.Raw.ContentType, o.Raw.Origin, o.Raw.Line, o.Raw.Column
		d.Preamble, d.Body = o.Raw.Preamble, o.Raw.Body
	}
	return &d
}

// bury notes a record that failed. The first failure adds a dead letter; a failed replay, or the same record delivered
// again, refreshes or keeps the one that is there.
func (a *appender) bury(o *hub.Outcome, k known) (hub.Verdict, error) {
	if k.found && k.dead != 0 {
		if o.Attempt == 0 && o.RawDigest == k.raw {
			return hub.Repeated, nil
		}
		return hub.Dead, a.refresh(o, k)
	}
	id, err := a.addLetter(o.Dead, o)
	if err != nil {
		return 0, err
	}
	k.dead = id
	return hub.Dead, a.note(o, k, hub.Dead, "")
}

// conflict keeps bytes that came under a used id as a dead letter of their own, once, and leaves the record as it is.
func (a *appender) conflict(o *hub.Outcome, f *hub.Fault, _ known) (hub.Verdict, error) {
	var n int
	err := a.tx.QueryRowContext(a.ctx, `SELECT count(*) FROM dead_letters WHERE connector = ? AND record_id = ? AND raw = ?`,
		string(o.Record.Connector), string(o.Record.ID), o.RawDigest[:]).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("find dead letter: %w", err)
	}
	if n > 0 {
		return hub.Repeated, nil
	}
	d := deadFrom(o, f)
	if o.Dead != nil {
		d = o.Dead
		d.Fault = *f
	}
	if _, err := a.addLetter(d, o); err != nil {
		return 0, err
	}
	return hub.Conflicting, nil
}

func (a *appender) addLetter(d *hub.DeadLetter, o *hub.Outcome) (hub.DeadLetterID, error) {
	fault, err := json.Marshal(stored(d.Fault))
	if err != nil {
		return 0, fmt.Errorf("encode fault: %w", err)
	}
	var id int64
	err = a.tx.QueryRowContext(a.ctx, `INSERT INTO dead_letters (connector, record_id, provider, raw, received_at, died_at,
		attempts, stage, code, fault, content_type, origin, preamble, body, line, col, state, note)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,'') RETURNING id`,
		string(o.Record.Connector), string(o.Record.ID), string(o.Provider), o.RawDigest[:], micros(o.ReceivedAt), micros(a.at),
		o.Attempt+1, d.Stage, d.Fault.Code, fault, d.ContentType, d.Origin, notNil(d.Preamble), notNil(d.Body),
		d.Line, d.Column, hub.DeadWaiting).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("insert dead letter: %w", err)
	}
	return hub.DeadLetterID(id), nil
}

// refresh notes a failed replay on the letter that is there.
func (a *appender) refresh(o *hub.Outcome, k known) error {
	d := o.Dead
	fault, err := json.Marshal(stored(d.Fault))
	if err != nil {
		return fmt.Errorf("encode fault: %w", err)
	}
	_, err = a.tx.ExecContext(a.ctx, `UPDATE dead_letters SET died_at = ?, attempts = ?, stage = ?, code = ?, fault = ?, state = ?
		WHERE id = ? AND state <> ?`,
		micros(a.at), o.Attempt+1, d.Stage, d.Fault.Code, fault, hub.DeadWaiting, k.dead, hub.DeadDropped)
	if err != nil {
		return fmt.Errorf("refresh dead letter: %w", err)
	}
	return nil
}

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// storedFault is the durable form of a fault; the cause is kept as text.
type storedFault struct {
	Kind      hub.Kind  `json:"kind"`
	Code      string    `json:"code"`
	Message   string    `json:"message"`
	MessageZh string    `json:"messageZh,omitempty"`
	Hint      string    `json:"hint,omitempty"`
	HintZh    string    `json:"hintZh,omitempty"`
	Where     hub.Where `json:"where"`
	Cause     string    `json:"cause,omitempty"`
}

func stored(f hub.Fault) storedFault {
	out := storedFault{
		Kind: f.Kind, Code: f.Code, Message: f.Message, MessageZh: f.MessageZh,
		Hint: f.Hint, HintZh: f.HintZh, Where: f.Where,
	}
	if f.Err != nil {
		out.Cause = f.Err.Error()
	}
	return out
}

func (f storedFault) fault() hub.Fault {
	out := hub.Fault{
		Kind: f.Kind, Code: f.Code, Message: f.Message, MessageZh: f.MessageZh,
		Hint: f.Hint, HintZh: f.HintZh, Where: f.Where,
	}
	if f.Cause != "" {
		out.Err = errors.New(f.Cause)
	}
	return out
}

const letterColumns = `id, connector, record_id, provider, received_at, died_at, attempts, stage, fault, content_type, origin,
	line, col, state, note`

func (s *Store) scanLetter(row interface{ Scan(...any) error }, more ...any) (hub.DeadLetter, error) {
	var d hub.DeadLetter
	var received, died int64
	var fault []byte
	dest := append([]any{
		&d.ID, &d.Record.Connector, &d.Record.ID, &d.Provider, &received, &died, &d.Attempts, &d.Stage,
		&fault, &d.ContentType, &d.Origin, &d.Line, &d.Column, &d.State, &d.Note,
	}, more...)
	if err := row.Scan(dest...); err != nil {
		return d, err
	}
	d.ReceivedAt, d.DiedAt = fromMicros(received), fromMicros(died)
	d.Record.ID, d.Origin = hub.RecordID(s.dialect.Text(string(d.Record.ID))), s.dialect.Text(d.Origin)
	d.ContentType, d.Note = s.dialect.Text(d.ContentType), s.dialect.Text(d.Note)
	var f storedFault
	if err := json.Unmarshal(fault, &f); err != nil {
		return d, fmt.Errorf("decode fault: %w", err)
	}
	d.Fault = f.fault()
	return d, nil
}

// DeadLetter implements pipeline.Morgue.
func (s *Store) DeadLetter(ctx context.Context, id hub.DeadLetterID) (hub.DeadLetter, error) {
	var preamble, body []byte
	d, err := s.scanLetter(s.read.QueryRowContext(ctx, `SELECT `+letterColumns+`, preamble, body FROM dead_letters WHERE id = ?`,
		int64(id)), &preamble, &body)
	if errors.Is(err, sql.ErrNoRows) {
		return d, hub.Faultf(hub.NotFound, "dead-letter.unknown", "there is no dead letter %d", id).
			WithHint("list them with: suyuan dead list")
	}
	if err != nil {
		return d, s.unavailable("read dead letter", err)
	}
	d.Preamble, d.Body = preamble, body
	return d, nil
}

// DeadLetters implements pipeline.Morgue.
func (s *Store) DeadLetters(ctx context.Context, f hub.DeadFilter) ([]hub.DeadLetter, error) {
	if f.State == 0 {
		f.State = hub.DeadWaiting
	}
	if f.Limit <= 0 {
		f.Limit = 100
	}
	where, args := []string{`state = ?`, `id > ?`}, []any{f.State, int64(f.After)}
	for _, c := range []struct{ column, value string }{
		{"provider", string(f.Provider)}, {"connector", string(f.Connector)}, {"code", f.Code},
	} {
		if c.value != "" {
			where, args = append(where, c.column+` = ?`), append(args, c.value)
		}
	}
	rows, err := s.read.QueryContext(ctx, `SELECT `+letterColumns+` FROM dead_letters WHERE `+
		strings.Join(where, ` AND `)+` ORDER BY id LIMIT ?`, append(args, f.Limit)...)
	if err != nil {
		return nil, s.unavailable("list dead letters", err)
	}
	defer rows.Close()
	var out []hub.DeadLetter
	for rows.Next() {
		d, err := s.scanLetter(rows)
		if err != nil {
			return nil, s.unavailable("list dead letters", err)
		}
		out = append(out, d)
	}
	if err := rows.Err(); err != nil {
		return nil, s.unavailable("list dead letters", err)
	}
	return out, nil
}

// UpdateDeadLetter implements pipeline.Morgue.
func (s *Store) UpdateDeadLetter(ctx context.Context, d hub.DeadLetter, was hub.DeadState) error {
	return s.inTx(ctx, "update dead letter", func(tx *Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE dead_letters SET state = ?, note = ?, preamble = ?, body = ? WHERE id = ? AND state = ?`,
			d.State, d.Note, notNil(d.Preamble), notNil(d.Body), int64(d.ID), was)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return err
		}
		if n == 0 {
			return hub.Faultf(hub.Conflict, "dead-letter.state", "dead letter %d is not %s any more", d.ID, was).
				WithHint("look at it again with: suyuan dead show")
		}
		return nil
	})
}

// AddDeadLetter buries a record that never became an outcome, such as a raw message that cannot be read.
func (s *Store) AddDeadLetter(ctx context.Context, d hub.DeadLetter, raw hub.Digest) error {
	_, err := s.Append(ctx, []hub.Outcome{{
		Record: d.Record, Provider: d.Provider, ReceivedAt: d.ReceivedAt, RawDigest: raw, Dead: &d,
	}})
	return err
}
