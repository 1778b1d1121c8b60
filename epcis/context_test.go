package epcis_test

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/epcis"
)

// A context costs as much as it is long: one event of 1 MiB, each of whose many parts was sorted into all before, took half a minute
// of a processor, and a chain of terms as much.
func TestHostileContextsCostWhatTheirLengthDoes(t *testing.T) {
	for name, stated := range map[string]func(n int) string{
		"objects": func(n int) string {
			return `"@context":[` + joined(n, func(i int) string { return fmt.Sprintf(`{"p%05d":"u"}`, n-i) }) + `]`
		},
		"addresses": func(n int) string {
			return `"@context":[` + joined(n, func(i int) string { return fmt.Sprintf(`"https://e.example/%05d"`, i) }) + `]`
		},
		"declarations": func(n int) string {
			return `"x:y":[` + joined(n, func(i int) string { return fmt.Sprintf(`{"@xmlns:p%05d":"u"}`, n-i) }) + `]`
		},
		"a chain": func(n int) string {
			return `"@context":{` + joined(n, func(i int) string { return fmt.Sprintf(`"p%05d":"p%05d:x"`, i+1, i) }) + fmt.Sprintf(`},"p%05d:a":1`, n)
		},
	} {
		cost := func(n int) uint64 {
			event := []byte(`{"type":"ObjectEvent","eventTime":"2026-01-01T00:00:00Z","eventTimeZoneOffset":"+00:00","epcList":[],"action":"OBSERVE",` + stated(n) + `}`)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			e, err := epcis.ParseEvent(event, nil)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if _, err := e.Canonical(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			runtime.ReadMemStats(&after)
			return after.TotalAlloc - before.TotalAlloc
		}
		// Memory that is used again makes one of them cheap now and then: of the small the dearest counts, of the large the cheapest.
		var small, large uint64 = 0, math.MaxUint64
		for range 5 {
			small, large = max(small, cost(500)), min(large, cost(4000))
		}
		if large > 24*small { // eight times as long; by its square it would be 64
			t.Errorf("%s: %d bytes for 500, %d for 4,000", name, small, large)
		}
	}
}

func joined(n int, each func(i int) string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = each(i)
	}
	return strings.Join(parts, ",")
}
