package epcisrest_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/api/epcisrest"
)

func TestSchedulesRunWhenTheySay(t *testing.T) {
	const at = "2026-11-22T12:34:56Z" // a Sunday
	for _, c := range []struct{ fields, want string }{
		{"hour=1 minute=5", "2026-11-23T01:05:00Z"},
		{"minute=5", "2026-11-22T13:05:00Z"},
		{"second=0", "2026-11-22T12:35:00Z"},
		{"second=[0-59]", "2026-11-22T12:34:57Z"},
		{"second=56", "2026-11-22T12:35:56Z"},
		{"second=10,[30-40],57", "2026-11-22T12:34:57Z"},
		{"minute=34", "2026-11-22T13:34:00Z"},
		{"hour=12", "2026-11-23T12:00:00Z"},
		{"hour=0", "2026-11-23T00:00:00Z"},
		{"dayOfWeek=1", "2026-11-23T00:00:00Z"},
		{"dayOfWeek=7", "2026-11-29T00:00:00Z"},
		{"dayOfWeek=7 hour=23", "2026-11-22T23:00:00Z"},
		{"dayOfMonth=31", "2026-12-31T00:00:00Z"},
		{"dayOfMonth=29 month=2", "2028-02-29T00:00:00Z"},
		{"month=1", "2027-01-01T00:00:00Z"},
		{"dayOfMonth=13 dayOfWeek=5", "2027-08-13T00:00:00Z"},
		{"month=2 dayOfMonth=29 dayOfWeek=2", "2028-02-29T00:00:00Z"},
	} {
		now, _ := time.Parse(time.RFC3339, at)
		got, err := epcisrest.NextRun(fieldsOf(c.fields), now)
		if err != nil || got.Format(time.RFC3339) != c.want {
			t.Errorf("%s: %s, %v, want %s", c.fields, got.Format(time.RFC3339), err, c.want)
		}
	}
}

func fieldsOf(text string) map[string]string {
	m := map[string]string{}
	for f := range strings.FieldsSeq(text) {
		name, value, _ := strings.Cut(f, "=")
		m[name] = value
	}
	return m
}

func TestBadSchedulesAreRefused(t *testing.T) {
	for _, fields := range []string{
		"", "minute=", "minute=60", "minute=-1", "minute=5,", "minute=[5-1]", "minute=[5", "minute=5-6", "minute=[1-2-3]", "minute=*", "minute=+5",
		"hour=24", "dayOfMonth=0", "dayOfMonth=32", "month=13", "dayOfWeek=0", "dayOfWeek=8", "day=1", "dayOfMonth=31 month=2", "dayOfMonth=30 month=2",
		"minute=005", "minute= 5",
	} {
		if strings.Contains(fields, "= ") {
			continue // FieldsSeq cannot say it
		}
		if at, err := epcisrest.NextRun(fieldsOf(fields), time.Unix(0, 0)); err == nil {
			t.Errorf("%q was taken and runs at %s", fields, at)
		}
	}
}

// slow finds the next run second by second, for schedules whose day is free.
func slow(fields map[string]string, t time.Time) time.Time {
	sets := map[string][]int{}
	for name, text := range fields {
		for element := range strings.SplitSeq(text, ",") {
			from, to, ranged := strings.Cut(strings.Trim(element, "[]"), "-")
			if !ranged {
				to = from
			}
			a, _ := strconv.Atoi(from)
			b, _ := strconv.Atoi(to)
			for v := a; v <= b; v++ {
				sets[name] = append(sets[name], v)
			}
		}
	}
	fits := func(name string, v int) bool { return len(sets[name]) == 0 || slices.Contains(sets[name], v) }
	for t = t.Truncate(time.Second).Add(time.Second); ; t = t.Add(time.Second) {
		if fits("second", t.Second()) && fits("minute", t.Minute()) && fits("hour", t.Hour()) {
			return t
		}
	}
}

func FuzzSchedule(f *testing.F) {
	f.Add("0,15,[30-45]", "5", "[1-3],7", int64(1_700_000_000))
	f.Add("59", "59", "23", int64(0))
	f.Add("[0-59]", "0", "0", int64(1e9))
	f.Fuzz(func(t *testing.T, second, minute, hour string, unix int64) {
		fields := map[string]string{"second": second, "minute": minute, "hour": hour}
		at := time.Unix(unix%4e9, 0).UTC()
		got, err := epcisrest.NextRun(fields, at)
		if err != nil {
			return
		}
		if want := slow(fields, at); !got.Equal(want) {
			t.Fatalf("%v after %s: %s, want %s", fields, at, got, want)
		}
	})
}
