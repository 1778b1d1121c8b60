package pipeline_test

import (
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/suyuan-io/suyuan/pipeline"
)

func TestSpansContinueTheTraceThatBroughtTheRecords(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	store := newMemory()
	p, err := pipeline.Open(t.Context(), pipeline.Config{Dir: t.TempDir(), MinFree: -1}, pipeline.Deps{
		Normaliser: words{}, Appender: store, Morgue: store, Log: quiet(t),
		Tracer: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)),
	})
	if err != nil {
		t.Fatal(err)
	}
	h := &hubOf{Pipeline: p, store: store}
	h.run(t)
	h.publish(t, env("a", "x", "y"))
	store.await(t, "both records", recorded(2))
	h.stop()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	var frame, records sdktrace.ReadOnlySpan
	for _, s := range spans.Ended() {
		switch s.Name() {
		case "suyuan.pipeline.frame":
			frame = s
		case "suyuan.pipeline.records":
			records = s
		}
	}
	if frame == nil || records == nil {
		t.Fatalf("spans %v", spans.Ended())
	}
	if got := records.SpanContext().TraceID().String(); got != "4bf92f3577b34da6a3ce929d0e0e4736" {
		t.Errorf("the records are in the trace %s", got)
	}
	if links := records.Links(); len(links) != 1 || links[0].SpanContext.SpanID() != frame.SpanContext().SpanID() {
		t.Errorf("links %v", links)
	}
	if want := attribute.Int("suyuan.records", 2); !slices.Contains(records.Attributes(), want) {
		t.Errorf("attributes %v", records.Attributes())
	}
}

func TestMetricsCountByVerdict(t *testing.T) {
	reg := prometheus.NewRegistry()
	store := newMemory()
	dir := t.TempDir()
	for range 2 { // a second pipeline in the same process counts on
		p, err := pipeline.Open(t.Context(), pipeline.Config{Dir: dir, MinFree: -1}, pipeline.Deps{
			Normaliser: words{}, Appender: store, Morgue: store, Log: quiet(t), Metrics: reg,
		})
		if err != nil {
			t.Fatal(err)
		}
		h := &hubOf{Pipeline: p, store: store}
		appends := len(store.groups)
		h.run(t)
		h.publish(t, env("a", "x", "bad", "y"))
		store.await(t, "the append", func(m *memory) bool { return len(m.groups) > appends })
		h.stop()
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	got := make(map[string]float64)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue()
		}
	}
	for name, want := range map[string]float64{
		"suyuan_pipeline_outcomes_total shop recorded": 2,
		"suyuan_pipeline_outcomes_total shop dead":     1,
		"suyuan_pipeline_outcomes_total shop repeated": 3,
		"suyuan_pipeline_published_records_total":      6,
		"suyuan_pipeline_consumed_records_total":       6,
	} {
		if got[name] != want {
			t.Errorf("%s = %v, want %v", name, got[name], want)
		}
	}
}
