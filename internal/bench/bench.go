// Package bench loads a running hub as its senders do and says what it bore: throughput, latency, processor time, memory
// and disk for each event, and whether everything that was accepted was recorded and anchored. Next to it, in the same
// run, it measures the floor: what the machine does with the same requests when nothing is kept.
//
// It leaves starting the hub to its caller; it only speaks HTTP to it and reads its process's own figures.
package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// Load is what is sent.
type Load struct {
	// Records is how many records in all, Batch how many in one request, Connections how many requests at a time.
	Records     int
	Batch       int
	Connections int
	// Sign makes the headers of a request.
	Sign func(id string, body []byte) (http.Header, error)
	// Plain sends with net/http's client in place of the generator's own connections, which take a fraction of its processor time.
	Plain bool
	// Body makes the body of a request of n records from the given number; nil is [Body].
	Body func(run string, from, n int) []byte
	// Pace is how many records a second are begun; 0 is as many as are answered.
	Pace int
	// Accepted is told what was accepted, when it was; nil tells nobody. It may be called concurrently.
	Accepted func(run string, from, n int, at time.Time)
}

// Target is where it is sent.
type Target struct {
	URL string
	// Path is the connector's: "/in/bench" for single records, "/in/bench-batch" for batches.
	Path string
	// Key is an admin key of the hub, "" for a target that records nothing.
	Key string
	// Usage reads the server process's own figures; nil for none.
	Usage func() (Usage, error)
}

// Usage is what a process has used so far.
type Usage struct {
	CPU time.Duration
	// Database is the processor time of a database server beside it, 0 where it cannot be seen.
	Database time.Duration
	// Resident and Peak are the resident memory in bytes, now and at its largest; Disk is what the database holds.
	Resident, Peak, Disk int64
}

// Result is what one run gave.
type Result struct {
	Name     string
	Records  int
	Refused  int
	Sending  time.Duration // until the last answer
	Anchored time.Duration // until the last record was anchored, 0 for a target that records nothing
	P50, P90 time.Duration // of the answers
	P99, Max time.Duration
	CPU      time.Duration // for each record
	Database time.Duration // as well
	Disk     float64       // bytes for each record
	Peak     int64
}

// Rate is records a second until everything is recorded and anchored, or answered where nothing is recorded. The wait for the last
// seal is part of it, which weighs less the longer the run.
func (r Result) Rate() float64 {
	return float64(r.Records) / cmp.Or(r.Anchored, r.Sending).Seconds()
}

// String renders the result on one line.
func (r Result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-12s %8.0f /s", r.Name, r.Rate())
	if r.Max > 0 {
		round := func(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
		fmt.Fprintf(&b, "  answers p50 %s p90 %s p99 %s max %s", round(r.P50), round(r.P90), round(r.P99), round(r.Max))
	}
	if r.CPU > 0 {
		fmt.Fprintf(&b, "  cpu %s a record", r.CPU.Round(100*time.Nanosecond))
	}
	if r.Database > 0 {
		fmt.Fprintf(&b, " and %s of the database's", r.Database.Round(100*time.Nanosecond))
	}
	if r.Disk > 0 {
		fmt.Fprintf(&b, "  disk %.0f B a record", r.Disk)
	}
	if r.Peak > 0 {
		fmt.Fprintf(&b, "  peak %d MiB", r.Peak>>20)
	}
	if r.Refused > 0 {
		fmt.Fprintf(&b, "  shed and sent again %d", r.Refused)
	}
	if r.Anchored > 0 {
		fmt.Fprintf(&b, "  anchored %s after the last answer", (r.Anchored - r.Sending).Round(time.Millisecond))
		fmt.Fprintf(&b, "  accepted = recorded = anchored = %d", r.Records)
	}
	return b.String()
}

// Run sends the load and waits until the hub has anchored it. It is a fault of kind Internal when accepted, recorded and
// anchored are not the same number. progress is called now and then with how many records were answered.
func Run(ctx context.Context, name string, l Load, t Target, progress func(done int)) (Result, error) {
	before, err := t.usage()
	if err != nil {
		return Result{}, err
	}
	start, err := t.logSize(ctx)
	if err != nil {
		return Result{}, err
	}
	s := newSender(l, t)
	began := time.Now()
	s.send(ctx, progress)
	r := Result{Name: name, Records: int(s.accepted.Load()), Refused: int(s.refused.Load()), Sending: time.Since(began)}
	if s.err != nil {
		return r, s.err
	}
	r.spread(s.latencies)
	if t.Key != "" {
		if err := t.Await(ctx, start+uint64(r.Records)); err != nil {
			return r, err
		}
		r.Anchored = time.Since(began)
	}
	return r, r.charge(t, before)
}

// charge fills in what the server used since before.
func (r *Result) charge(t Target, before Usage) error {
	after, err := t.usage()
	if err != nil || r.Records == 0 {
		return err
	}
	r.CPU = (after.CPU - before.CPU) / time.Duration(r.Records)
	r.Database = (after.Database - before.Database) / time.Duration(r.Records)
	r.Disk = float64(after.Disk-before.Disk) / float64(r.Records)
	r.Peak = after.Peak
	return nil
}

// spread fills in the percentiles of latencies.
func (r *Result) spread(latencies []time.Duration) {
	slices.Sort(latencies)
	if n := len(latencies); n > 0 {
		r.P50, r.P90, r.P99, r.Max = latencies[n/2], latencies[n*90/100], latencies[n*99/100], latencies[n-1]
	}
}

// Median takes the median of each figure of several runs.
func Median(runs []Result) Result {
	m := runs[0]
	mid := func(of func(Result) int64) int64 {
		values := make([]int64, len(runs))
		for i, r := range runs {
			values[i] = of(r)
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	for _, d := range []func(*Result) *time.Duration{
		func(r *Result) *time.Duration { return &r.Sending }, func(r *Result) *time.Duration { return &r.Anchored },
		func(r *Result) *time.Duration { return &r.P50 }, func(r *Result) *time.Duration { return &r.P90 },
		func(r *Result) *time.Duration { return &r.P99 }, func(r *Result) *time.Duration { return &r.Max },
		func(r *Result) *time.Duration { return &r.CPU }, func(r *Result) *time.Duration { return &r.Database },
	} {
		*d(&m) = time.Duration(mid(func(r Result) int64 { return int64(*d(&r)) }))
	}
	m.Disk = float64(mid(func(r Result) int64 { return int64(r.Disk) }))
	m.Peak = mid(func(r Result) int64 { return r.Peak })
	return m
}

// sender sends one load.
type sender struct {
	load              Load
	target            Target
	run               string // makes the ids of this run its own
	began             time.Time
	accepted, refused atomic.Int64

	mu        sync.Mutex
	latencies []time.Duration
	err       error
}

func newSender(l Load, t Target) *sender {
	if l.Body == nil {
		l.Body = func(run string, from, n int) []byte { return Body(run, from, n, l.Batch > 1) }
	}
	return &sender{load: l, target: t, run: fmt.Sprintf("%d", time.Now().UnixNano()), began: time.Now()}
}

func client(connections int) *http.Client {
	return &http.Client{
		Timeout:   time.Minute,
		Transport: &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections, DisableCompression: true},
	}
}

func (s *sender) send(ctx context.Context, progress func(done int)) {
	var next atomic.Int64
	var workers sync.WaitGroup
	shared := client(s.load.Connections)
	defer shared.CloseIdleConnections()
	for range s.load.Connections {
		workers.Go(func() {
			var w poster = &plain{ctx, shared, s.target.URL}
			if !s.load.Plain {
				own, err := newWire(ctx, s.target.URL)
				if err != nil {
					s.fail(err)
					return
				}
				defer own.close()
				w = own
			}
			s.work(ctx, w, &next, progress)
		})
	}
	workers.Wait()
}

// work sends over one connection what next says is next, until everything is sent or a request failed.
func (s *sender) work(ctx context.Context, w poster, next *atomic.Int64, progress func(done int)) {
	for ctx.Err() == nil {
		from := int(next.Add(int64(s.load.Batch))) - s.load.Batch
		n := min(s.load.Batch, s.load.Records-from)
		if n <= 0 || !s.pace(ctx, from) || !s.one(ctx, w, from, n) {
			return
		}
		if progress != nil && from%(s.load.Records/20+1) < n {
			progress(from + n)
		}
	}
}

// pace waits until the record is to be sent.
func (s *sender) pace(ctx context.Context, from int) bool {
	if s.load.Pace == 0 {
		return true
	}
	due := s.began.Add(time.Duration(float64(from) / float64(s.load.Pace) * float64(time.Second)))
	select {
	case <-time.After(time.Until(due)):
		return true
	case <-ctx.Done():
		return false
	}
}

// one sends one request until it is accepted; what is shed is sent again after the time that the hub asked for.
func (s *sender) one(ctx context.Context, w poster, from, n int) bool {
	id := "msg_" + s.run + "_" + strconv.Itoa(from)
	body := s.load.Body(s.run, from, n)
	for {
		h, err := s.load.Sign(id, body)
		if err != nil {
			return s.fail(err)
		}
		began := time.Now()
		a, err := w.post(s.target.Path, h, body)
		if err != nil {
			return s.fail(err)
		}
		took := time.Since(began)
		switch a.status {
		case http.StatusAccepted, http.StatusOK:
			s.accepted.Add(int64(n))
			s.mu.Lock()
			s.latencies = append(s.latencies, took)
			s.mu.Unlock()
			if s.load.Accepted != nil {
				s.load.Accepted(s.run, from, n, began.Add(took))
			}
			return true
		case http.StatusTooManyRequests, http.StatusServiceUnavailable:
			s.refused.Add(1)
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return false
			}
		default:
			return s.fail(hub.Faultf(hub.Internal, "bench.answer", "the hub answered %d", a.status))
		}
	}
}

func (s *sender) fail(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
	return false
}

// Serial is the serial number of the i-th record of a run.
func Serial(run string, i int) string { return string(appendSerial(nil, run, i)) }

func appendSerial(b []byte, run string, i int) []byte {
	return appendPadded(append(b, run[len(run)-6:]...), i, 9)
}

// appendPadded appends n with zeros before it, width digits in all.
func appendPadded(b []byte, n, width int) []byte {
	start := len(b)
	for range width {
		b = append(b, '0')
	}
	for at := len(b) - 1; n > 0 && at >= start; n, at = n/10, at-1 {
		b[at] = byte('0' + n%10)
	}
	return b
}

// Item is the identity of the i-th record of a run, as a path of a Digital Link.
func Item(run string, i int) string { return "/01/07613035982949/21/" + Serial(run, i) }

// Body is the body of one request: n records from the given number, about 700 bytes each, as the sample's brand has them.
func Body(run string, from, n int, batch bool) []byte {
	const about = 780
	b := make([]byte, 0, n*about)
	if batch {
		b = append(b, `{"records":[`...)
	}
	for i := from; i < from+n; i++ {
		if i > from {
			b = append(b, ',')
		}
		b = appendRecord(b, run, i)
	}
	if batch {
		b = append(b, `]}`...)
	}
	return b
}

// appendRecord appends the i-th record. It is written without fmt because the generator shares the processors with what it
// measures.
func appendRecord(b []byte, run string, i int) []byte {
	b = appendSerial(append(b, `{"code":"`...), run, i)
	b = append(b, `","gtin":"7613035982949","batch":"9121755841","madeOn":"`...)
	b = appendMadeOn(b, i)
	b = append(b, `","bestBefore":"2028-10-31","plantGln":"5391520850004","line":"L`...)
	b = strconv.AppendInt(b, int64(i%8), 10)
	b = appendPadded(append(b, `","shift":"B","operator":"op-`...), i%10000, 4)
	b = append(b, `","cartonSscc":"05391520850000001","nameZh":"启赋有机幼儿配方奶粉3阶段",`+
		`"nameEn":"illuma organic formula stage 3","series":"启赋有机","packaging":"罐装","packSpec":"900 g × 6","origin":"IE",`+
		`"plant":"Wyeth Nutritionals Ireland, Askeaton plant","address":"Askeaton, Co. Limerick, Ireland","quality":{"fill":`...)
	b = strconv.AppendInt(b, int64(899+i%3), 10)
	b = appendPadded(append(b, '.'), i%100, 2)
	b = appendPadded(append(b, `,"seal":"ok","oxygen":0.`...), i%100, 2)
	return append(b, `},"note":"printed by line printer, checked by camera, no remarks, packed in cases of six, `+
		`stacked on pallets of one hundred and twenty cases"}`...)
}

// appendMadeOn appends when the i-th record was made, "2026-11-DD hh:mm:ss".
func appendMadeOn(b []byte, i int) []byte {
	b = appendPadded(append(b, "2026-11-"...), 1+i%28, 2)
	b = appendPadded(append(b, ' '), i%24, 2)
	b = appendPadded(append(b, ':'), i%60, 2)
	return appendPadded(append(b, ':'), i/60%60, 2)
}

func (t Target) usage() (Usage, error) {
	if t.Usage == nil {
		return Usage{}, nil
	}
	return t.Usage()
}

// logSize asks how many events are recorded.
func (t Target) logSize(ctx context.Context) (uint64, error) {
	size, _, err := t.log(ctx)
	return size, err
}

// log asks how many events are recorded and how many of them anchored.
func (t Target) log(ctx context.Context) (size, committed uint64, err error) {
	if t.Key == "" {
		return 0, 0, nil
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, t.URL+"/v1/anchors", http.NoBody)
	if err != nil {
		return 0, 0, err
	}
	r.Header.Set("Authorization", "Bearer "+t.Key)
	a, err := (&http.Client{Timeout: 10 * time.Second}).Do(r)
	if err != nil {
		return 0, 0, hub.Faultf(hub.Unavailable, "hub.unreachable", "cannot reach the hub").Because(err)
	}
	defer a.Body.Close()
	var out struct {
		LogSize uint64
		Anchors []struct {
			Size  uint64
			State string
		}
	}
	if err := json.NewDecoder(a.Body).Decode(&out); err != nil {
		return 0, 0, hub.Faultf(hub.Internal, "bench.answer", "the hub's answer cannot be read").Because(err)
	}
	for _, c := range out.Anchors {
		if c.State == hub.StateCommitted.String() {
			committed = max(committed, c.Size)
		}
	}
	return out.LogSize, committed, nil
}

// Await waits until exactly want events are recorded and anchored. More than that, or standing still, is a fault. It asks
// for one checkpoint often and for all only now and then, because the answers are the measured hub's work.
func (t Target) Await(ctx context.Context, want uint64) error {
	const often, seldom = 10 * time.Millisecond, 500 * time.Millisecond
	tick := time.NewTicker(often)
	defer tick.Stop()
	c, p, looked := client(1), newProgress(), time.Time{}
	for {
		there, err := t.committed(ctx, c, want)
		if err != nil {
			return err
		}
		if there || time.Since(looked) > seldom {
			looked = time.Now()
			if done, err := t.check(ctx, want, p); err != nil || done {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// check reports whether exactly want events are recorded and anchored.
func (t Target) check(ctx context.Context, want uint64, p *progress) (done bool, err error) {
	size, committed, err := t.log(ctx)
	switch {
	case err != nil:
		return false, err
	case size > want:
		return false, hub.Faultf(hub.Internal, "bench.doubled", "%d events are recorded for %d accepted records", size, want)
	case size == want && committed == want:
		return true, nil
	case p.stands(size+committed, 30*time.Second):
		return false, hub.Faultf(hub.Internal, "bench.lost", "%d records were accepted, %d are recorded and %d anchored", want, size, committed)
	}
	return false, nil
}

// progress tells when something no longer moves.
type progress struct {
	moved time.Time
	last  uint64
}

func newProgress() *progress { return &progress{moved: time.Now()} }

// stands reports whether now is what it was for longer than patience.
func (p *progress) stands(now uint64, patience time.Duration) bool {
	if now != p.last {
		p.moved, p.last = time.Now(), now
	}
	return time.Since(p.moved) > patience
}

// committed reports whether a checkpoint of exactly this size is committed.
func (t Target) committed(ctx context.Context, c *http.Client, size uint64) (bool, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, t.URL+"/v1/anchors/"+strconv.FormatUint(size, 10), http.NoBody)
	if err != nil {
		return false, err
	}
	a, err := c.Do(r)
	if err != nil {
		return false, hub.Faultf(hub.Unavailable, "hub.unreachable", "cannot reach the hub").Because(err)
	}
	defer a.Body.Close()
	var out struct{ State string }
	if err := json.NewDecoder(a.Body).Decode(&out); err != nil {
		return false, hub.Faultf(hub.Internal, "bench.answer", "the hub's answer cannot be read").Because(err)
	}
	return a.StatusCode == http.StatusOK && out.State == hub.StateCommitted.String(), nil
}
