package anchor

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/suyuan-io/suyuan/hub"
)

// metrics are what Prometheus sees of the log.
type metrics struct {
	sealed, committed, waiting, alarm, perMillion prometheus.Gauge
	held                                          *prometheus.GaugeVec
	transactions                                  *prometheus.CounterVec
	batch                                         prometheus.Histogram
	commits                                       *prometheus.CounterVec
	took                                          *prometheus.HistogramVec
}

// newMetrics registers the metrics; a nil registerer keeps them to themselves. oldest returns the age of the oldest leaf that
// no committed checkpoint covers, in seconds.
func newMetrics(r prometheus.Registerer, oldest func() float64) (*metrics, error) {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "suyuan", Subsystem: "anchor", Name: name, Help: help})
	}
	m := &metrics{
		sealed:     gauge("sealed_leaves", "Leaves that a signed checkpoint covers."),
		committed:  gauge("committed_leaves", "Leaves that a checkpoint covers which the ledgers have witnessed."),
		waiting:    gauge("waiting_leaves", "Leaves that no checkpoint covers yet."),
		alarm:      gauge("alarm", "1 when the log has stopped for ever, because it contradicts a ledger or its own leaves."),
		perMillion: gauge("transactions_per_million_events", "Ledger transactions that a million events have cost since the start."),
		held: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "suyuan", Subsystem: "anchor", Name: "ledger_leaves",
			Help: "Leaves that the newest checkpoint covers which a ledger holds.",
		}, []string{"ledger"}),
		transactions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "suyuan", Subsystem: "anchor", Name: "transactions_total", Help: "Checkpoints that a ledger has taken.",
		}, []string{"ledger"}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "suyuan", Subsystem: "anchor", Name: "batch_leaves",
			Help: "Leaves of a sealed batch.", Buckets: prometheus.ExponentialBuckets(1, 8, 8),
		}),
		commits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "suyuan", Subsystem: "anchor", Name: "commits_total",
			Help: "Checkpoints brought before a ledger, by outcome: ok, or the kind of the error.",
		}, []string{"ledger", "outcome"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "suyuan", Subsystem: "anchor", Name: "commit_seconds",
			Help: "Time that a ledger took to decide.", Buckets: prometheus.ExponentialBuckets(0.001, 3, 10),
		}, []string{"ledger"}),
	}
	if r == nil {
		return m, nil
	}
	age := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "suyuan", Subsystem: "anchor", Name: "oldest_unanchored_seconds",
		Help: "Age of the oldest leaf that the ledgers have not witnessed: not sealed yet, or sealed and waiting for them.",
	}, oldest)
	for _, c := range []prometheus.Collector{
		age, m.sealed, m.committed, m.waiting, m.alarm, m.perMillion, m.held, m.transactions, m.batch, m.commits, m.took,
	} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// observe counts one commit to a ledger.
func (m *metrics) observe(ledger string, err error, took time.Duration) {
	outcome := "ok"
	if err != nil {
		outcome = hub.KindOf(err).String()
	}
	m.commits.WithLabelValues(ledger, outcome).Inc()
	m.took.WithLabelValues(ledger).Observe(took.Seconds())
}
