package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/evm"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// ErrReplay says that a trace would not show what happened.
var ErrReplay = problem.New("REPLAY_DIFFERS", "the transaction does not run again as the ledger records it, so its trace is not shown",
	"believe the receipt; report this, for it is a fault of the node")

// replay runs the transactions of a committed block again, in order, on the state
// before the block. The ledger holds what they did and not how, and each ran only
// once. What comes out is compared with what is recorded. Release it.
type replay struct {
	*API
	block    *ethereum.Block
	before   *moment
	state    *evm.Overlay
	executor *evm.Executor
}

func (a *API) replay(ctx context.Context, b *ethereum.Block) (*replay, error) {
	if b.Number() == 0 {
		return nil, jsonrpc.Errorf("genesis is not traceable")
	}
	parent, err := a.Chain.ByNumber(ctx, b.Number()-1)
	if err != nil {
		return nil, err
	}
	before, err := a.after(parent)
	if err != nil {
		return nil, err
	}
	return &replay{a, b, before, a.Machine.Overlay(before), a.Machine.Executor(a.Chain.At(a.Machine, b), nil)}, nil
}

func (r *replay) Release() {
	r.executor.Close()
	r.before.Release()
}

// skip runs the first n transactions.
func (r *replay) skip(ctx context.Context, n int) error {
	for i := range n {
		if err := r.run(ctx, i, nil); err != nil {
			return err
		}
	}
	return nil
}

// run runs the next transaction.
func (r *replay) run(ctx context.Context, i int, hooks *tracing.Hooks) error {
	t := r.block.Transactions[i]
	result, err := r.executor.Trace(ctx, r.state, t.Transaction, evm.MessageOf(t.Transaction, t.From), hooks)
	switch failed := r.before.Err(); {
	case failed != nil:
		return failed
	case errors.Is(err, evm.ErrCallTimeout):
		return context.Cause(ctx)
	case err != nil:
		return ErrReplay.From(err)
	}
	if err := differs(result, r.block.Receipts[i]); err != nil {
		return ErrReplay.From(fmt.Errorf("transaction %d of block %d: %w", i, r.block.Number(), err))
	}
	return nil
}

// differs compares what a transaction gave with its receipt.
func differs(r *evm.Result, receipt *types.Receipt) error {
	switch {
	case (r.Err == nil) != (receipt.Status == types.ReceiptStatusSuccessful):
		return fmt.Errorf("status %d is recorded", receipt.Status)
	case r.GasUsed != receipt.GasUsed:
		return fmt.Errorf("it used %d gas, %d is recorded", r.GasUsed, receipt.GasUsed)
	case !slices.EqualFunc(r.Logs, receipt.Logs, func(a, b *types.Log) bool {
		return a.Address == b.Address && slices.Equal(a.Topics, b.Topics) && bytes.Equal(a.Data, b.Data)
	}):
		return errors.New("other logs are recorded")
	}
	return nil
}

// trace runs the next transaction and gives its trace of at most room bytes.
func (r *replay) trace(ctx context.Context, i int, c *traceConfig, room int) (json.RawMessage, error) {
	return r.API.trace(ctx, c, room, func(ctx context.Context, hooks *tracing.Hooks) error { return r.run(ctx, i, hooks) })
}

// traceAll traces every transaction of a block.
func (a *API) traceAll(ctx context.Context, b *ethereum.Block, c *traceConfig) (any, error) {
	r, err := a.replay(ctx, b)
	if err != nil {
		return nil, err
	}
	defer r.Release()
	list := []byte{'['}
	for i := range b.Transactions {
		text, err := r.trace(ctx, i, c, maxTrace-len(list))
		if err != nil {
			return nil, err
		}
		if i > 0 {
			list = append(list, ',')
		}
		list = append(list, `{"txHash":`...)
		list = appendData(list, b.Receipts[i].TxHash[:])
		list = append(list, `,"result":`...)
		list = append(append(list, text...), '}')
	}
	return json.RawMessage(append(list, ']')), nil
}
