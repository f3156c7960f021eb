package evm

import (
	"fmt"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/coco-consortium/coco/internal/kv"
)

// View reads accounts from some state. It is as safe for concurrent use as its
// reader is.
type View struct {
	machine *Machine
	reader  kv.Reader
}

// View gives a view of the state that reader shows.
func (m *Machine) View(reader kv.Reader) View { return View{m, reader} }

// lookup is what one look at an account needs: its address as a key, and room for
// what is stored.
type lookup struct {
	key   common.Address
	value [maxAccount]byte
}

var lookups = sync.Pool{New: func() any { return new(lookup) }}

// Account gives the account at an address; ok is false if there is none, and the
// account is then an empty one.
func (v View) Account(address common.Address) (a Account, ok bool) {
	l := lookups.Get().(*lookup)
	defer lookups.Put(l)
	l.key = address
	data, ok := v.reader.GetInto(l.value[:0], v.machine.ids.accounts, l.key[:])
	if !ok {
		return Account{CodeHash: types.EmptyCodeHash}, false
	}
	a, err := DecodeAccount(data)
	if err != nil {
		// Sealed sections are authenticated and only this package writes the
		// table: what lies there and does not decode is a fault of coco.
		panic(fmt.Sprintf("evm: account %v: %v", address, err))
	}
	return a, true
}

// Code gives an account's code. It must not be modified.
func (v View) Code(address common.Address) []byte {
	a, ok := v.Account(address)
	if !ok || a.CodeHash == types.EmptyCodeHash {
		return nil
	}
	return v.machine.codes.get(v.reader, v.machine.ids.code, a.CodeHash)
}

// Storage gives the value of a slot.
func (v View) Storage(address common.Address, slot common.Hash) common.Hash {
	value, _ := v.reader.Get(v.machine.ids.storage, StorageKey(address, slot))
	return common.BytesToHash(value)
}
