package epcisrest

import (
	"context"
	"net/http"
	"net/netip"
	"time"
)

// NextRun is the first time after t of a schedule given by its fields.
func NextRun(fields map[string]string, t time.Time) (time.Time, error) {
	s, err := parseSchedule(fields)
	if err != nil {
		return time.Time{}, err
	}
	at, _ := s.next(t)
	return at, nil
}

// Skeleton is a document without its events.
func Skeleton(doc []byte, limit int) ([]byte, error) {
	s := newSkeleton(limit)
	_, err := s.Write(doc)
	return s.out, err
}

// Accepts is [accepts].
func Accepts(header string, offered ...string) (string, bool) {
	r := &http.Request{Header: http.Header{}}
	if header != "" {
		r.Header.Set("Accept", header)
	}
	return accepts(r, offered...)
}

// SealAndOpen seals a token and opens what change makes of it, after later has passed.
func SealAndOpen(of, asked string, change func(string) string, later time.Duration) error {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	ts := tokens{key: []byte("0123456789abcdef0123456789abcdef"), now: func() time.Time { return now }}
	text, _, err := ts.seal(token{Of: of, Until: 7, Count: 3})
	if err != nil {
		return err
	}
	now = now.Add(later)
	_, err = ts.open(change(text), asked)
	return err
}

// Route reports whether an escaped path matches a pattern, and its variable segments.
func Route(pattern, path string) ([]string, bool) { return match(pattern, path) }

// Post posts nothing to a destination as deliveries do, from a hub that may deliver into the allowed networks besides public ones.
// The second result says whether a subscription with this destination is taken.
func Post(ctx context.Context, dest string, allowed ...netip.Prefix) (delivery, taking error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, dest, http.NoBody)
	if err != nil {
		return err, err
	}
	res, err := (&http.Client{Transport: destinations(allowed)}).Do(req)
	if err != nil {
		delivery = unreached(err)
	} else {
		_ = res.Body.Close()
	}
	return delivery, (&Server{Config: Config{DeliverTo: allowed}}).checkDest(dest)
}

// Reachable is [reachable] for an address as text.
func Reachable(address string, allowed ...netip.Prefix) bool {
	return reachable(netip.MustParseAddr(address), allowed)
}
