package tracer

import (
	"encoding/json"
	"errors"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"

	"github.com/coco-consortium/coco/internal/problem"
)

// Tracer watches one transaction.
type Tracer struct {
	Hooks  *tracing.Hooks
	Result func() (json.RawMessage, error) // once the transaction has ended
}

// Budget is the bytes of JSON that tracers may still make. What they keep is
// counted as it comes, and what does not count is small.
type Budget struct {
	Left int
	Full func() // called once, when Left falls below zero: the run is to be ended
}

// take counts n bytes and reports whether there was room. After the first time that
// there was none nothing more is kept.
func (b *Budget) take(n int) bool {
	if b.Left < 0 {
		return false
	}
	if b.Left -= n; b.Left < 0 {
		b.Full()
		return false
	}
	return true
}

// maker makes a tracer of one kind; config is JSON.
type maker func(config json.RawMessage, chain *params.ChainConfig, b *Budget) (*Tracer, error)

// makers are the kinds that there are, but for muxTracer, which is made of these.
var makers = map[string]maker{
	"callTracer":     newCall,
	"prestateTracer": newPrestate,
	"4byteTracer":    newSelectors,
	"noopTracer":     newNoop,
}

// New makes a tracer of a kind. config is its options in JSON and may be empty.
// The problem is TRACER_UNKNOWN for what is no kind; other errors are about config.
func New(name string, config json.RawMessage, chain *params.ChainConfig, b *Budget) (*Tracer, error) {
	if len(config) == 0 {
		config = json.RawMessage("{}")
	}
	if name == "muxTracer" {
		return newMux(config, chain, b)
	}
	make, ok := makers[name]
	if !ok {
		return nil, problem.Newf("TRACER_UNKNOWN", "use callTracer, prestateTracer, 4byteTracer, noopTracer, muxTracer of these, or none for the steps of the interpreter",
			"there is no tracer %.64q: only built-in tracers are offered, JavaScript does not run inside a node", name)
	}
	return make(config, chain, b)
}

func newNoop(json.RawMessage, *params.ChainConfig, *Budget) (*Tracer, error) {
	return &Tracer{&tracing.Hooks{}, func() (json.RawMessage, error) { return json.RawMessage("{}"), nil }}, nil
}

// mux is several tracers of different kinds at once.
type mux struct {
	names   []string
	tracers []*Tracer
}

func newMux(config json.RawMessage, chain *params.ChainConfig, b *Budget) (*Tracer, error) {
	var kinds map[string]json.RawMessage
	if err := json.Unmarshal(config, &kinds); err != nil {
		return nil, err
	}
	m := &mux{}
	for name, config := range kinds {
		if name == "muxTracer" {
			return nil, errors.New("a muxTracer inside a muxTracer is not offered")
		}
		t, err := New(name, config, chain, b)
		if err != nil {
			return nil, err
		}
		m.names = append(m.names, name)
		m.tracers = append(m.tracers, t)
	}
	return &Tracer{m.hooks(), m.result}, nil
}

// hooks tell every tracer what it wants to know.
func (m *mux) hooks() *tracing.Hooks {
	h := &tracing.Hooks{
		OnTxStart: func(env *tracing.VMContext, tx *types.Transaction, from common.Address) {
			for _, t := range m.tracers {
				if t.Hooks.OnTxStart != nil {
					t.Hooks.OnTxStart(env, tx, from)
				}
			}
		},
		OnTxEnd: func(receipt *types.Receipt, err error) {
			for _, t := range m.tracers {
				if t.Hooks.OnTxEnd != nil {
					t.Hooks.OnTxEnd(receipt, err)
				}
			}
		},
		OnEnter: func(depth int, op byte, from, to common.Address, input []byte, gas uint64, value *big.Int) {
			for _, t := range m.tracers {
				if t.Hooks.OnEnter != nil {
					t.Hooks.OnEnter(depth, op, from, to, input, gas, value)
				}
			}
		},
		OnExit: func(depth int, output []byte, gasUsed uint64, err error, reverted bool) {
			for _, t := range m.tracers {
				if t.Hooks.OnExit != nil {
					t.Hooks.OnExit(depth, output, gasUsed, err, reverted)
				}
			}
		},
		OnLog: func(l *types.Log) {
			for _, t := range m.tracers {
				if t.Hooks.OnLog != nil {
					t.Hooks.OnLog(l)
				}
			}
		},
	}
	// One kind wants to know of every step.
	if i := slices.IndexFunc(m.tracers, func(t *Tracer) bool { return t.Hooks.OnOpcode != nil }); i >= 0 {
		h.OnOpcode = m.tracers[i].Hooks.OnOpcode
	}
	return h
}

func (m *mux) result() (json.RawMessage, error) {
	results := make(map[string]json.RawMessage, len(m.names))
	for i, t := range m.tracers {
		result, err := t.Result()
		if err != nil {
			return nil, err
		}
		results[m.names[i]] = result
	}
	return json.Marshal(results)
}
