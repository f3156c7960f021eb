package evm

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// change is one journaled change: what it changed and what was there before.
type change struct {
	kind    changeKind
	index   uint32 // of the account, slot or transient slot
	number  uint64
	hash    common.Hash
	balance uint256.Int
}

type changeKind uint8

const (
	changeCreated     changeKind = iota // the account came to exist
	changeContract                      // it became a contract
	changeDestroyed                     // it is to end
	changeTouched                       // it was touched while empty
	changeBalance                       // balance: before
	changeNonce                         // number: before
	changeCode                          // hash: before
	changeSlot                          // hash: before
	changeTransient                     // hash: before
	changeRefund                        // number: before
	changeLog                           // a log was added
	changeWarmAccount                   // the address became warm
	changeWarmSlot                      // the slot became warm
)

func (s *State) note(c change) { s.journal = append(s.journal, c) }

// Snapshot implements vm.StateDB.
func (s *State) Snapshot() int { return len(s.journal) }

// RevertToSnapshot implements vm.StateDB.
func (s *State) RevertToSnapshot(snapshot int) {
	for n := len(s.journal) - 1; n >= snapshot; n-- {
		s.undo(&s.journal[n])
	}
	s.journal = s.journal[:snapshot]
}

func (s *State) undo(c *change) {
	switch c.kind {
	case changeRefund:
		s.refund = c.number
	case changeLog:
		s.logs = s.logs[:len(s.logs)-1]
	case changeTransient:
		s.transients[c.index] = c.hash
	case changeWarmSlot:
		s.slots[c.index].warm = false
	case changeSlot:
		l := &s.slots[c.index]
		l.value = c.hash
		s.accounts[l.account].dirty--
	case changeWarmAccount:
		s.accounts[c.index].warm = false
	case changeContract:
		s.accounts[c.index].created = false
	default:
		a := &s.accounts[c.index]
		a.dirty--
		switch c.kind {
		case changeCreated:
			a.exists = false
		case changeDestroyed:
			a.destroyed = false
		case changeBalance:
			a.Balance = c.balance
		case changeNonce:
			a.Nonce = c.number
		case changeCode:
			a.CodeHash = c.hash
		}
	}
}
