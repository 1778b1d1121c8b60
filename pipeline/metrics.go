package pipeline

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/suyuan-io/suyuan/hub"
)

// metrics are what an operator watches of the pipeline; each is named suyuan_pipeline_….
type metrics struct {
	published     prometheus.Counter
	publishFailed prometheus.Counter
	shed          prometheus.Counter
	frames        prometheus.Counter
	frameRecords  prometheus.Histogram
	queued        prometheus.Gauge
	sync          prometheus.Histogram

	consumed     prometheus.Counter
	redelivered  prometheus.Counter
	poisoned     prometheus.Counter
	panics       prometheus.Counter
	inFlight     prometheus.Gauge
	lag          prometheus.Gauge
	outcomes     *prometheus.CounterVec
	append       prometheus.Histogram
	appendGroup  prometheus.Histogram
	appendFailed *prometheus.CounterVec
	latency      prometheus.Histogram
}

// newMetrics makes the metrics and registers them with reg; a nil reg keeps them private. Metrics that are registered
// already are used as they are, so that a pipeline can be opened again in the same process.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	r := registration{reg: reg}
	sizes := prometheus.ExponentialBuckets(1, 4, 8)
	times := prometheus.ExponentialBuckets(0.0005, 2, 16)
	m := &metrics{
		published:     r.counter("published_records_total", "Records made durable in the raw stream."),
		publishFailed: r.counter("publish_failures_total", "Frames that could not be made durable, and calls refused because the disk has no more than the reserve."),
		shed:          r.counter("shed_total", "Calls refused because too much waited already."),
		frames:        r.counter("frames_total", "Frames made durable; published records over frames is the group size."),
		frameRecords:  r.histogram("frame_records", "Records in a frame.", sizes),
		queued:        r.gauge("queued_bytes", "Bytes that wait to be written."),
		sync:          r.histogram("sync_seconds", "Time to make one frame durable.", times),
		consumed:      r.counter("consumed_records_total", "Records taken from the raw stream, repeats included."),
		redelivered:   r.counter("redelivered_frames_total", "Frames that were handed out more than once."),
		poisoned:      r.counter("poisoned_frames_total", "Frames that became a dead letter as a whole."),
		panics:        r.counter("panics_total", "Panics caught while normalising a record."),
		inFlight:      r.gauge("in_flight_bytes", "Bytes of frames being processed."),
		lag:           r.gauge("lag_frames", "Frames in the partition that are not acknowledged yet."),
		outcomes:      r.counters("outcomes_total", "Records by what the store did with them.", "connector", "verdict"),
		append:        r.histogram("append_seconds", "Time of one append.", times),
		appendGroup:   r.histogram("append_outcomes", "Outcomes in one append.", sizes),
		appendFailed:  r.counters("append_failures_total", "Appends that failed, by kind of fault.", "kind"),
		latency:       r.histogram("latency_seconds", "From the receipt of an envelope to the append of its outcomes.", times),
	}
	return m, r.err
}

// registration registers collectors and keeps the first error.
type registration struct {
	reg prometheus.Registerer
	err error
}

func (r *registration) counter(name, help string) prometheus.Counter {
	return register(r, prometheus.NewCounter(prometheus.CounterOpts(opts(name, help))))
}

func (r *registration) gauge(name, help string) prometheus.Gauge {
	return register(r, prometheus.NewGauge(prometheus.GaugeOpts(opts(name, help))))
}

func (r *registration) counters(name, help string, labels ...string) *prometheus.CounterVec {
	return register(r, prometheus.NewCounterVec(prometheus.CounterOpts(opts(name, help)), labels))
}

func (r *registration) histogram(name, help string, buckets []float64) prometheus.Histogram {
	o := opts(name, help)
	return register(r, prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: o.Namespace, Subsystem: o.Subsystem, Name: o.Name, Help: o.Help, Buckets: buckets,
	}))
}

func opts(name, help string) prometheus.Opts {
	return prometheus.Opts{Namespace: "suyuan", Subsystem: "pipeline", Name: name, Help: help}
}

func register[C prometheus.Collector](r *registration, c C) C {
	if r.reg == nil || r.err != nil {
		return c
	}
	err := r.reg.Register(c)
	if dup, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if old, ok := dup.ExistingCollector.(C); ok {
			return old
		}
	}
	r.err = err
	return c
}

// Expect shows the outcomes of connectors in the metrics from now on, none so far. A counter that begins with its first dead letters
// shows no increase by them.
func (p *Pipeline) Expect(ids ...hub.ConnectorID) {
	for _, id := range ids {
		for _, v := range []hub.Verdict{hub.Recorded, hub.Repeated, hub.Dead, hub.Conflicting} {
			p.metrics.outcomes.WithLabelValues(string(id), v.String())
		}
	}
}
