package connectors

import (
	"errors"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// Later is a passing fault whose upstream said how long to wait, such as an HTTP answer with Retry-After. The host waits
// that long, or its own back-off where that is longer.
type Later struct {
	After time.Duration
	// Fault is of kind Unavailable.
	Fault *hub.Fault
}

// Error renders the fault.
func (l *Later) Error() string { return l.Fault.Error() }

// Unwrap returns the fault, so that its kind and code are seen.
func (l *Later) Unwrap() error { return l.Fault }

// maxLater bounds what an upstream can ask for, so that a wrong header cannot silence an instance for days.
const maxLater = time.Hour

// asked returns how long the upstream asked to wait, or 0.
func asked(err error) time.Duration {
	var l *Later
	if !errors.As(err, &l) {
		return 0
	}
	return min(max(l.After, 0), maxLater)
}
