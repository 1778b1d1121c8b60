package api

import (
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	oteltrace "go.opentelemetry.io/otel/trace"
)

// measured wraps a handler in its span, its latency and the one place that answers faults.
func (s *Server) measured(pattern string, h handler) http.Handler {
	serve := func(w *statusWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.fail(w, r, err)
		}
	}
	if s.traced {
		serve = traced(pattern, serve)
	}
	latency := routeLatency{vec: s.latency, pattern: pattern}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := s.Now()
		sw := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		serve(sw, r)
		latency.of(sw.status).Observe(s.Now().Sub(started).Seconds())
	})
}

// routeLatency finds the histogram of a route's status. It remembers the last one that it found, since most answers of a route
// have the same status.
type routeLatency struct {
	vec     *prometheus.HistogramVec
	pattern string
	last    atomic.Pointer[statusLatency]
}

type statusLatency struct {
	status int
	prometheus.Observer
}

func (l *routeLatency) of(status int) prometheus.Observer {
	if last := l.last.Load(); last != nil && last.status == status {
		return last
	}
	found := &statusLatency{status, l.vec.WithLabelValues(l.pattern, strconv.Itoa(status))}
	l.last.Store(found)
	return found
}

// traced puts a span around serve. What serve hands on continues the trace by its context, into the raw stream and on to the
// record.
func traced(pattern string, serve func(*statusWriter, *http.Request)) func(*statusWriter, *http.Request) {
	tracer := otel.Tracer("suyuan/api")
	return func(w *statusWriter, r *http.Request) {
		ctx := otel.GetTextMapPropagator().Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, span := tracer.Start(ctx, pattern, oteltrace.WithSpanKind(oteltrace.SpanKindServer),
			oteltrace.WithAttributes(attribute.String("http.route", pattern), attribute.String("http.request.method", r.Method)))
		defer span.End()
		serve(w, r.WithContext(ctx))
		if w.status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, http.StatusText(w.status))
		}
		span.SetAttributes(attribute.Int("http.response.status_code", w.status))
	}
}

// statusWriter remembers the status that was written.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements [http.ResponseWriter].
func (w *statusWriter) WriteHeader(code int) {
	w.status = code
	w.ResponseWriter.WriteHeader(code)
}

// Unwrap lets [http.ResponseController] reach the writer below.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
