package anchortest

import (
	"encoding/json"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/hub"
)

// sealedAt returns a sealed checkpoint for the suite.
func sealedAt(size, previous uint64) anchor.Sealed {
	return anchor.Sealed{
		Checkpoint: hub.Checkpoint{
			Origin: "suite.example/log", Size: size, Root: hub.Sum([]byte{byte(size)}), Note: []byte("note — \n"),
		},
		PreviousSize: previous,
		SealedAt:     time.Date(2026, 1, 2, 3, 4, 5, int(size)*1e6, time.UTC),
		State:        anchor.StateSealed,
	}
}

// tileOf returns a tile with n hashes.
func tileOf(level int, index uint64, n int) anchor.Tile {
	t := anchor.Tile{Level: level, Index: index}
	for i := range n {
		t.Hashes = append(t.Hashes, hub.Sum([]byte{byte(level), byte(index), byte(i)}))
	}
	return t
}

// Journal is the conformance suite of [anchor.Journal]. open returns a fresh, empty journal.
func Journal(t *testing.T, open func(t *testing.T) anchor.Journal) {
	t.Helper()
	for name, test := range map[string]func(t *testing.T, j anchor.Journal){
		"an empty journal":                  emptyJournal,
		"a sealed checkpoint is read back":  sealedIsReadBack,
		"a size that does not grow":         sizeMustGrow,
		"a seal that does not follow":       sealMustFollow,
		"of two seals at once one wins":     sealsRace,
		"progress does not go back":         progressStays,
		"progress is read back":             progressIsReadBack,
		"progress of an unknown checkpoint": progressOfUnknown,
		"checkpoints are found by size":     foundBySize,
		"the widest tile wins":              widestTileWins,
		"a refused seal stores no tile":     refusedSealStoresNothing,
		"tiles of all levels and indices":   manyTiles,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func mustSeal(t *testing.T, j anchor.Journal, s anchor.Sealed, tiles ...anchor.Tile) {
	t.Helper()
	if err := j.Seal(t.Context(), s, tiles); err != nil {
		t.Fatal(err)
	}
}

// wantSealed checks what SealedFrom returns, by size.
func wantSealed(t *testing.T, j anchor.Journal, from uint64, limit int, sizes ...uint64) []anchor.Sealed {
	t.Helper()
	got, err := j.SealedFrom(t.Context(), from, limit)
	if err != nil {
		t.Fatal(err)
	}
	var gotSizes []uint64
	for _, s := range got {
		gotSizes = append(gotSizes, s.Checkpoint.Size)
	}
	if diff := cmp.Diff(sizes, gotSizes); diff != "" {
		t.Errorf("SealedFrom(%d, %d): -want +got\n%s", from, limit, diff)
	}
	return got
}

func wantTile(t *testing.T, j anchor.Journal, want anchor.Tile) {
	t.Helper()
	got, err := j.Tile(t.Context(), want.Level, want.Index)
	if err != nil {
		t.Fatal(err)
	}
	if got.Level != want.Level || got.Index != want.Index || !slices.Equal(got.Hashes, want.Hashes) {
		t.Errorf("tile %d/%d with %d hashes came back as %d/%d with %d",
			want.Level, want.Index, len(want.Hashes), got.Level, got.Index, len(got.Hashes))
	}
}

func emptyJournal(t *testing.T, j anchor.Journal) {
	wantSealed(t, j, 0, 10)
	wantSealed(t, j, math.MaxInt64, -1)
	if _, err := j.Tile(t.Context(), 0, 0); hub.KindOf(err) != hub.NotFound {
		t.Errorf("tile of an empty journal: got %v, want NotFound", err)
	}
}

func sealedIsReadBack(t *testing.T, j anchor.Journal) {
	s := sealedAt(7, 0)
	mustSeal(t, j, s, tileOf(0, 0, 7))
	got := wantSealed(t, j, 0, 10, 7)
	if diff := cmp.Diff(s, got[0]); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	wantTile(t, j, tileOf(0, 0, 7))
}

func sizeMustGrow(t *testing.T, j anchor.Journal) {
	mustSeal(t, j, sealedAt(7, 0))
	for _, size := range []uint64{7, 6} {
		if err := j.Seal(t.Context(), sealedAt(size, 0), nil); hub.KindOf(err) != hub.Conflict {
			t.Errorf("size %d after 7: got %v, want Conflict", size, err)
		}
	}
	wantSealed(t, j, 0, 10, 7)
}

// sealMustFollow is the fence against a process that seals although another one has taken over.
func sealMustFollow(t *testing.T, j anchor.Journal) {
	if err := j.Seal(t.Context(), sealedAt(9, 5), nil); hub.KindOf(err) != hub.Conflict {
		t.Errorf("size 9 after 5 in an empty journal: got %v, want Conflict", err)
	}
	mustSeal(t, j, sealedAt(5, 0))
	mustSeal(t, j, sealedAt(7, 5))
	for _, previous := range []uint64{0, 5, 6, 8} {
		if err := j.Seal(t.Context(), sealedAt(9, previous), nil); hub.KindOf(err) != hub.Conflict {
			t.Errorf("size 9 after %d when 7 was sealed: got %v, want Conflict", previous, err)
		}
	}
	wantSealed(t, j, 0, 10, 5, 7)
}

// progressStays is the fence against a process that commits although another one has done so.
func progressStays(t *testing.T, j anchor.Journal) {
	mustSeal(t, j, sealedAt(5, 0))
	s := sealedAt(5, 0)
	s.State = anchor.StateCommitted
	if err := j.SaveProgress(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	s.State = anchor.StateSubmitted
	if err := j.SaveProgress(t.Context(), s); hub.KindOf(err) != hub.Conflict {
		t.Errorf("submitted after committed: got %v, want Conflict", err)
	}
	if got := wantSealed(t, j, 0, 1, 5); got[0].State != anchor.StateCommitted {
		t.Errorf("the state went back to %v", got[0].State)
	}
}

func sealsRace(t *testing.T, j anchor.Journal) {
	mustSeal(t, j, sealedAt(5, 0))
	var won atomic.Int32
	var wg sync.WaitGroup
	for n := range uint64(8) {
		wg.Go(func() {
			switch err := j.Seal(t.Context(), sealedAt(6+n, 5), nil); hub.KindOf(err) {
			case hub.Conflict, hub.Unavailable:
			default:
				if err != nil {
					t.Error(err)
				}
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Fatalf("%d of 8 seals after 5 were taken", won.Load())
	}
}

func progressIsReadBack(t *testing.T, j anchor.Journal) {
	mustSeal(t, j, sealedAt(7, 0))
	s := sealedAt(9, 7)
	mustSeal(t, j, s)
	s.State, s.Pending = anchor.StateSubmitted, []byte{0, 1, 2}
	for range 2 { // once more is the same
		if err := j.SaveProgress(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	got := wantSealed(t, j, 8, 10, 9)
	if diff := cmp.Diff(s, got[0]); diff != "" {
		t.Errorf("submitted: -want +got\n%s", diff)
	}
	s.State, s.Pending, s.CommittedAt = anchor.StateCommitted, nil, s.SealedAt.Add(time.Second)
	s.Evidence = []hub.Evidence{
		{Ledger: "notary", Entry: json.RawMessage(`{"a":"é\n","b":1}`)},
		{Ledger: "fabric", Entry: json.RawMessage(`{"tx":"00"}`)},
	}
	if err := j.SaveProgress(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	got = wantSealed(t, j, 8, 10, 9)
	if len(got[0].Pending) == 0 {
		got[0].Pending = nil
	}
	if diff := cmp.Diff(s, got[0]); diff != "" {
		t.Errorf("committed: -want +got\n%s", diff)
	}
	first := wantSealed(t, j, 0, 1, 7)
	if first[0].State != anchor.StateSealed {
		t.Errorf("the other checkpoint is %v, want sealed", first[0].State)
	}
}

func progressOfUnknown(t *testing.T, j anchor.Journal) {
	mustSeal(t, j, sealedAt(7, 0))
	if err := j.SaveProgress(t.Context(), sealedAt(8, 7)); err == nil {
		t.Error("progress of a checkpoint that was never sealed was accepted")
	}
}

func foundBySize(t *testing.T, j anchor.Journal) {
	for previous, size := range map[uint64]uint64{0: 3} {
		mustSeal(t, j, sealedAt(size, previous))
	}
	mustSeal(t, j, sealedAt(5, 3))
	mustSeal(t, j, sealedAt(9, 5))
	wantSealed(t, j, 0, 2, 3, 5)
	wantSealed(t, j, 3, 1, 3)
	wantSealed(t, j, 4, 10, 5, 9)
	wantSealed(t, j, 10, 10)
	wantSealed(t, j, 0, 0)
	wantSealed(t, j, math.MaxInt64, -1, 9)
	wantSealed(t, j, 8, -2, 5, 3)
	wantSealed(t, j, 5, -1, 5)
	wantSealed(t, j, 2, -5)
}

func widestTileWins(t *testing.T, j anchor.Journal) {
	mustSeal(t, j, sealedAt(3, 0), tileOf(0, 0, 3))
	mustSeal(t, j, sealedAt(256, 3), tileOf(0, 0, 256), tileOf(1, 0, 1))
	mustSeal(t, j, sealedAt(300, 256), tileOf(0, 1, 44))
	wantTile(t, j, tileOf(0, 0, 256))
	wantTile(t, j, tileOf(0, 1, 44))
	wantTile(t, j, tileOf(1, 0, 1))
}

func refusedSealStoresNothing(t *testing.T, j anchor.Journal) {
	mustSeal(t, j, sealedAt(3, 0), tileOf(0, 0, 3))
	if err := j.Seal(t.Context(), sealedAt(3, 0), []anchor.Tile{tileOf(0, 9, 5)}); err == nil {
		t.Error("the same size was sealed twice")
	}
	if _, err := j.Tile(t.Context(), 0, 9); hub.KindOf(err) != hub.NotFound {
		t.Errorf("tile of a refused seal: got %v, want NotFound", err)
	}
}

func manyTiles(t *testing.T, j anchor.Journal) {
	var tiles []anchor.Tile
	for level := range 4 {
		for index := range uint64(50) {
			tiles = append(tiles, tileOf(level, index, 256-int(index)))
		}
	}
	mustSeal(t, j, sealedAt(3, 0), tiles...)
	for _, tile := range tiles {
		wantTile(t, j, tile)
	}
}

// Leaves is the conformance suite of [anchor.Leaves]. open returns leaves that hold exactly events, in order, with
// their bodies, leaf records and times (to the millisecond).
func Leaves(t *testing.T, open func(t *testing.T, events []hub.Event) anchor.Leaves) {
	t.Helper()
	at := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	var events []hub.Event
	for n := range 300 {
		events = append(events, Event(n, at.Add(time.Duration(n)*time.Millisecond)))
	}
	l := open(t, events)
	ctx := t.Context()
	if n, err := l.LogSize(ctx); err != nil || n != 300 {
		t.Fatalf("size is %d, %v, want 300", n, err)
	}
	for _, c := range []struct{ from, n, want int }{{0, 300, 300}, {0, 1, 1}, {255, 10, 10}, {290, 100, 10}, {300, 5, 0}} {
		hashes, err := l.LeafHashes(ctx, uint64(c.from), c.n)
		if err != nil || len(hashes) != c.want {
			t.Fatalf("LeafHashes(%d, %d) has %d hashes, %v, want %d", c.from, c.n, len(hashes), err, c.want)
		}
		for i, h := range hashes {
			if want := anchor.SHA256.Leaf(events[c.from+i].Leaf.Bytes()); h != want {
				t.Errorf("leaf hash %d is %v, want %v", c.from+i, h, want)
			}
		}
	}
	for _, n := range []int{0, 255, 299} {
		e, err := l.EventAt(ctx, hub.Seq(n))
		if err != nil {
			t.Fatal(err)
		}
		if e.Seq != hub.Seq(n) || string(e.Body) != string(events[n].Body) {
			t.Errorf("event %d is %d with body %s", n, e.Seq, e.Body)
		}
		if string(e.Leaf.Bytes()) != string(events[n].Leaf.Bytes()) {
			t.Errorf("leaf record %d is %s, want %s", n, e.Leaf.Bytes(), events[n].Leaf.Bytes())
		}
		recorded, err := l.RecordedAt(ctx, hub.Seq(n))
		if err != nil || recorded.IsZero() {
			t.Errorf("event %d was recorded at %v, %v", n, recorded, err)
		}
	}
	if _, err := l.EventAt(ctx, 300); hub.KindOf(err) != hub.NotFound {
		t.Errorf("event 300: got %v, want NotFound", err)
	}
	if _, err := l.RecordedAt(ctx, 300); hub.KindOf(err) != hub.NotFound {
		t.Errorf("time of event 300: got %v, want NotFound", err)
	}
}
