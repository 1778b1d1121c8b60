package main

import (
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/api"
)

// indexHealth passes on what the store tells of damage in its index.
type indexHealth struct {
	log     *zap.Logger
	damaged prometheus.Gauge
	found   prometheus.Counter

	mu    sync.Mutex
	parts int  // that are damaged now
	ever  bool // some were since the start
}

func newIndexHealth(log *zap.Logger, metrics prometheus.Registerer) *indexHealth {
	return &indexHealth{
		log: log.Named("store"),
		damaged: promauto.With(metrics).NewGauge(prometheus.GaugeOpts{
			Name: "suyuan_store_index_damaged_parts", Help: "Parts of the index of events that are damaged and not made again yet.",
		}),
		found: promauto.With(metrics).NewCounter(prometheus.CounterOpts{
			Name: "suyuan_store_index_damage_total", Help: "Parts of the index of events that turned out to be damaged.",
		}),
	}
}

// told is told how many parts are damaged, and why; nil when one was made again.
func (i *indexHealth) told(parts int, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.damaged.Set(float64(parts))
	i.found.Add(float64(max(parts-i.parts, 0)))
	i.parts, i.ever = parts, true
	if err != nil {
		i.log.Error("the index of recorded events is damaged", zap.Int("parts", parts), zap.Error(err))
		return
	}
	i.log.Info("a part of the index of recorded events was made again", zap.Int("damaged", parts))
}

// everDamaged reports whether anything was damaged since the start.
func (i *indexHealth) everDamaged() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.ever
}

// note adds to a check what is damaged. The hub goes on, but for what needs just that.
func (i *indexHealth) note(c *api.Check) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.parts > 0 {
		c.Reason += fmt.Sprintf("%d damaged parts of the index are made again", i.parts)
		c.ReasonZh += fmt.Sprintf("索引有 %d 处损坏，正在重建", i.parts)
	}
}
