package pipeline

import (
	"testing"
	"time"
)

func TestBehind(t *testing.T) {
	at := time.Date(2026, 11, 11, 0, 0, 0, 0, time.UTC)
	b := newBehind(20*time.Second, func() time.Time { return at })
	floor := uint64(0)
	step := func(what string, after, age time.Duration, recorded uint64, want bool) {
		t.Helper()
		at = at.Add(after)
		floor += recorded
		oldest := at.Add(-age)
		if age == 0 {
			oldest = time.Time{}
		}
		b.look(floor, oldest)
		if b.busy.Load() != want {
			t.Errorf("%s: busy %v", what, b.busy.Load())
		}
	}
	step("started with an old backlog", time.Second, time.Hour, 10, false)
	step("that shrinks", time.Second, time.Minute, 10, false)
	step("and is caught up with", time.Second, 5*time.Second, 10, false)
	step("overload", time.Second, 19*time.Second, 10, false)
	step("too far behind", time.Second, 21*time.Second, 10, true)
	step("still", 5*time.Second, 25*time.Second, 1, true)
	step("near again", time.Second, 19*time.Second, 10, false)
	step("too far again", time.Second, 22*time.Second, 10, true)
	step("the database stops", 9*time.Second, 31*time.Second, 0, true)
	step("and stays down", 2*time.Second, 33*time.Second, 0, false)
	step("for an hour", time.Hour, time.Hour, 0, false)
	step("is back", time.Second, time.Hour, 100, false)
	step("all is recorded", time.Second, 0, 100, false)
	step("overload anew", time.Minute, 21*time.Second, 100, true)
}

func TestOldestSent(t *testing.T) {
	at := time.Date(2026, 11, 11, 0, 0, 0, 0, time.UTC)
	b := newBehind(20*time.Second, func() time.Time { return at })
	start := at
	if _, known := b.oldest(5); known {
		t.Error("known before anything was published")
	}
	for seq := uint64(11); seq <= 30; seq++ { // twice in each tenth of a second
		b.published(seq)
		at = at.Add(sentEvery / 2)
	}
	for _, c := range []struct {
		floor uint64
		known bool
		after time.Duration
	}{
		{5, false, 0}, {10, true, 0}, {11, true, 0}, {12, true, sentEvery}, {20, true, 5 * sentEvery}, {40, true, 9 * sentEvery},
	} {
		if got, known := b.oldest(c.floor); known != c.known || known && got != start.Add(c.after) {
			t.Errorf("beyond %d: %s %v, want %s %v", c.floor, got.Sub(start), known, c.after, c.known)
		}
	}
	if len(b.sent) != 1 {
		t.Errorf("%d frames are kept", len(b.sent))
	}
}
