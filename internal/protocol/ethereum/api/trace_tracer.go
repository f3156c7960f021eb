package api

import (
	"context"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/eth/tracers"
	"github.com/ethereum/go-ethereum/eth/tracers/logger"
	_ "github.com/ethereum/go-ethereum/eth/tracers/native" // the tracers by name

	"github.com/coco-consortium/coco/internal/problem"
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

// tracerNames are the tracers that there are.
var tracerNames = []string{"callTracer", "flatCallTracer", "prestateTracer", "4byteTracer", "muxTracer", "noopTracer"}

// frames checks what a client wants for a tracer, and gives how many tracers in
// it keep every frame of the calls. What is no name of a tracer is JavaScript to
// the library; what clients send never runs as a program inside the node, whose
// memory holds the keys.
func frames(name string, config json.RawMessage) (n int, err error) {
	if !slices.Contains(tracerNames, name) {
		return 0, problem.Newf("TRACER_UNKNOWN", "use callTracer, flatCallTracer, prestateTracer, 4byteTracer, muxTracer, noopTracer, or none for the steps of the interpreter",
			"there is no tracer %.64q: only built-in tracers are offered, JavaScript does not run inside a node", name)
	}
	switch name {
	case "flatCallTracer":
		return 1, nil
	case "callTracer":
		var c struct{ OnlyTopCall bool }
		if err := json.Unmarshal(config, &c); err == nil && c.OnlyTopCall { // else it is for the tracer to refuse
			return 0, nil
		}
		return 1, nil
	case "muxTracer":
		var inner map[string]json.RawMessage
		if err := json.Unmarshal(config, &inner); err != nil && len(config) > 0 {
			return 0, jsonrpc.Errorf("%v", err)
		}
		for name, config := range inner {
			if name == "muxTracer" {
				return 0, jsonrpc.Errorf("a muxTracer inside a muxTracer is not offered")
			}
			m, err := frames(name, config)
			if err != nil {
				return 0, err
			}
			n += m
		}
	}
	return n, nil
}

// tracer makes the tracer of one transaction, whose trace may have room bytes.
func (a *API) tracer(c *traceConfig, where *tracers.Context, room int) (*tracers.Tracer, error) {
	if c.Tracer == nil {
		limit := c.Limit
		if limit == 0 || limit > room {
			limit = room
		}
		l := logger.NewStructLogger(&logger.Config{
			EnableMemory: c.EnableMemory, DisableStack: c.DisableStack, DisableStorage: c.DisableStorage,
			EnableReturnData: c.EnableReturnData, Limit: limit,
		})
		return &tracers.Tracer{Hooks: l.Hooks(), GetResult: l.GetResult}, nil
	}
	t, err := tracers.DefaultDirectory.New(*c.Tracer, where, c.TracerConfig, a.Machine.Rules().Config)
	if err != nil {
		return nil, jsonrpc.Errorf("%v", err)
	}
	return t, nil
}

// trace runs a transaction under a tracer and gives the trace, of at most room
// bytes. run must end with its context.
func (a *API) trace(ctx context.Context, c *traceConfig, where *tracers.Context, room int, run func(context.Context, *tracing.Hooks) error) (json.RawMessage, error) {
	m := &meter{left: room, codes: make(map[common.Address]bool)}
	var err error
	if c.Tracer != nil {
		if m.copies, err = frames(*c.Tracer, c.TracerConfig); err != nil {
			return nil, err
		}
	}
	t, err := a.tracer(c, where, room)
	if err != nil {
		return nil, err
	}
	timeout := traceTimeout
	if c.Timeout != nil {
		if timeout, err = time.ParseDuration(*c.Timeout); err != nil {
			return nil, jsonrpc.Errorf("%v", err)
		}
	}
	within, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	within, stop := context.WithCancelCause(within)
	defer stop(nil)
	m.full = func() { stop(ErrTraceSize) }
	err = run(within, m.hooks(t.Hooks))
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
	text, err := t.GetResult()
	if err != nil {
		return nil, jsonrpc.Errorf("%v", err)
	}
	if len(text) > room {
		return nil, ErrTraceSize
	}
	return text, nil
}

// meter ends a run whose trace becomes too large before it takes the memory: a
// contract can show the same megabyte to a thousand calls for little gas, and a
// tracer keeps a copy for each. It stands between the interpreter and the tracer,
// and between the tracer and the state.
type meter struct {
	tracing.StateDB
	left   int
	copies int    // of frames, that tracers keep
	full   func() // ends the run
	codes  map[common.Address]bool
}

// frame is about what a frame of a call takes besides its data.
const frame = 160

// hooks are the tracer's hooks as the interpreter sees them.
func (m *meter) hooks(h *tracing.Hooks) *tracing.Hooks {
	metered := *h
	if h.OnTxStart != nil {
		metered.OnTxStart = func(env *tracing.VMContext, tx *types.Transaction, from common.Address) {
			e := *env
			m.StateDB, e.StateDB = env.StateDB, m
			h.OnTxStart(&e, tx, from)
		}
	}
	if m.copies == 0 {
		return &metered
	}
	if h.OnEnter != nil {
		metered.OnEnter = func(depth int, op byte, from, to common.Address, input []byte, gas uint64, value *big.Int) {
			if m.takeFrame(depth, frame+2*len(input)) {
				h.OnEnter(depth, op, from, to, input, gas, value)
			}
		}
	}
	if h.OnEnterV2 != nil {
		metered.OnEnterV2 = func(depth int, op byte, from, to common.Address, input []byte, gas tracing.Gas, value *big.Int) {
			if m.takeFrame(depth, frame+2*len(input)) {
				h.OnEnterV2(depth, op, from, to, input, gas, value)
			}
		}
	}
	if h.OnExit != nil {
		metered.OnExit = func(depth int, output []byte, gasUsed uint64, err error, reverted bool) {
			if m.takeFrame(depth, 2*len(output)) {
				h.OnExit(depth, output, gasUsed, err, reverted)
			}
		}
	}
	if h.OnExitV2 != nil {
		metered.OnExitV2 = func(depth int, output []byte, left tracing.Gas, err error, reverted bool) {
			if m.takeFrame(depth, 2*len(output)) {
				h.OnExitV2(depth, output, left, err, reverted)
			}
		}
	}
	return &metered
}

// GetCode implements tracing.StateDB. Each account's code counts once.
func (m *meter) GetCode(address common.Address) []byte {
	code := m.StateDB.GetCode(address)
	if !m.codes[address] {
		m.codes[address] = true
		m.take(2 * len(code))
	}
	return code
}

// takeFrame counts part of a frame. What lies deep counts more: nested frames are
// encoded once more at every level.
func (m *meter) takeFrame(depth, n int) bool { return m.take(n * m.copies * (1 + depth/8)) }

// take counts what a tracer keeps, and reports whether there was room.
func (m *meter) take(n int) bool {
	if m.left < 0 {
		return false
	}
	if m.left -= n; m.left < 0 {
		m.full()
	}
	return m.left >= 0
}
