package trace_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/trace"
)

// Each contradiction is flagged where it is, and not where it is not.
func TestContradictionsAreFlagged(t *testing.T) {
	order := `{"eventTimeZoneOffset":"+08:00","bizTransactionList":[{"type":"po","bizTransaction":"urn:x:po:1"}]}`
	other := strings.Replace(order, "po:1", "po:2", 1)
	for name, c := range map[string]struct {
		tell func(s *shelf)
		want []string
	}{
		"shipped before packed": {func(s *shelf) {
			s.object(hour(1), "shipping OBSERVE epc="+tin).Body = []byte(order)
			s.object(hour(2), "packing OBSERVE epc="+tin).Body = []byte(order)
		}, []string{"order.steps"}},
		"packed before shipped": {func(s *shelf) {
			s.object(hour(1), "packing OBSERVE epc="+tin).Body = []byte(order)
			s.object(hour(2), "shipping OBSERVE epc="+tin).Body = []byte(order)
		}, nil},
		"of different orders": {func(s *shelf) {
			s.object(hour(1), "shipping OBSERVE epc="+tin).Body = []byte(order)
			s.object(hour(2), "packing OBSERVE epc="+tin).Body = []byte(other)
		}, nil},
		"scanned before signed": {func(s *shelf) {
			s.object(hour(1), trace.Scanning+" OBSERVE epc="+tin)
			s.object(hour(2), "accepting OBSERVE epc="+tin).Facets.Disposition = "retail_sold"
		}, []string{"scan.before-delivery"}},
		"signed before scanned": {func(s *shelf) {
			s.object(hour(1), "accepting OBSERVE epc="+tin).Facets.Disposition = "retail_sold"
			s.object(hour(2), trace.Scanning+" OBSERVE epc="+tin)
		}, nil},
		"certificate before the last event": {func(s *shelf) {
			s.object(hour(1), trace.Scanning+" OBSERVE epc="+tin).Body = []byte(`{"x:certificateDate":"2026-05-01T01:00:00Z"}`)
			s.object(hour(2), "storing OBSERVE epc="+tin)
		}, []string{"certificate.before-event"}},
		"certificate after the last event": {func(s *shelf) {
			s.object(hour(1), "storing OBSERVE epc="+tin)
			s.object(hour(2), trace.Scanning+" OBSERVE epc="+tin).Body = []byte(`{"x:certificateDate":"2026-05-01T02:00:00Z"}`)
		}, nil},
		"two lots": {func(s *shelf) {
			s.object(hour(1), "commissioning ADD epc="+tin).Body = []byte(`{"ilmd":{"cbvmda:lotNumber":"A"}}`)
			s.object(hour(2), "inspecting OBSERVE epc="+tin).Body = []byte(`{"ilmd":{"cbvmda:lotNumber":"B"}}`)
		}, []string{"attribute.differs"}},
		"the same lot twice": {func(s *shelf) {
			s.object(hour(1), "commissioning ADD epc="+tin).Body = []byte(`{"ilmd":{"cbvmda:lotNumber":"A"}}`)
			s.object(hour(2), "inspecting OBSERVE epc="+tin).Body = []byte(`{"ilmd":{"other:lotNumber":"A"}}`)
		}, nil},
		"inside two": {func(s *shelf) {
			s.aggregation(hour(1), "packing ADD parent="+carton+" child="+tin)
			s.aggregation(hour(2), "packing ADD parent="+parcel+" child="+tin)
		}, []string{"inside.two"}},
		"inside two after each other": {func(s *shelf) {
			s.aggregation(hour(1), "packing ADD parent="+carton+" child="+tin)
			s.aggregation(hour(2), "picking DELETE parent="+carton+" child="+tin)
			s.aggregation(hour(3), "packing ADD parent="+parcel+" child="+tin)
		}, nil},
		"inside two after the first was emptied": {func(s *shelf) {
			s.aggregation(hour(1), "packing ADD parent="+carton+" child="+tin)
			s.aggregation(hour(2), "unpacking DELETE parent="+carton)
			s.aggregation(hour(3), "packing ADD parent="+parcel+" child="+tin)
		}, nil},
		"in the future": {func(s *shelf) {
			e := s.object(hour(5), "storing OBSERVE epc="+tin)
			e.RecordedAt = hour(4)
		}, []string{"time.future"}},
		"a clock that is a little fast": {func(s *shelf) {
			e := s.object(hour(5), "storing OBSERVE epc="+tin)
			e.RecordedAt = hour(5).Add(-5 * time.Minute)
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := &shelf{}
			c.tell(s)
			var got []string
			for _, x := range s.trace(t, tin).Contradictions {
				got = append(got, x.Code)
				if x.Message == "" || x.MessageZh == "" || len(x.Events) == 0 || len(x.Providers) == 0 {
					t.Errorf("incomplete: %+v", x)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// Where every pair of steps contradicts, some are told: the page of an item that one party has spoilt stays a page.
func TestNotEveryPairOfStepsIsTold(t *testing.T) {
	orders, boxes := &shelf{}, &shelf{}
	for n := range 400 {
		step := "shipping"
		if n >= 200 {
			step = "packing"
		}
		at := hour(1).Add(time.Duration(n) * time.Second)
		orders.object(at, step+" OBSERVE epc="+tin).Body = []byte(`{"bizTransactionList":[` +
			strings.Repeat(`{"bizTransaction":"urn:x:po:1"},`, 50) + `{"bizTransaction":"urn:x:po:1"}]}`)
		boxes.aggregation(at, fmt.Sprintf("packing ADD parent=urn:x:%d child=%s", n, tin))
	}
	for name, s := range map[string]*shelf{"order.steps": orders, "inside.two": boxes} {
		if got := len(s.trace(t, tin).Contradictions); got == 0 || got > 100 {
			t.Errorf("%s: %d contradictions", name, got)
		}
	}
	long := &shelf{}
	for _, lot := range []string{"A", strings.Repeat("B", 1<<16)} {
		long.object(hour(1), "commissioning ADD epc="+tin).Body = []byte(`{"ilmd":{"cbvmda:lotNumber":"` + lot + `"}}`)
	}
	if all := long.trace(t, tin).Contradictions; len(all) != 1 || len(all[0].Message) > 300 {
		t.Errorf("a lot number of 64 KiB: %d contradictions", len(all))
	}
}

// Times are shown in the offset that was stated with them.
func TestTimesAreShownAsStated(t *testing.T) {
	at := time.Date(2019, 11, 7, 10, 13, 43, 999e6, time.UTC)
	for offset, want := range map[string]string{
		"+08:00": "2019-11-07 18:13:43", "-03:30": "2019-11-07 06:43:43", "": "2019-11-07 10:13:43", "nonsense": "2019-11-07 10:13:43",
	} {
		if got := trace.LocalTime(at, offset); got != want {
			t.Errorf("%q: %s, want %s", offset, got, want)
		}
	}
}

// A body that is not what it should be gives an empty view, never a panic.
func FuzzViewOf(f *testing.F) {
	for _, seed := range []string{``, `null`, `[]`, `{"ilmd":{"a:b":1,"c":null,"d":{"e":1}},"x:y":"z"}`, `{"bizTransactionList":[{}]}`, `{"eventTimeZoneOffset":5}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s := &shelf{}
		s.object(hour(1), "storing OBSERVE epc="+tin).Body = body
		s.trace(t, tin)
	})
}
