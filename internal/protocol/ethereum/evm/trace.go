package evm

import (
	"bytes"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
)

// The interpreter reports what it does to a tracer; changes of state are for the
// state to report. Here are those that need more than a line.

func (s *State) traceNonce(address common.Address, before, after uint64, reason tracing.NonceChangeReason) {
	switch h := s.hooks; {
	case h == nil:
	case h.OnNonceChangeV2 != nil:
		h.OnNonceChangeV2(address, before, after, reason)
	case h.OnNonceChange != nil:
		h.OnNonceChange(address, before, after)
	}
}

func (s *State) traceCode(address common.Address, hash common.Hash, code []byte, newHash common.Hash, newCode []byte, reason tracing.CodeChangeReason) {
	switch h := s.hooks; {
	case h == nil || hash == newHash:
	case h.OnCodeChangeV2 != nil:
		h.OnCodeChangeV2(address, hash, code, newHash, newCode, reason)
	case h.OnCodeChange != nil:
		h.OnCodeChange(address, hash, code, newHash, newCode)
	}
}

// traceEnds reports what the end of destroyed accounts takes away, in the order
// of addresses.
func (s *State) traceEnds() {
	if s.hooks == nil {
		return
	}
	var ends []*account
	for i := range s.accounts {
		if a := &s.accounts[i]; a.exists && a.destroyed {
			ends = append(ends, a)
		}
	}
	slices.SortFunc(ends, func(a, b *account) int { return bytes.Compare(a.address[:], b.address[:]) })
	for _, a := range ends {
		if s.hooks.OnBalanceChange != nil && !a.Balance.IsZero() {
			s.hooks.OnBalanceChange(a.address, a.Balance.ToBig(), new(big.Int), tracing.BalanceDecreaseSelfdestructBurn)
		}
		s.traceNonce(a.address, a.Nonce, 0, tracing.NonceChangeSelfdestruct)
		s.traceCode(a.address, a.CodeHash, s.code(a.CodeHash), types.EmptyCodeHash, nil, tracing.CodeChangeSelfDestruct)
	}
}
