package epcisrest

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	latency    *prometheus.HistogramVec
	jobs       *prometheus.CounterVec
	deliveries *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	with := promauto.With(r)
	return &metrics{
		latency: with.NewHistogramVec(prometheus.HistogramOpts{
			Name: "suyuan_epcisrest_request_seconds", Help: "Time to answer a request of the EPCIS binding, by route and status.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"route", "status"}),
		jobs: with.NewCounterVec(prometheus.CounterOpts{
			Name: "suyuan_epcisrest_capture_jobs_total", Help: "Capture jobs that finished, by outcome.",
		}, []string{"outcome"}),
		deliveries: with.NewCounterVec(prometheus.CounterOpts{
			Name: "suyuan_epcisrest_deliveries_total", Help: "Deliveries to subscribers, by outcome.",
		}, []string{"outcome"}),
	}
}

// notifier wakes everybody who waits for something to happen. The zero notifier is ready.
type notifier struct {
	mu sync.Mutex
	ch chan struct{}
}

// wait returns a channel that the next notify closes.
func (n *notifier) wait() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ch == nil {
		n.ch = make(chan struct{})
	}
	return n.ch
}

func (n *notifier) notify() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ch != nil {
		close(n.ch)
		n.ch = nil
	}
}
