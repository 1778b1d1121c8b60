package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"math"
	"slices"
	"sync"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/store/internal/postings"
	"github.com/suyuan-io/suyuan/store/internal/relational"
)

// index is the store's [relational.Index]: segments of the log, of which the newest are in memory and the others in the
// database. What is in memory is read again from the events when the store is opened.
//
// A full segment is written within the next transaction of Append, so that it is there whole or not at all; a crash before
// that leaves its events to be read again.
type index struct {
	write, read relational.DB
	size        int // events in a segment
	resident    func(bytes int64)

	mu     sync.RWMutex
	sealed []*sealed
	recent []*recent // in log order; only the last one has room
}

// sealed and recent are the two kinds of [segment].
type sealed struct {
	postings.Sealed
	read relational.DB
}

type recent struct{ *postings.Recent }

// segment is a part of the log in which events are found.
type segment interface {
	extent() extent
	// find adds the events that have one of the keys to a set.
	find(ctx context.Context, keys []int64, to *postings.Set) error
	// spots returns when the events at some places were, times when all were.
	spots(ctx context.Context, places []uint16) ([]relational.Spot, error)
	times(ctx context.Context) (*postings.Times, error)
}

// extent is what part of the log and of time a segment covers.
type extent struct {
	// first is the seq of its first event, n the number of its events.
	first int64
	n     int
	// earliest and latest bound the event times in microseconds. Of a segment that grows everything is possible.
	earliest, latest int64
}

func (r recent) extent() extent { return extent{r.First, r.Len(), math.MinInt64, math.MaxInt64} }

func (r recent) find(_ context.Context, keys []int64, to *postings.Set) error {
	r.Find(keys, to)
	return nil
}

func (r recent) spots(_ context.Context, places []uint16) ([]relational.Spot, error) {
	out := make([]relational.Spot, len(places))
	for i, place := range places {
		out[i] = relational.Spot{Time: r.Time(place), Seq: r.First + int64(place)}
	}
	return out, nil
}

func (r recent) times(context.Context) (*postings.Times, error) { return r.Times(), nil }

func (s *sealed) extent() extent { return extent{s.First, s.Len, s.Earliest, s.Latest} }

func (s *sealed) find(ctx context.Context, keys []int64, to *postings.Set) error {
	for _, key := range keys {
		part, ok := s.Part(key)
		if !ok {
			continue
		}
		if err := s.one(ctx, `SELECT part FROM postings WHERE id = ?`, partID(s.First, part), func(b []byte) error {
			return s.Find(key, part, b, to)
		}); err != nil {
			return err
		}
	}
	return nil
}

func (s *sealed) times(ctx context.Context) (t *postings.Times, err error) {
	err = s.one(ctx, `SELECT times FROM segments WHERE first = ?`, s.First, func(b []byte) error {
		t, err = postings.DecodeTimes(b)
		return err
	})
	return t, err
}

func (s *sealed) spots(ctx context.Context, places []uint16) ([]relational.Spot, error) {
	seqs := make([]int64, len(places))
	for i, place := range places {
		seqs[i] = s.First + int64(place)
	}
	return s.read.Spots(ctx, seqs)
}

// one reads the one column of one row and lets use see its bytes, without copying them.
func (s *sealed) one(ctx context.Context, text string, id int64, use func(b []byte) error) error {
	rows, err := s.read.QueryContext(ctx, text, id)
	if err != nil {
		return err
	}
	defer rows.Close()
	if !rows.Next() {
		return errors.Join(rows.Err(), hub.Faultf(hub.Internal, "store.index", "a part of the index is missing").
			WithHint("make it again with: suyuan rebuild"))
	}
	var b sql.RawBytes
	if err := rows.Scan(&b); err != nil {
		return err
	}
	return use(b)
}

// partBits is how many bits of a part's id say which part of its segment it is.
const partBits = 20

func partID(first int64, part int) int64 { return first<<partBits | int64(part) }

// Load implements [relational.Index].
func (x *index) Load(ctx context.Context, from relational.Entries) error {
	if len(x.sealed) == 0 && len(x.recent) == 0 {
		if err := x.loadSealed(ctx); err != nil {
			return err
		}
	}
	const batch = 2000
	for {
		entries, err := from(ctx, uint64(x.end()), batch)
		if err != nil || len(entries) == 0 {
			return err
		}
		x.add(entries)
		if err := x.settle(ctx); err != nil {
			return err
		}
	}
}

func (x *index) loadSealed(ctx context.Context) error {
	rows, err := x.read.QueryContext(ctx, `SELECT first, events, earliest, latest, buckets, filter, keys FROM segments ORDER BY first`)
	if err != nil {
		return err
	}
	defer rows.Close()
	var found []*sealed
	for rows.Next() {
		s := &sealed{read: x.read}
		var filter, keys sql.RawBytes
		if err := rows.Scan(&s.First, &s.Len, &s.Earliest, &s.Latest, &s.Buckets, &filter, &keys); err != nil {
			return err
		}
		if err := s.Open(filter, keys); err != nil {
			return fmt.Errorf("read the index from event %d on: %w", s.First, err)
		}
		found = append(found, s)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	x.mu.Lock()
	x.sealed = found
	x.mu.Unlock()
	x.tell()
	return nil
}

// tell tells how much stays in memory for good.
func (x *index) tell() {
	x.mu.RLock()
	defer x.mu.RUnlock()
	n := int64(0)
	for _, s := range x.sealed {
		n += s.Resident()
	}
	x.resident(n)
}

// end is the seq after the last event in the index.
func (x *index) end() int64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.endLocked()
}

func (x *index) endLocked() int64 {
	if n := len(x.recent); n > 0 {
		return x.recent[n-1].First + int64(x.recent[n-1].Len())
	}
	if n := len(x.sealed); n > 0 {
		return x.sealed[n-1].First + int64(x.sealed[n-1].Len)
	}
	return 0
}

// add adds entries to the newest segments.
func (x *index) add(entries []relational.Entry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range entries {
		e := &entries[i]
		n := len(x.recent)
		if n == 0 || x.recent[n-1].Len() >= x.size {
			x.recent = append(x.recent, &recent{postings.NewRecent(e.Seq)})
			n++
		}
		var step []int64
		if e.Step != 0 {
			step = []int64{e.Step}
		}
		x.recent[n-1].Add(e.Time, e.Things, e.Facets, step)
	}
}

// settle writes the segments that are full in transactions of their own.
func (x *index) settle(ctx context.Context) error {
	for len(x.recent) > 0 && x.recent[0].Len() >= x.size {
		tx, err := x.write.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		s, err := x.seal(ctx, tx)
		if err != nil {
			return errors.Join(err, tx.Rollback())
		}
		if err := tx.Commit(); err != nil {
			return err
		}
		x.replace(s)
	}
	return nil
}

// seal writes the oldest segment that is in memory. It may be there already: a commit that failed may have landed.
func (x *index) seal(ctx context.Context, tx interface {
	ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error)
},
) (*sealed, error) {
	b, err := x.recent[0].Seal()
	if err != nil {
		return nil, fmt.Errorf("make a segment of the index: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO segments (first, events, earliest, latest, buckets, filter, keys, times)
		VALUES (?,?,?,?,?,?,?,?)`, b.First, b.Len, b.Earliest, b.Latest, b.Buckets, b.Filter, b.Keys, b.Times); err != nil {
		return nil, fmt.Errorf("store a segment of the index: %w", err)
	}
	for i, part := range b.Parts {
		if _, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO postings (id, part) VALUES (?,?)`, partID(b.First, i), part); err != nil {
			return nil, fmt.Errorf("store a segment of the index: %w", err)
		}
	}
	return &sealed{Sealed: b.Sealed, read: x.read}, nil
}

// replace puts a segment that was written in the place of the one in memory.
func (x *index) replace(s *sealed) {
	x.mu.Lock()
	x.sealed = append(slices.Clip(x.sealed), s)
	x.recent = slices.Clone(x.recent[1:])
	x.mu.Unlock()
	x.tell()
}

// Begin implements [relational.Index].
func (x *index) Begin(ctx context.Context, tx *relational.Tx) (relational.Additions, error) {
	a := &additions{index: x}
	if len(x.recent) > 0 && x.recent[0].Len() >= x.size {
		var err error
		if a.sealed, err = x.seal(ctx, tx); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// additions are those of one transaction. Only one runs at a time.
type additions struct {
	index   *index
	sealed  *sealed
	entries []relational.Entry
}

// Add implements [relational.Additions].
func (a *additions) Add(e *relational.Entry) error {
	a.entries = append(a.entries, *e)
	return nil
}

// Flush implements [relational.Additions].
func (a *additions) Flush() error { return nil }

// Done implements [relational.Additions].
func (a *additions) Done() {
	if a.sealed != nil {
		a.index.replace(a.sealed)
	}
	a.index.add(a.entries)
}

// all returns the segments, in log order.
func (x *index) all() []segment {
	x.mu.RLock()
	defer x.mu.RUnlock()
	out := make([]segment, 0, len(x.sealed)+len(x.recent))
	for _, s := range x.sealed {
		out = append(out, s)
	}
	for _, r := range x.recent {
		out = append(out, r)
	}
	return out
}

// Lookup implements [relational.Index]. What is found is committed, so that tx makes no difference.
func (x *index) Lookup(ctx context.Context, _ *relational.Tx, keys []int64, most int) ([]int64, error) {
	var out []int64
	var set postings.Set
	for _, s := range x.all() {
		if len(out) > most {
			break
		}
		if err := s.find(ctx, keys, &set); err != nil {
			return nil, err
		}
		if set.Empty() {
			continue
		}
		first := s.extent().first
		for _, place := range set.Places() {
			out = append(out, first+int64(place))
		}
		set = postings.Set{}
	}
	return out, nil
}

// Digests implements [relational.Rebuildable].
func (x *index) Digests(ctx context.Context) (map[string]string, error) {
	h, n := sha256.New(), 0
	for _, text := range []string{
		`SELECT first || ' ' || events || ' ' || earliest || ' ' || latest || ' ' || buckets || hex(filter) || hex(keys) || hex(times)
			FROM segments ORDER BY first`,
		`SELECT id || hex(part) FROM postings ORDER BY id`,
	} {
		rows, err := x.digest(ctx, h, text)
		if err != nil {
			return nil, err
		}
		n += rows
	}
	return map[string]string{"segments": fmt.Sprintf("%d rows, %s", n, hex.EncodeToString(h.Sum(nil)[:8]))}, nil
}

func (x *index) digest(ctx context.Context, h hash.Hash, text string) (n int, err error) {
	rows, err := x.read.QueryContext(ctx, text)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for ; rows.Next(); n++ {
		var b sql.RawBytes
		if err := rows.Scan(&b); err != nil {
			return 0, err
		}
		_, _ = h.Write(b) // a hash takes everything
	}
	return n, rows.Err()
}

// Rebuild implements [relational.Rebuildable].
func (x *index) Rebuild(ctx context.Context, from relational.Entries) error {
	tx, err := x.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for _, text := range []string{`DELETE FROM segments`, `DELETE FROM postings`} {
		if _, err := tx.ExecContext(ctx, text); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	x.mu.Lock()
	x.sealed, x.recent = nil, nil
	x.mu.Unlock()
	return x.Load(ctx, from)
}
