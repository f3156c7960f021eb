package jsonrpc

import (
	"context"
	"fmt"
	"time"

	"github.com/coco-consortium/coco/internal/server/caller"
)

// method is one registered method: prepare turns the text of the parameters
// into what handle works on.
type method struct {
	name     string
	prepare  func(ctx context.Context, c *caller.Caller, params []byte) (any, error)
	handle   func(ctx context.Context, c *caller.Caller, prepared any) (any, error)
	parallel bool          // prepare is worth a core of its own
	heavy    bool          // its places are those of Limits.HeavyCalls
	places   Places        // nil: it needs none
	time     time.Duration // wall time; 0 is Limits.CallTime, negative is unbounded
}

// Option says something about a method.
type Option func(*method)

// Heavy marks a method that can keep a core busy. Few of those run at once.
func Heavy(m *method) { m.heavy = true }

// In gives a method places that it shares with others, instead of those of heavy
// calls.
func In(places Places) Option { return func(m *method) { m.places = places } }

// Prompt marks a method that does not wait, or bounds that itself, so that no
// deadline is set up for it.
func Prompt(m *method) { m.time = -1 }

// Within gives a method its own wall time.
func Within(d time.Duration) Option { return func(m *method) { m.time = d } }

// Handle registers a method. P is a struct whose exported fields are the
// positional parameters; those tagged `rpc:"optional"` may be missing or null.
// The result is encoded with AppendJSON where it has that, else by encoding/json.
func Handle[P any](d *Dispatcher, name string, handle func(ctx context.Context, c *caller.Caller, p *P) (any, error), options ...Option) {
	decode := positional[P]()
	d.register(&method{
		name: name,
		prepare: func(_ context.Context, _ *caller.Caller, params []byte) (any, error) {
			p := new(P)
			return p, decode(params, p)
		},
		handle: func(ctx context.Context, c *caller.Caller, prepared any) (any, error) {
			return handle(ctx, c, prepared.(*P))
		},
	}, options)
}

// HandlePrepared registers a method in two stages. prepare has no side effects
// and runs in parallel for the calls of a batch; handle runs in their order.
func HandlePrepared[P, Q any](d *Dispatcher, name string,
	prepare func(ctx context.Context, c *caller.Caller, p *P) (Q, error),
	handle func(ctx context.Context, c *caller.Caller, q Q) (any, error), options ...Option) {
	decode := positional[P]()
	d.register(&method{
		name:     name,
		parallel: true,
		prepare: func(ctx context.Context, c *caller.Caller, params []byte) (any, error) {
			var p P
			if err := decode(params, &p); err != nil {
				return nil, err
			}
			return prepare(ctx, c, &p)
		},
		handle: func(ctx context.Context, c *caller.Caller, prepared any) (any, error) {
			return handle(ctx, c, prepared.(Q))
		},
	}, options)
}

// Refuse gives the reason why there is no method of a name, or of a namespace
// when the name ends with its "_": what to use instead, for the error's message.
func (d *Dispatcher) Refuse(name, why string) { d.refused[name] = why }

func (d *Dispatcher) register(m *method, options []Option) {
	if d.methods[m.name] != nil {
		panic(fmt.Sprintf("jsonrpc: method %s is registered twice", m.name))
	}
	for _, o := range options {
		o(m)
	}
	if m.heavy {
		m.places = d.heavy
	}
	d.methods[m.name] = m
}
