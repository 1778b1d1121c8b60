package connectors

import (
	"github.com/prometheus/client_golang/prometheus"
)

// collector reports the instances' statuses as metrics. It keeps no numbers of its own, so that metrics and status
// cannot disagree.
type collector struct {
	statuses func() []Status
	metrics  []metric
}

// metric is one row of the table of metrics.
type metric struct {
	desc  *prometheus.Desc
	typ   prometheus.ValueType
	value func(Status) float64
}

func newCollector(statuses func() []Status) *collector {
	row := func(name, help string, typ prometheus.ValueType, value func(Status) float64) metric {
		labels := []string{"connector", "provider", "kind"}
		return metric{prometheus.NewDesc("suyuan_connectors_"+name, help, labels, nil), typ, value}
	}
	counter, gauge := prometheus.CounterValue, prometheus.GaugeValue
	flag := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	return &collector{statuses: statuses, metrics: []metric{
		row("items_total", "Items read to their end.", counter, func(s Status) float64 { return float64(s.Counts.Items) }),
		row("records_total", "Records made durable.", counter, func(s Status) float64 { return float64(s.Counts.Records) }),
		row("bytes_total", "Bytes of records made durable.", counter, func(s Status) float64 { return float64(s.Counts.Bytes) }),
		row("refused_total", "Items and requests that could not be taken.", counter,
			func(s Status) float64 { return float64(s.Counts.Refused) }),
		row("limited_total", "Requests over the rate or in-flight limit.", counter,
			func(s Status) float64 { return float64(s.Counts.Limited) }),
		row("faults_total", "Failed attempts to open, read, publish or settle.", counter,
			func(s Status) float64 { return float64(s.Counts.Faults) }),
		row("in_flight_records", "Records read but not yet durable.", gauge,
			func(s Status) float64 { return float64(s.InFlight) }),
		row("lag_seconds", "Time since the source last had nothing more to give, 0 while it waits.", gauge,
			func(s Status) float64 { return s.Lag.Seconds() }),
		row("last_success_timestamp_seconds", "When records last became durable.", gauge, func(s Status) float64 {
			if s.LastSuccessAt.IsZero() {
				return 0
			}
			return float64(s.LastSuccessAt.UnixMilli()) / 1000
		}),
		row("up", "1 while the instance reads, waits or receives.", gauge, func(s Status) float64 {
			return flag(s.State == StateReading || s.State == StateWaiting || s.State == StateReceiving)
		}),
		row("paused", "1 while an operator has paused the instance.", gauge,
			func(s Status) float64 { return flag(s.State == StatePaused) }),
		row("tripped", "1 while the breaker of the instance is open: too many of its records died in a row.", gauge,
			func(s Status) float64 { return flag(s.Tripped != nil) }),
		row("silent", "1 when nothing has arrived for longer than the instance's silence.", gauge,
			func(s Status) float64 { return flag(s.Silent) }),
	}}
}

// Describe implements [prometheus.Collector].
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range c.metrics {
		ch <- m.desc
	}
}

// Collect implements [prometheus.Collector].
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	for _, s := range c.statuses() {
		for _, m := range c.metrics {
			ch <- prometheus.MustNewConstMetric(m.desc, m.typ, m.value(s), string(s.ID), string(s.Provider), s.Kind)
		}
	}
}
