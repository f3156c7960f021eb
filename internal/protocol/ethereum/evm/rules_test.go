package evm

import (
	"context"
	"errors"
	"math/big"
	"runtime"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"

	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/problem"
)

// ruled is a machine with rules of its own and one open block, in which payer has
// funds.
func ruled(t *testing.T, rules Rules, b *Block) (*Executor, *kv.Tx, View) {
	t.Helper()
	store, err := kv.New(Tables()...)
	if err != nil {
		t.Fatal(err)
	}
	m, err := NewRules(store, rules)
	if err != nil {
		t.Fatal(err)
	}
	block, err := store.Begin(0)
	if err != nil {
		t.Fatal(err)
	}
	x := m.Executor(b, nil)
	t.Cleanup(x.Close)
	tx := block.Tx()
	if err := x.System(context.Background(), tx, func(e *vm.EVM) error {
		e.StateDB.AddBalance(payer, uint256.NewInt(funds), tracing.BalanceChangeUnspecified)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return x, tx, m.View(tx)
}

var payer, miner, payee = common.Address{1}, common.Address{2}, common.Address{3}

const funds = 1e9

func (v View) balance(address common.Address) uint64 {
	a, _ := v.Account(address)
	return a.Balance.Uint64()
}

func TestPaidGas(t *testing.T) {
	b := testBlock()
	b.Coinbase, b.BaseFee = miner, big.NewInt(7)
	transfer := func(feeCap, tipCap uint64) *Message {
		m := &Message{From: payer, To: &payee, Gas: 21000, Value: *uint256.NewInt(5)}
		m.Fees = Fees{FeeCap: *uint256.NewInt(feeCap), TipCap: *uint256.NewInt(tipCap)}
		return m
	}
	for _, test := range []struct {
		feeCap, tipCap uint64
		paid           bool
		cost, tip      uint64 // for each gas
	}{
		{feeCap: 100, tipCap: 3, paid: true, cost: 10, tip: 3},
		{feeCap: 9, tipCap: 3, paid: true, cost: 9, tip: 2},
		{feeCap: 7, tipCap: 7, paid: true, cost: 7},
		{feeCap: 100, tipCap: 3},
	} {
		x, tx, view := ruled(t, Rules{Config: osaka(chainID), Paid: test.paid}, b)
		if _, err := x.Apply(tx, transfer(test.feeCap, test.tipCap)); err != nil {
			t.Fatal(err)
		}
		if got, want := view.balance(payer), uint64(funds-5-21000*test.cost); got != want {
			t.Errorf("%+v: the sender has %d, want %d", test, got, want)
		}
		if got, want := view.balance(miner), 21000*test.tip; got != want {
			t.Errorf("%+v: the coinbase has %d, want %d", test, got, want)
		}
	}

	x, tx, view := ruled(t, Rules{Config: osaka(chainID), Paid: true}, b)
	for _, test := range []struct {
		feeCap, tipCap uint64
		code           problem.Code
	}{
		{6, 0, "FEES"}, {8, 9, "FEES"}, {1e9, 0, "INSUFFICIENT_FUNDS"},
	} {
		if _, err := x.Apply(tx, transfer(test.feeCap, test.tipCap)); problem.CodeOf(err) != test.code {
			t.Errorf("%+v: %v", test, err)
		}
	}
	if view.balance(payer) != funds {
		t.Error("who is refused has paid")
	}
}

func TestPaidBlobs(t *testing.T) {
	b := testBlock()
	b.BaseFee, b.BlobBaseFee = new(big.Int), big.NewInt(3)
	m := &Message{From: payer, To: &payee, Gas: 21000, BlobHashes: []common.Hash{{1}}, Fees: Fees{BlobCap: *uint256.NewInt(4)}}
	x, tx, view := ruled(t, Rules{Config: osaka(chainID), Paid: true}, b)
	if _, err := x.Apply(tx, m); err != nil {
		t.Fatal(err)
	}
	if got, want := view.balance(payer), uint64(funds-3*params.BlobTxBlobGasPerBlob); got != want {
		t.Errorf("the sender has %d, want %d", got, want)
	}
}

// TestBlockOfHeader makes sure that contracts see what a header says: before the
// merge its difficulty, then its random value.
func TestBlockOfHeader(t *testing.T) {
	work := Rules{Config: params.TestChainConfig} // London, proof of work
	returned := func(rules Rules, h *types.Header, op vm.OpCode) common.Hash {
		t.Helper()
		x, tx, _ := ruled(t, rules, testBlock())
		y := x.machine.Executor(x.machine.Block(h, nil), nil)
		defer y.Close()
		code := []byte{byte(op), byte(vm.PUSH1), 0, byte(vm.MSTORE), byte(vm.PUSH1), 32, byte(vm.PUSH1), 0, byte(vm.RETURN)}
		if err := y.System(context.Background(), tx, func(e *vm.EVM) error {
			e.StateDB.SetCode(payee, code, tracing.CodeChangeUnspecified)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		r, err := y.Apply(tx, &Message{From: payer, To: &payee, Gas: 100_000})
		if err != nil || r.Err != nil {
			t.Fatal(err, r)
		}
		return common.BytesToHash(r.Output)
	}
	excess := uint64(50_000_000)
	h := &types.Header{
		Number: big.NewInt(1), Time: 9, GasLimit: 1e6, Difficulty: big.NewInt(77), MixDigest: common.Hash{8}, Coinbase: miner, BaseFee: big.NewInt(0),
	}
	if got := returned(work, h, vm.DIFFICULTY); got != common.BigToHash(big.NewInt(77)) {
		t.Errorf("DIFFICULTY is %v", got)
	}
	if got := returned(work, h, vm.COINBASE); got != common.BytesToHash(miner[:]) {
		t.Errorf("COINBASE is %v", got)
	}
	h.Difficulty, h.ExcessBlobGas = new(big.Int), &excess
	if got := returned(Rules{Config: osaka(chainID)}, h, vm.PREVRANDAO); got != h.MixDigest {
		t.Errorf("PREVRANDAO is %v", got)
	}
	if got := returned(Rules{Config: osaka(chainID)}, h, vm.BLOBBASEFEE); got.Big().Uint64() <= 1 {
		t.Errorf("BLOBBASEFEE is %v", got)
	}
}

func TestSystemThatFails(t *testing.T) {
	x, tx, view := ruled(t, Rules{Config: osaka(chainID)}, testBlock())
	broken := errors.New("broken")
	err := x.System(context.Background(), tx, func(e *vm.EVM) error {
		e.StateDB.AddBalance(payee, uint256.NewInt(1), tracing.BalanceChangeUnspecified)
		return broken
	})
	if !errors.Is(err, broken) || view.balance(payee) != 0 {
		t.Errorf("%v, and %d was written", err, view.balance(payee))
	}
}

func TestPrice(t *testing.T) {
	most := new(uint256.Int).SetAllOne()
	for _, test := range []struct {
		fees    Fees
		baseFee *big.Int
		want    *uint256.Int
	}{
		{Fees{}, nil, new(uint256.Int)},
		{Fees{FeeCap: *uint256.NewInt(9), TipCap: *uint256.NewInt(9)}, nil, uint256.NewInt(9)}, // before London
		{Fees{FeeCap: *uint256.NewInt(9), TipCap: *uint256.NewInt(2)}, big.NewInt(5), uint256.NewInt(7)},
		{Fees{FeeCap: *uint256.NewInt(6), TipCap: *uint256.NewInt(2)}, big.NewInt(5), uint256.NewInt(6)},
		{Fees{FeeCap: *most, TipCap: *most}, big.NewInt(5), most},
	} {
		if got := test.fees.Price(test.baseFee); !got.Eq(test.want) {
			t.Errorf("%+v on %v: %v, want %v", test.fees, test.baseFee, got, test.want)
		}
	}
}

// What is no transaction ends with its context, and nothing of it is written.
func TestSystemTimeout(t *testing.T) {
	x, tx, view := ruled(t, Rules{Config: osaka(1)}, testBlock())
	ctx, cancel := context.WithCancel(t.Context())
	pay := func(e *vm.EVM) error {
		e.StateDB.AddBalance(payee, uint256.NewInt(1), tracing.BalanceChangeUnspecified)
		cancel()
		for !e.Cancelled() {
			runtime.Gosched()
		}
		return nil
	}
	for range 2 { // the second does not begin
		if err := x.System(ctx, tx, pay); !errors.Is(err, ErrCallTimeout) || view.balance(payee) != 0 {
			t.Errorf("%v, and %d were paid", err, view.balance(payee))
		}
	}
	if err := x.System(t.Context(), tx, func(*vm.EVM) error { return nil }); err != nil {
		t.Errorf("the next: %v", err)
	}
}
