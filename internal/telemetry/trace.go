package telemetry

import (
	"context"
	"crypto/rand"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/coco-consortium/coco/internal/problem"
)

// Tracing says where spans go. Without an endpoint they are not made.
type Tracing struct {
	Endpoint string  // of a collector of OTLP over HTTP, such as http://127.0.0.1:4318
	Ratio    float64 // of the requests that name no trace of their own: 1 all, 0 none
	Version  string  // of the program
	// Failed is told when spans could not be delivered; they are lost.
	Failed func(error)
}

// Tracer makes spans. Nil makes none.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// NewTracer makes the tracer of a process, nil when there is no endpoint. Spans
// wait in a bounded queue for delivery, and are dropped rather than waited for.
func NewTracer(t Tracing) (*Tracer, error) {
	if t.Endpoint == "" {
		return nil, nil
	}
	e, err := newExporter(t)
	if err != nil {
		return nil, err
	}
	return newTracer(t, sdk.NewBatchSpanProcessor(e, sdk.WithMaxQueueSize(4096), sdk.WithMaxExportBatchSize(512),
		sdk.WithBatchTimeout(time.Second), sdk.WithExportTimeout(10*time.Second))), nil
}

func newTracer(t Tracing, p sdk.SpanProcessor) *Tracer {
	provider := sdk.NewTracerProvider(
		sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(t.Ratio))),
		sdk.WithResource(resource.NewSchemaless(attribute.String("service.name", "coco"), attribute.String("service.version", t.Version))),
		sdk.WithIDGenerator(ids{}), sdk.WithSpanProcessor(p))
	return &Tracer{provider: provider, tracer: provider.Tracer("coco")}
}

// Close delivers what waits, until the context ends.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// Span is a span under way. Nil is one that nobody records.
type Span struct{ span trace.Span }

// Begin begins a span under a parent, or a trace of its own.
func (t *Tracer) Begin(parent Link, name Name, attributes ...Attribute) *Span {
	if t == nil {
		return nil
	}
	return t.begin(parent, name, time.Time{}, attributes)
}

// Record notes a span that is over. Without a sampled parent there is none: what
// happens to transactions is seen from the request on.
func (t *Tracer) Record(parent Link, name Name, from, to time.Time, attributes ...Attribute) {
	if t == nil || !parent.Sampled() {
		return
	}
	if s := t.begin(parent, name, from, attributes); s != nil {
		s.span.End(trace.WithTimestamp(to))
	}
}

func (t *Tracer) begin(parent Link, name Name, from time.Time, attributes []Attribute) *Span {
	ctx := context.Background()
	if c, ok := parent.context(); ok {
		ctx = trace.ContextWithRemoteSpanContext(ctx, c)
	}
	options := []trace.SpanStartOption{trace.WithAttributes(pairs(attributes)...), trace.WithSpanKind(kinds[name])}
	if !from.IsZero() {
		options = append(options, trace.WithTimestamp(from))
	}
	_, s := t.tracer.Start(ctx, string(name), options...)
	return &Span{s}
}

var kinds = map[Name]trace.SpanKind{Request: trace.SpanKindServer, Forward: trace.SpanKindClient,
	Execute: trace.SpanKindInternal, Seal: trace.SpanKindInternal, Replicate: trace.SpanKindInternal, Publish: trace.SpanKindInternal}

func pairs(attributes []Attribute) []attribute.KeyValue {
	list := make([]attribute.KeyValue, len(attributes))
	for i, a := range attributes {
		list[i] = a.kv
	}
	return list
}

// Set says more about a span.
func (s *Span) Set(attributes ...Attribute) {
	if s != nil {
		s.span.SetAttributes(pairs(attributes)...)
	}
}

// End ends a span. Of an error only the code is noted: its text may name what a
// client sent.
func (s *Span) End(err error) {
	if s == nil {
		return
	}
	if err != nil {
		s.Set(Code(problem.CodeOf(err)))
		s.span.SetStatus(codes.Error, "")
	}
	s.span.End()
}

// Link names a span for its children.
func (s *Span) Link() Link {
	if s == nil {
		return ""
	}
	return linkOf(s.span.SpanContext())
}

// ids are random from the system's source: they name nothing else.
type ids struct{}

func (ids) NewIDs(ctx context.Context) (t trace.TraceID, s trace.SpanID) {
	rand.Read(t[:])
	return t, ids{}.NewSpanID(ctx, t)
}

func (ids) NewSpanID(context.Context, trace.TraceID) (s trace.SpanID) {
	rand.Read(s[:])
	return s
}
