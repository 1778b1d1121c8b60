package mapping

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
)

// The limits of mapping one record. They are far above any honest record and stop a mapping that multiplies its input.
const (
	maxSteps  = 2_000_000
	maxEvents = 50_000
)

// scope is everything that expressions see while one record is mapped. It belongs to one goroutine.
type scope struct {
	m    *Mapping
	in   Input
	vars []slot
	frame
	// elem and elemIndex are "#" and "#index" inside filter(), map() and the like.
	elem      any
	elemIndex int
	// stack holds the arguments of the function calls that are under way.
	stack []any
	steps int
	// quiet is above zero where a missing value is forgiven, so that no fault is built for it.
	quiet int
	// explaining is true while a fault looks for its place in the record, which must not look for places in turn.
	explaining bool
	// hits counts per branch; nil unless tests measure coverage.
	hits []uint32
	room *room
}

// room is the memory of the members of one record's events.
type room struct{ free, all epcis.Members }

//nolint:gochecknoglobals // a pool of scratch space
var rooms = sync.Pool{New: func() any { return new(room) }}

// minRoom is how many members there is room for at least.
const minRoom = 64

// take returns n empty members with room for more.
func (r *room) take(n, more int) epcis.Members {
	if len(r.free) < n+more { // what is in use stays where it is
		r.all = make(epcis.Members, max(2*len(r.all), n+more, minRoom))
		r.free = r.all
	}
	out := r.free[: n : n+more]
	r.free = r.free[n+more:]
	return out
}

// release empties what was taken: nothing of the record is kept.
func (r *room) release() {
	clear(r.all[:len(r.all)-len(r.free)])
	r.free = r.all
	rooms.Put(r)
}

// slot is a named value: a let, or an "as" name.
type slot struct {
	value any
	err   error
	done  bool
}

// frame is one level of each.
type frame struct {
	item  any
	index int
	list  *expr
	outer *frame
}

// errAbsent stands for any missing value where it is forgiven.
var errAbsent = errors.New("absent")

// spend charges n steps; the fault says that the record makes the mapping run away.
func (s *scope) spend(n int) error {
	if s.steps -= n; s.steps >= 0 {
		return nil
	}
	return tooManySteps().fault(hub.TooLarge)
}

func tooManySteps() *trouble {
	return problem("map.limit", "the record needs more than %d steps to map", "映射该记录需要超过 %d 步", maxSteps).
		hint("make each: and filter() run over shorter lists, or split the record", "请缩短 each: 或 filter() 遍历的列表，或拆分记录")
}

// hit counts a branch.
func (s *scope) hit(branch int) {
	if s.hits != nil {
		s.hits[branch]++
	}
}

// site is where an expression, or a part of one, stands in the mapping.
type site struct {
	where  hub.Where
	target string
}

// Site is the cause of a fault that arises while mapping: which place of which mapping was at work. The fault's own
// Where is the place in the sender's record.
type Site struct {
	// Mapping is the place in the mapping file.
	Mapping hub.Where
	// Target is the field that was being made, such as "events[0].epcList[1]".
	Target string
}

// Error says "in FIELD, mapping FILE:LINE:COLUMN".
func (s *Site) Error() string {
	if s.Target == "" {
		return "mapping " + s.Mapping.String()
	}
	return "in " + s.Target + ", mapping " + s.Mapping.String()
}

// raise turns a trouble into the fault of this record. e is the expression whose input is to blame.
func (s *scope) raise(at *site, e *expr, t *trouble) error {
	if s.explaining || t.absent && s.quiet > 0 {
		return errAbsent
	}
	kind := hub.Invalid
	if t.code == "map.limit" {
		kind = hub.TooLarge
	}
	f := t.fault(kind)
	f.Err = &Site{Mapping: at.where, Target: at.target}
	if e != nil {
		s.explaining = true
		f.Where.Pointer, _ = e.pointer(s)
		s.explaining = false
	}
	return f
}

// pointer returns the JSON pointer of the part of the record that e reads: its own when e is a plain path, otherwise
// that of the first path within it.
func (e *expr) pointer(s *scope) (string, bool) {
	if e.path != nil {
		if p, ok := e.path(s); ok {
			return p, true
		}
	}
	if len(e.reads) > 0 && e.run != nil && !e.constant {
		if v, err := e.run(s); err == nil {
			if p, ok := find(s.in.Row, v); ok {
				return p, true
			}
		}
	}
	for _, part := range e.reads {
		if p, ok := part.pointer(s); ok {
			return p, true
		}
	}
	return "", false
}

// find looks for the object or list v itself, not an equal one, in the record.
func find(row, v any) (string, bool) {
	want := identity(v)
	if want == 0 {
		return "", false
	}
	f := finder{want: want, left: maxSteps / 10}
	return f.walk(row, nil)
}

// finder walks a record in search of one object or list.
type finder struct {
	want uintptr
	left int
}

func (f *finder) walk(at any, path []string) (string, bool) {
	if f.left--; f.left < 0 || len(path) > 256 {
		return "", false
	}
	if identity(at) == f.want {
		return strings.Join(path, ""), true
	}
	switch at := at.(type) {
	case map[string]any:
		for k, sub := range at {
			if p, ok := f.walk(sub, append(path, "/"+escape(k))); ok {
				return p, true
			}
		}
	case []any:
		for i, sub := range at {
			if p, ok := f.walk(sub, append(path, "/"+strconv.Itoa(i))); ok {
				return p, true
			}
		}
	}
	return "", false
}

// identity is the address of an object or non-empty list, or 0.
func identity(v any) uintptr {
	switch v := v.(type) {
	case map[string]any:
		return reflect.ValueOf(v).Pointer()
	case []any:
		if len(v) > 0 {
			return reflect.ValueOf(v).Pointer()
		}
	}
	return 0
}

// escape writes a key as a JSON pointer token (RFC 6901, section 3).
func escape(key string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}

// empty reports whether v drops the field that it stands in.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	case epcis.Members:
		return len(v) == 0
	}
	return false
}

// describe names the kind of v in a message.
func describe(v any) bilingual { return kindOf(v).words() }

// show renders a value for a message, shortened.
func show(v any) string {
	switch v := v.(type) {
	case []any:
		return fmt.Sprintf("[… %d elements]", len(v))
	case map[string]any:
		return fmt.Sprintf("{… %d fields}", len(v))
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	if r := []rune(string(b)); len(r) > 48 {
		return string(r[:45]) + "…"
	}
	return string(b)
}
