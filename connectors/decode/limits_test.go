package decode_test

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
)

// TestHostileItemsTakeLinearTime feeds what makes careless parsers quadratic: each item is read at one size and at four
// times the size.
func TestHostileItemsTakeLinearTime(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 5 MB of hostile input")
	}
	const n = 32 << 10
	for _, c := range []struct {
		name, format, settings string
		item                   func(n int) string
	}{
		{"open quote", "csv", ``, func(n int) string { return "a,b\n\"" + strings.Repeat("x,\"\"\n", n/5) }},
		{"doubled quotes", "csv", ``, func(n int) string { return "a\n\"" + strings.Repeat(`""`, n/2) + "\"\n" }},
		{"separators", "csv", `{header: false}`, func(n int) string { return strings.Repeat(",", n) }},
		{"same columns", "csv", `{header: true}`, func(n int) string { return strings.Repeat("a,", n/2) + "\n1\n" }},
		{"empty rows", "csv", ``, func(n int) string { return "a\n" + strings.Repeat("\n", n) }},
		{"charset that changes", "csv", ``, func(n int) string { return "a\n" + strings.Repeat("\xb2\xe2\n测\n", n/7) }},
		{"open brackets", "json", ``, func(n int) string { return strings.Repeat("[", n) }},
		{"open brackets on the way", "json", `{split: /a}`, func(n int) string { return `{"b":` + strings.Repeat("[", n) }},
		{"backslashes", "json", ``, func(n int) string { return `["` + strings.Repeat(`\\`, n/2) + `"]` }},
		{"many names", "json", ``, func(n int) string { return "{" + strings.Repeat(`"a":1,`, n/6) + "}" }},
		{"elements", "json", ``, func(n int) string { return "[" + strings.Repeat("1,", n/2) + "1]" }},
		{"open lines", "ndjson", ``, func(n int) string { return strings.Repeat("{\n", n/2) }},
		{"open tags", "xml", ``, func(n int) string { return strings.Repeat("<a>", n/3) }},
		{"open tags before a split", "xml", `{split: //b, maxDepth: 1000000000}`, func(n int) string { return strings.Repeat("<a>", min(n/3, 3000)) }},
		{"open record", "xml", `{split: /a/b}`, func(n int) string { return "<a><b>" + strings.Repeat("<c>", n/3) }},
		{"open comment", "xml", `{split: /a/b}`, func(n int) string { return "<a><!--" + strings.Repeat("-", n) }},
		{"attributes", "xml", ``, func(n int) string { return "<a" + strings.Repeat(` a="1"`, n/6) + "/>" }},
		{"entities", "xml", ``, func(n int) string { return "<a>" + strings.Repeat("&amp;", n/5) + "</a>" }},
		{"parts of text", "xml", ``, func(n int) string { return "<a>" + strings.Repeat("x<!---->", n/8) + "</a>" }},
		{"repeated elements", "xml", ``, func(n int) string { return "<a>" + strings.Repeat("<b/>", n/4) + "</a>" }},
		{"namespaces", "xml", `{prefixes: {x: urn:x}}`, func(n int) string {
			return "<a>" + strings.Repeat(`<b xmlns:q="urn:x"/>`, n/20) + "</a>"
		}},
		{"releases", "edifact", ``, func(n int) string { return unb + "UNH+1+X'FTX+" + strings.Repeat("??", n/2) }},
		{"line breaks", "edifact", ``, func(n int) string { return unb + strings.Repeat("\r\n", n/2) + "UNH+1+X'UNT+2+1'UNZ+1+7'" }},
		{"components", "edifact", ``, func(n int) string { return unb + "UNH+1+X'FTX" + strings.Repeat("+:", n/2) + "'UNT+3+1'UNZ+1+7'" }},
		{"segments", "edifact", `{guide: DESADV}`, func(n int) string {
			return unb + "UNH+1+DESADV:D:96A:UN'" + strings.Repeat("CPS+1'RFF+A:1'", n/14) + "UNT+1+1'UNZ+1+7'"
		}},
		{"same keys", "edifact", `{guide: DESADV, envelope: ignore}`, func(n int) string {
			return unb + "UNH+1+DESADV:D:96A:UN'" + strings.Repeat("RFF+A:1'", n/8) + "UNT+1+1'UNZ+1+7'"
		}},
		{"headers of messages", "edifact", ``, func(n int) string { return unb + strings.Repeat("UNH+1+X'", n/8) }},
		{"headers of interchanges", "edifact", ``, func(n int) string { return strings.Repeat(unb, n/len(unb)) }},
		{"groups", "edifact", ``, func(n int) string { return unb + strings.Repeat("UNG+1'", n/6) }},
		{"segments before a message", "edifact", ``, func(n int) string { return unb + strings.Repeat("UCD+1'", n/6) }},
		{"sets", "x12", ``, func(n int) string { return isa + strings.Repeat("ST*1*1~", n/7) }},
		{"headers", "x12", ``, func(n int) string { return strings.Repeat(isa, n/len(isa)) }},
	} {
		t.Run(c.format+" "+c.name, func(t *testing.T) {
			d := newDecoder(t, c.format, c.settings)
			took := func(item string) time.Duration {
				start := time.Now()
				verdicts(d, item)
				return time.Since(start)
			}
			var small, large time.Duration
			for range 5 { // a busy machine may stall one of them
				small, large = took(c.item(n)), took(c.item(4*n))
				if large <= 10*small+2*time.Second {
					return
				}
			}
			t.Errorf("%v for %d bytes, %v for four times as many", small, n, large)
		})
	}
}

// endless writes the head of an item and then one part again and again, without holding it.
type endless struct {
	part  string
	left  int
	ready string
}

func (e *endless) Read(b []byte) (int, error) {
	if e.ready == "" {
		if e.left == 0 {
			return 0, io.EOF
		}
		e.left--
		e.ready = e.part
	}
	n := copy(b, e.ready)
	e.ready = e.ready[n:]
	return n, nil
}

// TestLargeItemsNeedLittleMemory streams 32 MB of each format, four times what the heap may grow by.
func TestLargeItemsNeedLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("streams 32 MB a format")
	}
	const total = 32 << 20
	row := strings.Repeat("x", 1000)
	for _, c := range []struct{ format, settings, head, part, tail string }{
		{"csv", ``, "a,b\n", row + ",2\n", ""},
		{"json", `{split: /a}`, `{"a":[0`, `,{"b":"` + row + `"}`, `]}`},
		{"ndjson", ``, "", `{"b":"` + row + `"}` + "\n", ""},
		{"xml", `{split: /a/b}`, "<a>", "<b>" + row + "</b>\n", "</a>"},
		{"edifact", ``, unb, "UNH+1+X:D:96A:UN'FTX+" + row + "'UNT+3+1'\r\n", ""},
		{"x12", ``, isa + "GS*SH*A*B*20191107*2118*77*X*004010~", "ST*856*1~MSG*" + row + "~SE*3*1~\n", ""},
	} {
		t.Run(c.format, func(t *testing.T) {
			count := total / len(c.part)
			r := io.MultiReader(strings.NewReader(c.head), &endless{part: c.part, left: count}, strings.NewReader(c.tail))
			var peak, before runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			n := 0
			err := newDecoder(t, c.format, c.settings).Split(r, func(p connectors.Piece) error {
				if n++; n%(count/16) == 0 {
					var now runtime.MemStats
					runtime.GC()
					if runtime.ReadMemStats(&now); now.HeapAlloc > peak.HeapAlloc {
						peak = now
					}
				}
				return nil
			})
			if c.format == "edifact" || c.format == "x12" { // there is no trailer
				if got := faultLine(err); !strings.HasPrefix(got, "edi.truncated ") {
					t.Errorf("got %v", err)
				}
			} else if err != nil {
				t.Error(err)
			}
			if n < count {
				t.Errorf("%d records, want %d", n, count)
			}
			if grown := int64(peak.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
				t.Errorf("the heap grew by %s", fmt.Sprint(grown))
			}
		})
	}
}
