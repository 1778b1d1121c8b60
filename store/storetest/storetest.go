// Package storetest is the conformance suite that every store passes: SQLite, PostgreSQL, and what an integrator writes.
// It says by its cases what Append, dead letters, master data, positions and keys owe to their callers; the Merkle
// journal has its own suite in anchor/anchortest.
package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
)

// Store is what a store offers to the packages above it.
type Store interface {
	Recorder
	Letters
	Library
	Finder
}

// Recorder appends and says what became of a record.
type Recorder interface {
	Append(ctx context.Context, outcomes []hub.Outcome) ([]hub.Verdict, error)
	Record(ctx context.Context, ref hub.RecordRef) (hub.RecordStatus, error)
	LogSize(ctx context.Context) (uint64, error)
}

// Letters keeps dead letters.
type Letters interface {
	DeadLetter(ctx context.Context, id hub.DeadLetterID) (hub.DeadLetter, error)
	DeadLetters(ctx context.Context, f hub.DeadFilter) ([]hub.DeadLetter, error)
	UpdateDeadLetter(ctx context.Context, d hub.DeadLetter, was hub.DeadState) error
}

// Library is what a trace reads.
type Library interface {
	EventsAbout(ctx context.Context, ids []string, limit int) ([]hub.Event, bool, error)
	Statements(ctx context.Context, kind hub.StatementKind, ids ...string) ([]hub.Statement, error)
	CountScan(ctx context.Context, id string, at time.Time) (hub.Scans, error)
}

// Finder finds single events.
type Finder interface {
	Event(ctx context.Context, id string) ([]hub.Event, error)
	EventAt(ctx context.Context, seq hub.Seq) (hub.Event, error)
}

// Run runs the suite. open opens the same store again each time it is called within one subtest, on a fresh one for each
// subtest; it closes what it opened before.
func Run(t *testing.T, open func(t *testing.T) func() Store) {
	for name, test := range map[string]func(t *testing.T, open func() Store){
		"append is gapless and survives reopening":          appendGapless,
		"the same record again changes nothing":             repeatedRecord,
		"the same id with other bytes is kept and flagged":  conflictingRecord,
		"the same event from another record is linked":      repeatedEvent,
		"another body under an event id is a dead letter":   conflictingEvent,
		"an error declaration repeats the event id":         declaration,
		"a failed batch leaves nothing":                     failedBatch,
		"a dead letter is resolved by a good replay":        replayedLetter,
		"a dead letter that fails again counts its tries":   refusedReplay,
		"only one of two updates of a dead letter wins":     raceForLetter,
		"statements merge by provider and never overwrite":  statements,
		"scans are counted":                                 scans,
		"URN and Digital Link find the same events":         oneIdentity,
		"of many large events about an item some are read":  largeEvents,
		"concurrent appends keep the sequence gapless":      concurrentAppends,
		"the leaf record comes back as it was committed to": leafComesBack,
		"texts of any bytes come back":                      anyBytes,
		"recorded together or one by one, events come back": together,
		"the memory of outcomes may be used again":          usedAgain,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// Outcome makes the outcome of a record n that states one observation of the item serial.
func Outcome(tb testing.TB, n int, serial string) hub.Outcome {
	tb.Helper()
	return OutcomeOf(tb, fmt.Sprintf("rec-%d", n), fmt.Sprintf(`{"type":"ObjectEvent","eventID":"urn:uuid:0000-%d",
		"eventTime":"2019-11-08T08:%02d:04.000+08:00","eventTimeZoneOffset":"+08:00","action":"OBSERVE","bizStep":"shipping",
		"epcList":["https://id.gs1.org/01/07613035982949/21/%s"]}`, n, n%60, serial))
}

// OutcomeOf makes the outcome of a record that became the given EPCIS JSON event.
func OutcomeOf(tb testing.TB, record, event string) hub.Outcome {
	tb.Helper()
	ev, err := epcis.ParseEvent([]byte(event), nil)
	if err != nil {
		tb.Fatal(err)
	}
	body, err := ev.Canonical()
	if err != nil {
		tb.Fatal(err)
	}
	facets, err := ev.Facets()
	if err != nil {
		tb.Fatal(err)
	}
	hash, err := ev.Hash(epcis.CBV20)
	if err != nil {
		tb.Fatal(err)
	}
	received := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	o := hub.Outcome{
		Record: hub.RecordRef{Connector: "wms", ID: hub.RecordID(record)}, Provider: "shanghai-bonded-wms",
		ReceivedAt: received, RawDigest: hub.RawDigest(nil, []byte(event)), Raw: &hub.RawRecord{Body: []byte(event)},
	}
	o.Events = []hub.Event{{
		Key: ev.Key(), Facets: facets, Body: body, Hash: hash, Record: o.Record,
		Leaf: hub.LeafRecord{
			Connector: o.Record.Connector, Provider: o.Provider, Event: hub.Sum(body), EventHash: hash, Raw: o.RawDigest,
			ReceivedAt: hub.Instant(received), Salt: hub.Sum([]byte("salt" + record)), Version: hub.LeafVersion,
		},
	}}
	return o
}

// Letter makes the outcome of a record that cannot be mapped.
func Letter(record, body string) hub.Outcome {
	o := hub.Outcome{
		Record: hub.RecordRef{Connector: "wms", ID: hub.RecordID(record)}, Provider: "shanghai-bonded-wms",
		ReceivedAt: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), RawDigest: hub.RawDigest(nil, []byte(body)),
	}
	o.Dead = &hub.DeadLetter{
		Record: o.Record, Provider: o.Provider, ReceivedAt: o.ReceivedAt, Stage: "map", Body: []byte(body), ContentType: "text/csv",
		Origin: "out.csv", Line: 3, Column: 1,
		Fault: *hub.Faultf(hub.Invalid, "map.time", "not a time").At(hub.Where{Line: 3, Column: 9, Pointer: "/操作时间"}),
	}
	return o
}

func mustAppend(t *testing.T, s Store, outcomes []hub.Outcome, want ...hub.Verdict) {
	t.Helper()
	got, err := s.Append(t.Context(), outcomes)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("verdicts %v, want %v", got, want)
	}
}

func wantSize(t *testing.T, s Store, want uint64) {
	t.Helper()
	got, err := s.LogSize(t.Context())
	if err != nil || got != want {
		t.Fatalf("log size %d, %v; want %d", got, err, want)
	}
}

func appendGapless(t *testing.T, open func() Store) {
	s := open()
	mustAppend(t, s, []hub.Outcome{Outcome(t, 1, "1"), Outcome(t, 2, "2")}, hub.Recorded, hub.Recorded)
	s = open()
	mustAppend(t, s, []hub.Outcome{Outcome(t, 3, "3")}, hub.Recorded)
	wantSize(t, s, 3)
	for seq := range hub.Seq(3) {
		e, err := s.EventAt(t.Context(), seq)
		if err != nil || e.Seq != seq {
			t.Fatalf("event at %d: %v, seq %d", seq, err, e.Seq)
		}
	}
	if _, err := s.EventAt(t.Context(), 3); hub.KindOf(err) != hub.NotFound {
		t.Fatalf("event past the end: %v", err)
	}
}

// together appends in batches of several sizes: a store may keep what is recorded together in another way than what is not.
func together(t *testing.T, open func() Store) {
	s := open()
	var want []hub.Event
	for _, size := range []int{3, 70, 1, 8, 64, 7, 200} {
		batch := make([]hub.Outcome, size)
		verdicts := make([]hub.Verdict, size)
		for i := range batch {
			n := len(want)
			batch[i], verdicts[i] = Outcome(t, n, fmt.Sprintf("S%d", n)), hub.Recorded
			e := &batch[i].Events[0]
			e.Leaf.Salt = hub.Sum(fmt.Append(nil, n))
			want = append(want, hub.Event{Key: e.Key, Body: e.Body, Hash: e.Hash, Leaf: e.Leaf, Record: batch[i].Record, Seq: hub.Seq(n)})
		}
		mustAppend(t, s, batch, verdicts...)
	}
	s = open()
	wantSize(t, s, uint64(len(want)))
	last := time.Time{}
	for seq := range want {
		got, err := s.EventAt(t.Context(), hub.Seq(seq))
		if err != nil || got.RecordedAt.Before(last) {
			t.Fatalf("event %d: recorded at %v after %v, %v", seq, got.RecordedAt, last, err)
		}
		last, got.RecordedAt, got.Facets = got.RecordedAt, time.Time{}, hub.Facets{}
		if diff := cmp.Diff(want[seq], got, instants); diff != "" {
			t.Fatalf("event %d: %s", seq, diff)
		}
	}
	for _, n := range []int{0, 3, 72, 74, 81, 145, 352} {
		st, err := s.Record(t.Context(), want[n].Record)
		if err != nil || len(st.Events) != 1 || st.Events[0] != (hub.EventRef{Key: want[n].Key, Seq: hub.Seq(n)}) {
			t.Errorf("record %d: %+v, %v", n, st, err)
		}
		found, err := s.Event(t.Context(), want[n].Key.ID)
		if err != nil || len(found) != 1 || found[0].Seq != hub.Seq(n) {
			t.Errorf("event of record %d: %d, %v", n, len(found), err)
		}
		mustAppend(t, s, []hub.Outcome{Outcome(t, n, fmt.Sprintf("S%d", n))}, hub.Repeated)
	}
}

// instants compares times as what they are.
var instants = cmp.Comparer(func(a, b hub.Instant) bool { return time.Time(a).Equal(time.Time(b)) })

func repeatedRecord(t *testing.T, open func() Store) {
	s := open()
	o := Outcome(t, 1, "1")
	mustAppend(t, s, []hub.Outcome{o}, hub.Recorded)
	again := Outcome(t, 1, "1")
	again.Events[0].Leaf.Salt = hub.Sum([]byte("another salt: normalised again after a crash"))
	mustAppend(t, s, []hub.Outcome{again, again}, hub.Repeated, hub.Repeated)
	wantSize(t, s, 1)
	st, err := s.Record(t.Context(), o.Record)
	if err != nil || st.Verdict != hub.Recorded || len(st.Events) != 1 || st.Events[0].Key.ID != "urn:uuid:0000-1" {
		t.Fatalf("record: %+v, %v", st, err)
	}
}

func conflictingRecord(t *testing.T, open func() Store) {
	s := open()
	mustAppend(t, s, []hub.Outcome{Outcome(t, 1, "1")}, hub.Recorded)
	other := Outcome(t, 2, "2")
	other.Record.ID = "rec-1"
	mustAppend(t, s, []hub.Outcome{other}, hub.Conflicting)
	mustAppend(t, s, []hub.Outcome{other}, hub.Repeated)
	letters, err := s.DeadLetters(t.Context(), hub.DeadFilter{})
	if err != nil || len(letters) != 1 || letters[0].Fault.Code != "record.conflict" {
		t.Fatalf("dead letters: %+v, %v", letters, err)
	}
	full, err := s.DeadLetter(t.Context(), letters[0].ID)
	if err != nil || string(full.Body) != string(other.Raw.Body) {
		t.Fatalf("raw bytes lost: %q, %v", full.Body, err)
	}
	wantSize(t, s, 1)
}

// usedAgain overwrites what an append was given, as the pipeline does with the memory of a frame.
func usedAgain(t *testing.T, open func() Store) {
	s := open()
	for _, size := range []int{1, 100} { // one by one and together
		batch, verdicts := make([]hub.Outcome, size), make([]hub.Verdict, size)
		for i := range batch {
			n := 1000*size + i
			batch[i], verdicts[i] = Outcome(t, n, fmt.Sprintf("S%d", n)), hub.Recorded
		}
		mustAppend(t, s, batch, verdicts...)
		for i := range batch {
			clear(batch[i].Events[0].Body)
			clear(batch[i].Events)
		}
		clear(batch)
		for i := range size {
			want := Outcome(t, 1000*size+i, fmt.Sprintf("S%d", 1000*size+i)).Events[0]
			found, err := s.Event(t.Context(), want.Key.ID)
			if err != nil || len(found) != 1 || string(found[0].Body) != string(want.Body) || found[0].Hash != want.Hash {
				t.Fatalf("event %d of %d: %+v, %v", i, size, found, err)
			}
		}
	}
	letter, first, other := Letter("rec-1", "bad"), Outcome(t, 2, "2"), Outcome(t, 3, "3")
	letter.Dead.Preamble = []byte("head")
	other.Record = first.Record
	mustAppend(t, s, []hub.Outcome{letter, first, other}, hub.Dead, hub.Recorded, hub.Conflicting)
	want := []string{"head" + "bad", string(other.Raw.Body)}
	for _, b := range [][]byte{letter.Dead.Preamble, letter.Dead.Body, first.Raw.Body, other.Raw.Body} {
		clear(b)
	}
	mustAppend(t, s, []hub.Outcome{Outcome(t, 4, "4")}, hub.Recorded)
	letters, err := s.DeadLetters(t.Context(), hub.DeadFilter{})
	if err != nil || len(letters) != len(want) {
		t.Fatalf("dead letters: %+v, %v", letters, err)
	}
	for i, l := range letters {
		if d, err := s.DeadLetter(t.Context(), l.ID); err != nil || string(d.Preamble)+string(d.Body) != want[i] {
			t.Errorf("dead letter %d: %q %q, %v", i, d.Preamble, d.Body, err)
		}
	}
}

func repeatedEvent(t *testing.T, open func() Store) {
	s := open()
	mustAppend(t, s, []hub.Outcome{Outcome(t, 1, "1")}, hub.Recorded)
	same := Outcome(t, 1, "1")
	same.Record.ID = "resent-under-a-new-id"
	mustAppend(t, s, []hub.Outcome{same}, hub.Repeated)
	st, err := s.Record(t.Context(), same.Record)
	if err != nil || len(st.Events) != 1 || st.Events[0].Seq != 0 {
		t.Fatalf("record: %+v, %v", st, err)
	}
	wantSize(t, s, 1)
}

func conflictingEvent(t *testing.T, open func() Store) {
	s := open()
	mustAppend(t, s, []hub.Outcome{Outcome(t, 1, "1")}, hub.Recorded)
	other := Outcome(t, 1, "another serial under the same eventID")
	other.Record.ID = "rec-9"
	mustAppend(t, s, []hub.Outcome{other}, hub.Conflicting)
	letters, err := s.DeadLetters(t.Context(), hub.DeadFilter{Code: "event.conflict"})
	if err != nil || len(letters) != 1 || letters[0].Stage != "append" {
		t.Fatalf("dead letters: %+v, %v", letters, err)
	}
	wantSize(t, s, 1)
}

func declaration(t *testing.T, open func() Store) {
	s := open()
	event := `{"type":"ObjectEvent","eventID":"urn:uuid:e1","eventTime":"2019-11-08T08:11:04.000+08:00",
		"eventTimeZoneOffset":"+08:00","action":"OBSERVE","epcList":["https://id.gs1.org/01/07613035982949/21/1"]%s}`
	mustAppend(t, s, []hub.Outcome{OutcomeOf(t, "a", fmt.Sprintf(event, ""))}, hub.Recorded)
	mustAppend(t, s, []hub.Outcome{OutcomeOf(t, "b", fmt.Sprintf(event,
		`,"errorDeclaration":{"declarationTime":"2019-11-09T00:00:00.000Z","reason":"incorrect_data"}`))}, hub.Recorded)
	found, err := s.Event(t.Context(), "urn:uuid:e1")
	if err != nil || len(found) != 2 || !found[0].Key.DeclaredAt.IsZero() || found[1].Key.DeclaredAt.IsZero() {
		t.Fatalf("events: %d, %v", len(found), err)
	}
}

func failedBatch(t *testing.T, open func() Store) {
	s := open()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Append(ctx, []hub.Outcome{Outcome(t, 1, "1")}); err == nil {
		t.Fatal("append with a cancelled context succeeded")
	}
	wantSize(t, s, 0)
	mustAppend(t, s, []hub.Outcome{Outcome(t, 2, "2")}, hub.Recorded)
	if e, err := s.EventAt(t.Context(), 0); err != nil || e.Key.ID != "urn:uuid:0000-2" {
		t.Fatalf("event at 0: %v, %v", e.Key, err)
	}
}

func replayedLetter(t *testing.T, open func() Store) {
	s := open()
	mustAppend(t, s, []hub.Outcome{Letter("rec-1", "bad")}, hub.Dead)
	mustAppend(t, s, []hub.Outcome{Letter("rec-1", "bad")}, hub.Repeated)
	letters, err := s.DeadLetters(t.Context(), hub.DeadFilter{Connector: "wms"})
	if err != nil || len(letters) != 1 {
		t.Fatalf("dead letters: %+v, %v", letters, err)
	}
	d := letters[0]
	if d.Fault.Where.Pointer != "/操作时间" || d.Attempts != 1 || d.Origin != "out.csv" {
		t.Fatalf("dead letter: %+v", d)
	}
	good := Outcome(t, 1, "1")
	good.RawDigest, good.Attempt = hub.RawDigest(nil, []byte("bad")), 1
	mustAppend(t, s, []hub.Outcome{good}, hub.Recorded)
	if d, err = s.DeadLetter(t.Context(), d.ID); err != nil || d.State != hub.DeadResolved {
		t.Fatalf("state %v, %v", d.State, err)
	}
	mustAppend(t, s, []hub.Outcome{good}, hub.Repeated)
	wantSize(t, s, 1)
}

func refusedReplay(t *testing.T, open func() Store) {
	s := open()
	mustAppend(t, s, []hub.Outcome{Letter("rec-1", "bad")}, hub.Dead)
	letters, err := s.DeadLetters(t.Context(), hub.DeadFilter{})
	if err != nil || len(letters) != 1 {
		t.Fatal(letters, err)
	}
	d := letters[0]
	d.State, d.Body = hub.DeadReplaying, []byte("edited")
	if err := s.UpdateDeadLetter(t.Context(), d, hub.DeadWaiting); err != nil {
		t.Fatal(err)
	}
	again := Letter("rec-1", "edited")
	again.Attempt, again.Dead.Fault.Code = 1, "map.missing"
	mustAppend(t, s, []hub.Outcome{again}, hub.Dead)
	d, err = s.DeadLetter(t.Context(), d.ID)
	if err != nil || d.State != hub.DeadWaiting || d.Attempts != 2 || d.Fault.Code != "map.missing" || string(d.Body) != "edited" {
		t.Fatalf("dead letter: %+v, %v", d, err)
	}
}

func raceForLetter(t *testing.T, open func() Store) {
	s := open()
	mustAppend(t, s, []hub.Outcome{Letter("rec-1", "bad")}, hub.Dead)
	letters, err := s.DeadLetters(t.Context(), hub.DeadFilter{})
	if err != nil || len(letters) != 1 {
		t.Fatal(letters, err)
	}
	d := letters[0]
	d.State = hub.DeadDropped
	if err := s.UpdateDeadLetter(t.Context(), d, hub.DeadWaiting); err != nil {
		t.Fatal(err)
	}
	d.State = hub.DeadReplaying
	if err := s.UpdateDeadLetter(t.Context(), d, hub.DeadWaiting); hub.KindOf(err) != hub.Conflict {
		t.Fatalf("second update: %v", err)
	}
}

func statements(t *testing.T, open func() Store) {
	s := open()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	state := func(record string, provider hub.ProviderID, at time.Time, attrs map[string]string) {
		o := Letter(record, record)
		o.Dead = nil
		o.Master = []hub.Statement{{Kind: hub.AboutProduct, ID: "p", Provider: provider, StatedAt: at, Attributes: attrs}}
		mustAppend(t, s, []hub.Outcome{o}, hub.Recorded)
	}
	state("a", "brand", at, map[string]string{"name": "old", "origin": "IE"})
	state("b", "brand", at.Add(time.Hour), map[string]string{"name": "new"})
	state("c", "brand", at.Add(-time.Hour), map[string]string{"name": "late arrival", "lot": "7"})
	state("d", "customs", at.Add(2*time.Hour), map[string]string{"origin": "NZ"})
	if none, err := s.Statements(t.Context(), hub.AboutProduct); err != nil || len(none) > 0 {
		t.Errorf("about nothing: %v, %v", none, err)
	}
	got, err := s.Statements(t.Context(), hub.AboutProduct, "p", "q")
	if err != nil {
		t.Fatal(err)
	}
	want := []hub.Statement{
		{
			Kind: hub.AboutProduct, ID: "p", Provider: "brand", StatedAt: at.Add(time.Hour),
			Attributes: map[string]string{"name": "new", "origin": "IE", "lot": "7"},
		},
		{
			Kind: hub.AboutProduct, ID: "p", Provider: "customs", StatedAt: at.Add(2 * time.Hour),
			Attributes: map[string]string{"origin": "NZ"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}

func scans(t *testing.T, open func() Store) {
	s := open()
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	for i := range 3 {
		if _, err := s.CountScan(t.Context(), "x", at.Add(time.Duration(i)*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.CountScan(t.Context(), "x", time.Time{})
	want := hub.Scans{Count: 3, FirstAt: at, LastAt: at.Add(2 * time.Minute)}
	if err != nil || got != want {
		t.Fatalf("%+v, %v", got, err)
	}
	// A crowd is counted to the last one, and of no one less than himself.
	const crowd = 50
	var all sync.WaitGroup
	for i := range crowd {
		all.Go(func() {
			id := fmt.Sprintf("y%d", i%3)
			if got, err := s.CountScan(t.Context(), id, at.Add(time.Duration(i)*time.Second)); err != nil || got.Count == 0 {
				t.Errorf("%s: %+v, %v", id, got, err)
			}
		})
	}
	all.Wait()
	s = open()
	for i, want := range []hub.Scans{
		{Count: 17, FirstAt: at, LastAt: at.Add(48 * time.Second)},
		{Count: 17, FirstAt: at.Add(time.Second), LastAt: at.Add(49 * time.Second)},
		{Count: 16, FirstAt: at.Add(2 * time.Second), LastAt: at.Add(47 * time.Second)},
	} {
		if got, err := s.CountScan(t.Context(), fmt.Sprintf("y%d", i), time.Time{}); err != nil || got != want {
			t.Errorf("y%d: %+v, want %+v; %v", i, got, want, err)
		}
	}
}

func oneIdentity(t *testing.T, open func() Store) {
	s := open()
	mustAppend(t, s, []hub.Outcome{
		OutcomeOf(t, "urn", `{"type":"ObjectEvent","eventID":"urn:uuid:u","eventTime":"2019-11-08T08:11:04Z",
			"eventTimeZoneOffset":"+00:00","action":"OBSERVE","epcList":["urn:epc:id:sgtin:7613035.098294.42"]}`),
		OutcomeOf(t, "dl", `{"type":"ObjectEvent","eventID":"urn:uuid:d","eventTime":"2019-11-08T08:12:04Z",
			"eventTimeZoneOffset":"+00:00","action":"OBSERVE","epcList":["https://id.gs1.org/01/07613035982949/21/42"]}`),
		Outcome(t, 9, "43"),
	}, hub.Recorded, hub.Recorded, hub.Recorded)
	found, more, err := s.EventsAbout(t.Context(), []string{"https://id.gs1.org/01/07613035982949/21/42"}, 10)
	if err != nil || more || len(found) != 2 || found[0].Key.ID != "urn:uuid:u" {
		t.Fatalf("found %d, more %v, %v", len(found), more, err)
	}
	found, more, err = s.EventsAbout(t.Context(), []string{"https://id.gs1.org/01/07613035982949/21/42"}, 1)
	if err != nil || !more || len(found) != 1 {
		t.Fatalf("limit: found %d, more %v, %v", len(found), more, err)
	}
}

func largeEvents(t *testing.T, open func() Store) {
	s := open()
	const events, size = 60, 700 << 10
	note := strings.Repeat("溯源 ", size/len("溯源 "))
	for i := range events {
		mustAppend(t, s, []hub.Outcome{OutcomeOf(t, fmt.Sprint("large-", i), fmt.Sprintf(`{"type":"ObjectEvent","eventID":"urn:uuid:l-%d",
			"eventTime":"2019-11-08T08:11:04Z","eventTimeZoneOffset":"+00:00","action":"OBSERVE","epcList":["urn:epc:id:sgtin:7613035.098294.42"],
			"ex:note":%q}`, i, note))}, hub.Recorded)
	}
	found, more, err := s.EventsAbout(t.Context(), []string{"https://id.gs1.org/01/07613035982949/21/42"}, events)
	if err != nil || !more || len(found) < 40 || len(found) == events {
		t.Fatalf("found %d, more %v, %v", len(found), more, err)
	}
}

func concurrentAppends(t *testing.T, open func() Store) {
	s := open()
	const workers, each = 4, 25
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				if _, err := s.Append(t.Context(), []hub.Outcome{Outcome(t, w*each+i, "1")}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	wantSize(t, s, workers*each)
	for seq := range hub.Seq(workers * each) {
		if _, err := s.EventAt(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
	}
}

func leafComesBack(t *testing.T, open func() Store) {
	s := open()
	o := Outcome(t, 1, "1")
	mustAppend(t, s, []hub.Outcome{o}, hub.Recorded)
	e, err := s.EventAt(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(e.Leaf.Bytes()), string(o.Events[0].Leaf.Bytes()); got != want {
		t.Fatalf("leaf record\n%s\nwant\n%s", got, want)
	}
	if string(e.Body) != string(o.Events[0].Body) || e.RecordedAt.IsZero() {
		t.Fatalf("event %+v", e)
	}
	if diff := cmp.Diff(o.Events[0].Facets, e.Facets); diff != "" {
		t.Fatal(diff)
	}
}

func anyBytes(t *testing.T, open func() Store) {
	s := open()
	var all []hub.Outcome
	ids := []string{"zero\x00byte", "not \xff\xfe UTF-8", "the mark \U0010FFFF itself", "\U0010FFFF\x00", "启赋"}
	for i, id := range ids {
		o := Outcome(t, i, "A")
		o.Record.ID = hub.RecordID(id)
		o.Events[0].Record = o.Record
		l := Letter("letter "+id, "bad")
		l.Dead.Origin = id
		all = append(all, o, l)
	}
	for range 2 {
		if _, err := s.Append(t.Context(), all); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range all {
		if st, err := s.Record(t.Context(), o.Record); err != nil || st.Record != o.Record {
			t.Errorf("record %q: %+v, %v", o.Record.ID, st, err)
		}
	}
	for i, id := range ids {
		if e, err := s.EventAt(t.Context(), hub.Seq(i)); err != nil || string(e.Record.ID) != id {
			t.Errorf("event of %q: %q, %v", id, e.Record.ID, err)
		}
	}
	letters, err := s.DeadLetters(t.Context(), hub.DeadFilter{})
	if err != nil || len(letters) != len(ids) || letters[0].Record.ID != hub.RecordID("letter "+ids[0]) || letters[1].Origin != ids[1] {
		t.Fatalf("letters: %+v, %v", letters, err)
	}
}
