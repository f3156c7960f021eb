package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"

	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/evm"
	"github.com/coco-consortium/coco/internal/server/caller"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// callGas is the most gas that a call may use, geth's.
const callGas = 50_000_000

// callArgs is a message to run, as clients describe one: geth's members. The type
// of transaction follows from what is there.
type callArgs struct {
	From                 *common.Address
	To                   *common.Address
	Gas                  *hexutil.Uint64
	GasPrice             *hexutil.Big
	MaxFeePerGas         *hexutil.Big
	MaxPriorityFeePerGas *hexutil.Big
	Value                *hexutil.Big
	Nonce                *hexutil.Uint64
	Data                 *hexutil.Bytes // the older name of Input
	Input                *hexutil.Bytes
	AccessList           *types.AccessList
	ChainID              *hexutil.Big
	MaxFeePerBlobGas     *hexutil.Big
	BlobVersionedHashes  []common.Hash
	Blobs                json.RawMessage
	AuthorizationList    []types.SetCodeAuthorization
}

var (
	errTwoFees = jsonrpc.Errorf("both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified")
	errNoBlobs = jsonrpc.Errorf("blob transactions are not supported: this ledger keeps no blobs")
)

// checkCall refuses what contradicts itself or the chain.
func (a *API) checkCall(p *callArgs) error {
	want := new(big.Int).SetUint64(a.ChainID)
	switch {
	case p.GasPrice != nil && (p.MaxFeePerGas != nil || p.MaxPriorityFeePerGas != nil):
		return errTwoFees
	case !a.Machine.Rules().Paid && (p.BlobVersionedHashes != nil || p.MaxFeePerBlobGas != nil):
		return errNoBlobs
	case p.To == nil && p.BlobVersionedHashes != nil:
		return jsonrpc.Errorf("%v", core.ErrBlobTxCreate)
	case p.To == nil && p.AuthorizationList != nil:
		return jsonrpc.Errorf("%v", core.ErrSetCodeTxCreate)
	case p.ChainID != nil && p.ChainID.ToInt().Cmp(want) != 0:
		return jsonrpc.Errorf("chainId does not match node's (have=%v, want=%v)", p.ChainID.ToInt(), want)
	}
	return nil
}

// message is what the arguments say, with the given gas and the nonce if there is
// one; from is the zero address unless they name another.
func (p *callArgs) message(gas uint64) *evm.Message {
	m := &evm.Message{From: p.from(), To: p.To, Gas: gas, Data: p.data(), Authorizations: p.AuthorizationList, BlobHashes: p.BlobVersionedHashes}
	if p.Nonce != nil {
		m.Nonce = uint64(*p.Nonce)
	}
	if p.AccessList != nil {
		m.AccessList = *p.AccessList
	}
	m.Value.SetFromBig(big256(p.Value))
	m.Fees.FeeCap.SetFromBig(big256(cmp.Or(p.GasPrice, p.MaxFeePerGas)))
	m.Fees.TipCap.SetFromBig(big256(cmp.Or(p.GasPrice, p.MaxPriorityFeePerGas)))
	m.Fees.BlobCap.SetFromBig(big256(p.MaxFeePerBlobGas))
	return m
}

// big256 is a number of at most 256 bits, more of which hexutil does not read;
// none is zero.
func big256(n *hexutil.Big) *big.Int {
	if n == nil {
		return new(big.Int)
	}
	return n.ToInt()
}

func (p *callArgs) from() common.Address {
	if p.From == nil {
		return common.Address{}
	}
	return *p.From
}

func (p *callArgs) data() []byte {
	switch {
	case p.Input != nil:
		return *p.Input
	case p.Data != nil:
		return *p.Data
	}
	return nil
}

// callAt is a call at a block, under what is assumed of accounts and the block.
type callAt struct {
	Args           callArgs
	Block          blockRef        `rpc:"optional"`
	StateOverrides stateOverrides  `rpc:"optional"`
	BlockOverrides *blockOverrides `rpc:"optional"`
}

// trial is a call with all that it runs on. Release it, and ask Err before what
// came out is answered.
type trial struct {
	*moment
	state kv.Reader
	block *evm.Block
}

// prepare gives what a call runs on.
func (a *API) prepare(ctx context.Context, p *callAt) (*trial, error) {
	if p.Args.MaxFeePerBlobGas != nil && len(p.Args.BlobVersionedHashes) == 0 {
		return nil, jsonrpc.Errorf("maxFeePerBlobGas specified without blobVersionedHashes")
	}
	m, err := a.at(ctx, p.Block)
	if err != nil {
		return nil, err
	}
	state, block, err := a.assume(m, p.StateOverrides, p.BlockOverrides)
	if err == nil {
		err = a.checkCall(&p.Args)
	}
	if err != nil {
		m.Release()
		return nil, err
	}
	return &trial{m, state, block}, nil
}

func (a *API) call(ctx context.Context, _ *caller.Caller, p *callAt) (any, error) {
	t, err := a.prepare(ctx, p)
	if err != nil {
		return nil, err
	}
	defer t.Release()
	r, err := a.Machine.Call(ctx, t.state, t.block, p.Args.message(gasOf(&p.Args)))
	if err = cmp.Or(t.Err(), err); err != nil {
		return nil, err
	}
	if r.Err != nil {
		return nil, failure(r.Err, r.Output)
	}
	return data(r.Output), nil
}

// gasOf is the gas that a call may use.
func gasOf(p *callArgs) uint64 {
	if p.Gas == nil {
		return callGas
	}
	return min(callGas, uint64(*p.Gas))
}

func (a *API) estimateGas(ctx context.Context, _ *caller.Caller, p *callAt) (any, error) {
	gas, err := a.estimate(ctx, p)
	return quantity(gas), err
}

func (a *API) estimate(ctx context.Context, p *callAt) (uint64, error) {
	t, err := a.prepare(ctx, p)
	if err != nil {
		return 0, err
	}
	defer t.Release()
	var gas uint64
	if p.Args.Gas != nil {
		gas = gasOf(&p.Args)
	}
	gas, err = a.Machine.EstimateGas(ctx, t.state, t.block, p.Args.message(gas), callGas)
	err = cmp.Or(t.Err(), err)
	var failed *evm.Failure
	if errors.As(err, &failed) {
		return 0, failure(failed.Err, failed.Output)
	}
	return gas, err
}

// failure is the error of a message that failed: a revert has geth's code 3 and
// the data it reverted with.
func failure(err error, output []byte) *jsonrpc.Error {
	if !errors.Is(err, vm.ErrExecutionReverted) {
		return jsonrpc.Errorf("%v", err)
	}
	message := vm.ErrExecutionReverted.Error()
	if reason := evm.RevertReason(output); reason != "" {
		message += ": " + reason
	}
	return &jsonrpc.Error{Code: 3, Message: message, Data: hexutil.Encode(output)}
}
