package evm

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/params"

	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/problem"
)

// ErrCallTimeout says that a call was ended before it had finished.
var ErrCallTimeout = problem.New("CALL_TIMEOUT", "the call was ended before it finished",
	"make a smaller call, or split it")

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

// RevertReason is the text in revert data that has the form of Solidity's
// Error(string) or Panic(uint256), else "".
func RevertReason(data []byte) string {
	reason, err := abi.UnpackRevert(data)
	if err != nil {
		return ""
	}
	return reason
}

// Call runs a message on the state that reader shows and changes nothing. Gas is
// cut to gasCap, and is gasCap when the message names none. Neither nonce nor the
// sender's being a contract matters. An error is a refusal, or ErrCallTimeout
// when ctx ended; a failing contract is a Result.
func (m *Machine) Call(ctx context.Context, reader kv.Reader, b *Block, msg *Message, gasCap uint64) (*Result, error) {
	gas := gasCap
	if msg.Gas > 0 {
		gas = min(msg.Gas, gasCap)
	}
	return m.call(ctx, newState(m.ids, m.codes, nil), reader, b, msg, gas)
}

func (m *Machine) call(ctx context.Context, s *State, reader kv.Reader, b *Block, msg *Message, gas uint64) (*Result, error) {
	x := &Executor{machine: m, block: b.context(), state: s, checks: Lenient, moved: b.Precompiles}
	l := x.message(msg)
	l.GasLimit = gas
	// Who offers no price pays none, and the contract sees none.
	if l.GasPrice.IsZero() {
		x.block.BaseFee = new(big.Int)
	}
	if l.BlobGasFeeCap != nil && l.BlobGasFeeCap.IsZero() {
		x.block.BlobBaseFee = new(big.Int)
	}
	x.evm = x.interpreter()
	defer x.Close()
	stop := context.AfterFunc(ctx, x.evm.Cancel)
	defer stop()
	e := x.evm
	r, err := x.run(reader, l, nil)
	if e.Cancelled() {
		return nil, ErrCallTimeout.From(context.Cause(ctx))
	}
	return r, err
}

// EstimateGas finds the smallest gas with which the message succeeds on the state
// that reader shows, to within 1.5 percent. A message that fails at the most it
// may have (its own gas, MaxTransactionGas, gasCap) is an error: a Failure.
func (m *Machine) EstimateGas(ctx context.Context, reader kv.Reader, b *Block, msg *Message, gasCap uint64) (uint64, error) {
	high := min(gasCap, MaxTransactionGas)
	if msg.Gas >= params.TxGas {
		high = min(high, msg.Gas)
	}
	s := newState(m.ids, m.codes, nil)
	// try reports whether the message succeeds. Too little gas to begin with is
	// a failure, every other refusal an error.
	try := func(gas uint64) (*Result, bool, error) {
		r, err := m.call(ctx, s, reader, b, msg, gas)
		if err != nil && problem.CodeOf(err) == intrinsicGas {
			return nil, false, nil
		}
		return r, err == nil && r.Err == nil, err
	}
	if len(msg.Data) == 0 && msg.To != nil && len(m.View(reader).Code(*msg.To)) == 0 && high >= params.TxGas {
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
	for guess := (r.peak + params.CallStipend) * 64 / 63; low+1 < high; guess = (low + high) / 2 {
		if (high-low)*200/high < 3 {
			break
		}
		guess = max(min(guess, high-1, 2*low), low+1)
		_, ok, err := try(guess)
		switch {
		case err != nil:
			return 0, err
		case ok:
			high = guess
		default:
			low = guess
		}
	}
	return high, nil
}
