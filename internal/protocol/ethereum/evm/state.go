package evm

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/state"
	"github.com/ethereum/go-ethereum/core/stateless"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/types/bal"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/params"

	"github.com/coco-consortium/coco/internal/kv"
)

// State is the state as one transaction sees and changes it: what it read from
// a kv.Reader with its own changes on top. Nothing is written below before
// flush. It is used for one transaction after the other (see begin) and belongs
// to one goroutine.
type State struct {
	ids    tableIDs
	codes  *codeCache
	hooks  *tracing.Hooks // nil when nothing traces
	reader kv.Reader

	accountIndex   map[common.Address]uint32
	accounts       []account
	slotIndex      map[slotKey]uint32
	slots          []slot
	transientIndex map[slotKey]uint32
	transients     []common.Hash
	deployed       map[common.Hash][]byte // code set in this transaction
	recent         uint32                 // the account asked for last: it often is the next
	recentSlot     uint32

	journal     []change
	logs        []*types.Log
	firstLog    uint // the place of the next transaction's first log, see Trace
	refund      uint64
	precompiles []common.Address // warm from the start
	buf         []byte
	err         error // the first damaged entry met
}

var _ vm.StateDB = (*State)(nil)

// account is an account as the transaction sees it, or only the note that its
// address is warm.
type account struct {
	Account
	address   common.Address
	dirty     int32 // journaled changes that were not reverted
	loaded    bool  // the fields below and Account are valid
	exists    bool
	created   bool // became a contract in this transaction (EIP-6780)
	destroyed bool // ends with this transaction
	warm      bool // EIP-2929
	stored    int8 // length of encoded, -1 when the store has no such account
	encoded   [maxAccount]byte
}

func (a *account) empty() bool {
	return a.Nonce == 0 && a.Balance.IsZero() && a.CodeHash == types.EmptyCodeHash
}

// slotKey names a slot by the number of its account in the transaction.
type slotKey struct {
	account uint32
	slot    common.Hash
}

type slot struct {
	slotKey
	value     common.Hash
	committed common.Hash // at the start of the transaction
	loaded    bool
	warm      bool
}

func newState(ids tableIDs, codes *codeCache, hooks *tracing.Hooks) *State {
	s := &State{ids: ids, codes: codes, hooks: hooks}
	s.forget()
	return s
}

// begin starts a transaction on what reader shows.
func (s *State) begin(reader kv.Reader) {
	s.reader = reader
	if len(s.accounts) > 1<<10 || len(s.slots) > 1<<12 || len(s.transients) > 1<<12 || cap(s.journal) > 1<<14 {
		s.forget() // clearing costs what the largest transaction took
		return
	}
	clear(s.accountIndex)
	clear(s.slotIndex)
	clear(s.transientIndex)
	clear(s.deployed)
	s.accounts, s.slots, s.transients = s.accounts[:0], s.slots[:0], s.transients[:0]
	s.reset()
}

func (s *State) forget() {
	s.accountIndex = make(map[common.Address]uint32)
	s.slotIndex = make(map[slotKey]uint32)
	s.transientIndex = make(map[slotKey]uint32)
	s.deployed = make(map[common.Hash][]byte)
	s.accounts, s.slots, s.transients, s.journal = nil, nil, nil, nil
	s.reset()
}

func (s *State) reset() {
	s.recent, s.recentSlot = 0, 0
	s.journal = s.journal[:0]
	s.logs = nil
	s.refund = 0
	s.precompiles = nil
	s.err = nil
}

// Prepare implements vm.StateDB: it fills the access list (EIP-2929, 2930, 3651)
// and empties transient storage. Precompiles are looked up in the list given,
// not noted one by one.
func (s *State) Prepare(rules params.Rules, sender, coinbase common.Address, dest *common.Address, precompiles []common.Address, list types.AccessList) {
	for i := range s.accounts {
		s.accounts[i].warm = false
	}
	for i := range s.slots {
		s.slots[i].warm = false
	}
	clear(s.transientIndex)
	s.transients = s.transients[:0]
	s.precompiles = nil
	if !rules.IsEIP2929 {
		return
	}
	s.precompiles = precompiles
	s.warm(sender)
	if dest != nil {
		s.warm(*dest)
	}
	for i := range list {
		s.warm(list[i].Address)
		for _, key := range list[i].StorageKeys {
			s.slots[s.slot(list[i].Address, key)].warm = true
		}
	}
	if rules.IsShanghai {
		s.warm(coinbase)
	}
}

func (s *State) warm(address common.Address) { s.accounts[s.number(address)].warm = true }

// Finalise implements vm.StateDB: it ends destroyed accounts and, since EIP-161,
// the touched empty ones.
func (s *State) Finalise(rules params.Rules) *bal.ConstructionBlockAccessList {
	s.traceEnds()
	for i := range s.accounts {
		a := &s.accounts[i]
		if a.exists && a.dirty > 0 && (a.destroyed || rules.IsEIP158 && a.empty()) {
			a.exists = false
		}
	}
	s.journal = s.journal[:0]
	s.refund = 0
	return nil
}

// flush writes what the transaction changed: accounts with their code, then
// slots.
func (s *State) flush(tx Sink) error {
	if s.err != nil {
		return s.err
	}
	for i := range s.accounts {
		if err := s.flushAccount(tx, &s.accounts[i]); err != nil {
			return err
		}
	}
	for i := range s.slots {
		l := &s.slots[i]
		a := &s.accounts[l.account]
		if l.value == l.committed || !a.exists {
			continue
		}
		s.buf = append(append(s.buf[:0], a.address[:]...), l.slot[:]...)
		var err error
		if value := storageValue(&l.value); len(value) > 0 {
			err = tx.Put(s.ids.storage, s.buf, value)
		} else {
			err = tx.Delete(s.ids.storage, s.buf)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *State) flushAccount(tx Sink, a *account) error {
	if a.dirty == 0 {
		return nil
	}
	if !a.exists {
		if a.stored < 0 {
			return nil
		}
		return tx.Delete(s.ids.accounts, a.address[:])
	}
	s.buf = AppendAccount(s.buf[:0], &a.Account)
	if a.stored >= 0 && string(s.buf) == string(a.encoded[:a.stored]) {
		return nil
	}
	if err := tx.Put(s.ids.accounts, a.address[:], s.buf); err != nil {
		return err
	}
	code, ok := s.deployed[a.CodeHash]
	if !ok {
		return nil
	}
	if _, ok := tx.GetInto(s.buf[:0], s.ids.code, a.CodeHash[:]); ok {
		return nil
	}
	s.codes.deployed(tx, a.CodeHash, code)
	return tx.Put(s.ids.code, a.CodeHash[:], code)
}

// number is the account's number in this transaction; the account may not be
// loaded yet.
func (s *State) number(address common.Address) uint32 {
	if int(s.recent) < len(s.accounts) && s.accounts[s.recent].address == address {
		return s.recent
	}
	i, ok := s.accountIndex[address]
	if !ok {
		i = uint32(len(s.accounts))
		s.accountIndex[address] = i
		s.accounts = append(s.accounts, account{address: address, stored: -1})
	}
	s.recent = i
	return i
}

// load gives the account. The pointer holds until the next account is met.
func (s *State) load(address common.Address) (*account, uint32) {
	i := s.number(address)
	a := &s.accounts[i]
	if !a.loaded {
		s.readAccount(a)
	}
	return a, i
}

func (s *State) readAccount(a *account) {
	a.loaded = true
	a.CodeHash = types.EmptyCodeHash
	data, ok := s.reader.GetInto(a.encoded[:0], s.ids.accounts, a.address[:])
	if !ok {
		return
	}
	decoded, err := DecodeAccount(data)
	if err != nil {
		s.fail(fmt.Errorf("%w: %v", err, a.address))
		return
	}
	a.Account, a.exists, a.stored = decoded, true, int8(len(data))
}

// ensure is load, and makes the account if there is none.
func (s *State) ensure(address common.Address) (*account, uint32) {
	a, i := s.load(address)
	if !a.exists {
		s.note(change{kind: changeCreated, index: i})
		a.exists = true
		a.dirty++
	}
	return a, i
}

// slot is the slot's number in this transaction; it may not be loaded yet.
func (s *State) slot(address common.Address, key common.Hash) uint32 {
	k := slotKey{s.number(address), key}
	if int(s.recentSlot) < len(s.slots) && s.slots[s.recentSlot].slotKey == k {
		return s.recentSlot
	}
	i, ok := s.slotIndex[k]
	if !ok {
		i = uint32(len(s.slots))
		s.slotIndex[k] = i
		s.slots = append(s.slots, slot{slotKey: k})
	}
	s.recentSlot = i
	return i
}

// loadSlot gives the slot. The pointer holds until the next slot is met.
func (s *State) loadSlot(address common.Address, key common.Hash) (*slot, uint32) {
	i := s.slot(address, key)
	l := &s.slots[i]
	if !l.loaded {
		l.loaded = true
		if a, _ := s.load(address); a.stored >= 0 { // an account that is new has no slots
			s.readSlot(l, &a.address)
		}
		l.value = l.committed
	}
	return l, i
}

func (s *State) readSlot(l *slot, address *common.Address) {
	s.buf = append(append(s.buf[:0], address[:]...), l.slot[:]...)
	key := len(s.buf)
	data, ok := s.reader.GetInto(s.buf, s.ids.storage, s.buf)
	if !ok {
		return
	}
	s.buf = data
	if value := data[key:]; len(value) == 0 || len(value) > 32 {
		s.fail(fmt.Errorf("evm: a storage slot of %d bytes in the state", len(value)))
	} else {
		l.committed.SetBytes(value)
	}
}

// fail remembers that the state is damaged, which the interpreter cannot be told.
func (s *State) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// AddPreimage implements vm.StateDB; preimages are not kept.
func (s *State) AddPreimage(common.Hash, []byte) {}

// Witness implements vm.StateDB: there is no trie to witness.
func (s *State) Witness() *stateless.Witness { return nil }

// AccessEvents implements vm.StateDB: there is no verkle tree.
func (s *State) AccessEvents() *state.AccessEvents { return nil }

// SetTxContext implements vm.StateDB; logs get their place in the receipts.
func (s *State) SetTxContext(common.Hash, int, uint32) {}
