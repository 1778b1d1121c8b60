package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/suyuan-io/suyuan/store/internal/postings"
	"github.com/suyuan-io/suyuan/store/internal/relational"
)

// run is where the events of keys are of which segments have few. Its parts are rows.
type run struct {
	postings.Run
	read relational.DB
}

// A part's id is the first seq of its segment or run, and in these bits its level, its kind and its number.
const (
	numberBits = 24
	kindBits   = 2
	levelBits  = 3
)

func partID(level int, first int64, kind postings.Kind, part int) int64 {
	return (first<<levelBits|int64(level))<<(kindBits+numberBits) | int64(kind)<<numberBits | int64(part)
}

func (r *run) id(kind postings.Kind, part int) int64 { return partID(r.Level, r.First, kind, part) }

// of reports whether r may have been merged from some runs.
func (r *run) of(sources []*run) bool {
	sum := postings.NewRun(plain(sources))
	return r.Len == sum.Len && r.Entries == sum.Entries
}

// covers reports whether an event is one of r's.
func (r *run) covers(seq int64) bool { return seq >= r.First && seq < r.First+r.Len }

// place is that of a slice.
func (r *run) place(slice int) place { return place{r.Level, r.First, slice} }

// perRead is how many parts one statement reads at most.
const perRead = 16

// question is a hash that a run may have, and the part that says whether it does.
type question struct {
	id   int64
	run  *run
	hash uint64
}

// damaged is the fault that the part is.
func (q *question) damaged() error { return damaged(q.run.place(q.run.Part(postings.Filters, q.hash))) }

// findIn returns, in order and each once, the events of some runs, which are in log order, that have any of the hashes, which are
// sorted. Parts of all runs are read with few statements: a statement costs more than a part.
func (x *index) findIn(ctx context.Context, runs []*run, kind postings.Kind, hashes []uint64) (out []int64, err error) {
	var todo []question
	var maybe []uint64
	for _, r := range runs {
		maybe = r.Candidates(kind, hashes, maybe[:0])
		for _, hash := range maybe {
			todo = append(todo, question{r.id(kind, r.Part(kind, hash)), r, hash})
		}
	}
	for len(todo) > 0 {
		var ids []any
		n := 0
		for ; n < len(todo); n++ {
			if n > 0 && todo[n].id == todo[n-1].id {
				continue
			}
			if len(ids) == perRead {
				break
			}
			ids = append(ids, todo[n].id)
		}
		if out, err = x.answer(ctx, kind, ids, todo[:n], out); err != nil {
			return nil, err
		}
		todo = todo[n:]
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// answer adds the events of questions to out; ids are those of the parts that hold them.
func (x *index) answer(ctx context.Context, kind postings.Kind, ids []any, todo []question, out []int64) ([]int64, error) {
	rows, err := x.read.QueryContext(ctx, `SELECT id, part FROM postings WHERE id IN (?`+strings.Repeat(`,?`, len(ids)-1)+`) ORDER BY id`, ids...)
	if err != nil {
		return out, err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var part sql.RawBytes
		if err := rows.Scan(&id, &part); err != nil {
			return out, err
		}
		b, ok := checked(part, id)
		if !ok || todo[0].id != id {
			return out, todo[0].damaged()
		}
		for ; len(todo) > 0 && todo[0].id == id; todo = todo[1:] {
			if out, err = todo[0].run.Find(kind, todo[0].hash, b, out); err != nil {
				return out, todo[0].damaged()
			}
		}
	}
	if err := rows.Err(); err != nil {
		return out, err
	}
	if len(todo) > 0 {
		return out, todo[0].damaged()
	}
	return out, nil
}

// executor is a transaction.
type executor interface {
	QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error)
}

// put writes parts of a kind, the first of which has the number from.
func (r *run) put(ctx context.Context, tx executor, kind postings.Kind, from int, parts [][]byte) error {
	for i, part := range parts {
		id := r.id(kind, from+i)
		if _, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO postings (id, part) VALUES (?,?)`, id, summed(part, id)); err != nil {
			return err
		}
	}
	return nil
}

// putSlice writes the parts of a slice.
func (r *run) putSlice(ctx context.Context, tx executor, slice int, parts postings.Parts) error {
	for kind := range postings.Sets {
		from, _ := r.Span(kind, &r.Run, slice)
		if err := r.put(ctx, tx, kind, from, parts[kind]); err != nil {
			return err
		}
	}
	return nil
}

// get reads the parts from <= part < to.
func (r *run) get(ctx context.Context, tx executor, kind postings.Kind, from, to int) ([][]byte, error) {
	rows, err := tx.QueryContext(ctx, `SELECT part FROM postings WHERE id BETWEEN ? AND ? ORDER BY id`, r.id(kind, from), r.id(kind, to-1))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out [][]byte
	for rows.Next() {
		var part []byte
		if err := rows.Scan(&part); err != nil {
			return nil, err
		}
		part, ok := checked(part, r.id(kind, from+len(out)))
		if !ok {
			return nil, postings.ErrDamaged
		}
		out = append(out, part)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if len(out) != to-from {
		return nil, postings.ErrDamaged
	}
	return out, nil
}

// drop deletes the parts from <= part < to.
func (r *run) drop(ctx context.Context, tx executor, kind postings.Kind, from, to int) error {
	if from == to {
		return nil
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM postings WHERE id BETWEEN ? AND ?`, r.id(kind, from), r.id(kind, to-1))
	return err
}
