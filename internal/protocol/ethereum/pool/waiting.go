package pool

import (
	"context"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/coco-consortium/coco/internal/problem"
)

// seat lets a transaction wait for its turn, in place of one with its nonce if
// it offers enough more for that by geth's rule.
func (p *Pool) seat(s *sender, e *Entry) error {
	places, bytes := p.places+1, p.bytes+len(e.tx.Raw)
	old := s.waiting[e.tx.Nonce()]
	if old != nil {
		if !outbids(e.tx, old.tx) {
			return ErrUnderpriced
		}
		places, bytes = places-1, bytes-len(old.tx.Raw)
	}
	if places > p.Limits.Waiting || bytes > p.Limits.WaitingBytes {
		return ErrRoomFull
	}
	if old != nil {
		p.giveUp(s, old, problem.Newf("REPLACED", "nothing: the other transaction has its nonce",
			"replaced by transaction %v", e.tx.hash))
	}
	e.arrived, e.placed = p.Now(), make(chan struct{})
	if s.waiting == nil {
		s.waiting = make(map[uint64]*Entry)
	}
	s.waiting[e.tx.Nonce()] = e
	p.entries[e.tx.hash] = e
	p.refusals.forget(e.tx.hash)
	p.waiting = append(p.waiting, e)
	p.places++
	p.bytes += len(e.tx.Raw)
	return nil
}

// outbids is geth's rule for a replacement: both fee caps at least a tenth
// higher, and higher at all.
func outbids(offer, old *Transaction) bool {
	if offer.GasFeeCapCmp(old.Transaction.Transaction) <= 0 || offer.GasTipCapCmp(old.Transaction.Transaction) <= 0 {
		return false
	}
	return offer.GasFeeCapIntCmp(tenthMore(old.GasFeeCap())) >= 0 && offer.GasTipCapIntCmp(tenthMore(old.GasTipCap())) >= 0
}

func tenthMore(price *big.Int) *big.Int {
	more := new(big.Int).Mul(price, big.NewInt(110))
	return more.Div(more, big.NewInt(100))
}

// stand takes a transaction out of the waiting room.
func (p *Pool) stand(s *sender, e *Entry) {
	delete(s.waiting, e.tx.Nonce())
	p.places--
	p.bytes -= len(e.tx.Raw)
}

// giveUp refuses a waiting transaction.
func (p *Pool) giveUp(s *sender, e *Entry, why error) {
	p.stand(s, e)
	delete(p.entries, e.tx.hash)
	p.refusals.add(e.tx.hash, why, p.Now())
	e.given = why
	close(e.placed)
}

// promote submits the waiting transactions whose turn has come, from a nonce on.
func (p *Pool) promote(s *sender, next uint64, balance *uint256.Int) {
	for ; len(s.waiting) > 0; next++ {
		e := s.waiting[next]
		if e == nil {
			return
		}
		if !s.affords(balance, &e.tx.value) {
			p.giveUp(s, e, s.broke(balance, e.tx))
			return
		}
		if p.submit(s, e) != nil {
			return // busy: Tick tries again
		}
		p.stand(s, e)
	}
}

// Tick does what comes with time: it submits what could not be submitted
// before, gives up what has waited too long and forgets old refusals.
func (p *Pool) Tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flights = slices.DeleteFunc(p.flights, p.landed) // refused ones do not pile up behind one that takes long
	now := p.Now()
	p.refusals.expire(now)
	tried := make(map[common.Address]bool)
	kept := p.waiting[:0]
	for _, e := range p.waiting {
		if !e.Waiting() {
			continue
		}
		from := e.tx.From
		if !tried[from] {
			tried[from] = true
			p.catchUp(from)
		}
		if e.Waiting() && now.Sub(e.arrived) >= p.Limits.Wait {
			s := p.senders[from]
			p.giveUp(s, e, p.gap(s, e))
			p.leave(from, s)
		}
		if e.Waiting() {
			kept = append(kept, e)
		}
	}
	clear(p.waiting[len(kept):])
	p.waiting = kept
}

// catchUp brings a sender's waiting transactions up to date with the state.
func (p *Pool) catchUp(from common.Address) {
	s, nonce, balance := p.sender(from)
	next := s.next(nonce)
	for _, e := range s.waiting {
		if e.tx.Nonce() < next {
			p.giveUp(s, e, detail(ErrNonceTooLow, fmt.Sprintf("next nonce %v, tx nonce %v", next, e.tx.Nonce())))
		}
	}
	p.promote(s, next, &balance)
	p.leave(from, s)
}

func (p *Pool) gap(s *sender, e *Entry) error {
	nonce, _ := p.Account(e.tx.From)
	return problem.Newf("NONCE_GAP", "send the missing transactions, then this one again",
		"nonce gap: the transaction of nonce %d did not come within %v", s.next(nonce), p.Limits.Wait)
}

// Run calls Tick from time to time until ctx ends.
func (p *Pool) Run(ctx context.Context) {
	t := time.NewTicker(250 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			p.Tick()
		}
	}
}
