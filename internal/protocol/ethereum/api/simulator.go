package api

import (
	"context"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/consensus/misc/eip4844"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"

	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/evm"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// simulator makes the blocks of one simulation, by geth's rules. Blocks have no
// state root: it is zero.
type simulator struct {
	*simulation
	*moment
	api    *API
	state  *evm.Overlay
	gas    uint64 // left for all calls
	around uint64 // gas left for what begins and ends blocks
	room   int    // bytes left for what calls return and log
	made   []madeBlock
}

// madeBlock is a block that was simulated, and what became of its calls.
type madeBlock struct {
	*ethereum.Block
	calls []madeCall
}

type madeCall struct {
	output    []byte
	logs      []*types.Log // transfers of ether too, if they are asked for
	gas, peak uint64
	failure   *jsonrpc.Error // nil when it succeeded
}

func (s *simulator) run(ctx context.Context) error {
	steps, err := s.plan()
	if err != nil {
		return err
	}
	for i := range steps {
		if err := s.make(ctx, &steps[i]); err != nil {
			return err
		}
	}
	return nil
}

// step is a block to make with as much of its header as is known before.
type step struct {
	*simulatedBlock
	header *types.Header
}

// blockTime is the seconds between blocks unless the client gives times.
const blockTime = 12

// plan puts the blocks in a row: gaps between their numbers are filled with empty
// blocks, times rise.
func (s *simulator) plan() ([]step, error) {
	var steps []step
	base := s.base.Header
	one, most := big.NewInt(1), new(big.Int).Add(base.Number, big.NewInt(simulatedBlocks))
	last := base
	add := func(b *simulatedBlock, number *big.Int, time uint64) (err error) {
		last, err = s.header(last, number, time, &b.BlockOverrides)
		steps = append(steps, step{b, last})
		return err
	}
	for i := range s.BlockStateCalls {
		b := &s.BlockStateCalls[i]
		number := new(big.Int).Add(last.Number, one)
		if n := b.BlockOverrides.Number; n != nil {
			number = n.ToInt()
		}
		switch {
		case number.Cmp(last.Number) <= 0:
			return nil, simulationError(codeBlockNumber, "block numbers must be in order: %d <= %d", number, last.Number)
		case number.Cmp(most) > 0:
			return nil, errTooManyBlocks
		}
		for next := new(big.Int).Add(last.Number, one); next.Cmp(number) < 0; next = new(big.Int).Add(next, one) {
			if err := add(new(simulatedBlock), next, last.Time+blockTime); err != nil {
				return nil, err
			}
		}
		time := last.Time + blockTime
		if t := b.BlockOverrides.Time; t != nil {
			time = uint64(*t)
		}
		if time <= last.Time {
			return nil, simulationError(codeBlockTime, "block timestamps must be in order: %d <= %d", time, last.Time)
		}
		if err := add(b, number, time); err != nil {
			return nil, err
		}
	}
	return steps, nil
}

// header is the header after another, without what its transactions give.
func (s *simulator) header(parent *types.Header, number *big.Int, time uint64, o *blockOverrides) (*types.Header, error) {
	h := &types.Header{
		UncleHash: types.EmptyUncleHash, Number: number, Time: time,
		Coinbase: parent.Coinbase, Difficulty: parent.Difficulty, GasLimit: parent.GasLimit,
	}
	config := s.api.Machine.Rules().Config
	if config.IsPostMerge(number.Uint64(), time) {
		h.Difficulty = new(big.Int)
	}
	if o.Difficulty != nil {
		if h.Difficulty.Sign() == 0 {
			return nil, jsonrpc.InvalidParams("block %d: difficulty override is not allowed after the merge", number)
		}
		h.Difficulty = o.Difficulty.ToInt()
	}
	if config.IsCancun(number, time) {
		h.ParentBeaconRoot = new(common.Hash)
		if o.BeaconRoot != nil {
			h.ParentBeaconRoot = o.BeaconRoot
		}
	}
	if o.GasLimit != nil {
		h.GasLimit = uint64(*o.GasLimit)
	}
	if o.FeeRecipient != nil {
		h.Coinbase = *o.FeeRecipient
	}
	if o.PrevRandao != nil {
		h.MixDigest = *o.PrevRandao
	}
	h.BaseFee = (*big.Int)(o.BaseFeePerGas)
	return h, nil
}

// last is the header on which the next block stands.
func (s *simulator) last() *types.Header {
	if n := len(s.made); n > 0 {
		return s.made[n-1].Header
	}
	return s.base.Header
}

// hash is the hash of a block, simulated ones included.
func (s *simulator) hash(number uint64) common.Hash {
	base := s.base.Number()
	switch {
	case number < base:
		return s.block.Hash(number)
	case number == base:
		return s.base.Hash
	case number-base <= uint64(len(s.made)):
		return s.made[number-base-1].Hash
	}
	return common.Hash{}
}

// make makes a block.
func (s *simulator) make(ctx context.Context, st *step) error {
	h, parent, rules := st.header, s.last(), s.api.Machine.Rules()
	h.ParentHash = s.hash(parent.Number.Uint64())
	if h.BaseFee == nil && rules.Config.IsLondon(h.Number) {
		h.BaseFee = new(big.Int)
		if s.Validation {
			h.BaseFee = s.api.nextBaseFee(parent)
		}
	}
	if rules.Config.IsCancun(h.Number, h.Time) {
		h.ExcessBlobGas = new(uint64)
		if rules.Config.IsCancun(parent.Number, parent.Time) {
			*h.ExcessBlobGas = eip4844.CalcExcessBlobGas(rules.Config, parent, h.Time)
		}
	}
	b := s.api.Machine.Block(h, s.hash)
	if fee := st.BlockOverrides.BlobBaseFee; fee != nil {
		b.BlobBaseFee = fee.ToInt()
	}
	b.Precompiles = s.api.Machine.Precompiles(b)
	if err := st.StateOverrides.apply(s.state, b.Precompiles); err != nil {
		return err
	}
	checks := evm.Lenient
	if s.Validation {
		checks = evm.Simulated
	}
	w := &work{simulator: s, header: h, logs: &logTracer{transfers: s.TraceTransfers, number: h.Number.Uint64(), time: h.Time}}
	w.x = s.api.Machine.Simulator(b, w.logs.hooks(), checks)
	defer w.x.Close()
	err := w.system(ctx, func(e *vm.EVM) error {
		core.PreExecution(ctx, h.ParentBeaconRoot, parent, rules.Config, e, h.Number, h.Time)
		return nil
	})
	if err != nil {
		return err
	}
	for i := range st.Calls {
		if err := w.call(ctx, &st.Calls[i]); err != nil {
			return err
		}
	}
	return w.end(ctx, st)
}
