package evm

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/kv"
)

// Sink is a state that transactions are applied to: a kv.Tx, or an Overlay.
type Sink interface {
	kv.Reader
	Put(table kv.TableID, key, value []byte) error
	Delete(table kv.TableID, key []byte) error
}

var (
	_ Sink = (*kv.Tx)(nil)
	_ Sink = (*Overlay)(nil)
)

// Overlay is a state in memory on top of another that it leaves unchanged: for
// transactions that are run again, calls on a state that is assumed, and blocks
// that are only simulated. It is for one goroutine.
type Overlay struct {
	machine *Machine
	below   kv.Reader
	changes map[overlayKey][]byte            // of accounts and code; nil is deleted
	storage map[common.Address]*overlaySlots // of accounts of which slots changed
}

type overlayKey struct {
	table kv.TableID
	key   string
}

type overlaySlots struct {
	emptied bool                   // what lies below does not count
	values  map[common.Hash][]byte // nil is deleted
}

// Overlay makes an overlay without changes.
func (m *Machine) Overlay(below kv.Reader) *Overlay {
	return &Overlay{machine: m, below: below, changes: make(map[overlayKey][]byte), storage: make(map[common.Address]*overlaySlots)}
}

// Get implements kv.Reader.
func (o *Overlay) Get(table kv.TableID, key []byte) ([]byte, bool) {
	value, ok := o.GetInto(nil, table, key)
	if ok && value == nil {
		value = []byte{}
	}
	return value, ok
}

// GetInto implements kv.Reader.
func (o *Overlay) GetInto(dst []byte, table kv.TableID, key []byte) ([]byte, bool) {
	if value, ok := o.changed(table, key); ok {
		return append(dst, value...), value != nil
	}
	return o.below.GetInto(dst, table, key)
}

// changed gives what the overlay has instead of what lies below, nil for nothing.
func (o *Overlay) changed(table kv.TableID, key []byte) (value []byte, ok bool) {
	if table != o.machine.ids.storage {
		value, ok = o.changes[overlayKey{table, string(key)}]
		return value, ok
	}
	s := o.storage[common.Address(key[:common.AddressLength])]
	if s == nil {
		return nil, false
	}
	value, ok = s.values[common.Hash(key[common.AddressLength:])]
	return value, ok || s.emptied
}

func (o *Overlay) change(table kv.TableID, key, value []byte) {
	if table != o.machine.ids.storage {
		o.changes[overlayKey{table, string(key)}] = value
		return
	}
	address := common.Address(key[:common.AddressLength])
	s := o.storage[address]
	if s == nil {
		s = &overlaySlots{values: make(map[common.Hash][]byte)}
		o.storage[address] = s
	}
	s.values[common.Hash(key[common.AddressLength:])] = value
}

// Range implements kv.Reader. The tables of this package are point tables.
func (o *Overlay) Range(table kv.TableID, _, _ []byte, _ func(key, value []byte) bool) error {
	return fmt.Errorf("%w: %d", kv.ErrKind, table)
}

// Put implements Sink.
func (o *Overlay) Put(table kv.TableID, key, value []byte) error {
	o.change(table, key, append([]byte{}, value...))
	return nil
}

// Delete implements Sink. An account that ends takes its storage with it.
func (o *Overlay) Delete(table kv.TableID, key []byte) error {
	o.change(table, key, nil)
	if table == o.machine.ids.accounts {
		o.ClearStorage(common.Address(key))
	}
	return nil
}

// Account gives the account at an address, an empty one if there is none.
func (o *Overlay) Account(address common.Address) Account {
	a, _ := o.machine.View(o).Account(address)
	return a
}

// SetAccount gives an account other contents, its storage apart.
func (o *Overlay) SetAccount(address common.Address, a Account) {
	_ = o.Put(o.machine.ids.accounts, address[:], AppendAccount(nil, &a)) // never fails
}

// SetCode gives an account other code. The account keeps nonce and balance.
func (o *Overlay) SetCode(address common.Address, code []byte) {
	a := o.Account(address)
	a.CodeHash = hashCode(code)
	if len(code) > 0 {
		_ = o.Put(o.machine.ids.code, a.CodeHash[:], code)
	}
	o.SetAccount(address, a)
}

// SetStorage gives a slot another value; zero empties it.
func (o *Overlay) SetStorage(address common.Address, slot, value common.Hash) {
	if key := StorageKey(address, slot); value == (common.Hash{}) {
		_ = o.Delete(o.machine.ids.storage, key)
	} else {
		_ = o.Put(o.machine.ids.storage, key, storageValue(&value))
	}
}

// ClearStorage empties every slot of an account.
func (o *Overlay) ClearStorage(address common.Address) {
	o.storage[address] = &overlaySlots{emptied: true, values: make(map[common.Hash][]byte)}
}
