package api

import (
	"context"
	"errors"
	"math"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/trie"

	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/evm"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// work is a block in the making.
type work struct {
	*simulator
	header       *types.Header
	x            *evm.Executor
	logs         *logTracer
	transactions types.Transactions
	senders      []common.Address
	receipts     types.Receipts
	calls        []madeCall
	used, blobs  uint64 // gas so far
}

// call runs a call as the block's next transaction.
func (w *work) call(ctx context.Context, p *callArgs) error {
	limited, err := w.complete(p)
	if err != nil {
		return err
	}
	tx := p.transaction(w.api.ChainID, types.DynamicFeeTxType)
	msg := p.message(uint64(*p.Gas))
	w.logs.begin(tx.Hash(), uint(len(w.calls)))
	r, err := w.x.Try(ctx, w.state, msg)
	if err != nil {
		return simulationRefusal(err)
	}
	c := madeCall{output: r.Output, logs: w.logs.logs, gas: r.GasUsed, peak: r.Peak}
	if r.Err != nil {
		c.output, c.failure = nil, failure(r.Err, r.Output)
		if !r.Reverted() {
			c.failure.Code = codeCallFailed
			if limited {
				c.failure.Message += " (gas limit was capped by the RPC server's global gas cap)"
			}
		}
	}
	w.gas -= r.GasUsed
	w.used += r.GasUsed
	if w.room -= c.size(); w.room < 0 {
		return &jsonrpc.Error{Code: jsonrpc.CodeTooLarge, Message: "response too large"}
	}
	receipt := &types.Receipt{
		Type: tx.Type(), CumulativeGasUsed: w.used, Logs: r.Logs,
		TxHash: tx.Hash(), GasUsed: r.GasUsed, EffectiveGasPrice: msg.Fees.Price(w.header.BaseFee).ToBig(),
	}
	if r.Err == nil {
		receipt.Status = types.ReceiptStatusSuccessful
	}
	receipt.Bloom = types.CreateBloom(receipt)
	w.blobs += uint64(len(msg.BlobHashes)) * params.BlobTxBlobGasPerBlob
	w.transactions = append(w.transactions, tx)
	w.senders = append(w.senders, msg.From)
	w.receipts = append(w.receipts, receipt)
	w.calls = append(w.calls, c)
	return nil
}

// complete fills in what a call does not say, and reports whether its gas was cut
// to what is left for all calls.
func (w *work) complete(p *callArgs) (limited bool, err error) {
	nonce := w.state.Account(p.from()).Nonce
	if p.Nonce == nil {
		p.Nonce = (*hexutil.Uint64)(&nonce)
	}
	left := w.header.GasLimit - w.used
	if p.Gas == nil {
		p.Gas = (*hexutil.Uint64)(&left)
	}
	if want := uint64(*p.Gas); want > left {
		return false, simulationError(codeBlockFull, "block gas limit reached: remaining: %d, required: %d", left, want)
	}
	limited = uint64(*p.Gas) > w.gas
	p.Gas = new(hexutil.Uint64(min(uint64(*p.Gas), w.gas)))
	if err := w.api.checkCall(p); err != nil {
		return false, err
	}
	switch {
	case w.header.BaseFee != nil:
		if p.MaxFeePerGas == nil {
			p.MaxFeePerGas = new(hexutil.Big)
		}
	case p.MaxFeePerGas != nil || p.MaxPriorityFeePerGas != nil:
		return false, jsonrpc.Errorf("maxFeePerGas and maxPriorityFeePerGas are not valid before London is active")
	case p.GasPrice == nil:
		p.GasPrice = new(hexutil.Big)
	}
	if !w.Validation && nonce == math.MaxUint64 {
		return false, simulationError(jsonrpc.CodeInternal, "%v: address %v, nonce: %d", core.ErrNonceMax, p.from().Hex(), nonce)
	}
	return limited, nil
}

// size is about the bytes of a call that are kept until the answer.
func (c *madeCall) size() int {
	n := 200 + len(c.output)
	if c.failure != nil {
		data, _ := c.failure.Data.(string)
		n += len(data) / 2
	}
	for _, l := range c.logs {
		n += 250 + 32*len(l.Topics) + len(l.Data)
	}
	return n
}

// end completes the block.
func (w *work) end(ctx context.Context, st *step) error {
	h, config := w.header, w.api.Machine.Rules().Config
	h.GasUsed = w.used
	if config.IsCancun(h.Number, h.Time) {
		h.BlobGasUsed = &w.blobs
	}
	body := &types.Body{Transactions: w.transactions}
	if config.IsShanghai(h.Number, h.Time) {
		body.Withdrawals = types.Withdrawals{}
		if list := st.BlockOverrides.Withdrawals; list != nil {
			body.Withdrawals = types.Withdrawals(*list)
		}
	}
	requests, err := w.requests(ctx, body.Withdrawals)
	if err != nil {
		return err
	}
	if config.IsPrague(h.Number, h.Time) {
		h.RequestsHash = new(types.CalcRequestsHash(requests))
	}
	block := types.NewBlock(h, body, w.receipts, trie.NewListHasher())
	made := &ethereum.Block{Header: block.Header(), Hash: block.Hash(), Receipts: w.receipts, Withdrawals: body.Withdrawals, Size: block.Size()}
	for i, tx := range w.transactions {
		made.Transactions = append(made.Transactions, &ethereum.Transaction{Transaction: tx, From: w.senders[i]})
	}
	for i := range w.calls {
		for _, l := range w.calls[i].logs {
			l.BlockHash = made.Hash
		}
	}
	w.made = append(w.made, madeBlock{made, w.calls})
	return nil
}

// system runs the calls with which a block begins or ends. The code that they meet
// may be assumed, so their gas is bounded: apart from that of the client's calls,
// which as with geth is not less for them.
func (w *work) system(ctx context.Context, run func(*vm.EVM) error) error {
	before := w.logs.gas
	if err := w.x.System(ctx, w.state, run); err != nil {
		return err
	}
	used := w.logs.gas - before
	if used > w.around {
		return simulationError(codeLimitExceeded, "the calls that begin and end blocks use too much gas: %d > %d", used, w.around)
	}
	w.around -= used
	return nil
}

// requests pays withdrawals and collects the block's requests (EIP-7685). The
// contracts that give them are asked where they are; on this ledger they are not.
func (w *work) requests(ctx context.Context, withdrawals types.Withdrawals) (requests [][]byte, err error) {
	var logs []*types.Log
	for i := range w.calls {
		logs = append(logs, w.calls[i].logs...)
	}
	h, there := w.header, w.state.Account(params.WithdrawalQueueAddress).CodeHash != types.EmptyCodeHash
	err = w.system(ctx, func(e *vm.EVM) error {
		if !there {
			core.ProcessWithdrawals(withdrawals, e, 0, nil)
			return nil
		}
		requests, _, err = core.PostExecution(ctx, w.api.Machine.Rules().Config, h.Number, h.Time, logs, withdrawals, e, uint32(len(w.calls)+1))
		if err != nil {
			return jsonrpc.Errorf("%v", err)
		}
		return nil
	})
	return requests, err
}

// simulationRefusal gives a refused call geth's code.
func simulationRefusal(err error) error {
	var p *problem.Error
	if !errors.As(err, &p) || p.Code == evm.ErrCallTimeout.Code {
		return err
	}
	code := jsonrpc.CodeInternal
	for _, known := range []struct {
		err  error
		code int
	}{
		{core.ErrNonceTooHigh, codeNonceTooHigh},
		{core.ErrNonceTooLow, codeNonceTooLow},
		{core.ErrSenderNoEOA, codeSenderIsContract},
		{core.ErrTipAboveFeeCap, jsonrpc.CodeInvalidParams},
		{core.ErrFeeCapTooLow, codeBaseFeeTooLow},
		{core.ErrInsufficientFunds, codeNoFunds},
		{core.ErrInsufficientFundsForTransfer, codeNoFunds},
		{core.ErrIntrinsicGas, codeIntrinsicGas},
		{vm.ErrMaxInitCodeSizeExceeded, codeInitCodeTooLarge},
	} {
		if errors.Is(err, known.err) {
			code = known.code
		}
	}
	return &jsonrpc.Error{Code: code, Message: p.What}
}
