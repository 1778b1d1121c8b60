package epcisrest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
)

// jobQueue holds the capture jobs that wait. Those of one provider run one after the other, so that what is checked for
// one of them stays true until it is recorded; providers do not wait for each other.
type jobQueue struct {
	mu     sync.Mutex
	queued map[hub.ProviderID][]hub.CaptureJob
	known  map[string]bool // queued or running, by id
	active map[hub.ProviderID]bool
	wake   chan struct{}
}

func newJobQueue() *jobQueue {
	return &jobQueue{
		queued: map[hub.ProviderID][]hub.CaptureJob{}, known: map[string]bool{}, active: map[hub.ProviderID]bool{},
		wake: make(chan struct{}, 1),
	}
}

func (q *jobQueue) add(j hub.CaptureJob) {
	q.mu.Lock()
	if !q.known[j.ID] {
		q.known[j.ID] = true
		q.queued[j.Provider] = append(q.queued[j.Provider], j)
	}
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// idle returns a provider with jobs that nobody works on, and marks it.
func (q *jobQueue) idle() (hub.ProviderID, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for p := range q.queued {
		if !q.active[p] {
			q.active[p] = true
			return p, true
		}
	}
	return "", false
}

// next returns the next job of a provider that is worked on; at the end its mark is taken away.
func (q *jobQueue) next(p hub.ProviderID, done string) (hub.CaptureJob, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.known, done)
	list := q.queued[p]
	if len(list) == 0 {
		delete(q.queued, p)
		delete(q.active, p)
		return hub.CaptureJob{}, false
	}
	q.queued[p] = list[1:]
	return list[0], true
}

// runJobs works on capture jobs until ctx ends, first on those that a stop interrupted.
func (s *Server) runJobs(ctx context.Context) error {
	open, err := s.Jobs.RunningJobs(ctx)
	if err != nil {
		return err
	}
	s.sweep(open)
	for _, j := range open {
		s.jobs.add(j)
	}
	var workers sync.WaitGroup
	defer workers.Wait()
	for {
		for p, ok := s.jobs.idle(); ok; p, ok = s.jobs.idle() {
			workers.Go(func() {
				done := ""
				for j, ok := s.jobs.next(p, done); ok; j, ok = s.jobs.next(p, done) {
					done = j.ID
					if ctx.Err() == nil {
						s.work(ctx, j)
					}
				}
			})
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.jobs.wake:
		}
	}
}

// sweep removes documents whose job was never stored. Those that arrive now are newer than the process.
func (s *Server) sweep(open []hub.CaptureJob) {
	files, err := filepath.Glob(filepath.Join(s.Dir, "*.doc"))
	if err != nil {
		return
	}
	for _, f := range files {
		known := slices.ContainsFunc(open, func(j hub.CaptureJob) bool { return j.File == filepath.Base(f) })
		if info, err := os.Stat(f); err == nil && !known && s.Now().Sub(info.ModTime()) > 24*time.Hour {
			_ = os.Remove(f) // it is looked at again at the next start
		}
	}
}

// maxJobErrors is how many errors a job tells of.
const maxJobErrors = 1000

// work runs one job to its end. What is true after a crash: nothing of it is forgotten, and the next start does all of it
// again; records that are recorded by then are the same records.
func (s *Server) work(ctx context.Context, j hub.CaptureJob) {
	run := jobRun{s: s, job: j, log: s.log.With(zap.String("job", j.ID))}
	err := run.do(ctx)
	if ctx.Err() != nil {
		return // the next start goes on
	}
	if err != nil {
		run.fail("", hub.AsFault(err))
		if hub.KindOf(err) == hub.Internal {
			run.log.Warn("capture job failed", zap.Error(err))
		}
	}
	run.job.Running, run.job.FinishedAt = false, s.Now().UTC()
	outcome := "success"
	if !run.job.Success {
		outcome = "failure"
	}
	for wait := time.Millisecond; ; wait = min(2*wait, time.Second) {
		if err = s.Jobs.PutJob(ctx, run.job); err == nil || hub.KindOf(err) != hub.Unavailable || !pause(ctx, wait) {
			break
		}
	}
	if err != nil {
		run.log.Warn("the end of a capture job cannot be stored; it runs again", zap.Error(err))
		return
	}
	s.metrics.jobs.WithLabelValues(outcome).Inc()
	if err := os.Remove(s.spoolPath(j.File)); err != nil && !errors.Is(err, os.ErrNotExist) {
		run.log.Warn("a captured document cannot be removed", zap.Error(err))
	}
}

// pause waits, and reports false when ctx ends before.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// jobRun is one run of a job.
type jobRun struct {
	s   *Server
	job hub.CaptureJob
	log *zap.Logger

	header *epcis.Header
	// env collects records until it is published; size is the bytes in it.
	env  hub.Envelope
	size int
	// sent are the records that are published and have no verdict yet, and sentSize the bytes in them.
	sent     []sentRecord
	sentSize int
}

type sentRecord struct {
	ref   hub.RecordRef
	where hub.Where
	size  int
}

// do checks for conflicts, if one of them is to undo everything, before the first record is published; then it publishes
// and waits for the verdicts.
func (r *jobRun) do(ctx context.Context) error {
	if err := r.checkConflicts(ctx); err != nil || !r.job.Success && !r.job.Proceed {
		return err
	}
	r.env = r.emptyEnvelope()
	header, err := r.each(func(it epcis.Item) error { return r.publish(ctx, it) })
	if err != nil {
		return err
	}
	r.header = header
	if err := r.flush(ctx); err != nil {
		return err
	}
	if err := r.publishMaster(ctx); err != nil {
		return err
	}
	return r.settle(ctx, 0, 0)
}

// each reads the spooled document.
func (r *jobRun) each(visit func(epcis.Item) error) (*epcis.Header, error) {
	f, err := os.Open(r.s.spoolPath(r.job.File))
	if err != nil {
		return nil, hub.Faultf(hub.Internal, "capture.spool", "the posted document is gone").Because(err).
			WithHint("post the document again: what is recorded already is not doubled")
	}
	defer f.Close()
	return epcis.ReadDocument(f, limits(), visit)
}

// fail notes an error of the job, and at once that there is one.
func (r *jobRun) fail(eventID string, f *hub.Fault) {
	r.job.Success = false
	r.job.Failed++
	if len(r.job.Errors) >= maxJobErrors {
		return
	}
	e := hub.JobError{
		EventID: eventID, Kind: f.Kind, Code: f.Code, Message: f.Message, MessageZh: f.MessageZh, Hint: f.Hint, HintZh: f.HintZh, Where: f.Where,
	}
	if f.Err != nil && f.Kind != hub.Internal {
		e.Message += ": " + f.Err.Error()
	}
	e.Where.File = ""
	r.job.Errors = append(r.job.Errors, e)
}

// conflictBatch is how many events are looked up at once.
const conflictBatch = 256

// checkConflicts finds events whose eventID is recorded, or stated in the document, with other content.
func (r *jobRun) checkConflicts(ctx context.Context) error {
	if r.job.Proceed {
		return nil // the store decides event by event
	}
	batch := conflictCheck{run: r}
	_, err := r.each(func(it epcis.Item) error {
		e, err := it.Event()
		if err != nil {
			return err
		}
		if err := batch.add(e, it); err != nil || len(batch.keys) < conflictBatch {
			return err
		}
		return batch.look(ctx)
	})
	if err == nil {
		err = batch.look(ctx)
	}
	if err != nil {
		return err
	}
	if nth := contradictions(batch.stated); len(nth) > 0 {
		return r.failContradictions(nth)
	}
	return nil
}

// conflictCheck compares the events of a document with what is recorded, batch by batch, and with each other.
type conflictCheck struct {
	run      *jobRun
	keys     []hub.EventKey
	contents []hub.Content
	where    []hub.Where
	stated   []statement
	events   int
}

func (b *conflictCheck) add(e *epcis.Event, it epcis.Item) error {
	b.events++
	key := stored(e.Key())
	if key.ID == "" {
		return nil
	}
	content, err := contentOf(e)
	if err != nil {
		return err
	}
	b.stated = append(b.stated, statementOf(key, content, b.events))
	b.keys, b.contents = append(b.keys, key), append(b.contents, content)
	b.where = append(b.where, hub.Where{Line: it.Line, Column: it.Column, Pointer: it.Pointer})
	return nil
}

func (b *conflictCheck) look(ctx context.Context) error {
	if len(b.keys) == 0 {
		return nil
	}
	ids := make([]string, len(b.keys))
	for i, k := range b.keys {
		ids[i] = k.ID
	}
	recorded, err := b.run.s.Records.Contents(ctx, ids)
	if err != nil {
		return err
	}
	for i, k := range b.keys {
		if d, ok := recorded[k]; ok && !d.Same(b.contents[i], k) {
			b.run.fail(k.ID, conflict(k.ID, b.where[i]))
		}
	}
	b.keys, b.contents, b.where = b.keys[:0], b.contents[:0], b.where[:0]
	return nil
}

func conflict(id string, w hub.Where) *hub.Fault {
	f := hub.Faultf(hub.Conflict, "event.conflict", "event %q is recorded already with another content", id).
		WithHint("to correct an event, send it again with an errorDeclaration, or send a new event with a new eventID").At(w)
	f.MessageZh = fmt.Sprintf("事件 %q 已存在且内容不同", id)
	f.HintZh = "如需更正，请以 errorDeclaration 重新声明该事件，或使用新的 eventID 发送新事件"
	return f
}

// failContradictions names the events that contradict earlier ones of the same document.
func (r *jobRun) failContradictions(nth []int) error {
	slices.Sort(nth)
	n := 0
	_, err := r.each(func(it epcis.Item) error {
		n++
		if _, found := slices.BinarySearch(nth, n); !found {
			return nil
		}
		e, err := it.Event()
		if err != nil {
			return err
		}
		f := conflict(e.ID(), hub.Where{Line: it.Line, Column: it.Column, Pointer: it.Pointer})
		f.Message = fmt.Sprintf("event %q stands in the document before with another content", e.ID())
		f.MessageZh = fmt.Sprintf("事件 %q 在文档中已出现且内容不同", e.ID())
		r.fail(e.ID(), f)
		return nil
	})
	return err
}

// What an envelope holds at most, and how much of what is published may wait for its verdict: the pipeline holds all of
// that in memory several times over.
const (
	envelopeRecords = 400
	envelopeBytes   = 512 << 10
	inFlight        = 8000
	inFlightBytes   = 6 << 20
)

func (r *jobRun) emptyEnvelope() hub.Envelope {
	return hub.Envelope{
		Connector: r.job.Connector, Provider: r.job.Provider, ReceivedAt: r.job.CreatedAt, ContentType: r.job.ContentType,
		Origin: "/epcis/capture/" + r.job.ID,
	}
}

// publish adds an event to the envelope, and publishes it when it is full.
func (r *jobRun) publish(ctx context.Context, it epcis.Item) error {
	preamble := it.Header.Preamble
	if len(r.env.Records) > 0 && !bytes.Equal(preamble, r.env.Preamble) {
		if err := r.flush(ctx); err != nil {
			return err
		}
	}
	if len(r.env.Records) == 0 {
		r.env.Preamble = bytes.Clone(preamble)
	}
	body := bytes.Clone(it.Raw)
	rec := hub.Record{ID: recordID(preamble, body), Body: body, Line: it.Line, Column: it.Column}
	r.env.Records = append(r.env.Records, rec)
	r.size += len(body)
	if len(r.env.Records) < envelopeRecords && r.size < envelopeBytes {
		return nil
	}
	return r.flush(ctx)
}

// flush publishes the envelope and waits while too many records have no verdict.
func (r *jobRun) flush(ctx context.Context) error {
	if len(r.env.Records) == 0 {
		return nil
	}
	if err := r.s.publishEnvelope(ctx, r.env); err != nil {
		return err
	}
	for _, rec := range r.env.Records {
		r.sent = append(r.sent, sentRecord{
			ref:   hub.RecordRef{Connector: r.env.Connector, ID: rec.ID},
			where: hub.Where{Line: rec.Line, Column: rec.Column},
			size:  len(rec.Body),
		})
	}
	r.sentSize += r.size
	r.env, r.size = r.emptyEnvelope(), 0
	return r.settle(ctx, inFlight, inFlightBytes)
}

// publishEnvelope publishes until it succeeds: what is unavailable now is so for a while.
func (s *Server) publishEnvelope(ctx context.Context, env hub.Envelope) error {
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := s.Publisher.Publish(ctx, env)
		if hub.KindOf(err) != hub.Unavailable || err == nil || !pause(ctx, wait) {
			return err
		}
	}
}

// publishMaster states the master data of the document's header, in the document's own words without its events.
func (r *jobRun) publishMaster(ctx context.Context) error {
	rec, err := master(r.header, r.withoutEvents, r.job.CreatedAt)
	if err != nil || rec == nil {
		return err
	}
	r.env.Preamble, r.env.Records, r.size = nil, []hub.Record{*rec}, len(rec.Body)
	return r.flush(ctx)
}

func (r *jobRun) withoutEvents() ([]byte, error) {
	if r.header.Format != "json" {
		var b bytes.Buffer
		h := *r.header
		h.Type = "EPCISDocument"
		out := epcis.NewWriter(&b, epcis.XML, &h)
		err := out.Close()
		return b.Bytes(), err
	}
	f, err := os.Open(r.s.spoolPath(r.job.File))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sk := newSkeleton(maxHeader)
	_, err = io.Copy(sk, f)
	return sk.out, err
}

// settle waits until at most so many records and bytes have no verdict, oldest first, and notes those that were not
// recorded.
func (r *jobRun) settle(ctx context.Context, records, size int) error {
	for len(r.sent) > records || r.sentSize > size {
		part := r.sent[:min(len(r.sent), envelopeRecords)]
		refs := make([]hub.RecordRef, len(part))
		for i := range part {
			refs[i] = part[i].ref
		}
		verdicts, err := r.s.await(ctx, refs)
		if err != nil {
			return err
		}
		for i, v := range verdicts {
			r.sentSize -= part[i].size
			if v == hub.Dead || v == hub.Conflicting {
				if err := r.failRecord(ctx, part[i]); err != nil {
					return err
				}
			}
		}
		r.sent = r.sent[len(part):]
	}
	return nil
}

// await waits until every record has a verdict.
func (s *Server) await(ctx context.Context, refs []hub.RecordRef) ([]hub.Verdict, error) {
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		recorded := s.recording.wait()
		verdicts, err := s.Records.Verdicts(ctx, refs)
		if err == nil && !slices.Contains(verdicts, 0) {
			return verdicts, nil
		}
		if err == nil && wait == 50*time.Millisecond {
			if i := slices.Index(verdicts, 0); s.lonely(ctx, refs[i]) {
				return verdicts, nil
			}
		}
		if err != nil && hub.KindOf(err) != hub.Unavailable {
			return nil, err
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-recorded:
		case <-t.C:
		}
		t.Stop()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}

// lonely reports whether a record that the bulk look-up does not find is known by itself.
func (s *Server) lonely(ctx context.Context, ref hub.RecordRef) bool {
	st, err := s.Records.Record(ctx, ref)
	return err == nil && st.Verdict != 0
}

// failRecord notes why a record was not recorded, as its dead letter says.
func (r *jobRun) failRecord(ctx context.Context, rec sentRecord) error {
	st, err := r.s.Records.Record(ctx, rec.ref)
	if err != nil {
		return err
	}
	d, err := r.s.Records.DeadLetter(ctx, st.DeadLetter)
	if err != nil {
		return err
	}
	f := d.Fault
	if f.Where == (hub.Where{}) {
		f.Where = rec.where
	}
	r.fail(eventIDOf(d), &f)
	return nil
}

// eventIDOf reads the eventID of a dead letter, if it can be read.
func eventIDOf(d hub.DeadLetter) string {
	e, err := epcis.ParseRecord(d.Preamble, d.Body)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(e.ID())
}
