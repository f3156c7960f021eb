package pool

import (
	"cmp"
	"slices"

	"github.com/holiman/uint256"
)

// sender is what the pool knows of one account that has transactions in it.
type sender struct {
	flying  []*Entry          // handed to the sequencer, in order of nonce
	sum     uint256.Int       // of the values of flying
	waiting map[uint64]*Entry // by nonce; before their turn
}

// executed forgets the flying transactions that the state has got past.
func (s *sender) executed(nonce uint64) {
	n := 0
	for n < len(s.flying) && s.flying[n].tx.Nonce() < nonce {
		s.sum.Sub(&s.sum, &s.flying[n].tx.value)
		s.flying[n] = nil
		n++
	}
	s.flying = s.flying[n:]
}

// next is the nonce that follows on the state's, which is given, and on the
// transactions that fly. Those behind one that was refused will be refused too.
func (s *sender) next(nonce uint64) uint64 {
	if len(s.flying) == 0 || s.flying[0].tx.Nonce() != nonce || s.flying[0].refused() {
		return nonce
	}
	if last := len(s.flying) - 1; s.flying[last].tx.Nonce() == nonce+uint64(last) {
		return nonce + uint64(last) + 1
	}
	for _, e := range s.flying {
		if e.tx.Nonce() != nonce {
			break
		}
		nonce++
	}
	return nonce
}

// fly adds a transaction that was handed to the sequencer.
func (s *sender) fly(e *Entry) {
	s.sum.Add(&s.sum, &e.tx.value)
	at, _ := slices.BinarySearchFunc(s.flying, e.tx.Nonce(), compareNonce)
	s.flying = slices.Insert(s.flying, at, e)
}

// land forgets a flying transaction, if it has not been forgotten before.
func (s *sender) land(e *Entry) {
	at, _ := slices.BinarySearchFunc(s.flying, e.tx.Nonce(), compareNonce)
	for at < len(s.flying) && s.flying[at] != e {
		if s.flying[at].tx.Nonce() != e.tx.Nonce() {
			return
		}
		at++ // behind the one that came after it was refused
	}
	if at == len(s.flying) {
		return
	}
	s.sum.Sub(&s.sum, &e.tx.value)
	s.flying = slices.Delete(s.flying, at, at+1)
}

// affords says whether a balance pays for a value on top of what flies.
func (s *sender) affords(balance, value *uint256.Int) bool {
	need, overflow := new(uint256.Int).AddOverflow(&s.sum, value)
	return !overflow && need.Cmp(balance) <= 0
}

func (s *sender) idle() bool { return len(s.flying) == 0 && len(s.waiting) == 0 }

func compareNonce(e *Entry, nonce uint64) int { return cmp.Compare(e.tx.Nonce(), nonce) }
