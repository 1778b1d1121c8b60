package sqlite

import (
	"context"
	"database/sql"
	"math"
	"slices"

	"github.com/suyuan-io/suyuan/store/internal/postings"
	"github.com/suyuan-io/suyuan/store/internal/relational"
)

// sealed and recent are the two kinds of [segment].
type sealed struct {
	postings.Sealed
	x *index
}

type recent struct{ *postings.Recent }

// segment is a part of the log in which events are found.
type segment interface {
	extent() extent
	// find adds the events that fulfil a condition to a set.
	find(ctx context.Context, c *condition, to *postings.Set) error
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

// condition is one of a walk.
type condition struct {
	kind   postings.Kind
	keys   []int64
	hashes []uint64
	// found are the seqs that runs have, in order: of all segments of a run at once.
	found map[*run][]int64
}

func newCondition(c relational.Condition) *condition {
	kind := postings.Things
	if c.Of == relational.OfNames {
		kind = postings.Names
	}
	return &condition{kind, c.Keys, postings.Hashes(c.Keys), map[*run][]int64{}}
}

func (r recent) extent() extent { return extent{r.First, r.Len(), math.MinInt64, math.MaxInt64} }

func (r recent) find(_ context.Context, c *condition, to *postings.Set) error {
	r.Find(c.kind, c.keys, to)
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

func (s *sealed) find(ctx context.Context, c *condition, to *postings.Set) error {
	if err := s.sets(ctx, c, to); err != nil {
		return err
	}
	seqs, err := s.x.few(ctx, c, s.First)
	if err != nil {
		return err
	}
	from, _ := slices.BinarySearch(seqs, s.First)
	for _, seq := range seqs[from:] {
		if seq >= s.First+int64(s.Len) {
			break
		}
		to.Add(uint16(seq - s.First))
	}
	return nil
}

// sets adds the events of those keys that have a set.
func (s *sealed) sets(ctx context.Context, c *condition, to *postings.Set) error {
	if c.kind == postings.Names {
		return nil
	}
	for _, key := range c.keys {
		part, ok := s.Set(key)
		if !ok {
			continue
		}
		if err := s.one(ctx, `SELECT part FROM postings WHERE id = ?`, partID(0, s.First, postings.Sets, part), to.OrEncoded); err != nil {
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
	return s.x.read.Spots(ctx, seqs)
}

// one reads the one column of one row of s and lets use see its bytes, without copying them.
func (s *sealed) one(ctx context.Context, text string, id int64, use func(b []byte) error) error {
	rows, err := s.x.read.QueryContext(ctx, text, id)
	if err != nil {
		return err
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return err
		}
		return s.damaged()
	}
	var b sql.RawBytes
	if err := rows.Scan(&b); err != nil {
		return err
	}
	part, ok := checked(b, id)
	if !ok || use(part) != nil {
		return s.damaged()
	}
	return nil
}

// damaged reports that what is kept of s is.
func (s *sealed) damaged() error {
	p := place{first: s.First}
	s.x.mender.report(p)
	return damaged(p)
}
