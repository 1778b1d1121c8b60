package anchortest

import (
	"errors"
	"sync"
)

// ErrFault is what a call returns that a [Switch] lets fail. It is of no kind: its outcome is unknown to the caller.
var ErrFault = errors.New("injected fault")

// Fate is what becomes of a call.
type Fate uint8

// The fates.
const (
	// Well: the call is made.
	Well Fate = iota
	// Lost: the call is not made, and fails.
	Lost
	// Landed: the call is made, and its answer is lost.
	Landed
)

// String returns "well", "lost" or "landed".
func (f Fate) String() string { return [...]string{"well", "lost", "landed"}[f] }

// Switch decides the fate of every call that passes through it, in turn. A nil Switch lets all go well. It is safe for
// concurrent use.
type Switch struct {
	mu    sync.Mutex
	calls int
	at    int
	fate  Fate
}

// FailAt returns a switch that gives the n-th call, counted from 0, the given fate, and lets all others go well.
func FailAt(n int, fate Fate) *Switch { return &Switch{at: n, fate: fate} }

// Calls returns how many calls have passed.
func (s *Switch) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// Do makes the call, or does not.
func (s *Switch) Do(call func() error) error {
	switch s.next() {
	case Lost:
		return ErrFault
	case Landed:
		return errors.Join(call(), ErrFault)
	case Well:
	}
	return call()
}

func (s *Switch) next() Fate {
	if s == nil {
		return Well
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.calls-1 == s.at {
		return s.fate
	}
	return Well
}
