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
	changes map[overlayKey][]byte   // nil is deleted
	emptied map[common.Address]bool // whose storage below does not count
}

type overlayKey struct {
	table kv.TableID
	key   string
}

// Overlay makes an overlay without changes.
func (m *Machine) Overlay(below kv.Reader) *Overlay {
	return &Overlay{machine: m, below: below, changes: make(map[overlayKey][]byte), emptied: make(map[common.Address]bool)}
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
	if value, ok := o.changes[overlayKey{table, string(key)}]; ok {
		return append(dst, value...), value != nil
	}
	if len(o.emptied) > 0 && table == o.machine.ids.storage && o.emptied[common.Address(key[:common.AddressLength])] {
		return dst, false
	}
	return o.below.GetInto(dst, table, key)
}

// Range implements kv.Reader. The tables of this package are point tables.
func (o *Overlay) Range(table kv.TableID, _, _ []byte, _ func(key, value []byte) bool) error {
	return fmt.Errorf("%w: %d", kv.ErrKind, table)
}

// Put implements Sink.
func (o *Overlay) Put(table kv.TableID, key, value []byte) error {
	o.changes[overlayKey{table, string(key)}] = append([]byte{}, value...)
	return nil
}

// Delete implements Sink. An account that ends takes its storage with it.
func (o *Overlay) Delete(table kv.TableID, key []byte) error {
	o.changes[overlayKey{table, string(key)}] = nil
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
	o.emptied[address] = true
	for k := range o.changes {
		if k.table == o.machine.ids.storage && k.key[:common.AddressLength] == string(address[:]) {
			delete(o.changes, k)
		}
	}
}
