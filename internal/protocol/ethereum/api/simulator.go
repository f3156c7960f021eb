package api

import (
	"context"
	"errors"
	"math"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/consensus/misc/eip4844"
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

// simulator makes the blocks of one simulation, by geth's rules. Blocks have no
// state root: it is zero.
type simulator struct {
	*simulation
	*moment
	api   *API
	state *evm.Overlay
	gas   uint64 // left for all calls
	room  int    // bytes left for what calls return and log
	made  []madeBlock
}

// madeBlock is a block that was simulated, and what became of its calls.
type madeBlock struct {
	*ethereum.Block
	calls []madeCall
}

type madeCall struct {
	output    []byte
	logs      []*types.Log // transfers of ether too, if they are asked for
	gas, peak uint64
	failure   *jsonrpc.Error // nil when it succeeded
}

func (s *simulator) run(ctx context.Context) error {
	steps, err := s.plan()
	if err != nil {
		return err
	}
	for i := range steps {
		if err := s.make(ctx, &steps[i]); err != nil {
			return err
		}
	}
	return nil
}

// step is a block to make with as much of its header as is known before.
type step struct {
	*simulatedBlock
	header *types.Header
}

// blockTime is the seconds between blocks unless the client gives times.
const blockTime = 12

// plan puts the blocks in a row: gaps between their numbers are filled with empty
// blocks, times rise.
func (s *simulator) plan() ([]step, error) {
	var steps []step
	base := s.base.Header
	one, most := big.NewInt(1), new(big.Int).Add(base.Number, big.NewInt(simulatedBlocks))
	last := base
	add := func(b *simulatedBlock, number *big.Int, time uint64) (err error) {
		last, err = s.header(last, number, time, &b.BlockOverrides)
		steps = append(steps, step{b, last})
		return err
	}
	for i := range s.BlockStateCalls {
		b := &s.BlockStateCalls[i]
		number := new(big.Int).Add(last.Number, one)
		if n := b.BlockOverrides.Number; n != nil {
			number = n.ToInt()
		}
		switch {
		case number.Cmp(last.Number) <= 0:
			return nil, simulationError(codeBlockNumber, "block numbers must be in order: %d <= %d", number, last.Number)
		case number.Cmp(most) > 0:
			return nil, errTooManyBlocks
		}
		for next := new(big.Int).Add(last.Number, one); next.Cmp(number) < 0; next = new(big.Int).Add(next, one) {
			if err := add(new(simulatedBlock), next, last.Time+blockTime); err != nil {
				return nil, err
			}
		}
		time := last.Time + blockTime
		if t := b.BlockOverrides.Time; t != nil {
			time = uint64(*t)
		}
		if time <= last.Time {
			return nil, simulationError(codeBlockTime, "block timestamps must be in order: %d <= %d", time, last.Time)
		}
		if err := add(b, number, time); err != nil {
			return nil, err
		}
	}
	return steps, nil
}

// header is the header after another, without what its transactions give.
func (s *simulator) header(parent *types.Header, number *big.Int, time uint64, o *blockOverrides) (*types.Header, error) {
	h := &types.Header{
		UncleHash: types.EmptyUncleHash, Number: number, Time: time,
		Coinbase: parent.Coinbase, Difficulty: parent.Difficulty, GasLimit: parent.GasLimit,
	}
	config := s.api.Machine.Rules().Config
	if config.IsPostMerge(number.Uint64(), time) {
		h.Difficulty = new(big.Int)
	}
	if o.Difficulty != nil {
		if h.Difficulty.Sign() == 0 {
			return nil, jsonrpc.InvalidParams("block %d: difficulty override is not allowed after the merge", number)
		}
		h.Difficulty = o.Difficulty.ToInt()
	}
	if config.IsCancun(number, time) {
		h.ParentBeaconRoot = new(common.Hash)
		if o.BeaconRoot != nil {
			h.ParentBeaconRoot = o.BeaconRoot
		}
	}
	if o.GasLimit != nil {
		h.GasLimit = uint64(*o.GasLimit)
	}
	if o.FeeRecipient != nil {
		h.Coinbase = *o.FeeRecipient
	}
	if o.PrevRandao != nil {
		h.MixDigest = *o.PrevRandao
	}
	h.BaseFee = (*big.Int)(o.BaseFeePerGas)
	return h, nil
}

// last is the header on which the next block stands.
func (s *simulator) last() *types.Header {
	if n := len(s.made); n > 0 {
		return s.made[n-1].Header
	}
	return s.base.Header
}

// hash is the hash of a block, simulated ones included.
func (s *simulator) hash(number uint64) common.Hash {
	base := s.base.Number()
	switch {
	case number < base:
		return s.block.Hash(number)
	case number == base:
		return s.base.Hash
	case number-base <= uint64(len(s.made)):
		return s.made[number-base-1].Hash
	}
	return common.Hash{}
}

// make makes a block.
func (s *simulator) make(ctx context.Context, st *step) error {
	h, parent, rules := st.header, s.last(), s.api.Machine.Rules()
	h.ParentHash = s.hash(parent.Number.Uint64())
	if h.BaseFee == nil && rules.Config.IsLondon(h.Number) {
		h.BaseFee = new(big.Int)
		if s.Validation {
			h.BaseFee = s.api.nextBaseFee(parent)
		}
	}
	if rules.Config.IsCancun(h.Number, h.Time) {
		h.ExcessBlobGas = new(uint64)
		if rules.Config.IsCancun(parent.Number, parent.Time) {
			*h.ExcessBlobGas = eip4844.CalcExcessBlobGas(rules.Config, parent, h.Time)
		}
	}
	b := s.api.Machine.Block(h, s.hash)
	if fee := st.BlockOverrides.BlobBaseFee; fee != nil {
		b.BlobBaseFee = fee.ToInt()
	}
	b.Precompiles = s.api.Machine.Precompiles(b)
	if err := st.StateOverrides.apply(s.state, b.Precompiles); err != nil {
		return err
	}
	checks := evm.Lenient
	if s.Validation {
		checks = evm.Simulated
	}
	w := &work{simulator: s, header: h, logs: &logTracer{transfers: s.TraceTransfers, number: h.Number.Uint64(), time: h.Time}}
	w.x = s.api.Machine.Simulator(b, w.logs.hooks(), checks)
	defer w.x.Close()
	err := w.x.System(s.state, func(e *vm.EVM) error {
		core.PreExecution(ctx, h.ParentBeaconRoot, parent, rules.Config, e, h.Number, h.Time)
		return nil
	})
	if err != nil {
		return err
	}
	for i := range st.Calls {
		if err := w.call(ctx, &st.Calls[i]); err != nil {
			return err
		}
	}
	return w.end(ctx, st)
}

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
		if c.failure.Code != 3 {
			c.failure.Code = codeCallFailed
		}
		if limited && c.failure.Code != 3 {
			c.failure.Message += " (gas limit was capped by the RPC server's global gas cap)"
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
			body.Withdrawals = *list
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

// requests pays withdrawals and collects the block's requests (EIP-7685). The
// contracts that give them are asked where they are; on this ledger they are not.
func (w *work) requests(ctx context.Context, withdrawals types.Withdrawals) (requests [][]byte, err error) {
	var logs []*types.Log
	for i := range w.calls {
		logs = append(logs, w.calls[i].logs...)
	}
	h, there := w.header, w.state.Account(params.WithdrawalQueueAddress).CodeHash != types.EmptyCodeHash
	err = w.x.System(w.state, func(e *vm.EVM) error {
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
