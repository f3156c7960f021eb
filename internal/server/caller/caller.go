// Package caller says who is asking.
//
// Every request carries a Caller from the moment a listener accepts it: there
// is no anonymous code path, anonymous is a caller like any other. The package
// holds the identity only; how it is established (client certificate, token,
// signed session) is the listener's business, and what it permits is that of
// the access policies. It imports nothing of coco, so that every room may read it.
package caller

import "context"

// Kind is the way in which an identity was established.
type Kind string

// The kinds of identity known so far.
const (
	KindAnonymous Kind = "anonymous" // nothing was shown
	KindInternal  Kind = "internal"  // this process itself, for its own work
)

// Caller is one established identity. It is immutable and may be shared.
type Caller struct {
	Kind    Kind
	Subject string // what was established, in the kind's own form; "" when there is nothing to add
}

// Anonymous is the caller who has shown no identity.
var Anonymous = &Caller{Kind: KindAnonymous}

// Internal is this process asking for itself.
var Internal = &Caller{Kind: KindInternal}

// String gives "kind" or "kind:subject".
func (c *Caller) String() string {
	if c.Subject == "" {
		return string(c.Kind)
	}
	return string(c.Kind) + ":" + c.Subject
}

// Bytes is the identity as records keep it: String in UTF-8. They may be shared
// and must not be changed.
func (c *Caller) Bytes() []byte {
	if c == Anonymous {
		return anonymous
	}
	return []byte(c.String())
}

var anonymous = []byte(KindAnonymous)

type key struct{}

// With gives a context that carries c.
func With(ctx context.Context, c *Caller) context.Context {
	if c == Anonymous && From(ctx) == Anonymous {
		return ctx
	}
	return context.WithValue(ctx, key{}, c)
}

// From gives the caller that the context carries, and Anonymous where none was put.
func From(ctx context.Context) *Caller {
	if c, ok := ctx.Value(key{}).(*Caller); ok {
		return c
	}
	return Anonymous
}
