package api

import (
	"net/http"
	"strconv"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	oteltrace "go.opentelemetry.io/otel/trace"
)

// measured wraps a handler in its span, its latency and the one place that answers faults.
func (s *Server) measured(pattern string, h handler) http.Handler {
	tracer := otel.Tracer("suyuan/api")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := s.Now()
		ctx := otel.GetTextMapPropagator().Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, span := tracer.Start(ctx, pattern, oteltrace.WithSpanKind(oteltrace.SpanKindServer),
			oteltrace.WithAttributes(attribute.String("http.route", pattern), attribute.String("http.request.method", r.Method)))
		defer span.End()
		// The connectors below continue the trace by its header, into the raw stream and on to the record.
		otel.GetTextMapPropagator().Inject(ctx, propagation.HeaderCarrier(r.Header))
		sw := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		if err := h(sw, r.WithContext(ctx)); err != nil {
			s.fail(sw, r, err)
		}
		if sw.status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, http.StatusText(sw.status))
		}
		span.SetAttributes(attribute.Int("http.response.status_code", sw.status))
		s.latency.WithLabelValues(pattern, strconv.Itoa(sw.status)).Observe(s.Now().Sub(started).Seconds())
	})
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
