package evm

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
)

// Exist implements vm.StateDB.
func (s *State) Exist(address common.Address) bool {
	a, _ := s.load(address)
	return a.exists
}

// Empty implements vm.StateDB (EIP-161).
func (s *State) Empty(address common.Address) bool {
	a, _ := s.load(address)
	return !a.exists || a.empty()
}

// Touch implements vm.StateDB.
func (s *State) Touch(address common.Address) { s.load(address) }

// CreateAccount implements vm.StateDB. The interpreter calls it only for
// accounts that do not exist.
func (s *State) CreateAccount(address common.Address) { s.ensure(address) }

// CreateContract implements vm.StateDB.
func (s *State) CreateContract(address common.Address) {
	if a, i := s.load(address); a.exists && !a.created {
		s.note(change{kind: changeContract, index: i})
		a.created = true
	}
}

// IsNewContract implements vm.StateDB.
func (s *State) IsNewContract(address common.Address) bool {
	a, _ := s.load(address)
	return a.created
}

// SelfDestruct implements vm.StateDB.
func (s *State) SelfDestruct(address common.Address) {
	if a, i := s.load(address); a.exists && !a.destroyed {
		s.note(change{kind: changeDestroyed, index: i})
		a.destroyed = true
		a.dirty++
	}
}

// HasSelfDestructed implements vm.StateDB.
func (s *State) HasSelfDestructed(address common.Address) bool {
	a, _ := s.load(address)
	return a.destroyed
}

// GetBalance implements vm.StateDB. The result is the caller's.
func (s *State) GetBalance(address common.Address) *uint256.Int {
	a, _ := s.load(address)
	balance := a.Balance
	return &balance
}

// AddBalance implements vm.StateDB. Adding nothing touches an empty account.
func (s *State) AddBalance(address common.Address, amount *uint256.Int, reason tracing.BalanceChangeReason) uint256.Int {
	a, i := s.ensure(address)
	prior := a.Balance
	switch {
	case !amount.IsZero():
		s.setBalance(a, i, new(uint256.Int).Add(&prior, amount), reason)
	case a.empty():
		s.touch(a, i)
	}
	return prior
}

// SubBalance implements vm.StateDB.
func (s *State) SubBalance(address common.Address, amount *uint256.Int, reason tracing.BalanceChangeReason) uint256.Int {
	a, i := s.ensure(address)
	prior := a.Balance
	if !amount.IsZero() {
		s.setBalance(a, i, new(uint256.Int).Sub(&prior, amount), reason)
	}
	return prior
}

func (s *State) setBalance(a *account, i uint32, balance *uint256.Int, reason tracing.BalanceChangeReason) {
	prior := a.Balance
	s.note(change{kind: changeBalance, index: i, balance: prior})
	a.Balance = *balance
	a.dirty++
	if s.hooks != nil && s.hooks.OnBalanceChange != nil {
		s.hooks.OnBalanceChange(a.address, prior.ToBig(), balance.ToBig(), reason)
	}
}

// touch marks an account for the end that empty accounts meet. That of address 3
// survives a revert: so it was once on mainnet, and so the tests have it.
func (s *State) touch(a *account, i uint32) {
	s.note(change{kind: changeTouched, index: i})
	a.dirty++
	if a.address == ripemd {
		a.dirty++
	}
}

var ripemd = common.BytesToAddress([]byte{3})

// GetNonce implements vm.StateDB.
func (s *State) GetNonce(address common.Address) uint64 {
	a, _ := s.load(address)
	return a.Nonce
}

// SetNonce implements vm.StateDB.
func (s *State) SetNonce(address common.Address, nonce uint64, reason tracing.NonceChangeReason) {
	a, i := s.ensure(address)
	prior := a.Nonce
	s.note(change{kind: changeNonce, index: i, number: prior})
	a.Nonce = nonce
	a.dirty++
	s.traceNonce(address, prior, nonce, reason)
}

// GetCodeHash implements vm.StateDB: zero for an account that does not exist.
func (s *State) GetCodeHash(address common.Address) common.Hash {
	if a, _ := s.load(address); a.exists {
		return a.CodeHash
	}
	return common.Hash{}
}

// GetCode implements vm.StateDB. The code must not be modified.
func (s *State) GetCode(address common.Address) []byte {
	a, _ := s.load(address)
	return s.code(a.CodeHash)
}

// GetCodeSize implements vm.StateDB.
func (s *State) GetCodeSize(address common.Address) int { return len(s.GetCode(address)) }

// SetCode implements vm.StateDB.
func (s *State) SetCode(address common.Address, code []byte, reason tracing.CodeChangeReason) []byte {
	a, i := s.ensure(address)
	prior := a.CodeHash
	before := s.code(prior)
	s.note(change{kind: changeCode, index: i, hash: prior})
	a.dirty++
	a.CodeHash = types.EmptyCodeHash
	if len(code) > 0 {
		a.CodeHash = hashCode(code)
		s.deployed[a.CodeHash] = code
	}
	s.traceCode(address, prior, before, a.CodeHash, code, reason)
	return before
}

// code gives code by its hash.
func (s *State) code(hash common.Hash) []byte {
	if hash == types.EmptyCodeHash {
		return nil
	}
	if code, ok := s.deployed[hash]; ok {
		return code
	}
	code := s.codes.get(s.reader, s.ids.code, hash)
	if code == nil {
		s.fail(fmt.Errorf("evm: code %v is not in the state", hash))
	}
	return code
}
