package hub_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

func sampleLeaf() hub.LeafRecord {
	return hub.LeafRecord{
		Connector: "bench", Event: hub.Sum([]byte("event")), EventHash: "ni:///sha-256;" + strings.Repeat("ab", 32) + "?ver=CBV2.0",
		Provider: "wyeth-illuma", Raw: hub.Sum([]byte("raw")), ReceivedAt: hub.Instant(time.Date(2026, 11, 30, 6, 0, 0, 123e6, time.UTC)),
		Salt: hub.Sum([]byte("salt")), Version: hub.LeafVersion,
	}
}

// The bytes by hand are those of encoding/json, whatever stands in the record.
func FuzzLeafRecord(f *testing.F) {
	f.Add("bench", "ni:///sha-256;00?ver=CBV2.0", "wyeth", []byte("salt"), int64(1), int64(999_999_999), 1)
	f.Add("a<b>&\"\\\x01", "\u2028\xff", "启赋", []byte{}, int64(-62135596800), int64(0), -7)
	f.Fuzz(func(t *testing.T, connector, hash, provider string, salt []byte, sec, nano int64, version int) {
		at := time.Unix(sec%253402300800, nano%1e9).UTC() // RFC 3339 has four digits for a year
		if at.Year() < 0 || at.Year() > 9999 {
			t.Skip()
		}
		l := hub.LeafRecord{
			Connector: hub.ConnectorID(connector), Event: hub.Sum(salt), EventHash: hash, Provider: hub.ProviderID(provider),
			Raw: hub.RawDigest(salt, []byte(hash)), ReceivedAt: hub.Instant(at), Salt: hub.Sum([]byte(provider)), Version: version,
		}
		want, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.Append([]byte("x")); string(got) != "x"+string(want) {
			t.Errorf("%s\nwant %s", got[1:], want)
		}
	})
}

func BenchmarkLeafRecord(b *testing.B) {
	l := sampleLeaf()
	b.Run("by=hand", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l.Bytes()
		}
	})
	b.Run("by=encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(l); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func TestNames(t *testing.T) {
	for name, good := range map[string]bool{
		"a": true, "9-z": true, strings.Repeat("a", 63): true, "": false, strings.Repeat("a", 64): false, "-a": false, "A": false,
		"a_b": false, "a.b": false, "é": false,
	} {
		if err := hub.CheckName(name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestInstantIsWrittenAsItsLayoutSays(t *testing.T) {
	for _, at := range []time.Time{
		{}, time.Unix(0, 0), time.Date(2026, 11, 30, 6, 1, 2, 987_654_321, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
		time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(7, 3, 4, 5, 6, 7, 8e6, time.FixedZone("", 3600)),
	} {
		if got, want := hub.Instant(at).String(), at.UTC().Format("2006-01-02T15:04:05.000Z"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
