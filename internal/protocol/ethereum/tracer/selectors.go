package tracer

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/params"
)

// selectors is 4byteTracer: how often which method was called with how many bytes
// of arguments.
type selectors struct {
	chain       *params.ChainConfig
	budget      *Budget
	precompiles []common.Address
	counts      map[string]int // by selector and length
}

// selectorBytes is about what one of counts takes.
const selectorBytes = 20

func newSelectors(_ json.RawMessage, chain *params.ChainConfig, b *Budget) (*Tracer, error) {
	t := &selectors{chain: chain, budget: b, counts: make(map[string]int)}
	return &Tracer{
		&tracing.Hooks{OnTxStart: t.start, OnEnter: t.enter},
		func() (json.RawMessage, error) { return json.Marshal(t.counts) },
	}, nil
}

func (t *selectors) start(env *tracing.VMContext, _ *types.Transaction, _ common.Address) {
	t.precompiles = vm.ActivePrecompiles(t.chain.Rules(env.BlockNumber, env.Random != nil, env.Time))
}

func (t *selectors) enter(_ int, op byte, _, to common.Address, input []byte, _ uint64, _ *big.Int) {
	switch vm.OpCode(op) {
	case vm.CALL, vm.CALLCODE, vm.DELEGATECALL, vm.STATICCALL:
		if len(input) < 4 || slices.Contains(t.precompiles, to) {
			return
		}
		name := fmt.Sprintf("%#x-%d", input[:4], len(input)-4)
		if t.counts[name] > 0 || t.budget.take(selectorBytes) {
			t.counts[name]++
		}
	}
}
