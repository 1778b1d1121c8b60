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
	"sort"
	"sync/atomic"

	"github.com/suyuan-io/suyuan/store/internal/postings"
	"github.com/suyuan-io/suyuan/store/internal/relational"
)

// index is the store's [relational.Index]: segments of the log, of which the newest are in memory and the others in the
// database. What is in memory is read again from the events when the store is opened.
//
// A full segment is written within the next transaction of Append, so that it is there whole or not at all; a crash before
// that leaves its events to be read again. Old segments are merged within the transactions of Append as well, step by step: [merge].
type index struct {
	write, read relational.DB
	entries     relational.Entries
	size        int // events in a segment
	perStep     int // eventsPerStep, for segments of this size
	resident    func(bytes int64)
	mender      mender

	// now is what readers see. It is replaced by the one who appends, to whom the rest belongs.
	now      atomic.Pointer[view]
	progress progress
	room     postings.Room      // of the segment that was sealed last
	spare    []relational.Entry // for the next additions
}

// view is what is in the index at one moment. It is not changed but for the newest segment, which grows.
type view struct {
	segments []*sealed
	runs     []*run    // of the segments; both are in log order
	recent   []*recent // behind them, in log order; only the last one has room
}

func newIndex(write, read relational.DB, entries relational.Entries, c Config) *index {
	x := &index{
		write: write, read: read, entries: entries,
		size: c.Segment, perStep: max(c.Segment*eventsPerStep/postings.Size, 1), resident: c.Resident, mender: mender{tell: c.Damaged},
	}
	x.now.Store(&view{})
	return x
}

// show makes v what readers see, and tells how much stays in memory for good.
func (x *index) show(v *view) {
	x.now.Store(v)
	n := int64(0)
	for _, s := range v.segments {
		n += s.Resident()
	}
	for _, r := range v.runs {
		n += r.Resident()
	}
	x.resident(n)
}

// end is the seq after the last event in the index.
func (v *view) end() int64 {
	if n := len(v.recent); n > 0 {
		return v.recent[n-1].First + int64(v.recent[n-1].Len())
	}
	return v.sealedEnd()
}

func (v *view) sealedEnd() int64 {
	if n := len(v.segments); n > 0 {
		return v.segments[n-1].First + int64(v.segments[n-1].Len)
	}
	return 0
}

// full reports whether the oldest segment in memory is.
func (x *index) full(v *view) bool { return len(v.recent) > 0 && v.recent[0].Len() >= x.size }

// Load implements [relational.Index].
func (x *index) Load(ctx context.Context, from relational.Entries) error {
	v, p, err := x.kept(ctx)
	if d, ok := errors.AsType[*damage](err); ok {
		return x.remakeAll(ctx, from, d.place)
	}
	if err != nil {
		return err
	}
	for _, r := range x.now.Load().recent { // a commit that failed may have landed: then it is in the database by now
		if r.First >= v.sealedEnd() {
			v.recent = append(v.recent, r)
		}
	}
	x.progress = p
	x.show(v)
	const batch = 2000
	for {
		entries, err := from(ctx, uint64(x.now.Load().end()), batch)
		if err != nil || len(entries) == 0 {
			return err
		}
		x.add(entries)
		if err := x.settleFull(ctx); err != nil {
			return err
		}
	}
}

// remakeAll makes everything again because the row of a segment or a run is damaged, unless others read what is there.
func (x *index) remakeAll(ctx context.Context, from relational.Entries, p place) error {
	f := damaged(p)
	if x.now.Load().end() > 0 {
		f.Hint, f.HintZh = "restart the hub: it makes the index again from the recorded events", "请重启，索引将根据已记录的事件重建"
		return f
	}
	x.mender.tell(1, f)
	if err := x.Rebuild(ctx, from); err != nil {
		return err
	}
	x.mender.tell(0, nil)
	return nil
}

// add adds entries to the newest segments.
func (x *index) add(entries []relational.Entry) {
	v := x.now.Load()
	for i := range entries {
		e := &entries[i]
		n := len(v.recent)
		if n == 0 || v.recent[n-1].Len() >= x.size {
			v = &view{v.segments, v.runs, append(slices.Clip(v.recent), &recent{postings.NewRecent(e.Seq, x.room)})}
			x.now.Store(v)
			n++
		}
		v.recent[n-1].Add(e.Time, e.Names[:], e.Things, e.Facets)
	}
}

// settleFull writes the segments that are full in transactions of their own, and merges as much as appending their events would have.
func (x *index) settleFull(ctx context.Context) error {
	for x.full(x.now.Load()) {
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
		x.show(x.now.Load().with(s))
		if err := x.work(ctx, x.size); err != nil {
			return err
		}
	}
	return nil
}

// written is a segment that was written, and the run that it begins with.
type written struct {
	segment *sealed
	run     *run
}

// seal writes the oldest segment that is in memory. It may be there already: a commit that failed may have landed.
func (x *index) seal(ctx context.Context, tx executor) (*written, error) {
	b, err := x.now.Load().recent[0].Seal()
	if err != nil {
		return nil, fmt.Errorf("make a segment of the index: %w", err)
	}
	x.room = b.Room
	return x.put(ctx, tx, &b)
}

// put writes a segment and the run that it begins with.
func (x *index) put(ctx context.Context, tx executor, b *postings.Bytes) (*written, error) {
	out := &written{&sealed{Sealed: b.Sealed, x: x}, &run{Run: *b.Run, read: x.read}}
	_, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO segments (first, events, earliest, latest, names, things, keys, times)
		VALUES (?,?,?,?,?,?,?,?)`, b.First, b.Len, b.Earliest, b.Latest, b.Run.Entries[postings.Names], b.Run.Entries[postings.Things],
		summed(b.Keys, segmentRow(&b.Sealed, b.Run)...), summed(b.Times, b.First))
	for kind, parts := range b.Parts {
		if err == nil {
			err = out.run.put(ctx, tx, postings.Kind(kind), 0, parts)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("store a segment of the index: %w", err)
	}
	return out, nil
}

// with is v with a segment that was written in the place of the oldest one in memory.
func (v *view) with(w *written) *view {
	return &view{append(slices.Clip(v.segments), w.segment), append(slices.Clip(v.runs), w.run), v.recent[1:]}
}

// Begin implements [relational.Index].
func (x *index) Begin(ctx context.Context, tx *relational.Tx) (relational.Additions, error) {
	a := &additions{index: x, ctx: ctx, tx: tx, entries: x.spare[:0]}
	if x.full(x.now.Load()) {
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
	ctx     context.Context //nolint:containedctx // lives as long as the transaction that made it
	tx      *relational.Tx
	sealed  *written
	entries []relational.Entry
	// progress is that of merging after the transaction.
	progress progress
}

// Sift implements [relational.Additions]. Lookup asks the filters itself.
func (a *additions) Sift(keys []int64) []int64 { return keys }

// Add implements [relational.Additions].
func (a *additions) Add(e *relational.Entry) error {
	a.entries = append(a.entries, *e)
	return nil
}

// Flush implements [relational.Additions].
func (a *additions) Flush() (err error) {
	p := a.index.progress
	if p.credit += len(a.entries); p.ended && p.credit > a.index.size { // in case that it was mended unseen
		p = p.resumed()
	}
	a.progress, err = a.index.advance(a.ctx, a.tx, a.index.now.Load(), p)
	return err
}

// Done implements [relational.Additions].
func (a *additions) Done() {
	a.index.settle(a.progress)
	if a.sealed != nil {
		a.index.show(a.index.now.Load().with(a.sealed))
	}
	a.index.add(a.entries)
	clear(a.entries)
	a.index.spare = a.entries
}

// run returns the run of an event of a sealed segment.
func (v *view) run(seq int64) *run {
	return v.runs[sort.Search(len(v.runs), func(i int) bool { return v.runs[i].First > seq })-1]
}

// again runs read with what readers see now, and once more if a part was missing because it was merged meanwhile. What is damaged is
// reported.
func (x *index) again(read func(v *view) error) error {
	for {
		v := x.now.Load()
		err := read(v)
		d, ok := errors.AsType[*damage](err)
		if !ok {
			return err
		}
		if x.now.Load() == v {
			x.mender.report(d.place)
			return err
		}
	}
}

// few returns the seqs, in order, that the run of an event of a sealed segment has for a condition.
func (x *index) few(ctx context.Context, c *condition, seq int64) (seqs []int64, err error) {
	err = x.again(func(v *view) (err error) {
		r, known := v.run(seq), false
		if seqs, known = c.found[r]; known {
			return nil
		}
		if seqs, err = x.findIn(ctx, []*run{r}, c.kind, c.hashes); err == nil {
			c.found[r] = seqs
		}
		return err
	})
	return seqs, err
}

// Lookup implements [relational.Index]. What is found is committed, so that tx makes no difference.
func (x *index) Lookup(ctx context.Context, _ *relational.Tx, c relational.Condition, most int) (out []int64, err error) {
	asked := newCondition(c)
	err = x.again(func(v *view) (err error) {
		out, err = x.lookup(ctx, v, asked, most)
		return err
	})
	return out, err
}

func (x *index) lookup(ctx context.Context, v *view, c *condition, most int) (out []int64, err error) {
	if out, err = x.findIn(ctx, v.runs, c.kind, c.hashes); err != nil {
		return nil, err
	}
	few := len(out)
	for _, s := range v.segments {
		if len(out) > most {
			break
		}
		if out, err = s.many(ctx, c, out); err != nil {
			return nil, err
		}
	}
	if len(out) > few {
		slices.Sort(out)
		out = slices.Compact(out)
	}
	var set postings.Set
	for _, r := range v.recent {
		if len(out) > most {
			break
		}
		r.Find(c.kind, c.keys, &set)
		if set.Empty() {
			continue
		}
		for _, place := range set.Places() {
			out = append(out, r.First+int64(place))
		}
		set = postings.Set{}
	}
	return out, nil
}

// many adds to out the events of those keys that have a set.
func (s *sealed) many(ctx context.Context, c *condition, out []int64) ([]int64, error) {
	if c.kind == postings.Names || !slices.ContainsFunc(c.keys, func(key int64) bool { _, ok := s.Set(key); return ok }) {
		return out, nil
	}
	var set postings.Set
	if err := s.sets(ctx, c, &set); err != nil {
		return nil, err
	}
	for _, place := range set.Places() {
		out = append(out, s.First+int64(place))
	}
	return out, nil
}

// all returns the segments, in log order.
func (x *index) all() []segment {
	v := x.now.Load()
	out := make([]segment, 0, len(v.segments)+len(v.recent))
	for _, s := range v.segments {
		out = append(out, s)
	}
	for _, r := range v.recent {
		out = append(out, r)
	}
	return out
}

// Digests implements [relational.Rebuildable]. What is full is written and what is to be merged is merged first, so that the same events
// give the same; where a part is damaged it is not, and the digest differs.
func (x *index) Digests(ctx context.Context) (map[string]string, error) {
	if err := x.settleFull(ctx); err != nil {
		return nil, err
	}
	if err := x.work(ctx, math.MaxInt); err != nil {
		return nil, err
	}
	h, n := sha256.New(), 0
	for _, text := range []string{
		`SELECT first || ' ' || events || ' ' || earliest || ' ' || latest || ' ' || names || ' ' || things || hex(keys) || hex(times)
			FROM segments ORDER BY first`,
		`SELECT level || ' ' || first || ' ' || events || ' ' || names || ' ' || things || ' ' || step FROM runs ORDER BY level, first`,
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
	for _, text := range []string{`DELETE FROM segments`, `DELETE FROM runs`, `DELETE FROM postings`} {
		if _, err := tx.ExecContext(ctx, text); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	x.now.Store(&view{})
	return x.Load(ctx, from)
}
