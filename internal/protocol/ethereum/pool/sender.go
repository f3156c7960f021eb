package pool

import (
	"cmp"
	"slices"

	"github.com/holiman/uint256"
)

// sender is what the pool knows of one account that has transactions in it.
type sender struct {
	flying  []*Entry          // handed over and not ended, in order of nonce
	past    int               // how many of them the state has got past
	sum     uint256.Int       // of the values of the others
	waiting map[uint64]*Entry // by nonce; before their turn
}

// at follows the state's nonce, which falls back when what was executed is lost
// with its view.
func (s *sender) at(nonce uint64) {
	for s.past < len(s.flying) && s.flying[s.past].tx.Nonce() < nonce {
		s.sum.Sub(&s.sum, &s.flying[s.past].tx.value)
		s.past++
	}
	for s.past > 0 && s.flying[s.past-1].tx.Nonce() >= nonce {
		s.past--
		s.sum.Add(&s.sum, &s.flying[s.past].tx.value)
	}
}

// next is the nonce that follows on the state's, which is given, and on the
// transactions that fly. Those behind one that was refused will be refused too.
func (s *sender) next(nonce uint64) uint64 {
	s.at(nonce)
	ahead := s.flying[s.past:]
	if len(ahead) == 0 || ahead[0].tx.Nonce() != nonce || ahead[0].refused() {
		return nonce
	}
	if last := len(ahead) - 1; ahead[last].tx.Nonce() == nonce+uint64(last) {
		return nonce + uint64(last) + 1
	}
	for _, e := range ahead {
		if e.tx.Nonce() != nonce {
			break
		}
		nonce++
	}
	return nonce
}

// fly adds a transaction that was handed over.
func (s *sender) fly(e *Entry) {
	i, _ := slices.BinarySearchFunc(s.flying, e.tx.Nonce(), compareNonce)
	s.flying = slices.Insert(s.flying, i, e)
	if i < s.past { // the state is past it already
		s.past++
		return
	}
	s.sum.Add(&s.sum, &e.tx.value)
}

// land forgets a flying transaction, if it has not been forgotten before.
func (s *sender) land(e *Entry) {
	i, _ := slices.BinarySearchFunc(s.flying, e.tx.Nonce(), compareNonce)
	for i < len(s.flying) && s.flying[i] != e {
		if s.flying[i].tx.Nonce() != e.tx.Nonce() {
			return
		}
		i++ // behind the one that came after it was refused
	}
	if i == len(s.flying) {
		return
	}
	if i < s.past {
		s.past--
	} else {
		s.sum.Sub(&s.sum, &e.tx.value)
	}
	if i == 0 { // as usual: they are committed in order
		s.flying[0] = nil
		s.flying = s.flying[1:]
		return
	}
	s.flying = slices.Delete(s.flying, i, i+1)
}

// affords says whether a balance pays for a value on top of what flies.
func (s *sender) affords(balance, value *uint256.Int) bool {
	need, overflow := new(uint256.Int).AddOverflow(&s.sum, value)
	return !overflow && need.Cmp(balance) <= 0
}

func (s *sender) idle() bool { return len(s.flying) == 0 && len(s.waiting) == 0 }

func compareNonce(e *Entry, nonce uint64) int { return cmp.Compare(e.tx.Nonce(), nonce) }
