package api

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/eth/tracers/logger"

	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/tracer"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// ErrTraceSize says that a trace is larger than an answer may be.
var ErrTraceSize = problem.New("TRACE_TOO_LARGE", "the trace is larger than 24 MiB",
	"give a limit, disableStack or disableStorage, use callTracer with onlyTopCall, or trace one transaction instead of a block")

// maxTrace is how many bytes of JSON one answer may hold; the answer's own limit
// is a little above.
const maxTrace = 24 << 20

// traceConfig is what a client says of a trace, geth's members. Others, such as
// reexec, have no meaning here.
type traceConfig struct {
	EnableMemory     bool
	DisableStack     bool
	DisableStorage   bool
	EnableReturnData bool
	Limit            int     // bytes of steps, 0 for no limit
	Tracer           *string // nil lists the steps of the interpreter
	Timeout          *string // of one transaction, such as "2s"
	TracerConfig     json.RawMessage
}

// traceTimeout is how long one transaction may be traced unless the client says
// otherwise, geth's.
const traceTimeout = 5 * time.Second

// tracer makes the tracer of one transaction.
func (a *API) tracer(c *traceConfig, b *tracer.Budget) (*tracer.Tracer, error) {
	if c.Tracer != nil {
		return tracer.New(*c.Tracer, c.TracerConfig, a.Machine.Rules().Config, b)
	}
	limit := c.Limit
	if limit <= 0 || limit > b.Left {
		limit = b.Left
	}
	l := logger.NewStructLogger(&logger.Config{
		EnableMemory: c.EnableMemory, DisableStack: c.DisableStack, DisableStorage: c.DisableStorage,
		EnableReturnData: c.EnableReturnData, Limit: limit,
	})
	return &tracer.Tracer{Hooks: l.Hooks(), Result: l.GetResult}, nil
}

// trace runs a transaction under a tracer and gives the trace, of at most room
// bytes. run must end with its context.
func (a *API) trace(ctx context.Context, c *traceConfig, room int, run func(context.Context, *tracing.Hooks) error) (json.RawMessage, error) {
	if room <= 0 { // a limit of nothing would be none
		return nil, ErrTraceSize
	}
	b := &tracer.Budget{Left: room}
	t, err := a.tracer(c, b)
	if err != nil {
		return nil, plain(err)
	}
	timeout := traceTimeout
	if c.Timeout != nil {
		if timeout, err = time.ParseDuration(*c.Timeout); err != nil {
			return nil, plain(err)
		}
	}
	within, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	within, stop := context.WithCancelCause(within)
	defer stop(nil)
	b.Full = func() { stop(ErrTraceSize) }
	err = run(within, t.Hooks)
	switch cause := context.Cause(within); {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(cause, ErrTraceSize):
		return nil, cause
	case cause != nil:
		return nil, jsonrpc.Errorf("execution timeout")
	case err != nil:
		return nil, err
	}
	text, err := t.Result()
	if err != nil {
		return nil, plain(err)
	}
	if len(text) > room {
		return nil, ErrTraceSize
	}
	return text, nil
}

// plain is an error about what a client wants of a trace, in the tracer's words.
func plain(err error) error {
	var p *problem.Error
	if errors.As(err, &p) {
		return err
	}
	return jsonrpc.Errorf("%v", err)
}
