package evm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/holiman/uint256"

	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/problem"
)

// hold makes a rig whose state is the given one.
func hold(t *testing.T, alloc types.GenesisAlloc) *rig {
	t.Helper()
	r := newRig(t)
	tx := r.block.Tx()
	put := func(table kv.TableID, key, value []byte) {
		if err := tx.Put(table, key, value); err != nil {
			t.Fatal(err)
		}
	}
	for address, a := range alloc {
		stored := Account{Nonce: a.Nonce, Balance: *uint256.MustFromBig(a.Balance), CodeHash: types.EmptyCodeHash}
		if len(a.Code) > 0 {
			stored.CodeHash = hashCode(a.Code)
			put(r.ids.code, stored.CodeHash[:], a.Code)
		}
		put(r.ids.accounts, address[:], AppendAccount(nil, &stored))
		for slot, value := range a.Storage {
			put(r.ids.storage, StorageKey(address, slot), storageValue(&value))
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return r
}

// assume changes some accounts of an overlay into those of another state, in the
// ways that overrides do, and gives the state that is then assumed.
func assume(p *program, o *Overlay, base, other types.GenesisAlloc) types.GenesisAlloc {
	assumed := maps.Clone(base)
	for _, address := range slices.SortedFunc(maps.Keys(other), common.Address.Cmp) {
		if p.IntN(2) == 0 {
			continue
		}
		want, have := other[address], assumed[address]
		have.Storage = maps.Clone(have.Storage)
		if have.Storage == nil {
			have.Storage = make(map[common.Hash]common.Hash)
		}
		a := o.Account(address)
		a.Nonce, a.Balance = want.Nonce, *uint256.MustFromBig(want.Balance)
		have.Nonce, have.Balance = want.Nonce, want.Balance
		o.SetAccount(address, a)
		if p.IntN(2) == 0 {
			o.SetCode(address, want.Code)
			have.Code = want.Code
		}
		if p.IntN(2) == 0 {
			o.ClearStorage(address)
			clear(have.Storage)
		}
		for range p.IntN(4) {
			slot, value := p.word(4), p.word(3)
			o.SetStorage(address, slot, value)
			if have.Storage[slot] = value; value == (common.Hash{}) {
				delete(have.Storage, slot)
			}
		}
		assumed[address] = have
	}
	return assumed
}

// What runs on an assumed state comes out as on a state that really is so, call by
// call and transaction by transaction, and the state below stays as it was.
func TestOverlayIsTheStateItAssumes(t *testing.T) {
	for seed := range uint64(100) {
		p, q := newProgram(2*seed), newProgram(2*seed+1)
		below, untouched := hold(t, p.alloc), hold(t, p.alloc)
		o := below.Overlay(below.block.Tx())
		assumed := assume(p, o, p.alloc, q.alloc)
		real := hold(t, assumed)
		tx := real.block.Tx()
		same := func(what string, a, b *Result, errA, errB error) {
			t.Helper()
			if fmt.Sprint(errA) != fmt.Sprint(errB) || !reflect.DeepEqual(a, b) {
				t.Fatalf("seed %d, %s: assumed %+v, %v; real %+v, %v", seed, what, a, errA, b, errB)
			}
		}
		assumedX, realX := below.Simulator(testBlock(), nil, Lenient), real.Simulator(testBlock(), nil, Lenient)
		defer assumedX.Close()
		defer realX.Close()
		for _, l := range append(p.messages, q.messages...) {
			m := &Message{From: l.From, To: l.To, Gas: l.GasLimit, Value: *l.Value, Data: l.Data, AccessList: l.AccessList, Authorizations: l.SetCodeAuthorizations}
			if m.Authorizations != nil && m.To == nil {
				continue
			}
			a, errA := below.Call(t.Context(), o, testBlock(), m)
			b, errB := real.Call(t.Context(), tx, testBlock(), m)
			same("call", a, b, errA, errB)
			m.Nonce = o.Account(m.From).Nonce
			a, errA = assumedX.Try(t.Context(), o, m)
			b, errB = realX.Try(t.Context(), tx, m)
			same("transaction", a, b, errA, errB)
		}
		compare(t, seed, "assumed", below.View(o), real.View(tx), p.all)
		compare(t, seed, "below", below.View(below.block.Tx()), untouched.View(untouched.block.Tx()), p.all)
	}
}

func compare(t *testing.T, seed uint64, what string, got, want View, addresses []common.Address) {
	t.Helper()
	for _, address := range addresses {
		a, okA := got.Account(address)
		b, okB := want.Account(address)
		if okA != okB || a != b {
			t.Fatalf("seed %d, %s: account %v is %+v, %v; want %+v, %v", seed, what, address, a, okA, b, okB)
		}
		for i := range byte(4) {
			slot := common.BytesToHash([]byte{i})
			if a, b := got.Storage(address, slot), want.Storage(address, slot); okA && a != b {
				t.Fatalf("seed %d, %s: slot %v of %v is %v, want %v", seed, what, slot, address, a, b)
			}
		}
	}
}

// Code that is only assumed takes no place in the cache, however deep it lies; that
// of the state does.
func TestAssumedCodeIsNotCached(t *testing.T) {
	committed := []byte{0x5f, 0x5f, 0xf3}
	r := hold(t, types.GenesisAlloc{bob: {Balance: uint256.NewInt(1).ToBig(), Code: committed}})
	below := r.Overlay(r.block.Tx())
	o := r.Overlay(below)
	assumed := []byte{0x60, 0x20, 0x5f, 0xf3} // returns a word
	below.SetCode(alice, assumed)
	for address, want := range map[common.Address]int{alice: 32, bob: 0} {
		if got, err := r.Call(t.Context(), o, testBlock(), &Message{To: &address, Gas: 50_000}); err != nil || len(got.Output) != want {
			t.Errorf("%v: %+v, %v", address, got, err)
		}
	}
	x := r.Simulator(testBlock(), nil, Lenient)
	defer x.Close()
	// Creates a contract whose code is one zero byte.
	made, err := x.Try(t.Context(), o, &Message{From: common.Address{9}, Gas: 100_000, Data: []byte{0x60, 1, 0x5f, 0xf3}})
	if err != nil || len(r.View(o).Code(*made.Created)) != 1 {
		t.Fatalf("%+v, %v", made, err)
	}
	for what, want := range map[string]bool{string(assumed): false, "\x00": false, string(committed): true} {
		if _, got := r.codes.codes.Get(hashCode([]byte(what))); got != want {
			t.Errorf("code %x is cached: %v", what, got)
		}
	}
}

// A message with more authorizations than its gas pays for is refused before any
// of them is looked at; looking at them ends with the context.
func TestAccessListOfManyAuthorizations(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for n, want := range map[int]problem.Code{17_000: "INTRINSIC_GAS", 1: ErrCallTimeout.Code} {
		m := &Message{From: alice, To: &bob, Gas: 50_000_000, Authorizations: make([]types.SetCodeAuthorization, n)}
		if _, err := r.AccessList(ctx, r.store.Speculative(), testBlock(), m); problem.CodeOf(err) != want {
			t.Errorf("%d authorizations: %v", n, err)
		}
	}
}

// A precompiled contract that moved is where it was moved to and not where it was.
func TestPrecompilesOfABlock(t *testing.T) {
	r := newRig(t)
	identity, elsewhere := common.BytesToAddress([]byte{4}), common.Address{0xee}
	b := testBlock()
	b.Precompiles = r.Precompiles(b)
	b.Precompiles[elsewhere] = b.Precompiles[identity]
	delete(b.Precompiles, identity)
	for address, want := range map[common.Address]string{elsewhere: "hello", identity: ""} {
		got, err := r.Call(t.Context(), r.store.Speculative(), b, &Message{To: &address, Gas: 50_000, Data: []byte("hello")})
		if err != nil || string(got.Output) != want {
			t.Errorf("%v: %q, %v", address, got.Output, err)
		}
	}
	if again := r.Precompiles(b); again[identity] == nil || again[elsewhere] != nil {
		t.Error("the contracts of the rules are not a copy")
	}
}

// What a message offers is checked for form where gas is free, in the library's
// words, and is never paid.
func TestOffers(t *testing.T) {
	r := newRig(t)
	fees := func(cap, tip uint64) Fees {
		return Fees{FeeCap: *uint256.NewInt(cap), TipCap: *uint256.NewInt(tip)}
	}
	b := testBlock()
	b.BaseFee = uint256.NewInt(10).ToBig()
	price := hold(t, types.GenesisAlloc{bob: {Balance: uint256.NewInt(1).ToBig(), Code: []byte{byte(vm.GASPRICE), 0x5f, 0x52, byte(vm.BASEFEE), 0x60, 0x20, 0x52, 0x60, 0x40, 0x5f, 0xf3}}})
	for _, c := range []struct {
		fees   Fees
		checks Checks
		want   string
	}{
		{fees(0, 0), Lenient, ""},
		{fees(10, 1), Lenient, ""},
		{fees(9, 1), Lenient, "err: max fee per gas less than block base fee: address " + alice.Hex() + ", maxFeePerGas: 9, baseFee: 10 (supplied gas 50000)"},
		{fees(9, 10), Lenient, "err: max priority fee per gas higher than max fee per gas: address " + alice.Hex() + ", maxPriorityFeePerGas: 10, maxFeePerGas: 9 (supplied gas 50000)"},
		{fees(0, 0), Simulated, "err: max fee per gas less than block base fee: address " + alice.Hex() + ", maxFeePerGas: 0, baseFee: 10 (supplied gas 50000)"},
		{fees(1<<60, 0), Simulated, ""},
	} {
		x := r.Simulator(b, nil, c.checks)
		defer x.Close()
		_, err := x.Try(t.Context(), r.Overlay(r.store.Speculative()), &Message{From: alice, To: &bob, Gas: 50_000, Fees: c.fees})
		if got := what(err); got != c.want {
			t.Errorf("%v: %q, want %q", c.fees, got, c.want)
		}
	}
	for _, c := range []struct {
		fees Fees
		want uint64 // the base fee that the contract sees
	}{{fees(0, 0), 0}, {fees(1<<60, 0), 10}} {
		got, err := price.Call(t.Context(), price.block.Tx(), b, &Message{From: alice, To: &bob, Gas: 50_000, Fees: c.fees})
		if err != nil || new(uint256.Int).SetBytes(got.Output[:32]).Uint64() != 0 || new(uint256.Int).SetBytes(got.Output[32:]).Uint64() != c.want {
			t.Errorf("%v: %x, %v", c.fees, got.Output, err)
		}
	}
}

// what is the text of a problem.
func what(err error) string {
	var p *problem.Error
	if errors.As(err, &p) {
		return p.What
	}
	return ""
}

// An empty account that is assumed to have storage ends when it is touched
// (EIP-161), and its storage with it.
func TestAccountEndsWithItsStorage(t *testing.T) {
	r := newRig(t)
	o := r.Overlay(r.store.Speculative())
	slot := common.Hash{1}
	o.SetAccount(bob, Account{CodeHash: types.EmptyCodeHash})
	o.SetStorage(bob, slot, common.Hash{2})
	x := r.Simulator(testBlock(), nil, Lenient)
	defer x.Close()
	if _, err := x.Try(t.Context(), o, &Message{From: alice, To: &bob, Gas: 50_000}); err != nil {
		t.Fatal(err)
	}
	if _, ok := r.View(o).Account(bob); ok {
		t.Error("the account did not end")
	}
	o.SetAccount(bob, Account{Nonce: 1, CodeHash: types.EmptyCodeHash})
	if value := r.View(o).Storage(bob, slot); value != (common.Hash{}) {
		t.Errorf("its storage came back: %v", value)
	}
}
