package evm

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// GetState implements vm.StateDB.
func (s *State) GetState(address common.Address, key common.Hash) common.Hash {
	l, _ := s.loadSlot(address, key)
	return l.value
}

// GetStateAndCommittedState implements vm.StateDB; committed is the value at the
// start of the transaction.
func (s *State) GetStateAndCommittedState(address common.Address, key common.Hash) (value, committed common.Hash) {
	l, _ := s.loadSlot(address, key)
	return l.value, l.committed
}

// SetState implements vm.StateDB.
func (s *State) SetState(address common.Address, key, value common.Hash) common.Hash {
	a, _ := s.ensure(address)
	l, i := s.loadSlot(address, key)
	prior := l.value
	if prior == value {
		return prior
	}
	s.note(change{kind: changeSlot, index: i, hash: prior})
	l.value = value
	a.dirty++
	if s.hooks != nil && s.hooks.OnStorageChange != nil {
		s.hooks.OnStorageChange(address, key, prior, value)
	}
	return prior
}

// GetTransientState implements vm.StateDB (EIP-1153).
func (s *State) GetTransientState(address common.Address, key common.Hash) common.Hash {
	if i, ok := s.transientIndex[slotKey{s.number(address), key}]; ok {
		return s.transients[i]
	}
	return common.Hash{}
}

// SetTransientState implements vm.StateDB (EIP-1153).
func (s *State) SetTransientState(address common.Address, key, value common.Hash) {
	k := slotKey{s.number(address), key}
	i, ok := s.transientIndex[k]
	if !ok {
		i = uint32(len(s.transients))
		s.transientIndex[k] = i
		s.transients = append(s.transients, common.Hash{})
	}
	if prior := s.transients[i]; prior != value {
		s.note(change{kind: changeTransient, index: i, hash: prior})
		s.transients[i] = value
	}
}

// AddRefund implements vm.StateDB.
func (s *State) AddRefund(gas uint64) {
	s.note(change{kind: changeRefund, number: s.refund})
	s.refund += gas
}

// SubRefund implements vm.StateDB.
func (s *State) SubRefund(gas uint64) {
	if gas > s.refund {
		panic(fmt.Sprintf("evm: refund of %d below zero by %d", s.refund, gas))
	}
	s.note(change{kind: changeRefund, number: s.refund})
	s.refund -= gas
}

// GetRefund implements vm.StateDB.
func (s *State) GetRefund() uint64 { return s.refund }

// AddressInAccessList implements vm.StateDB.
func (s *State) AddressInAccessList(address common.Address) bool {
	return s.accounts[s.number(address)].warm || s.precompiled(address)
}

// SlotInAccessList implements vm.StateDB.
func (s *State) SlotInAccessList(address common.Address, key common.Hash) (addressOk, slotOk bool) {
	return s.AddressInAccessList(address), s.slots[s.slot(address, key)].warm
}

// AddAddressToAccessList implements vm.StateDB.
func (s *State) AddAddressToAccessList(address common.Address) {
	i := s.number(address)
	if a := &s.accounts[i]; !a.warm && !s.precompiled(address) {
		s.note(change{kind: changeWarmAccount, index: i})
		a.warm = true
	}
}

// AddSlotToAccessList implements vm.StateDB.
func (s *State) AddSlotToAccessList(address common.Address, key common.Hash) {
	s.AddAddressToAccessList(address)
	i := s.slot(address, key)
	if l := &s.slots[i]; !l.warm {
		s.note(change{kind: changeWarmSlot, index: i})
		l.warm = true
	}
}

// precompiled looks only at addresses as small as precompiles have them.
func (s *State) precompiled(address common.Address) bool {
	if [17]byte(address[:17]) != ([17]byte{}) {
		return false
	}
	for i := range s.precompiles {
		if s.precompiles[i] == address {
			return true
		}
	}
	return false
}

// AddLog implements vm.StateDB. The log's place counts only in traces; receipts
// say where it stands in its block.
func (s *State) AddLog(log *types.Log) {
	s.note(change{kind: changeLog})
	log.Index = s.firstLog + uint(len(s.logs))
	s.logs = append(s.logs, log)
	if s.hooks != nil && s.hooks.OnLog != nil {
		s.hooks.OnLog(log)
	}
}
