package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/evm"
	"github.com/coco-consortium/coco/internal/server/caller"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// createAccessList answers with what a message touches (EIP-2930). A message that
// fails has touched something too.
func (a *API) createAccessList(ctx context.Context, _ *caller.Caller, p *struct {
	Args           callArgs
	Block          blockRef       `rpc:"optional"`
	StateOverrides stateOverrides `rpc:"optional"`
}) (any, error) {
	t, err := a.prepare(ctx, &callAt{Args: p.Args, Block: p.Block})
	if err != nil {
		return nil, err
	}
	defer t.Release()
	state := a.Machine.Overlay(t.state)
	if err := p.StateOverrides.apply(state, nil); err != nil {
		return nil, err
	}
	args := &p.Args
	if args.GasPrice != nil || args.MaxFeePerGas != nil || args.MaxPriorityFeePerGas != nil || args.MaxFeePerBlobGas != nil {
		if err := a.fillFees(args, t.block.BaseFee); err != nil {
			return nil, err
		}
	}
	if args.Nonce == nil {
		args.Nonce = (*hexutil.Uint64)(new(state.Account(args.from()).Nonce))
	}
	args.Gas = new(hexutil.Uint64(gasOf(args)))
	msg := args.message(uint64(*args.Gas))
	r, err := a.Machine.AccessList(ctx, state, t.block, msg)
	var refused *problem.Error
	if errors.As(err, &refused) && refused.Code != evm.ErrCallTimeout.Code {
		args.AccessList = &msg.AccessList
		c := *refused
		c.What = fmt.Sprintf("failed to apply transaction: %v err: %s", args.transaction(a.ChainID, types.LegacyTxType).Hash(), c.What)
		err = &c
	}
	if err = cmp.Or(t.Err(), err); err != nil {
		return nil, err
	}
	return accessListShape{msg.AccessList, r}, nil
}

// accessListShape is an access list and how running its message ended.
type accessListShape struct {
	list types.AccessList
	*evm.Result
}

// AppendJSON implements jsonrpc.Appender.
func (s accessListShape) AppendJSON(dst []byte) []byte {
	o := begin(dst)
	o.name("accessList")
	o.dst = appendAccessList(o.dst, s.list)
	if s.Err != nil {
		o.name("error")
		o.dst = jsonrpc.AppendString(o.dst, s.Err.Error())
	}
	o.quantity("gasUsed", s.GasUsed)
	return o.end()
}
