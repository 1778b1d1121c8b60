// Package telemetry makes the logger, the metrics registry and the tracer that cmd hands to the packages. It leaves what
// is logged, counted and traced to them.
package telemetry

import (
	"context"
	"fmt"
	"io"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/suyuan-io/suyuan/hub"
)

// Logger returns a logger that writes to w. Level is debug, info, warn or error; format is "json" (one object a line,
// snake_case keys, RFC 3339 times) or "console" (for people).
func Logger(w io.Writer, level, format string) (*zap.Logger, error) {
	lv, err := zapcore.ParseLevel(level)
	if err != nil {
		return nil, hub.Faultf(hub.Invalid, "log.level", "%q is not a log level", level).WithHint("use debug, info, warn or error")
	}
	c := zap.NewProductionEncoderConfig()
	c.TimeKey, c.EncodeTime = "time", zapcore.RFC3339NanoTimeEncoder
	var enc zapcore.Encoder
	switch format {
	case "json":
		enc = zapcore.NewJSONEncoder(c)
	case "console":
		c.EncodeTime, c.EncodeLevel = zapcore.TimeEncoderOfLayout("15:04:05.000"), zapcore.CapitalLevelEncoder
		enc = zapcore.NewConsoleEncoder(c)
	default:
		return nil, hub.Faultf(hub.Invalid, "log.format", "%q is not a log format", format).WithHint("use json or console")
	}
	return zap.New(zapcore.NewCore(enc, zapcore.Lock(zapcore.AddSync(w)), lv)), nil
}

// Registry returns a metrics registry with the process's own metrics.
func Registry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// Tracing sends spans to an OTLP/HTTP endpoint such as "http://127.0.0.1:4318" and makes W3C trace context the way that
// traces are continued. With an empty endpoint no spans are made, and a trace that a sender began is passed on as it came. The
// returned function flushes and stops.
func Tracing(ctx context.Context, endpoint, version string) (stop func(context.Context) error, err error) {
	otel.SetTextMapPropagator(propagation.TraceContext{})
	if endpoint == "" { // spans that nobody takes are not made
		otel.SetTracerProvider(noop.NewTracerProvider())
		return func(context.Context) error { return nil }, nil
	}
	exp, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint))
	if err != nil {
		return nil, fmt.Errorf("open trace exporter: %w", err)
	}
	tp := trace.NewTracerProvider(trace.WithBatcher(exp), trace.WithResource(resource.NewWithAttributes(semconv.SchemaURL,
		semconv.ServiceName("suyuan"), semconv.ServiceVersion(version))))
	otel.SetTracerProvider(tp)
	return tp.Shutdown, nil
}
