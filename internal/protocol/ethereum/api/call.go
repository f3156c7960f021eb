package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"

	"github.com/coco-consortium/coco/internal/protocol/ethereum/evm"
	"github.com/coco-consortium/coco/internal/server/caller"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// callGas is the most gas that a call may use.
const callGas = 50_000_000

// callArgs is a message to run, as clients describe one. Members that have no
// meaning here are left out: nonce and fees.
type callArgs struct {
	From                 *common.Address
	To                   *common.Address
	Gas                  *hexutil.Uint64
	GasPrice             *hexutil.Big
	MaxFeePerGas         *hexutil.Big
	MaxPriorityFeePerGas *hexutil.Big
	Value                *hexutil.Big
	Data                 *hexutil.Bytes // the older name of Input
	Input                *hexutil.Bytes
	AccessList           types.AccessList
	ChainID              *hexutil.Big
	AuthorizationList    []types.SetCodeAuthorization
}

// message is what the arguments say; from is the zero address unless they name
// another.
func (p *callArgs) message(chainID uint64) (*evm.Message, error) {
	if p.GasPrice != nil && (p.MaxFeePerGas != nil || p.MaxPriorityFeePerGas != nil) {
		return nil, jsonrpc.Errorf("both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified")
	}
	if want := new(big.Int).SetUint64(chainID); p.ChainID != nil && p.ChainID.ToInt().Cmp(want) != 0 {
		return nil, jsonrpc.Errorf("chainId does not match node's (have=%v, want=%v)", p.ChainID, (*hexutil.Big)(want))
	}
	m := &evm.Message{To: p.To, AccessList: p.AccessList, Authorizations: p.AuthorizationList}
	if p.From != nil {
		m.From = *p.From
	}
	if p.Gas != nil {
		m.Gas = uint64(*p.Gas)
	}
	if p.Value != nil && m.Value.SetFromBig(p.Value.ToInt()) {
		return nil, jsonrpc.InvalidParams("invalid argument 0: value does not fit 256 bits")
	}
	switch {
	case p.Input != nil:
		m.Data = *p.Input
	case p.Data != nil:
		m.Data = *p.Data
	}
	return m, nil
}

// callAt is a call at a block. State and block overrides are not offered.
type callAt struct {
	Args           callArgs
	Block          blockRef        `rpc:"optional"`
	StateOverrides json.RawMessage `rpc:"optional"`
	BlockOverrides json.RawMessage `rpc:"optional"`
}

func (p *callAt) overrides() error {
	for _, o := range []json.RawMessage{p.StateOverrides, p.BlockOverrides} {
		if len(o) > 0 && string(o) != "{}" {
			return jsonrpc.InvalidParams("state and block overrides are not supported")
		}
	}
	return nil
}

// prepare gives what a call runs on.
func (a *API) prepare(ctx context.Context, p *callAt) (*evm.Message, *moment, error) {
	if err := p.overrides(); err != nil {
		return nil, nil, err
	}
	msg, err := p.Args.message(a.ChainID)
	if err != nil {
		return nil, nil, err
	}
	m, err := a.at(ctx, p.Block)
	return msg, m, err
}

func (a *API) call(ctx context.Context, _ *caller.Caller, p *callAt) (any, error) {
	msg, m, err := a.prepare(ctx, p)
	if err != nil {
		return nil, err
	}
	defer m.Release()
	r, err := a.Machine.Call(ctx, m, m.block, msg, callGas)
	if err = cmp.Or(m.Err(), err); err != nil {
		return nil, err
	}
	if r.Err != nil {
		return nil, failure(r.Err, r.Output)
	}
	return data(r.Output), nil
}

func (a *API) estimateGas(ctx context.Context, _ *caller.Caller, p *callAt) (any, error) {
	msg, m, err := a.prepare(ctx, p)
	if err != nil {
		return nil, err
	}
	defer m.Release()
	gas, err := a.Machine.EstimateGas(ctx, m, m.block, msg, callGas)
	err = cmp.Or(m.Err(), err)
	var failed *evm.Failure
	if errors.As(err, &failed) {
		return nil, failure(failed.Err, failed.Output)
	}
	return quantity(gas), err
}

// failure is the error of a message that failed: a revert has geth's code 3 and
// the data it reverted with.
func failure(err error, output []byte) error {
	if !errors.Is(err, vm.ErrExecutionReverted) {
		return jsonrpc.Errorf("%v", err)
	}
	message := vm.ErrExecutionReverted.Error()
	if reason := evm.RevertReason(output); reason != "" {
		message += ": " + reason
	}
	return &jsonrpc.Error{Code: 3, Message: message, Data: hexutil.Encode(output)}
}
