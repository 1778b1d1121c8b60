package relational

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// Index finds events by what they say. Its keys are 63-bit hashes, so that what it finds are candidates: whoever asks
// compares the events themselves.
type Index interface {
	Rebuildable
	// Begin begins what one transaction of Append adds.
	Begin(ctx context.Context, tx *Tx) (Additions, error)
	// Lookup returns, in the order of the log and each once, the events that fulfil a condition of names or things. It may stop when it
	// has found more than most, and leaves the keys as they are. tx is the transaction within which it is asked, nil for none.
	Lookup(ctx context.Context, tx *Tx, c Condition, most int) ([]int64, error)
	// Walk begins a search.
	Walk(ctx context.Context, s Search) (Walk, error)
}

// Rebuildable is what can be made again from the events.
type Rebuildable interface {
	// Load makes it true after the database was opened, and after a transaction whose outcome is unknown.
	Load(ctx context.Context, from Entries) error
	// Digests returns the number of rows and a digest of each of the index's parts.
	Digests(ctx context.Context) (map[string]string, error)
	// Rebuild forgets everything and makes it again. Nobody else uses the store meanwhile.
	Rebuild(ctx context.Context, from Entries) error
}

// Entries reads what the index holds of the events from seq on, at most n, out of the events themselves.
type Entries func(ctx context.Context, from uint64, n int) ([]Entry, error)

// Additions is what a transaction of Append adds to an index.
type Additions interface {
	// Sift returns those of keys that may be names of what is recorded, or of a row of Records. It asks nobody: an index that
	// cannot tell returns keys itself.
	Sift(keys []int64) []int64
	// Add adds an event. Events come in the order of the log.
	Add(e *Entry) error
	// Flush is called before the transaction's commit, Done after it has succeeded.
	Flush() error
	Done()
}

// Entry is what an index holds of an event.
type Entry struct {
	// Seq is its place in the log, Time its event time in microseconds.
	Seq, Time int64
	// Names are the keys of its record and of its id, for which whoever appends an event asks.
	Names [2]int64
	// Things are the keys of the identifiers in it, of which few events speak. Facets are those of what it has in common with
	// many. Each stands once.
	// Events may share the memory of Facets.
	Things, Facets []int64
}

// Spot is one candidate: an event's time in microseconds and its seq.
type Spot struct{ Time, Seq int64 }

// Walk yields the candidates of a search in its order.
type Walk interface {
	// Next returns up to n candidates, none at the end. It holds nothing open between calls.
	Next(ctx context.Context, n int) ([]Spot, error)
}

// Search is what an index is asked: which events may fulfil every condition, within bounds of event time in microseconds,
// both inclusive, and of the log, the upper one exclusive.
type Search struct {
	Conditions []Condition
	From, To   int64
	Seqs       [2]int64
	Order      hub.Order
	// After is where to go on; nil begins.
	After *Spot
	// Recent is true when the bounds of the log come from a question about record times.
	Recent bool
}

// Family says which keys of an entry a condition is about.
type Family uint8

// The families.
const (
	OfNames Family = iota
	OfThings
	OfFacets
)

// Condition is fulfilled by the events that have one of the keys.
type Condition struct {
	Of   Family
	Keys []int64
}

// entry makes the index entry of an event with its traits. keys are those of its record and of its id, and have room for those of what it
// speaks of.
func entry(e *hub.Event, seq hub.Seq, t *traits, keys []int64) Entry {
	f := &e.Facets
	names, things := [2]int64(keys), keys[2:]
	for i := range f.Things {
		things = append(things, hashKey(f.Things[i].ID))
	}
	slices.Sort(things) // a thing may have two parts in an event
	return Entry{Seq: int64(seq), Time: micros(f.EventTime), Names: names, Things: slices.Compact(things), Facets: t.keys}
}

// named is the condition of having any of the keys as a name.
func named(keys ...int64) Condition { return Condition{Of: OfNames, Keys: keys} }

// indexingEvery is the time between two words about an index that is made again. What is read at every start takes less.
const indexingEvery = 3 * time.Second

// told is entries within the log, telling now and then how far it has come. Values that the vocabulary lacks are noted on the way.
func (s *Store) told() Entries {
	last := s.config.Now()
	return func(ctx context.Context, from uint64, n int) ([]Entry, error) {
		if now := s.config.Now(); now.Sub(last) >= indexingEvery {
			s.config.Indexing(from, s.size)
			last = now
		}
		var words []word
		out, err := s.eachEntry(ctx, from, int(min(uint64(n), s.size-min(from, s.size))), func(e *hub.Event, t *traits) {
			words = s.unknown(words, &e.Facets, e.Leaf.Provider, t.stems)
		})
		if err != nil || len(words) == 0 {
			return out, err
		}
		return out, s.inAny(ctx, "note values", func(tx *Tx) error { return s.know(ctx, tx, words) })
	}
}

// entries is [Entries] on the store's own events, whatever else it does.
func (s *Store) entries(ctx context.Context, from uint64, n int) ([]Entry, error) {
	return s.eachEntry(ctx, from, n, func(*hub.Event, *traits) {})
}

// eachEntry reads entries as [Entries] does, and lets see the events that they are of.
func (s *Store) eachEntry(ctx context.Context, from uint64, n int, see func(e *hub.Event, t *traits)) ([]Entry, error) {
	seqs := make([]int64, n)
	for i := range seqs {
		seqs[i] = int64(from) + int64(i)
	}
	found, err := s.readPacked(ctx, s.read, seqs)
	slices.SortFunc(found, func(a, b hub.Event) int { return cmp.Compare(a.Seq, b.Seq) })
	if err != nil || len(found) == 0 {
		return nil, err
	}
	if err := s.stateAll(ctx, found); err != nil {
		return nil, err
	}
	out := make([]Entry, len(found))
	var t traits
	for i := range found {
		e := &found[i]
		t.of(&e.Facets, e.Leaf.Provider)
		keys := make([]int64, 0, 2+len(e.Facets.Things))
		out[i] = entry(e, e.Seq, &t, append(keys, recordKey(e.Record), eventIDKey(e.Key.ID)))
		see(e, &t)
	}
	return out, nil
}

// stateAll fills in the facets of events as they are stored. One that is damaged has none: it can still be found by its id and
// its record, and must not keep a hub from its start.
func (s *Store) stateAll(ctx context.Context, events []hub.Event) error {
	packed := slices.Clone(events)
	err := s.unpack(ctx, s.read, events)
	for i := range events {
		e := &events[i]
		if err != nil { // of one of them: find out which
			*e = packed[i]
			if err := s.unpack(ctx, s.read, events[i:i+1]); hub.KindOf(err) == hub.Unavailable {
				return err
			} else if err != nil {
				continue
			}
		}
		_, _ = stated(e) // as said above
	}
	return nil
}
