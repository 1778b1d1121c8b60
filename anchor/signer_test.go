package anchor_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/anchortest"
	"github.com/suyuan-io/suyuan/hub"
)

// Whoever has a log's key can sign what no hub writes. The verifiers of all languages agree on that, too: a receipt that one of them
// takes and another refuses proves nothing to two readers.
func TestVerifiersAgreeOnWhatALogCanSign(t *testing.T) {
	i := newIssuer(t, nil)
	var names []string
	record := func(name string, change func(e *hub.Event)) {
		e := anchortest.Event(1_000_000+len(names), i.now)
		change(&e)
		e.Leaf.Event = hub.Sum(e.Body)
		i.store.Append(e)
		names = append(names, name)
	}
	for _, n := range []int{64, 125, 126, 127, 200} {
		record(fmt.Sprintf("lists %d deep", n), func(e *hub.Event) {
			e.Body = []byte(`{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`)
		})
		record(fmt.Sprintf("objects %d deep", n), func(e *hub.Event) {
			e.Body = []byte(strings.Repeat(`{"a":`, n) + `{}` + strings.Repeat("}", n))
		})
	}
	for name, body := range map[string]string{
		"brackets within a text":                    `{"a":"` + strings.Repeat(`[{\"\\`, 200) + `"}`,
		"names of JavaScript":                       `{"__proto__":{"a":1},"constructor":1,"hasOwnProperty":2,"toString":3}`,
		"names that are numbers":                    `{"10":1,"2":2,"a":3}`,
		"numbers of any size":                       `{"a":[1e+21,1.5e-7,123456789012345680000,1.7976931348623157e+308,5e-324,4.35,295147905179352830000,1e+23,333333333.3333333]}`,
		"characters that are none":                  "{\"a\":\"\uffff\ufffe\ufdd0\U0010ffff\ufeff\u007f\u0080\u202e\"}",
		"4 MiB of ASCII":                            `{"a":"` + strings.Repeat("x", 4_192_000) + `"}`,
		"more than 4 MiB of ASCII":                  `{"a":"` + strings.Repeat("x", 4_194_304) + `"}`,
		"more than 4 MiB that are fewer characters": `{"a":"` + strings.Repeat("溯", 1_500_000) + `"}`,
	} {
		record(name, func(e *hub.Event) { e.Body = []byte(body) })
	}
	for name, at := range map[string]time.Time{
		"year 0": time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC), "year 1": time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC),
		"year 9999": time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC),
	} {
		record(name, func(e *hub.Event) { e.Leaf.ReceivedAt = hub.Instant(at) })
	}
	for name, hash := range map[string]string{
		"no event hash": "", "an event hash with a space": "a b", "an event hash of markup": "<&>", "an event hash of quotes": `"\`,
		"an event hash with U+2028": "a\u2028", "an event hash with DEL": "a\x7f",
	} {
		record(name, func(e *hub.Event) { e.Leaf.EventHash = hash })
	}
	for name, party := range map[string]string{"a provider of other letters": "аlpha", "a provider with a space": "a b"} {
		record(name, func(e *hub.Event) { e.Leaf.Provider = hub.ProviderID(party) })
	}
	i.flush(t)
	i.agree(t, names)
}

// agree gives the receipts of all events to all verifiers. What EncodeReceipt would not write is written all the same.
func (i *issuer) agree(t *testing.T, names []string) {
	t.Helper()
	p := newParity(t, &anchor.Trust{Origin: i.log.Origin(), Keys: []string{i.log.Key().String()}})
	for n, name := range names {
		r := i.receipt(t, hub.Seq(n))
		event := r.Event
		r.Event = []byte(`{}`)
		p.add(t, strings.ReplaceAll(name, " ", "-"), []byte(strings.Replace(encode(t, r), `"event":{}`, `"event":`+string(event), 1)))
	}
	for _, verdict := range []string{"verifies", anchor.CheckFormat, anchor.CheckLeaf} {
		if !slices.Contains(p.want, verdict) {
			t.Errorf("none of them %s", verdict)
		}
	}
	p.check(t)
}
