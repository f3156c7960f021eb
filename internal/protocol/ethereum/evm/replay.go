package evm

import (
	"context"

	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
)

// Trace is Apply for a transaction that is run again, or only assumed. hooks, which
// may be nil, trace this transaction alone: they are told of its beginning and end
// too, and of logs with their place in the block, whose transactions were all run
// with Trace. m is the message of tx. When ctx ends before the transaction does the
// error is ErrCallTimeout, and what state then holds is of no use.
func (x *Executor) Trace(ctx context.Context, state Sink, tx *types.Transaction, m *Message, hooks *tracing.Hooks) (*Result, error) {
	x.Close()
	x.hooks, x.state.hooks = hooks, hooks
	r, err := x.within(ctx, func() (*Result, error) {
		if hooks != nil && hooks.OnTxStart != nil {
			x.state.begin(state)
			hooks.OnTxStart(x.evm.GetVMContext(), tx, m.From)
		}
		return x.Apply(state, m)
	})
	switch {
	case ctx.Err() != nil:
		return nil, ErrCallTimeout.From(context.Cause(ctx))
	case err != nil:
		return nil, err
	}
	x.state.firstLog += uint(len(r.Logs))
	if hooks != nil && hooks.OnTxEnd != nil {
		hooks.OnTxEnd(r.receipt(tx), nil)
	}
	return r, nil
}

// receipt is as much of a receipt as a tracer looks at.
func (r *Result) receipt(tx *types.Transaction) *types.Receipt {
	receipt := &types.Receipt{Type: tx.Type(), Status: types.ReceiptStatusSuccessful, TxHash: tx.Hash(), GasUsed: r.GasUsed, Logs: r.Logs}
	if r.Err != nil {
		receipt.Status = types.ReceiptStatusFailed
	}
	if r.Created != nil {
		receipt.ContractAddress = *r.Created
	}
	return receipt
}
