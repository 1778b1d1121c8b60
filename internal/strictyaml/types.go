package strictyaml

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// Text is a text that knows its place, for what can only be checked after decoding.
type Text struct {
	Value string
	At    hub.Where
}

// Size is a number of bytes, written "512KiB", "1MiB", "2GiB", or as a plain number of bytes. "kB", "MB" and "GB" are
// powers of 1,000.
type Size int64

// String returns the size in the largest binary unit that divides it.
func (s Size) String() string {
	for _, u := range sizeUnits() {
		if u.binary && s != 0 && int64(s)%u.bytes == 0 {
			return fmt.Sprintf("%d%s", int64(s)/u.bytes, u.name)
		}
	}
	return fmt.Sprintf("%dB", int64(s))
}

type sizeUnit struct {
	name   string
	bytes  int64
	binary bool
}

func sizeUnits() []sizeUnit {
	return []sizeUnit{
		{"GiB", 1 << 30, true},
		{"MiB", 1 << 20, true},
		{"KiB", 1 << 10, true},
		{"GB", 1e9, false},
		{"MB", 1e6, false},
		{"kB", 1e3, false},
		{"B", 1, false},
	}
}

func parseSize(text string) (int64, error) {
	unit := sizeUnit{bytes: 1}
	for _, u := range sizeUnits() {
		if strings.HasSuffix(text, u.name) {
			unit = u
			break
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(text, unit.name)), 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit.bytes {
		return 0, errors.New("no size")
	}
	return n * unit.bytes, nil
}

func parseDuration(text string) (int64, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, errors.New("no duration")
	}
	return int64(d), nil
}

// parseLocation accepts an IANA name or a fixed offset. "Local" is none: a file means the same on every machine.
func parseLocation(text string) (*time.Location, error) {
	if t, err := time.Parse("-07:00", text); err == nil {
		_, offset := t.Zone()
		return time.FixedZone(text, offset), nil
	}
	if text == "" || text == "Local" {
		return nil, errors.New("no time zone")
	}
	return time.LoadLocation(text)
}

// Rate is how often something may happen, written "500/s", "60/m" or "1000/h".
type Rate struct {
	// PerSecond is 0 for no limit.
	PerSecond float64
}

// UnmarshalText parses the text form.
func (r *Rate) UnmarshalText(text []byte) error {
	count, unit, ok := strings.Cut(string(text), "/")
	n, err := strconv.ParseFloat(count, 64)
	seconds := map[string]float64{"s": 1, "m": 60, "h": 3600}[unit]
	if !ok || err != nil || seconds == 0 || !(n > 0) || math.IsInf(n, 0) {
		return fmt.Errorf(`found %q where a rate such as "500/s" or "60/m" is expected`, text)
	}
	r.PerSecond = n / seconds
	return nil
}

// String returns the text form, per second.
func (r Rate) String() string { return strconv.FormatFloat(r.PerSecond, 'g', -1, 64) + "/s" }
