package api

import (
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"

	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/evm"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// accountOverride is what a call assumes of an account, geth's members. What is
// nil stays as it is.
type accountOverride struct {
	Nonce                   *hexutil.Uint64
	Code                    *hexutil.Bytes
	Balance                 *hexutil.Big
	State                   map[common.Hash]common.Hash // the whole storage
	StateDiff               map[common.Hash]common.Hash // some slots
	MovePrecompileToAddress *common.Address
}

// stateOverrides is what a call assumes of accounts.
type stateOverrides map[common.Address]accountOverride

// blockOverrides is what a call assumes of its block, geth's members. What is nil
// stays as it is.
type blockOverrides struct {
	Number        *hexutil.Big
	Difficulty    *hexutil.Big // without effect: nobody mines
	Time          *hexutil.Uint64
	GasLimit      *hexutil.Uint64
	FeeRecipient  *common.Address
	PrevRandao    *common.Hash
	BaseFeePerGas *hexutil.Big
	BlobBaseFee   *hexutil.Big
	BeaconRoot    *common.Hash // eth_simulateV1 only
	Withdrawals   *withdrawals // eth_simulateV1 only
}

// withdrawals are those of a block, none of them nil.
type withdrawals types.Withdrawals

// UnmarshalJSON reads a list of withdrawals.
func (w *withdrawals) UnmarshalJSON(text []byte) error {
	if err := json.Unmarshal(text, (*types.Withdrawals)(w)); err != nil {
		return err
	}
	if slices.Contains(*w, nil) {
		return errors.New("a withdrawal is null")
	}
	return nil
}

// assume gives the state and the block of a moment under what is assumed of them.
func (a *API) assume(m *moment, accounts stateOverrides, block *blockOverrides) (kv.Reader, *evm.Block, error) {
	b, err := block.apply(m.block)
	if err != nil || len(accounts) == 0 {
		return m, b, err
	}
	b.Precompiles = a.Machine.Precompiles(b)
	o := a.Machine.Overlay(m)
	return o, b, accounts.apply(o, b.Precompiles)
}

// apply gives a copy of b with what is assumed of it.
func (o *blockOverrides) apply(b *evm.Block) (*evm.Block, error) {
	c := *b
	if o == nil {
		return &c, nil
	}
	switch {
	case o.BeaconRoot != nil:
		return nil, jsonrpc.Errorf(`block override "beaconRoot" is not supported for this RPC method`)
	case o.Withdrawals != nil:
		return nil, jsonrpc.Errorf(`block override "withdrawals" is not supported for this RPC method`)
	case o.Number != nil && !o.Number.ToInt().IsUint64():
		return nil, jsonrpc.Errorf(`block override "number" is more than 64 bits`)
	}
	if o.Number != nil {
		c.Number = o.Number.ToInt().Uint64()
	}
	if o.Time != nil {
		c.Time = uint64(*o.Time)
	}
	if o.GasLimit != nil {
		c.GasLimit = uint64(*o.GasLimit)
	}
	if o.FeeRecipient != nil {
		c.Coinbase = *o.FeeRecipient
	}
	if o.PrevRandao != nil {
		c.Random = *o.PrevRandao
	}
	if o.BaseFeePerGas != nil {
		c.BaseFee = (*big.Int)(o.BaseFeePerGas)
	}
	if o.BlobBaseFee != nil {
		c.BlobBaseFee = (*big.Int)(o.BlobBaseFee)
	}
	return &c, nil
}

// apply writes what is assumed of accounts into an overlay and of precompiled
// contracts into precompiles, in the order of addresses and by geth's rules. Nil
// precompiles cannot be moved.
func (s stateOverrides) apply(o *evm.Overlay, precompiles vm.PrecompiledContracts) error {
	moved := make(map[common.Address]bool)
	for _, address := range slices.SortedFunc(maps.Keys(s), common.Address.Cmp) {
		account := s[address]
		if moved[address] {
			return jsonrpc.Errorf("account %s has already been overridden by a precompile", address.Hex())
		}
		contract, precompiled := precompiles[address]
		if to := account.MovePrecompileToAddress; to != nil {
			if !precompiled {
				return jsonrpc.Errorf("account %s is not a precompile", address.Hex())
			}
			if _, ok := s[*to]; ok {
				return jsonrpc.Errorf("account %s is already overridden", to.Hex())
			}
			precompiles[*to] = contract
			moved[*to] = true
		}
		if precompiled {
			delete(precompiles, address)
		}
		if account.State != nil && account.StateDiff != nil {
			return jsonrpc.Errorf("account %s has both 'state' and 'stateDiff'", address.Hex())
		}
		account.apply(o, address)
	}
	return nil
}

func (a *accountOverride) apply(o *evm.Overlay, address common.Address) {
	if a.Nonce == nil && a.Code == nil && a.Balance == nil && a.State == nil && a.StateDiff == nil {
		return
	}
	account := o.Account(address)
	if a.Nonce != nil {
		account.Nonce = uint64(*a.Nonce)
	}
	if a.Balance != nil {
		account.Balance.SetFromBig(a.Balance.ToInt()) // never more than 256 bits
	}
	o.SetAccount(address, account)
	if a.Code != nil {
		o.SetCode(address, *a.Code)
	}
	if a.State != nil {
		o.ClearStorage(address)
	}
	for slot, value := range a.State {
		o.SetStorage(address, slot, value)
	}
	for slot, value := range a.StateDiff {
		o.SetStorage(address, slot, value)
	}
}
