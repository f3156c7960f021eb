package evm

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/core"

	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/problem"
)

// ErrCallTimeout says that a call was ended before it had finished.
var ErrCallTimeout = problem.New("CALL_TIMEOUT", "the call was ended before it finished",
	"make a smaller call, or split it")

// RevertReason is the text in revert data that has the form of Solidity's
// Error(string) or Panic(uint256), else "".
func RevertReason(data []byte) string {
	reason, err := abi.UnpackRevert(data)
	if err != nil {
		return ""
	}
	return reason
}

// Call runs a message on the state that reader shows and changes nothing. Neither
// nonce nor the sender's being a contract matters. An error is a refusal, or
// ErrCallTimeout when ctx ended; a failing contract is a Result.
func (m *Machine) Call(ctx context.Context, reader kv.Reader, b *Block, msg *Message) (*Result, error) {
	r, err := m.call(ctx, newState(m.ids, m.codes, nil), reader, b, msg, msg.Gas)
	return r, worded(err, "err: %s (supplied gas %d)", msg.Gas)
}

// call runs a message with other gas than its own. s brings the hooks.
func (m *Machine) call(ctx context.Context, s *State, reader kv.Reader, b *Block, msg *Message, gas uint64) (*Result, error) {
	x := &Executor{machine: m, block: b.context(), hooks: s.hooks, state: s, checks: Lenient, moved: b.Precompiles}
	defer x.Close()
	// Who offers no price pays none, and the contract sees none.
	if msg.Fees.Price(x.block.BaseFee).IsZero() {
		x.block.BaseFee = new(big.Int)
	}
	if msg.BlobHashes != nil && msg.Fees.BlobCap.IsZero() {
		x.block.BlobBaseFee = new(big.Int)
	}
	return x.within(ctx, func() (*Result, error) {
		l, err := x.message(msg)
		if err != nil {
			return nil, err
		}
		l.GasLimit = gas
		return x.run(reader, l, nil)
	})
}

// Try is Apply for a transaction that is only simulated: it ends when ctx does,
// and its refusals are worded as those of calls.
func (x *Executor) Try(ctx context.Context, tx Sink, m *Message) (*Result, error) {
	r, err := x.within(ctx, func() (*Result, error) { return x.Apply(tx, m) })
	return r, worded(err, "err: %s (supplied gas %d)", m.Gas)
}

// within runs what uses the interpreter and ends it when ctx ends.
func (x *Executor) within(ctx context.Context, run func() (*Result, error)) (*Result, error) {
	if ctx.Err() != nil {
		return nil, ErrCallTimeout.From(context.Cause(ctx))
	}
	if x.evm == nil {
		x.evm = x.interpreter()
	}
	e := x.evm
	stop := context.AfterFunc(ctx, e.Cancel)
	defer stop()
	r, err := run()
	if e.Cancelled() {
		return nil, ErrCallTimeout.From(context.Cause(ctx))
	}
	return r, err
}

// offer checks the prices that a message offers where nothing is paid; else the
// library does (EIP-1559). A call may offer none.
func (x *Executor) offer(m *Message) error {
	f := &m.Fees
	switch none := f.FeeCap.IsZero() && f.TipCap.IsZero(); {
	case x.machine.rules.Paid || x.checks == Strict || x.checks == Lenient && none:
	case f.FeeCap.Lt(&f.TipCap):
		return refusal(fmt.Errorf("%w: address %v, maxPriorityFeePerGas: %s, maxFeePerGas: %s", core.ErrTipAboveFeeCap, m.From.Hex(), &f.TipCap, &f.FeeCap))
	case f.FeeCap.CmpBig(x.block.BaseFee) < 0:
		return refusal(fmt.Errorf("%w: address %v, maxFeePerGas: %s, baseFee: %s", core.ErrFeeCapTooLow, m.From.Hex(), &f.FeeCap, x.block.BaseFee))
	}
	return nil
}

// worded puts a refusal into the words that clients know from calls; other errors
// stay as they are.
func worded(err error, format string, gas uint64) error {
	var p *problem.Error
	if !errors.As(err, &p) || p.Code == ErrCallTimeout.Code {
		return err
	}
	c := *p
	c.What = fmt.Sprintf(format, p.What, gas)
	return &c
}
