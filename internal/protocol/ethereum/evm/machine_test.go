package evm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"

	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/test/contracts"
)

const chainID = 49344

// rig is a machine on a store with one open block.
type rig struct {
	*Machine
	store *kv.Store
	block *kv.Block
	x     *Executor
}

func newRig(t testing.TB) *rig {
	t.Helper()
	store, err := kv.New(Tables()...)
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(store, chainID)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{Machine: m, store: store, x: m.Executor(testBlock(), nil)}
	t.Cleanup(r.x.Close)
	if r.block, err = store.Begin(0); err != nil {
		t.Fatal(err)
	}
	return r
}

func testBlock() *Block {
	return &Block{Number: 1, Time: 1000, GasLimit: 30_000_000, Random: common.Hash{7}, Hash: func(uint64) common.Hash { return common.Hash{} }}
}

// apply runs a message as a committed transaction.
func (r *rig) apply(t testing.TB, m *Message) *Result {
	t.Helper()
	tx := r.block.Tx()
	a, _ := r.View(tx).Account(m.From)
	m.Nonce = a.Nonce
	if m.Gas == 0 {
		m.Gas = 5_000_000
	}
	result, err := r.x.Apply(tx, m)
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return result
}

func (r *rig) deploy(t testing.TB, from common.Address, code []byte) common.Address {
	t.Helper()
	result := r.apply(t, &Message{From: from, Data: code})
	if result.Err != nil {
		t.Fatal(result.Err)
	}
	return *result.Created
}

// returning is init code that deploys code.
func returning(code []byte) []byte {
	var a assembler
	a.memory(code)
	a.push(uint64(len(code)))
	a.push(0)
	a.op(vm.RETURN)
	return a
}

var alice, bob = common.Address{0xa1}, common.Address{0xb0}

// Whatever the journal undoes is as it was before.
func TestRevert(t *testing.T) {
	r := newRig(t)
	code := []byte{1, 2, 3}
	contract := r.deploy(t, alice, returning(code))
	key, other := common.Hash{1}, common.Hash{2}
	s := newState(r.ids, r.codes, nil)
	see := func() string {
		var seen []any
		for _, a := range []common.Address{alice, bob, contract, ripemd} {
			value, committed := s.GetStateAndCommittedState(a, key)
			warm, slotWarm := s.SlotInAccessList(a, key)
			seen = append(seen, s.Exist(a), s.Empty(a), s.GetBalance(a).Dec(), s.GetNonce(a), s.GetCodeHash(a), s.GetCode(a), value, committed,
				s.GetTransientState(a, key), warm, slotWarm, s.IsNewContract(a), s.HasSelfDestructed(a), s.AddressInAccessList(a))
		}
		return fmt.Sprint(append(seen, s.GetRefund(), len(s.logs)))
	}
	reason := tracing.BalanceChangeUnspecified
	changes := map[string]func(){
		"balance up":   func() { s.AddBalance(contract, uint256.NewInt(5), reason) },
		"balance down": func() { s.SubBalance(alice, uint256.NewInt(5), reason) },
		"new account":  func() { s.AddBalance(bob, uint256.NewInt(5), reason) },
		"create":       func() { s.CreateAccount(bob); s.CreateContract(bob) },
		"nonce":        func() { s.SetNonce(alice, 9, tracing.NonceChangeUnspecified) },
		"code":         func() { s.SetCode(alice, []byte{9}, tracing.CodeChangeUnspecified) },
		"code again":   func() { s.SetCode(contract, []byte{9}, tracing.CodeChangeUnspecified) },
		"no code":      func() { s.SetCode(contract, nil, tracing.CodeChangeUnspecified) },
		"slot":         func() { s.SetState(contract, key, other) },
		"transient":    func() { s.SetTransientState(contract, key, other) },
		"destroy":      func() { s.SelfDestruct(contract) },
		"refund":       func() { s.AddRefund(5); s.SubRefund(2) },
		"log":          func() { s.AddLog(&types.Log{}) },
		"warm address": func() { s.AddAddressToAccessList(bob) },
		"warm slot":    func() { s.AddSlotToAccessList(bob, key) },
		"touch":        func() { s.AddBalance(bob, new(uint256.Int), reason) },
	}
	for name, change := range changes {
		s.begin(r.store.Speculative())
		s.SetTransientState(contract, key, common.Hash{5})
		s.SetState(contract, key, common.Hash{5})
		before := see()
		outer := s.Snapshot()
		change()
		during, inner := see(), s.Snapshot()
		for _, again := range changes {
			again()
		}
		s.RevertToSnapshot(inner)
		if see() != during {
			t.Errorf("%s: the inner revert left\n%s\nnot\n%s", name, see(), during)
		}
		if name != "touch" && during == before {
			t.Errorf("%s changes nothing", name)
		}
		s.RevertToSnapshot(outer)
		if see() != before {
			t.Errorf("%s: the outer revert left\n%s\nnot\n%s", name, see(), before)
		}
	}
}

// The kv transaction holds exactly what was read and written.
func TestReadAndWriteSets(t *testing.T) {
	r := newRig(t)
	store := assembler{}
	store.op(vm.PUSH1, 0, vm.SLOAD, vm.PUSH1, 1, vm.ADD, vm.PUSH1, 0, vm.SSTORE, vm.PUSH1, 7, vm.SLOAD, vm.POP)
	contract := r.deploy(t, alice, returning(store))
	tx := r.block.Tx()
	if _, err := r.x.Apply(tx, &Message{From: alice, To: &contract, Nonce: 1, Gas: 100_000}); err != nil {
		t.Fatal(err)
	}
	var writes, reads []string
	for _, w := range tx.Writes() {
		writes = append(writes, fmt.Sprintf("%s %x=%x", r.store.Name(w.Table), w.Key, w.Value))
	}
	for _, read := range tx.Reads() {
		if read.Table != r.ids.code {
			reads = append(reads, fmt.Sprintf("%s %x %v", r.store.Name(read.Table), read.Key, read.Found))
		}
	}
	wantWrites := []string{
		fmt.Sprintf("eth.accounts %x=%x", alice, []byte{2, 0}),
		fmt.Sprintf("eth.storage %x%x=%x", contract, common.Hash{}, []byte{1}),
	}
	if fmt.Sprint(writes) != fmt.Sprint(wantWrites) {
		t.Errorf("writes %v, want %v", writes, wantWrites)
	}
	if len(reads) != 5 { // coinbase, sender, contract, two slots
		t.Errorf("reads %v", reads)
	}
}

// A contract that ends in the transaction that makes it leaves nothing; another
// one loses its balance only (EIP-6780).
func TestSelfDestruct(t *testing.T) {
	r := newRig(t)
	destroy := assembler{}
	destroy.push(1)
	destroy.push(1)
	destroy.op(vm.SSTORE)
	destroy.address(bob)
	destroy.op(vm.SELFDESTRUCT)
	r.grant(t, alice, 100)

	gone := r.apply(t, &Message{From: alice, Data: destroy, Value: *uint256.NewInt(7)})
	if a, ok := r.View(r.store.Speculative()).Account(*gone.Created); ok {
		t.Errorf("the contract is still there: %+v", a)
	}
	if v := r.View(r.store.Speculative()).Storage(*gone.Created, common.BigToHash(common.Big1)); v != (common.Hash{}) {
		t.Errorf("its slot is still there: %v", v)
	}
	stays := r.deploy(t, alice, returning(destroy))
	r.apply(t, &Message{From: alice, To: &stays, Value: *uint256.NewInt(8)})
	v := r.View(r.store.Speculative())
	if a, ok := v.Account(stays); !ok || !a.Balance.IsZero() || len(v.Code(stays)) == 0 {
		t.Errorf("an older contract became %+v", a)
	}
	if a, _ := v.Account(bob); a.Balance.Uint64() != 15 {
		t.Errorf("the heir has %v", a.Balance.Dec())
	}
}

// grant gives an account money, which no transaction can make.
func (r *rig) grant(t testing.TB, address common.Address, wei uint64) {
	t.Helper()
	tx := r.block.Tx()
	a, _ := r.View(tx).Account(address)
	a.Balance = *uint256.NewInt(wei)
	if err := tx.Put(r.ids.accounts, address[:], AppendAccount(nil, &a)); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

func TestCall(t *testing.T) {
	r := newRig(t)
	token := r.deploy(t, alice, contracts.Token.Deploy("Token", "TOK", big.NewInt(100)))
	reader := r.store.Speculative()
	ctx := t.Context()
	call := func(from common.Address, data []byte) *Result {
		t.Helper()
		result, err := r.Call(ctx, reader, testBlock(), &Message{From: from, To: &token, Gas: 1_000_000, Data: data})
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	if got := call(bob, contracts.Token.Call("balanceOf", alice)); new(big.Int).SetBytes(got.Output).Int64() != 100 {
		t.Errorf("balance %x", got.Output)
	}
	if got := call(alice, contracts.Token.Call("transfer", bob, big.NewInt(60))); got.Err != nil || len(got.Logs) != 1 {
		t.Errorf("transfer: %v", got.Err)
	}
	if got := call(alice, contracts.Token.Call("transfer", bob, big.NewInt(60))); got.Err != nil {
		t.Error("a call changed the state")
	}
	if got := call(bob, contracts.Token.Call("transfer", alice, big.NewInt(1))); !got.Reverted() || RevertReason(got.Output) != "transfer amount exceeds balance" {
		t.Errorf("revert: %v %q", got.Err, RevertReason(got.Output))
	}
	// A contract may call as itself, whatever its nonce.
	if got, err := r.Call(ctx, reader, testBlock(), &Message{From: token, To: &token, Gas: 50_000, Data: contracts.Token.Call("totalSupply")}); err != nil || got.Err != nil {
		t.Errorf("%v %v", err, got)
	}
	if _, err := r.Call(ctx, reader, testBlock(), &Message{From: bob, To: &token, Gas: 50_000, Value: *uint256.NewInt(1)}); problem.CodeOf(err) != "INSUFFICIENT_FUNDS" {
		t.Errorf("value from nowhere: %v", err)
	}
}

// A call ends when its context does.
func TestCallCancelled(t *testing.T) {
	r := newRig(t)
	loop := r.deploy(t, alice, returning([]byte{byte(vm.JUMPDEST), byte(vm.PUSH1), 0, byte(vm.JUMP)}))
	ctx, cancel := context.WithCancel(t.Context())
	b := testBlock()
	var canceller sync.WaitGroup
	canceller.Go(cancel)
	defer canceller.Wait()
	_, err := r.Call(ctx, r.store.Speculative(), b, &Message{To: &loop, Gas: 1 << 62})
	if !errors.Is(err, ErrCallTimeout) || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := r.EstimateGas(ctx, r.store.Speculative(), b, &Message{To: &loop}, 1<<62); !errors.Is(err, ErrCallTimeout) {
		t.Errorf("cancelled before it began: %v", err)
	}
}

func TestEstimateGas(t *testing.T) {
	r := newRig(t)
	token := r.deploy(t, alice, contracts.Token.Deploy("Token", "TOK", big.NewInt(100)))
	hungry := assembler{} // needs 100,000 gas to be left, though it uses little
	hungry.op(vm.PUSH3, 1, 0x86, 0xa0, vm.GAS, vm.GT, vm.PUSH1, 10, vm.JUMPI, vm.INVALID, vm.JUMPDEST)
	picky := r.deploy(t, alice, returning(hungry))
	reader := r.store.Speculative()
	estimate := func(m *Message) (uint64, error) {
		return r.EstimateGas(t.Context(), reader, testBlock(), m, 50_000_000)
	}

	messages := map[string]*Message{
		"transfer":       {From: alice, To: &bob},
		"token transfer": {From: alice, To: &token, Data: contracts.Token.Call("transfer", bob, big.NewInt(5))},
		"deployment":     {From: alice, Data: contracts.Token.Deploy("Token", "TOK", big.NewInt(100))},
		"picky":          {From: alice, To: &picky},
		"much data":      {From: alice, To: &bob, Data: bytes.Repeat([]byte{1}, 5000)},
	}
	for name, m := range messages {
		gas, err := estimate(m)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		try := func(gas uint64) bool {
			c := *m
			c.Gas = gas
			result, err := r.Call(t.Context(), reader, testBlock(), &c)
			return err == nil && result.Err == nil
		}
		if !try(gas) || try(gas-gas/50) {
			t.Errorf("%s: estimate %d is too small or more than 2 percent too large", name, gas)
		}
	}
	if gas, _ := estimate(messages["transfer"]); gas != params.TxGas {
		t.Errorf("a transfer costs %d", gas)
	}
	var failure *Failure
	_, err := estimate(&Message{From: bob, To: &token, Data: contracts.Token.Call("transfer", alice, big.NewInt(5))})
	if !errors.As(err, &failure) || len(failure.Output) == 0 || err.Error() != "execution reverted: transfer amount exceeds balance" {
		t.Errorf("revert: %v", err)
	}
	if _, err = estimate(&Message{From: alice, To: &picky, Gas: 60_000}); !errors.As(err, &failure) {
		t.Errorf("too little gas: %v", err)
	}
	if _, err = estimate(&Message{From: bob, To: &alice, Value: *uint256.NewInt(1)}); problem.CodeOf(err) != "INSUFFICIENT_FUNDS" {
		t.Errorf("value from nowhere: %v", err)
	}
	_, err = r.EstimateGas(t.Context(), reader, testBlock(), messages["much data"], 30_000)
	if !errors.As(err, &failure) || err.Error() != "gas required exceeds allowance (30000)" {
		t.Errorf("a cap below the intrinsic gas: %v", err)
	}
}

// A panic below the interpreter does not spoil the executor.
func TestPanic(t *testing.T) {
	r := newRig(t)
	token := r.deploy(t, alice, contracts.Token.Deploy("Token", "TOK", big.NewInt(100)))
	m := &Message{From: alice, To: &token, Nonce: 1, Gas: 100_000, Data: contracts.Token.Call("transfer", bob, big.NewInt(5))}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("nothing panicked")
			}
		}()
		x := r.x
		x.hooks = &tracing.Hooks{OnStorageChange: func(common.Address, common.Hash, common.Hash, common.Hash) { panic("hook") }}
		x.state.hooks = x.hooks
		defer func() { x.hooks, x.state.hooks = nil, nil }()
		_, _ = x.Apply(r.block.Tx(), m)
	}()
	if result := r.apply(t, m); result.Err != nil || len(result.Logs) != 1 {
		t.Errorf("afterwards: %+v", result)
	}
}

// A damaged entry refuses the transaction instead of inventing a state.
func TestDamagedState(t *testing.T) {
	r := newRig(t)
	token := r.deploy(t, alice, contracts.Token.Deploy("Token", "TOK", big.NewInt(100)))
	m := &Message{From: alice, To: &token, Nonce: 1, Gas: 100_000, Data: contracts.Token.Call("transfer", bob, big.NewInt(5))}
	hash := hashCode(r.View(r.store.Speculative()).Code(token))
	for name, damage := range map[string]func(tx *kv.Tx) error{
		"account":   func(tx *kv.Tx) error { return tx.Put(r.ids.accounts, alice[:], []byte{1}) },
		"recipient": func(tx *kv.Tx) error { return tx.Put(r.ids.accounts, token[:], []byte{0, 33}) },
		"code": func(tx *kv.Tx) error {
			r.codes = newCodeCache()
			r.x.state.codes = r.codes
			return tx.Delete(r.ids.code, hash[:])
		},
	} {
		tx := r.block.Tx()
		if err := damage(tx); err != nil {
			t.Fatal(err)
		}
		if _, err := r.x.Apply(tx, m); err == nil {
			t.Errorf("%s: a damaged state was executed on", name)
		}
		tx.Discard()
	}
}

func FuzzAccount(f *testing.F) {
	f.Add(AppendAccount(nil, &Account{CodeHash: types.EmptyCodeHash}))
	f.Add(AppendAccount(nil, &Account{Nonce: 1 << 40, Balance: *uint256.NewInt(1e18), CodeHash: common.Hash{1}}))
	f.Add(AppendAccount(nil, &Account{Nonce: 1<<64 - 1, Balance: *new(uint256.Int).SetAllOne(), CodeHash: common.Hash{1}}))
	f.Add([]byte{0x80, 0, 0})
	f.Add([]byte{0, 1, 0})
	f.Add([]byte{0, 33})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		if a, err := DecodeAccount(data); err == nil {
			if again := AppendAccount(nil, &a); !bytes.Equal(again, data) || len(data) > maxAccount {
				t.Errorf("%x is encoded as %x", data, again)
			}
		}
	})
}
