package api

import (
	"cmp"
	"context"
	"errors"
	"math/big"
	"runtime"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/chain"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/evm"
	"github.com/coco-consortium/coco/internal/server/caller"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// ErrNotTraced says that a block is no block of this ledger.
var ErrNotTraced = problem.New("BLOCK_NOT_COMMITTED", "only committed blocks are traced, and this one is not in the ledger",
	"try what was not committed with debug_traceCall or eth_simulateV1")

// traceTime is the wall time of one method that traces.
const traceTime = 30 * time.Second

// maxTraces bounds how many traces run at once: each takes a core, and memory of
// some times maxTrace.
const maxTraces = 4

// registerDebug adds traces. They have places of their own: whoever asks for the
// longest again and again keeps others waiting who want traces, not calls.
func (a *API) registerDebug(d *jsonrpc.Dispatcher) {
	few := jsonrpc.In(jsonrpc.NewPlaces(min(maxTraces, max(1, runtime.GOMAXPROCS(0)/2))))
	within := jsonrpc.Within(traceTime)
	jsonrpc.Handle(d, "debug_traceTransaction", a.traceTransaction, few, within)
	jsonrpc.Handle(d, "debug_traceCall", a.traceCall, few, within)
	jsonrpc.Handle(d, "debug_traceBlockByNumber", a.traceBlockByNumber, few, within)
	jsonrpc.Handle(d, "debug_traceBlockByHash", a.traceBlockByHash, few, within)
	jsonrpc.Handle(d, "debug_traceBlock", a.traceBlock, few, within)
}

func (a *API) traceTransaction(ctx context.Context, _ *caller.Caller, p *struct {
	Hash   common.Hash
	Config traceConfig `rpc:"optional"`
}) (any, error) {
	b, i, err := a.Chain.Transaction(ctx, p.Hash)
	switch {
	case errors.Is(err, chain.ErrUnknown):
		return nil, jsonrpc.Errorf("transaction not found")
	case err != nil:
		return nil, err
	}
	r, err := a.replay(ctx, b)
	if err != nil {
		return nil, err
	}
	defer r.Release()
	if err := r.skip(ctx, i); err != nil {
		return nil, err
	}
	return r.trace(ctx, i, &p.Config, maxTrace)
}

func (a *API) traceBlockByNumber(ctx context.Context, _ *caller.Caller, p *struct {
	Number blockNumber
	Config traceConfig `rpc:"optional"`
}) (any, error) {
	b, err := a.traced(ctx, blockRef{blockNumber: p.Number})
	if err != nil {
		return nil, err
	}
	return a.traceAll(ctx, b, &p.Config)
}

func (a *API) traceBlockByHash(ctx context.Context, _ *caller.Caller, p *struct {
	Hash   common.Hash
	Config traceConfig `rpc:"optional"`
}) (any, error) {
	b, err := a.traced(ctx, blockRef{hash: &p.Hash})
	if err != nil {
		return nil, err
	}
	return a.traceAll(ctx, b, &p.Config)
}

// traceBlock is for a block in RLP. Blocks come from the network alone, so it must
// be a committed one.
func (a *API) traceBlock(ctx context.Context, _ *caller.Caller, p *struct {
	Block  hexutil.Bytes
	Config traceConfig `rpc:"optional"`
}) (any, error) {
	decoded := new(types.Block)
	if err := rlp.DecodeBytes(p.Block, decoded); err != nil {
		return nil, jsonrpc.Errorf("could not decode block: %v", err)
	}
	b, err := found(a.Chain.ByHash(ctx, decoded.Hash()))
	switch {
	case err != nil:
		return nil, err
	case b == nil:
		return nil, ErrNotTraced
	}
	return a.traceAll(ctx, b, &p.Config)
}

// traced is blockOf, and says as traces do that there is no such block.
func (a *API) traced(ctx context.Context, r blockRef) (*ethereum.Block, error) {
	b, err := a.blockOf(ctx, r)
	switch {
	case err != nil || b != nil:
		return b, err
	case r.hash != nil:
		return nil, jsonrpc.Errorf("block %s not found", r.hash.Hex())
	}
	return nil, jsonrpc.Errorf("block #%d not found", r.number)
}

// traceCallConfig is a traceConfig with what a call assumes.
type traceCallConfig struct {
	traceConfig
	StateOverrides stateOverrides
	BlockOverrides *blockOverrides
	TxIndex        *hexutil.Uint // run it before this transaction of the block, not after the block
}

func (a *API) traceCall(ctx context.Context, _ *caller.Caller, p *struct {
	Args   callArgs
	Block  blockRef        `rpc:"optional"`
	Config traceCallConfig `rpc:"optional"`
}) (any, error) {
	m, err := a.traceAt(ctx, p.Block, p.Config.TxIndex)
	if err != nil {
		return nil, err
	}
	defer m.Release()
	state, block, err := a.assume(m, p.Config.StateOverrides, p.Config.BlockOverrides)
	if err = cmp.Or(err, a.checkCall(&p.Args)); err != nil {
		return nil, err
	}
	msg := p.Args.message(gasOf(&p.Args))
	// Who offers no price pays none, and the contract sees none.
	if msg.Fees.Price(block.BaseFee).IsZero() {
		block.BaseFee = nil
	}
	x := a.Machine.Simulator(block, nil, evm.Lenient)
	defer x.Close()
	overlay := a.Machine.Overlay(state)
	return a.trace(ctx, &p.Config.traceConfig, maxTrace, func(ctx context.Context, hooks *tracing.Hooks) error {
		_, err := x.Trace(ctx, overlay, assumed(msg), msg, hooks)
		var refused *problem.Error
		if errors.As(err, &refused) {
			err = problem.Newf(refused.Code, refused.Next, "tracing failed: %s", refused.What)
		}
		return cmp.Or(m.Err(), err)
	})
}

// traceAt gives the moment of a call: after a block, or before one of its
// transactions.
func (a *API) traceAt(ctx context.Context, r blockRef, before *hexutil.Uint) (*moment, error) {
	b, err := a.traced(ctx, r)
	if err != nil {
		return nil, err
	}
	if before == nil {
		return a.at(ctx, r)
	}
	switch i, n := uint64(*before), uint64(len(b.Transactions)); {
	case b.Number() == 0:
		return nil, jsonrpc.Errorf("no transaction in genesis")
	case i >= n && (i > 0 || n > 0):
		return nil, jsonrpc.Errorf("transaction index %d out of range for block %#x", i, b.Hash)
	}
	replay, err := a.replay(ctx, b)
	if err != nil {
		return nil, err
	}
	if err := replay.skip(ctx, int(*before)); err != nil {
		replay.Release()
		return nil, err
	}
	replay.executor.Close()
	m := *replay.before
	m.Reader, m.block = replay.state, a.Chain.At(a.Machine, b)
	return &m, nil
}

// assumed is a call as the transaction that tracers are shown.
func assumed(m *evm.Message) *types.Transaction {
	if m.Authorizations != nil && m.To != nil {
		return types.NewTx(&types.SetCodeTx{
			Nonce: m.Nonce, Gas: m.Gas, To: *m.To, Value: &m.Value, Data: m.Data, AccessList: m.AccessList, AuthList: m.Authorizations,
		})
	}
	return types.NewTx(&types.DynamicFeeTx{
		ChainID: new(big.Int), Nonce: m.Nonce, Gas: m.Gas, To: m.To, Value: m.Value.ToBig(), Data: m.Data, AccessList: m.AccessList,
	})
}
