package api

import (
	"bytes"
	"context"
	"encoding/json"
	"math/big"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/coco-consortium/coco/internal/server/caller"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// fillTransaction answers with an unsigned transaction in which nothing is missing.
func (a *API) fillTransaction(ctx context.Context, _ *caller.Caller, p *struct{ Args callArgs }) (any, error) {
	tx, err := a.fill(ctx, &p.Args)
	if err != nil {
		return nil, err
	}
	raw, err := tx.MarshalBinary()
	if err != nil {
		return nil, err
	}
	shown, err := a.unsigned(tx)
	return filled{raw, shown}, err
}

// filled is geth's result.
type filled struct {
	Raw hexutil.Bytes   `json:"raw"`
	Tx  json.RawMessage `json:"tx"`
}

// unsigned is a transaction in geth's JSON. An unsigned one of the oldest type
// does not know its chain, which is added: clients check it.
func (a *API) unsigned(tx *types.Transaction) ([]byte, error) {
	text, err := tx.MarshalJSON()
	if err != nil || tx.Type() != types.LegacyTxType {
		return text, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, err
	}
	members["chainId"] = appendQuantity(nil, a.ChainID)
	return json.Marshal(members)
}

// fill makes the transaction that the arguments describe: with the sender's next
// nonce, an estimate of its gas on the state that it may meet (both as pending),
// and what fillFees gives.
func (a *API) fill(ctx context.Context, p *callArgs) (*types.Transaction, error) {
	if len(p.Blobs) > 0 && string(p.Blobs) != "null" {
		return nil, errNoBlobs
	}
	if err := a.fillFees(p, a.Chain.Header().BaseFee); err != nil {
		return nil, err
	}
	if p.Nonce == nil {
		p.Nonce = (*hexutil.Uint64)(new(a.Pool.Next(p.from())))
	}
	switch {
	case p.Data != nil && p.Input != nil && !bytes.Equal(*p.Data, *p.Input):
		return nil, jsonrpc.Errorf(`both "data" and "input" are set and not equal. Please use "input" to pass transaction call data`)
	case p.To == nil && p.BlobVersionedHashes != nil:
		return nil, jsonrpc.Errorf(`missing "to" in blob transaction`)
	case p.To == nil && len(p.data()) == 0:
		return nil, jsonrpc.Errorf(`contract creation without any data provided`)
	case p.To == nil && p.AuthorizationList != nil:
		return nil, jsonrpc.Errorf(`authorizationList provided for contract creation, but "to" field is missing`)
	}
	if err := a.checkCall(p); err != nil {
		return nil, err
	}
	if p.Gas == nil {
		gas, err := a.estimate(ctx, &callAt{Args: *p, Block: blockRef{blockNumber: blockNumber{pending: true}}})
		if err != nil {
			return nil, err
		}
		p.Gas = (*hexutil.Uint64)(&gas)
	}
	return p.transaction(a.ChainID, types.DynamicFeeTxType), nil
}

// fillFees adds the prices that are missing: no tip, and twice the base fee, which
// is nothing where gas is free.
func (a *API) fillFees(p *callArgs, baseFee *big.Int) error {
	paid := a.Machine.Rules().Paid
	switch {
	case p.MaxFeePerBlobGas != nil && p.MaxFeePerBlobGas.ToInt().Sign() == 0:
		return jsonrpc.Errorf("maxFeePerBlobGas, if specified, must be non-zero")
	case p.GasPrice != nil && (p.MaxFeePerGas != nil || p.MaxPriorityFeePerGas != nil):
		return errTwoFees
	case p.GasPrice != nil && p.AuthorizationList != nil:
		return jsonrpc.Errorf("both gasPrice and authorizationList specified")
	case p.GasPrice != nil && paid && p.GasPrice.ToInt().Sign() == 0:
		return jsonrpc.Errorf("gasPrice must be non-zero after london fork")
	case p.GasPrice != nil:
		return nil
	case p.MaxFeePerGas != nil && p.MaxPriorityFeePerGas != nil && paid && p.MaxFeePerGas.ToInt().Sign() == 0:
		return jsonrpc.Errorf("maxFeePerGas must be non-zero")
	}
	if p.MaxPriorityFeePerGas == nil {
		p.MaxPriorityFeePerGas = new(hexutil.Big)
	}
	if p.MaxFeePerGas == nil {
		p.MaxFeePerGas = new(hexutil.Big)
		if sum := (*big.Int)(p.MaxFeePerGas); baseFee != nil {
			sum.Add(sum.Lsh(baseFee, 1), p.MaxPriorityFeePerGas.ToInt())
		} else {
			sum.Set(p.MaxPriorityFeePerGas.ToInt())
		}
	}
	if p.MaxFeePerGas.ToInt().Cmp(p.MaxPriorityFeePerGas.ToInt()) < 0 {
		return jsonrpc.Errorf("maxFeePerGas (%v) < maxPriorityFeePerGas (%v)", p.MaxFeePerGas, p.MaxPriorityFeePerGas)
	}
	return nil
}

// transaction is the unsigned transaction that the arguments describe. Nonce and
// gas are there; its type is the given one unless members say another, by geth's
// rules. What needs a recipient has one (checkCall).
func (p *callArgs) transaction(chainID uint64, kind byte) *types.Transaction {
	switch {
	case p.GasPrice != nil && p.AccessList != nil:
		kind = types.AccessListTxType
	case p.GasPrice != nil:
		kind = types.LegacyTxType
	case p.AuthorizationList != nil:
		kind = types.SetCodeTxType
	case p.BlobVersionedHashes != nil:
		kind = types.BlobTxType
	case p.MaxFeePerGas != nil || kind == types.DynamicFeeTxType:
		kind = types.DynamicFeeTxType
	case p.AccessList != nil:
		kind = types.AccessListTxType
	}
	m := p.message(uint64(*p.Gas))
	if m.AccessList == nil {
		m.AccessList = types.AccessList{}
	}
	id := new(big.Int).SetUint64(chainID)
	value, price, tip := m.Value.ToBig(), m.Fees.FeeCap.ToBig(), m.Fees.TipCap.ToBig()
	switch kind {
	case types.SetCodeTxType:
		return types.NewTx(&types.SetCodeTx{
			ChainID: uint256.NewInt(chainID), Nonce: m.Nonce, GasTipCap: &m.Fees.TipCap, GasFeeCap: &m.Fees.FeeCap, Gas: m.Gas,
			To: *m.To, Value: &m.Value, Data: m.Data, AccessList: m.AccessList, AuthList: m.Authorizations,
		})
	case types.BlobTxType:
		return types.NewTx(&types.BlobTx{
			ChainID: uint256.NewInt(chainID), Nonce: m.Nonce, GasTipCap: &m.Fees.TipCap, GasFeeCap: &m.Fees.FeeCap, Gas: m.Gas,
			To: *m.To, Value: &m.Value, Data: m.Data, AccessList: m.AccessList, BlobFeeCap: &m.Fees.BlobCap, BlobHashes: m.BlobHashes,
		})
	case types.DynamicFeeTxType:
		return types.NewTx(&types.DynamicFeeTx{
			ChainID: id, Nonce: m.Nonce, GasTipCap: tip, GasFeeCap: price, Gas: m.Gas, To: m.To, Value: value, Data: m.Data, AccessList: m.AccessList,
		})
	case types.AccessListTxType:
		return types.NewTx(&types.AccessListTx{
			ChainID: id, Nonce: m.Nonce, GasPrice: price, Gas: m.Gas, To: m.To, Value: value, Data: m.Data, AccessList: m.AccessList,
		})
	}
	return types.NewTx(&types.LegacyTx{Nonce: m.Nonce, GasPrice: price, Gas: m.Gas, To: m.To, Value: value, Data: m.Data})
}
