package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"

	"github.com/coco-consortium/coco/internal/problem"
)

// ErrEndpoint says that spans cannot be sent where they were told to go.
var ErrEndpoint = problem.New("TRACING_ENDPOINT", "the address for traces cannot be used",
	"give a collector of OTLP over HTTP, such as http://127.0.0.1:4318")

// exporter sends spans to a collector, as OTLP in JSON over HTTP
// (opentelemetry-proto, OTLP/HTTP with JSON encoding).
type exporter struct {
	url    string
	client *http.Client
	failed func(error)
}

func newExporter(t Tracing) (*exporter, error) {
	u, err := url.Parse(t.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return nil, ErrEndpoint.From(fmt.Errorf("%q is no http or https address", t.Endpoint))
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/traces"
	}
	failed := t.Failed
	if failed == nil {
		failed = func(error) {}
	}
	return &exporter{url: u.String(), client: &http.Client{Timeout: 10 * time.Second}, failed: failed}, nil
}

// The parts of a message that we fill. 64-bit numbers are text, ids hexadecimal.
type (
	otlpRequest struct {
		ResourceSpans []otlpResourceSpans `json:"resourceSpans"`
	}
	otlpResourceSpans struct {
		Resource   otlpResource     `json:"resource"`
		ScopeSpans []otlpScopeSpans `json:"scopeSpans"`
	}
	otlpResource struct {
		Attributes []otlpAttribute `json:"attributes"`
	}
	otlpScopeSpans struct {
		Scope struct {
			Name string `json:"name"`
		} `json:"scope"`
		Spans []otlpSpan `json:"spans"`
	}
	otlpSpan struct {
		TraceID    string          `json:"traceId"`
		SpanID     string          `json:"spanId"`
		Parent     string          `json:"parentSpanId,omitempty"`
		Name       string          `json:"name"`
		Kind       int             `json:"kind"`
		Start      string          `json:"startTimeUnixNano"`
		End        string          `json:"endTimeUnixNano"`
		Attributes []otlpAttribute `json:"attributes,omitempty"`
		Status     *otlpStatus     `json:"status,omitempty"`
	}
	otlpStatus struct {
		Code int `json:"code"`
	}
	otlpAttribute struct {
		Key   string         `json:"key"`
		Value map[string]any `json:"value"`
	}
)

const statusError = 2 // STATUS_CODE_ERROR

// ExportSpans sends a batch. What cannot be delivered is lost: traces are help,
// not evidence.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	if len(spans) == 0 {
		return nil
	}
	err := e.post(ctx, encode(spans))
	if err != nil {
		e.failed(err)
	}
	return nil // the library would print it
}

// Shutdown has nothing to do.
func (e *exporter) Shutdown(context.Context) error {
	e.client.CloseIdleConnections()
	return nil
}

func (e *exporter) post(ctx context.Context, message otlpRequest) error {
	body, err := json.Marshal(message)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := e.client.Do(r)
	if err != nil {
		return errors.New(strings.ReplaceAll(err.Error(), "\n", " "))
	}
	defer response.Body.Close()
	io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("the collector of traces answered %s", response.Status)
	}
	return nil
}

func encode(spans []sdk.ReadOnlySpan) otlpRequest {
	var scope otlpScopeSpans
	scope.Scope.Name = "coco"
	for _, s := range spans {
		o := otlpSpan{TraceID: s.SpanContext().TraceID().String(), SpanID: s.SpanContext().SpanID().String(),
			Name: s.Name(), Kind: int(s.SpanKind()), Start: nanoseconds(s.StartTime()), End: nanoseconds(s.EndTime()),
			Attributes: attributes(s.Attributes())}
		if s.Parent().SpanID().IsValid() {
			o.Parent = s.Parent().SpanID().String()
		}
		if s.Status().Code == codes.Error {
			o.Status = &otlpStatus{statusError}
		}
		scope.Spans = append(scope.Spans, o)
	}
	return otlpRequest{[]otlpResourceSpans{{otlpResource{attributes(spans[0].Resource().Attributes())}, []otlpScopeSpans{scope}}}}
}

func nanoseconds(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }

func attributes(list []attribute.KeyValue) []otlpAttribute {
	var out []otlpAttribute
	for _, kv := range list {
		value := map[string]any{"stringValue": kv.Value.AsString()}
		if kv.Value.Type() == attribute.INT64 {
			value = map[string]any{"intValue": strconv.FormatInt(kv.Value.AsInt64(), 10)}
		}
		out = append(out, otlpAttribute{string(kv.Key), value})
	}
	return out
}
