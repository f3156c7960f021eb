package simulated

import (
	"math/big"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/state"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"

	"github.com/coco-consortium/coco/internal/builder/ledger"
)

const gasLimit = 16_000_000

var chainConfig = params.MergedTestChainConfig

// machine is the EVM over a state, in a block.
func machine(s *state.StateDB, number, time uint64, tracer *tracing.Hooks) *vm.EVM {
	random := common.BigToHash(new(big.Int).SetUint64(number))
	block := vm.BlockContext{CanTransfer: core.CanTransfer, Transfer: core.Transfer,
		GetHash: func(uint64) common.Hash { return common.Hash{} }, BlockNumber: new(big.Int).SetUint64(number), Time: time,
		Difficulty: new(big.Int), BaseFee: new(big.Int), BlobBaseFee: new(big.Int), GasLimit: gasLimit, Random: &random}
	return vm.NewEVM(block, s, chainConfig, vm.Config{NoBaseFee: true, Tracer: tracer})
}

func rules(number, time uint64) params.Rules {
	return chainConfig.Rules(new(big.Int).SetUint64(number), true, time)
}

// apply runs a transaction and says what happened in it.
func apply(s *state.StateDB, number, time uint64, tx *types.Transaction, from common.Address) (ledger.Transaction, error) {
	t := ledger.Transaction{Hash: tx.Hash(), From: from, To: tx.To(), Value: tx.Value(), Nonce: tx.Nonce(), Input: tx.Data()}
	var frames recorder
	message, err := core.TransactionToMessage(tx, Signer, new(big.Int))
	if err != nil {
		return t, err
	}
	result, err := core.ApplyMessage(machine(s, number, time, frames.hooks()), message, nil)
	if err != nil {
		return t, err
	}
	s.Finalise(rules(number, time))
	t.Failed, t.Calls = result.Failed(), frames.calls
	if t.Failed {
		t.RevertData = result.Revert()
		t.RevertReason, _ = abi.UnpackRevert(t.RevertData)
	} else if t.To == nil {
		created := t.Calls[0].To
		t.Created = &created
	}
	return t, nil
}

// recorder notes the calls of a transaction.
type recorder struct {
	calls []ledger.CallFrame
	open  []int
}

func (r *recorder) hooks() *tracing.Hooks {
	return &tracing.Hooks{OnEnter: r.enter, OnExit: r.exit}
}

func (r *recorder) enter(depth int, kind byte, from, to common.Address, input []byte, _ uint64, _ *big.Int) {
	f := ledger.CallFrame{Depth: depth, Kind: vm.OpCode(kind).String(), From: from, To: to, Input: common.CopyBytes(input)}
	if f.Kind == "CREATE" || f.Kind == "CREATE2" {
		f.Code, f.Input = f.Input, nil
	}
	r.open = append(r.open, len(r.calls))
	r.calls = append(r.calls, f)
}

func (r *recorder) exit(_ int, _ []byte, _ uint64, err error, _ bool) {
	from := r.open[len(r.open)-1]
	r.open = r.open[:len(r.open)-1]
	if err == nil {
		return
	}
	for i := from; i < len(r.calls); i++ {
		r.calls[i].Failed = true
		if r.calls[i].Code != nil {
			r.calls[i].To = common.Address{}
		}
	}
}

// ask runs a call that changes nothing.
func ask(s *state.StateDB, number, time uint64, call ledger.Call) ledger.Result {
	data, _, err := machine(s.Copy(), number, time, nil).StaticCall(call.From, call.To, call.Data, vm.NewGasBudget(gasLimit, 0))
	if err != nil {
		reason, _ := abi.UnpackRevert(data)
		return ledger.Result{Err: &ledger.Reverted{Reason: reason, Data: data}}
	}
	return ledger.Result{Data: data}
}

// simulate says whether a transaction would fail.
func simulate(s *state.StateDB, number, time uint64, tx *types.Transaction, from common.Address) error {
	evm := machine(s, number, time, nil)
	var data []byte
	var err error
	if tx.To() == nil {
		data, _, _, err = evm.Create(from, tx.Data(), vm.NewGasBudget(tx.Gas(), 0), new(uint256.Int))
	} else {
		data, _, err = evm.Call(from, *tx.To(), tx.Data(), vm.NewGasBudget(tx.Gas(), 0), new(uint256.Int))
	}
	if err != nil {
		reason, _ := abi.UnpackRevert(data)
		return &ledger.Reverted{Reason: reason, Data: data}
	}
	return nil
}
