package ledgertest

import (
	"bytes"
	"crypto/rand"
	mathrand "math/rand/v2"
	"sync"
	"testing"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/anchortest"
	"github.com/suyuan-io/suyuan/hub"
)

// Subject is a ledger under test.
type Subject struct {
	// Open returns an empty ledger that serves the logs with the given keys, and closes it when the test ends.
	Open func(t testing.TB, logs ...anchor.VerifierKey) anchor.Ledger
	// Reopen closes a ledger that Open returned and opens it again, as after a restart; nil if it has no memory.
	Reopen func(t testing.TB, l anchor.Ledger) anchor.Ledger
	// Verify is the verifier of the ledger's evidence.
	Verify anchor.EvidenceVerifier
	// NewestOnly is true for a ledger that, as a witness does, remembers only the newest checkpoint of a log.
	NewestOnly bool
	// Slow is true if Verify is slow: then one bit of each byte of evidence is flipped, and not every one.
	Slow bool
	// Unsigned is true for a ledger that leaves the log's signature to its verifiers.
	Unsigned bool
}

// Case is one check of the suite.
type Case struct {
	// Name is what a ledger is put through.
	Name string
	run  func(t testing.TB, s Subject)
}

// NewCase returns a case of a driver's own.
func NewCase(name string, run func(t testing.TB, s Subject)) Case { return Case{name, run} }

// Cases returns the suite. Every case has logs of its own, so that all may use one ledger that holds other logs already.
func Cases() []Case {
	return []Case{
		{"an empty ledger holds nothing", holdsNothing},
		{"checkpoints are held in order", heldInOrder},
		{"the same commit has the first evidence", sameCommit},
		{"another root for a known size", anotherRoot},
		{"a smaller size", smallerSize},
		{"rewritten history", rewrittenHistory},
		{"a proof from the wrong size", wrongPrevious},
		{"a proof that was cut", cutProof},
		{"a note that is not the checkpoint", foreignNote},
		{"a checkpoint by a foreign key", foreignKey},
		{"two logs do not meet", twoLogs},
		{"concurrent identical commits", concurrentCommits},
		{"evidence is of one checkpoint", evidenceIsBound},
		{"evidence with any bit flipped", evidenceBitFlips},
		{"a lost commit", lostCommit},
		{"a commit that landed, its answer lost", landedCommit},
		{"a restart", restart},
	}
}

// Run runs the suite as tests.
func Run(t *testing.T, s Subject) {
	t.Helper()
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) { c.run(t, s) })
	}
}

// Origin returns the name of a log that no ledger can know.
func Origin(name string) string { return "suite.example/" + rand.Text() + "/" + name }

// Must commits c, and ends the test if that fails.
func Must(t testing.TB, l anchor.Ledger, c anchor.Commitment) hub.Evidence {
	t.Helper()
	e, err := l.Commit(t.Context(), c)
	if err != nil {
		t.Fatalf("commit %d from %d: %v", c.Checkpoint.Size, c.PreviousSize, err)
	}
	if e.Ledger != l.Name() || len(e.Entry) == 0 {
		t.Fatalf("commit %d: evidence of %q with %d bytes", c.Checkpoint.Size, e.Ledger, len(e.Entry))
	}
	return e
}

// refused checks that c is refused for good and changes nothing.
func refused(t testing.TB, l anchor.Ledger, c anchor.Commitment, kinds ...hub.Kind) {
	t.Helper()
	before, errBefore := l.Latest(t.Context(), c.Checkpoint.Origin)
	_, err := l.Commit(t.Context(), c)
	ok := false
	for _, k := range kinds {
		ok = ok || err != nil && hub.KindOf(err) == k
	}
	if !ok {
		t.Errorf("commit %d from %d: got %v, want a fault of kind %v", c.Checkpoint.Size, c.PreviousSize, err, kinds)
	}
	after, errAfter := l.Latest(t.Context(), c.Checkpoint.Origin)
	if after.Size != before.Size || after.Root != before.Root || (errBefore == nil) != (errAfter == nil) {
		t.Errorf("a refused commit changed the ledger from size %d to %d", before.Size, after.Size)
	}
}

// Holds checks that l holds c as its newest checkpoint, with the evidence e.
func Holds(t testing.TB, l anchor.Ledger, c hub.Checkpoint, e hub.Evidence) {
	t.Helper()
	holds(t, l, c, e, true)
}

// holds checks that c is what the ledger holds for its size, and is its newest if newest is true.
func holds(t testing.TB, l anchor.Ledger, c hub.Checkpoint, e hub.Evidence, newest bool) {
	t.Helper()
	got, evidence, err := l.Lookup(t.Context(), c.Origin, c.Size)
	if err != nil {
		t.Fatalf("look up %d: %v", c.Size, err)
	}
	same(t, got, c)
	if !bytes.Equal(evidence.Entry, e.Entry) {
		t.Errorf("look up %d: the evidence is not the first", c.Size)
	}
	if !newest {
		return
	}
	if got, err = l.Latest(t.Context(), c.Origin); err != nil {
		t.Fatal(err)
	}
	same(t, got, c)
}

func same(t testing.TB, got, want hub.Checkpoint) {
	t.Helper()
	if got.Origin != want.Origin || got.Size != want.Size || got.Root != want.Root || !bytes.Equal(got.Note, want.Note) {
		t.Errorf("the ledger holds %s %d %v, want %s %d %v", got.Origin, got.Size, got.Root, want.Origin, want.Size, want.Root)
	}
}

func holdsNothing(t testing.TB, s Subject) {
	log := anchortest.NewLog(t, Origin("log"), "a")
	l := s.Open(t, log.Key.Public())
	if _, _, err := l.Lookup(t.Context(), log.Key.Public().Name(), 1); hub.KindOf(err) != hub.NotFound {
		t.Errorf("look up: got %v, want NotFound", err)
	}
	if _, err := l.Latest(t.Context(), log.Key.Public().Name()); hub.KindOf(err) != hub.NotFound {
		t.Errorf("latest: got %v, want NotFound", err)
	}
}

func heldInOrder(t testing.TB, s Subject) {
	log := anchortest.NewLog(t, Origin("log"), "a")
	l := s.Open(t, log.Key.Public())
	previous := uint64(0)
	var all []anchor.Commitment
	var evidence []hub.Evidence
	for _, size := range []uint64{1, 2, 7, 256, 300} {
		c := log.Commit(t, previous, size)
		e := Must(t, l, c)
		holds(t, l, c.Checkpoint, e, true)
		all, evidence, previous = append(all, c), append(evidence, e), size
	}
	for i, c := range all {
		if !s.NewestOnly {
			holds(t, l, c.Checkpoint, evidence[i], false)
		}
		if _, err := s.Verify(evidence[i].Entry, c.Checkpoint, nil); err != nil {
			t.Errorf("evidence of %d: %v", c.Checkpoint.Size, err)
		}
	}
	if _, _, err := l.Lookup(t.Context(), log.Key.Public().Name(), 3); err == nil || !s.NewestOnly && hub.KindOf(err) != hub.NotFound {
		t.Errorf("look up of a size between: got %v, want NotFound", err)
	}
}

func sameCommit(t testing.TB, s Subject) {
	log := anchortest.NewLog(t, Origin("log"), "a")
	l := s.Open(t, log.Key.Public())
	first, second := log.Commit(t, 0, 5), log.Commit(t, 5, 9)
	e := Must(t, l, first)
	if again := Must(t, l, first); !bytes.Equal(again.Entry, e.Entry) {
		t.Error("the second answer differs from the first")
	}
	Must(t, l, second)
	if s.NewestOnly {
		refused(t, l, first, hub.Conflict)
	} else if again := Must(t, l, first); !bytes.Equal(again.Entry, e.Entry) {
		t.Error("the answer after a later commit differs from the first")
	}
	holds(t, l, second.Checkpoint, Must(t, l, second), true)
}

func anotherRoot(t testing.TB, s Subject) {
	log := anchortest.NewLog(t, Origin("log"), "a")
	l := s.Open(t, log.Key.Public())
	Must(t, l, log.Commit(t, 0, 5))
	refused(t, l, log.Fork(t, 3, "b").Commit(t, 0, 5), hub.Conflict)
	Must(t, l, log.Commit(t, 5, 9))
	refused(t, l, log.Fork(t, 3, "b").Commit(t, 0, 5), hub.Conflict)
}

func smallerSize(t testing.TB, s Subject) {
	log := anchortest.NewLog(t, Origin("log"), "a")
	l := s.Open(t, log.Key.Public())
	Must(t, l, log.Commit(t, 0, 5))
	refused(t, l, log.Fork(t, 0, "a").Commit(t, 0, 4), hub.Conflict)
}

func rewrittenHistory(t testing.TB, s Subject) {
	log := anchortest.NewLog(t, Origin("log"), "a")
	l := s.Open(t, log.Key.Public())
	Must(t, l, log.Commit(t, 0, 5))
	forked := log.Fork(t, 3, "b")
	forked.Grow(t, 5)
	refused(t, l, forked.Commit(t, 5, 9), hub.Conflict, hub.Invalid)
}

func wrongPrevious(t testing.TB, s Subject) {
	log := anchortest.NewLog(t, Origin("log"), "a")
	l := s.Open(t, log.Key.Public())
	log.Grow(t, 3)
	Must(t, l, log.Commit(t, 0, 5))
	refused(t, l, log.Fork(t, 3, "a").Commit(t, 3, 9), hub.Conflict, hub.Invalid)
	refused(t, l, log.Fork(t, 0, "a").Commit(t, 0, 9), hub.Conflict, hub.Invalid)
	Must(t, l, log.Commit(t, 5, 9))
}

func cutProof(t testing.TB, s Subject) {
	log := anchortest.NewLog(t, Origin("log"), "a")
	l := s.Open(t, log.Key.Public())
	Must(t, l, log.Commit(t, 0, 5))
	good := log.Commit(t, 5, 9)
	cut, none := good, good
	cut.Consistency, none.Consistency = good.Consistency[:len(good.Consistency)-1], nil
	refused(t, l, cut, hub.Conflict, hub.Invalid)
	refused(t, l, none, hub.Conflict, hub.Invalid)
	Must(t, l, good)
}

func foreignNote(t testing.TB, s Subject) {
	log := anchortest.NewLog(t, Origin("log"), "a")
	l := s.Open(t, log.Key.Public())
	c := log.Commit(t, 0, 5)
	c.Checkpoint.Note = log.Grow(t, 6).Note
	refused(t, l, c, hub.Conflict, hub.Invalid, hub.Forbidden)
}

func foreignKey(t testing.TB, s Subject) {
	if s.Unsigned {
		t.Skip("this ledger leaves the log's signature to its verifiers")
	}
	name := Origin("log")
	log, stranger := anchortest.NewLog(t, name, "a"), anchortest.NewLog(t, name, "a")
	l := s.Open(t, log.Key.Public())
	refused(t, l, stranger.Commit(t, 0, 5), hub.Invalid, hub.Forbidden)
	refused(t, l, anchortest.NewLog(t, Origin("other"), "a").Commit(t, 0, 5), hub.Invalid, hub.Forbidden)
}

func twoLogs(t testing.TB, s Subject) {
	a, b := anchortest.NewLog(t, Origin("a"), "a"), anchortest.NewLog(t, Origin("b"), "b")
	l := s.Open(t, a.Key.Public(), b.Key.Public())
	ca, cb := a.Commit(t, 0, 5), b.Commit(t, 0, 3)
	ea, eb := Must(t, l, ca), Must(t, l, cb)
	holds(t, l, ca.Checkpoint, ea, true)
	holds(t, l, cb.Checkpoint, eb, true)
	Must(t, l, b.Commit(t, 3, 5))
}

func concurrentCommits(t testing.TB, s Subject) {
	log := anchortest.NewLog(t, Origin("log"), "a")
	l := s.Open(t, log.Key.Public())
	c := log.Commit(t, 0, 5)
	entries := make([]hub.Evidence, 8)
	errs := make([]error, len(entries))
	var wg sync.WaitGroup
	for i := range entries {
		wg.Go(func() { entries[i], errs[i] = l.Commit(t.Context(), c) })
	}
	wg.Wait()
	for i := range entries {
		if errs[i] != nil {
			t.Fatalf("commit %d: %v", i, errs[i])
		}
		if !bytes.Equal(entries[i].Entry, entries[0].Entry) {
			t.Errorf("commit %d has other evidence than commit 0", i)
		}
	}
	holds(t, l, c.Checkpoint, entries[0], true)
}

func evidenceIsBound(t testing.TB, s Subject) {
	log := anchortest.NewLog(t, Origin("log"), "a")
	l := s.Open(t, log.Key.Public())
	a, b := log.Commit(t, 0, 5), log.Commit(t, 5, 9)
	e := Must(t, l, a)
	Must(t, l, b)
	if _, err := s.Verify(e.Entry, b.Checkpoint, nil); err == nil {
		t.Error("evidence of size 5 was accepted for size 9")
	}
	if _, err := s.Verify(nil, a.Checkpoint, nil); err == nil {
		t.Error("no evidence was accepted")
	}
}

func evidenceBitFlips(t testing.TB, s Subject) {
	log := anchortest.NewLog(t, Origin("log"), "a")
	c := log.Commit(t, 0, 5)
	e := Must(t, s.Open(t, log.Key.Public()), c)
	step := 1 + len(e.Entry)>>12*4 // a verification of large evidence checks many signatures
	for i := mathrand.IntN(step); i < len(e.Entry); i += step {
		for bit := range 8 {
			if (s.Slow || step > 1) && bit != i%8 {
				continue
			}
			flipped := bytes.Clone(e.Entry)
			flipped[i] ^= 1 << bit
			if _, err := s.Verify(flipped, c.Checkpoint, nil); err == nil {
				t.Errorf("evidence with bit %d of byte %d flipped was accepted: %s", bit, i, flipped)
			}
		}
	}
}

func lostCommit(t testing.TB, s Subject) {
	log := anchortest.NewLog(t, Origin("log"), "a")
	l := Faulty{Ledger: s.Open(t, log.Key.Public()), Faults: anchortest.FailAt(0, anchortest.Lost)}
	c := log.Commit(t, 0, 5)
	if _, err := l.Commit(t.Context(), c); err == nil {
		t.Fatal("the fault was not injected")
	}
	if _, _, err := l.Lookup(t.Context(), c.Checkpoint.Origin, 5); hub.KindOf(err) != hub.NotFound {
		t.Errorf("look up: got %v, want NotFound", err)
	}
	holds(t, l, c.Checkpoint, Must(t, l, c), true)
}

func landedCommit(t testing.TB, s Subject) {
	log := anchortest.NewLog(t, Origin("log"), "a")
	l := Faulty{Ledger: s.Open(t, log.Key.Public()), Faults: anchortest.FailAt(0, anchortest.Landed)}
	c := log.Commit(t, 0, 5)
	if _, err := l.Commit(t.Context(), c); err == nil {
		t.Fatal("the fault was not injected")
	}
	_, e, err := l.Lookup(t.Context(), c.Checkpoint.Origin, 5)
	if err != nil {
		t.Fatalf("look up: %v", err)
	}
	if again := Must(t, l, c); !bytes.Equal(again.Entry, e.Entry) {
		t.Error("the commit after the look-up has other evidence")
	}
}

func restart(t testing.TB, s Subject) {
	if s.Reopen == nil {
		t.Skip("this ledger has no memory")
	}
	log := anchortest.NewLog(t, Origin("log"), "a")
	l := s.Open(t, log.Key.Public())
	a, b := log.Commit(t, 0, 5), log.Commit(t, 5, 9)
	ea := Must(t, l, a)
	l = s.Reopen(t, l)
	eb := Must(t, l, b)
	l = s.Reopen(t, l)
	if !s.NewestOnly {
		holds(t, l, a.Checkpoint, ea, false)
	}
	holds(t, l, b.Checkpoint, eb, true)
	refused(t, l, log.Fork(t, 3, "b").Commit(t, 0, 5), hub.Conflict)
	Must(t, l, log.Commit(t, 9, 12))
}
