package epcisconformance_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/api/epcisrest"
	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
)

// TestQueryLatency measures queries over HTTP on a store of SUYUAN_QUERY_EVENTS events and holds them to the promise for
// 1,000,000. Without the variable it only shows that each query finds something, on few events and with no look at the
// clock. SUYUAN_QUERY_DIR keeps the store for the next run. SUYUAN_QUERY_POSTGRES is the URL of an empty database or schema of
// PostgreSQL to measure on, which is left as it is for the next run.
func TestQueryLatency(t *testing.T) {
	total, err := strconv.Atoi(os.Getenv("SUYUAN_QUERY_EVENTS"))
	timed := err == nil
	if !timed {
		total = 2050
	}
	dir := os.Getenv("SUYUAN_QUERY_DIR")
	if dir == "" {
		dir = t.TempDir()
	}
	url := os.Getenv("SUYUAN_QUERY_POSTGRES")
	populate(t, url, dir, total)
	h := startOn(t, url, dir, epcisrest.Config{})
	c := &client{base: h.URL + "/epcis", key: "audit"}
	own := &client{base: h.URL + "/epcis", key: "plant"}
	rnd := rand.New(rand.NewPCG(1, 2))
	item := func() string { return esc(itemOf(rnd.IntN(total))) }
	from := func() string {
		return esc(epoch.Add(time.Duration(rnd.IntN(total)) * time.Second).Format(time.RFC3339))
	}
	report := func(name string, limit time.Duration, n int, c *client, query func() string) {
		t.Helper()
		if !timed {
			limit, n = 0, min(n, 10)
		}
		times := make([]time.Duration, n)
		found := 0
		for i := range n {
			path := "/events?" + query()
			began := time.Now()
			r, err := c.want(http.StatusOK, http.MethodGet, path, nil)
			times[i] = time.Since(began)
			if err != nil {
				t.Fatal(err)
			}
			events, err := r.eventList()
			if err != nil {
				t.Fatal(err)
			}
			found += len(events)
		}
		slices.Sort(times)
		p50, p99 := times[n/2], times[n*99/100]
		t.Logf("%-58s p50 %8s  p99 %8s  max %8s  (%.1f events each)", name, p50.Round(10*time.Microsecond), p99.Round(10*time.Microsecond),
			times[n-1].Round(10*time.Microsecond), float64(found)/float64(n))
		if found == 0 {
			t.Errorf("%s found nothing", name)
		}
		if limit > 0 && p99 > limit {
			t.Errorf("%s: p99 %s, want at most %s", name, p99, limit)
		}
	}
	began := time.Now()
	report("warm up", 0, 200, c, func() string { return "MATCH_anyEPC=" + item() })
	t.Logf("warm-up took %s", time.Since(began))
	report("MATCH_anyEPC one item", 10*time.Millisecond, 1000, c, func() string { return "MATCH_anyEPC=" + item() })
	report("MATCH_anyEPC one item, own events only", 10*time.Millisecond, 500, own, func() string { return "MATCH_anyEPC=" + esc(itemOf(rnd.IntN(total/4)*4)) })
	report("GE_eventTime + EQ_bizStep, first page", 50*time.Millisecond, 300, c, func() string { return "GE_eventTime=" + from() + "&EQ_bizStep=shipping" })
	report("GE_eventTime + EQ_bizStep, two steps", 50*time.Millisecond, 300, c, func() string { return "GE_eventTime=" + from() + "&EQ_bizStep=shipping,receiving" })
	report("GE_eventTime + EQ_bizStep, own events only", 50*time.Millisecond, 300, own, func() string { return "GE_eventTime=" + from() + "&EQ_bizStep=shipping" })
	report("EQ_bizLocation + GE_eventTime", 50*time.Millisecond, 200, c, func() string {
		return "GE_eventTime=" + from() + "&EQ_bizLocation=" + esc(placeOf(rnd.IntN(500)))
	})
	report("EQ_disposition=recalled (one in 10,000)", 50*time.Millisecond, 200, c, func() string { return "EQ_disposition=recalled" })
	report("EQ_bizStep + EQ_disposition + EQ_bizLocation", 0, 100, c, func() string {
		return "EQ_bizStep=shipping&EQ_disposition=in_transit&EQ_bizLocation=" + esc(placeOf(10*rnd.IntN(50)))
	})
	report("MATCH_epc pattern of a GTIN", 50*time.Millisecond, 100, c, func() string {
		return "MATCH_epc=" + esc(fmt.Sprintf("urn:epc:idpat:sgtin:0614141.%06d.*", rnd.IntN(200)))
	})
	report("MATCH_epc pattern of a company", 0, 50, c, func() string { return "MATCH_epc=" + esc("urn:epc:idpat:sgtin:0614141.*.*") })
	report("GE_recordTime, order by recordTime", 0, 100, c, func() string { return "GE_recordTime=2020-01-01T00:00:00Z&orderBy=recordTime" })
	report("eventType=TransformationEvent (one in 1,000)", 50*time.Millisecond, 100, c, func() string { return "eventType=TransformationEvent" })
	deep(t, c, total)
}

// deep measures every 100th of the pages of one long result.
func deep(t *testing.T, c *client, total int) {
	t.Helper()
	next := "/events?perPage=100&EQ_bizStep=shipping&GE_eventTime=" + esc(epoch.Format(time.RFC3339))
	var worst time.Duration
	pages, events := 0, 0
	for next != "" && pages < 400 {
		began := time.Now()
		r, err := c.want(http.StatusOK, http.MethodGet, next, nil)
		if err != nil {
			t.Fatal(err)
		}
		worst = max(worst, time.Since(began))
		list, err := r.eventList()
		if err != nil {
			t.Fatal(err)
		}
		pages, events, next = pages+1, events+len(list), nextLink(r)
	}
	t.Logf("%d pages of 100 behind each other, %d of %d events: worst page %s", pages, events, total, worst.Round(10*time.Microsecond))
}

var epoch = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

func itemOf(i int) string {
	return fmt.Sprintf("urn:epc:id:sgtin:0614141.%06d.%d", i%200, i)
}

func placeOf(i int) string { return fmt.Sprintf("urn:epc:id:sgln:0614141.%05d.0", i) }

// populate fills the store with events of 200 products at 500 places by four providers: each item is stated about
// five times.
func populate(t *testing.T, url, dir string, total int) {
	t.Helper()
	s, err := openStore(t.Context(), dir, url)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	size, err := s.LogSize(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	const batch = 5000
	made := make(chan []hub.Outcome, 2)
	go func() {
		defer close(made)
		for from := int(size); from < total; from += batch {
			made <- outcomes(from, min(from+batch, total))
		}
	}()
	for list := range made {
		if _, err := s.Append(t.Context(), list); err != nil {
			t.Fatal(err)
		}
	}
	if n := total - int(size); n > 0 {
		t.Logf("appended %d events in %s, %.0f a second", n, time.Since(began).Round(time.Second), float64(n)/time.Since(began).Seconds())
	}
}

func outcomes(from, to int) []hub.Outcome {
	list := make([]hub.Outcome, to-from)
	var workers sync.WaitGroup
	const half = 2
	for w := range half {
		workers.Go(func() {
			for i := w; i < len(list); i += half {
				list[i] = outcomeOf(from + i)
			}
		})
	}
	workers.Wait()
	return list
}

// outcomeOf makes the n-th event. A fifth of the items of the last ten thousand events come again.
func outcomeOf(n int) hub.Outcome {
	steps := []string{"shipping", "receiving", "storing", "packing", "picking", "loading", "unloading", "departing", "arriving", "inspecting"}
	kind, things := "ObjectEvent", fmt.Sprintf(`"action":"OBSERVE","epcList":[%q,%q]`, itemOf(n), itemOf(max(0, n-7*(n%5)*200)))
	if n%1000 == 7 {
		kind, things = "TransformationEvent", fmt.Sprintf(`"inputEPCList":[%q],"outputEPCList":[%q]`, itemOf(n), itemOf(n+1))
	}
	disposition := "in_transit"
	if n%10_000 == 3 {
		disposition = "recalled"
	}
	text := fmt.Sprintf(`{"type":%q,"eventID":"urn:uuid:%08x-0000-4000-8000-000000000000","eventTime":%q,"eventTimeZoneOffset":"+00:00",%s,
		"bizStep":%q,"disposition":%q,"readPoint":{"id":%q},"bizLocation":{"id":%q},
		"bizTransactionList":[{"type":"po","bizTransaction":"urn:epcglobal:cbv:bt:0614141000005:%d"}]}`,
		kind, n, epoch.Add(time.Duration(n)*time.Second).Format(time.RFC3339), things, steps[n%len(steps)], disposition, placeOf(n%500), placeOf(n*7%500), n/50)
	e, err := epcis.ParseEvent([]byte(text), nil)
	if err != nil {
		panic(err)
	}
	body, _ := e.Canonical()
	facets, _ := e.Facets()
	hash, _ := e.Hash(epcis.CBV20)
	provider := hub.ProviderID([]string{"plant", "other", "wms", "brand"}[n%4])
	at := epoch.Add(time.Duration(n) * time.Millisecond)
	o := hub.Outcome{
		Record: hub.RecordRef{Connector: epcisrest.ConnectorID(provider), ID: hub.RecordID(strconv.Itoa(n))}, Provider: provider,
		ReceivedAt: at, RawDigest: hub.Sum([]byte(text)),
	}
	o.Events = []hub.Event{{
		Key: e.Key(), Facets: facets, Body: body, Hash: hash, Record: o.Record,
		Leaf: hub.LeafRecord{
			Connector: o.Record.Connector, Provider: provider, Event: hub.Sum(body), EventHash: hash, Raw: o.RawDigest,
			ReceivedAt: hub.Instant(at), Salt: hub.Sum([]byte(hash)), Version: hub.LeafVersion,
		},
	}}
	return o
}
