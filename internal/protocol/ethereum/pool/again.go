package pool

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/sequencer"
)

var _ sequencer.Follower = (*Pool)(nil)

// Committed implements sequencer.Follower; the pool stands behind the chain. A
// transaction of the block ends here as committed, whichever node it went
// through. Another one of its sender with its nonce can never be committed, and
// what waited for it is handed over.
func (p *Pool) Committed(c *sequencer.Committed) {
	p.mu.Lock()
	idle := len(p.entries) == 0 && len(p.senders) == 0 && len(p.refusals.of) == 0
	p.mu.Unlock()
	if idle {
		return // it need not be decoded for the sake of nothing
	}
	b, err := ethereum.FromCommitted(c)
	if err != nil {
		return // the chain, which is told first, says so
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var moved map[common.Address]bool
	for i, t := range b.Transactions {
		hash := b.Receipts[i].TxHash
		p.refusals.forget(hash)
		if e := p.entries[hash]; e != nil {
			p.commit(e)
		}
		s := p.senders[t.From]
		if s == nil {
			continue
		}
		p.overtake(s, t.Nonce()+1)
		p.leave(t.From, s)
		if len(s.waiting) > 0 {
			if moved == nil {
				moved = make(map[common.Address]bool)
			}
			moved[t.From] = true
		}
	}
	for from := range moved {
		p.catchUp(from, true)
	}
}

// commit ends a transaction that is committed.
func (p *Pool) commit(e *Entry) {
	if s := p.senders[e.tx.From]; s != nil && e.ticket == nil {
		p.stand(s, e)
	}
	p.finish(e, nil)
}

// overtake refuses the transactions whose nonces the committed state has got past.
func (p *Pool) overtake(s *sender, next uint64) {
	for len(s.flying) > 0 && s.flying[0].tx.Nonce() < next {
		e := s.flying[0]
		p.finish(e, tooLow(next, e.tx))
	}
	for _, e := range s.waiting {
		if e.tx.Nonce() < next {
			p.giveUp(s, e, tooLow(next, e.tx))
		}
	}
}

func tooLow(next uint64, t *Transaction) error {
	return detail(ErrNonceTooLow, fmt.Sprintf("next nonce %v, tx nonce %v", next, t.Nonce()))
}

// comeBack lets a transaction wait once more that was handed over in vain for a
// reason that passes: one before it was refused or delayed, or it was lost with
// its view. It waits for the rest of its time.
func (p *Pool) comeBack(e *Entry, why error) bool {
	passing := errors.Is(why, ErrNonceTooHigh) ||
		errors.Is(why, sequencer.ErrNotCommitted) || errors.Is(why, sequencer.ErrNotPrimary) || errors.Is(why, sequencer.ErrBusy)
	if !passing || p.Now().Sub(e.arrived) >= p.Limits.Wait || p.Fault != nil && p.Fault() != nil {
		return false
	}
	s := p.senders[e.tx.From]
	if s == nil || s.waiting[e.tx.Nonce()] != nil {
		return false
	}
	if p.room(e, nil) != nil {
		return false
	}
	s.land(e)
	e.ticket, e.back = nil, why
	p.sit(s, e)
	return true
}

// ready says that a transaction may be handed over whose turn has come on top of
// a state with the given nonce. One that came back is not tried again and again:
// it is when the time or a block has come, or when the state alone says that its
// turn has come.
func (e *Entry) ready(nonce uint64, event bool) bool {
	return e.back == nil || event || errors.Is(e.back, ErrNonceTooHigh) && e.tx.Nonce() == nonce
}

// late is why a transaction that has waited for its whole time is given up.
func (p *Pool) late(e *Entry, next uint64) error {
	if e.tx.Nonce() == next && e.back != nil {
		return e.back
	}
	return problem.Newf("NONCE_GAP", "send the missing transactions, then this one again",
		"nonce gap: the transaction of nonce %d did not come within %v", next, p.Limits.Wait)
}
