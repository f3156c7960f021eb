package evm

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"

	"github.com/coco-consortium/coco/internal/kv"
)

// Failure is the error of EstimateGas for a message that fails however much gas
// it has.
type Failure struct {
	Err    error
	Output []byte // the data it reverted with
}

// Error gives the reason that the contract gave, if it gave one.
func (f *Failure) Error() string {
	if reason := RevertReason(f.Output); reason != "" {
		return fmt.Sprintf("%v: %s", f.Err, reason)
	}
	return f.Err.Error()
}

// Unwrap gives the failure that the interpreter reported.
func (f *Failure) Unwrap() error { return f.Err }

// estimateError is how far an estimate may lie above the smallest gas, geth's.
const estimateError = 0.015

// EstimateGas finds the smallest gas with which the message succeeds on the state
// that reader shows, to within 1.5 percent. A message that fails at the most it
// may have (its own gas or else the block's, MaxTransactionGas, what its sender
// can pay, gasCap) is an error: a Failure.
func (m *Machine) EstimateGas(ctx context.Context, reader kv.Reader, b *Block, msg *Message, gasCap uint64) (uint64, error) {
	high, err := m.mostGas(reader, b, msg)
	if err != nil {
		return 0, err
	}
	high = min(high, gasCap)
	s := newState(m.ids, m.codes, nil)
	// try reports whether the message succeeds. Too little gas to begin with is
	// a failure, every other refusal an error.
	try := func(gas uint64) (*Result, bool, error) {
		r, err := m.call(ctx, s, reader, b, msg, gas)
		if errors.Is(err, core.ErrIntrinsicGas) {
			return nil, false, nil
		}
		return r, err == nil && r.Err == nil, worded(err, "failed with %[2]d gas: %[1]s", gas)
	}
	if len(msg.Data) == 0 && msg.To != nil && len(m.View(reader).Code(*msg.To)) == 0 {
		if r, ok, err := try(params.TxGas); err == nil && ok {
			return r.GasUsed, nil
		}
	}
	r, ok, err := try(high)
	switch {
	case err != nil:
		return 0, err
	case ok:
	case r == nil || errors.Is(r.Err, vm.ErrOutOfGas):
		return 0, &Failure{Err: fmt.Errorf("gas required exceeds allowance (%d)", high)}
	default:
		return 0, &Failure{Err: r.Err, Output: r.Output}
	}
	// What an unconstrained run used is a lower bound, but for contracts that
	// look at the gas they have. What it used before refunds, with the part that
	// each call withholds (EIP-150), is usually enough.
	low := r.GasUsed - 1
	narrow := func(guess uint64) error {
		_, ok, err := try(guess)
		if ok {
			high = guess
		} else {
			low = guess
		}
		return err
	}
	if guess := (r.Peak + params.CallStipend) * 64 / 63; guess < high {
		if err := narrow(guess); err != nil {
			return 0, err
		}
	}
	for low+1 < high && float64(high-low)/float64(high) >= estimateError {
		if err := narrow(min(low+(high-low)/2, 2*low)); err != nil {
			return 0, err
		}
	}
	return high, nil
}

// mostGas is the most that a message may ask for in a block.
func (m *Machine) mostGas(reader kv.Reader, b *Block, msg *Message) (uint64, error) {
	high := b.GasLimit
	if msg.Gas >= params.TxGas {
		high = msg.Gas
	}
	if c := b.context(); m.rules.Config.IsOsaka(c.BlockNumber, c.Time) {
		high = min(high, MaxTransactionGas)
	}
	if !m.rules.Paid || msg.Fees.FeeCap.IsZero() {
		return high, nil
	}
	account, _ := m.View(reader).Account(msg.From)
	available := account.Balance
	if !msg.Value.Lt(&available) {
		return 0, refusal(core.ErrInsufficientFundsForTransfer)
	}
	available.Sub(&available, &msg.Value)
	blobs := uint256.NewInt(uint64(len(msg.BlobHashes)) * params.BlobTxBlobGasPerBlob)
	if blobs.Mul(blobs, &msg.Fees.BlobCap); !blobs.IsZero() && !blobs.Lt(&available) {
		return 0, refusal(core.ErrInsufficientFunds)
	}
	available.Sub(&available, blobs)
	if allowance := available.Div(&available, &msg.Fees.FeeCap); allowance.IsUint64() {
		high = min(high, allowance.Uint64())
	}
	return high, nil
}
