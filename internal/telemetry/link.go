package telemetry

import (
	"context"
	"encoding/hex"
	"fmt"

	"go.opentelemetry.io/otel/trace"
)

// Link names a span across processes, as a traceparent of W3C Trace Context
// version 00. The empty one names none.
type Link string

// linkSize is the length of a traceparent of version 00.
const linkSize = 55

// ParseLink takes a traceparent that somebody sent. What is no valid one of
// version 00 names nothing.
func ParseLink(text string) Link {
	if _, ok := Link(text).context(); !ok {
		return ""
	}
	return Link(text)
}

// Sampled says that the trace is recorded.
func (l Link) Sampled() bool {
	c, ok := l.context()
	return ok && c.IsSampled()
}

// context reads 00-<32 hex>-<16 hex>-<2 hex>, lower case.
func (l Link) context() (c trace.SpanContext, ok bool) {
	if len(l) != linkSize || l[:3] != "00-" || l[35] != '-' || l[52] != '-' {
		return c, false
	}
	for _, r := range []byte(l) {
		if r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'f') {
			return c, false
		}
	}
	var config trace.SpanContextConfig
	var flags [1]byte
	_, err1 := hex.Decode(config.TraceID[:], []byte(l[3:35]))
	_, err2 := hex.Decode(config.SpanID[:], []byte(l[36:52]))
	_, err3 := hex.Decode(flags[:], []byte(l[53:]))
	if err1 != nil || err2 != nil || err3 != nil {
		return c, false
	}
	config.TraceFlags, config.Remote = trace.TraceFlags(flags[0])&trace.FlagsSampled, true
	c = trace.NewSpanContext(config)
	return c, c.IsValid()
}

func linkOf(c trace.SpanContext) Link {
	if !c.IsValid() {
		return ""
	}
	return Link(fmt.Sprintf("00-%s-%s-%02x", c.TraceID(), c.SpanID(), byte(c.TraceFlags()&trace.FlagsSampled)))
}

type linkKey struct{}

// With gives a context that carries a link.
func With(ctx context.Context, l Link) context.Context {
	if l == "" {
		return ctx
	}
	return context.WithValue(ctx, linkKey{}, l)
}

// From is the link that a context carries.
func From(ctx context.Context) Link {
	l, _ := ctx.Value(linkKey{}).(Link)
	return l
}
