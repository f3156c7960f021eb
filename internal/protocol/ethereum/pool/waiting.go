package pool

import (
	"context"
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
	old := s.waiting[e.tx.Nonce()]
	if old != nil && !outbids(e.tx, old.tx) {
		return ErrUnderpriced
	}
	if err := p.room(e, old); err != nil {
		return err
	}
	if old != nil {
		p.giveUp(s, old, replaced(e))
	}
	p.refusals.forget(e.tx.hash)
	p.sit(s, e)
	return nil
}

// room says why there is no place for a transaction, in place of another or nil.
func (p *Pool) room(e, old *Entry) error {
	places, bytes := p.places+1, p.bytes+len(e.tx.Raw)
	if old != nil {
		places, bytes = places-1, bytes-len(old.tx.Raw)
	}
	if places > p.Limits.Waiting || bytes > p.Limits.WaitingBytes {
		return ErrRoomFull
	}
	return nil
}

// sit gives a transaction a place in the waiting room.
func (p *Pool) sit(s *sender, e *Entry) {
	e.placed = make(chan struct{})
	if s.waiting == nil {
		s.waiting = make(map[uint64]*Entry)
	}
	s.waiting[e.tx.Nonce()] = e
	p.entries[e.tx.hash] = e
	if !e.listed {
		e.listed = true
		p.waiting = append(p.waiting, e)
	}
	p.places++
	p.bytes += len(e.tx.Raw)
}

func replaced(by *Entry) error {
	return problem.Newf("REPLACED", "nothing: the other transaction has its nonce", "replaced by transaction %v", by.tx.hash)
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
	close(e.placed)
}

// giveUp refuses a waiting transaction.
func (p *Pool) giveUp(s *sender, e *Entry, why error) {
	p.stand(s, e)
	p.forget(e, why)
}

// promote hands over the waiting transactions whose turn has come, on top of a
// state with the given nonce and balance.
func (p *Pool) promote(s *sender, nonce uint64, balance *uint256.Int, event bool) {
	for next := s.next(nonce); len(s.waiting) > 0; next++ {
		e := s.waiting[next]
		if e == nil || !e.ready(nonce, event) {
			return
		}
		if !s.affords(balance, &e.tx.value) {
			p.giveUp(s, e, s.broke(balance, e.tx))
			return
		}
		if err := p.submit(s, e); err != nil {
			e.back = err // Tick tries again
			return
		}
		p.stand(s, e)
	}
}

// Tick does what comes with time: it hands over what could not be before, gives up
// what has waited too long and forgets old refusals.
func (p *Pool) Tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flights = slices.DeleteFunc(p.flights, p.landed) // refused ones do not pile up behind one that takes long
	now := p.Now()
	p.refusals.expire(now)
	tried := make(map[common.Address]bool)
	for _, e := range p.waiting {
		if from := e.tx.From; e.waits() && !tried[from] {
			tried[from] = true
			p.catchUp(from, true)
		}
		if e.waits() && now.Sub(e.arrived) >= p.Limits.Wait {
			s, nonce, _ := p.sender(e.tx.From)
			p.giveUp(s, e, p.late(e, s.next(nonce)))
			p.leave(e.tx.From, s)
		}
	}
	p.waiting = slices.DeleteFunc(p.waiting, func(e *Entry) bool {
		e.listed = e.waits()
		return !e.listed
	})
}

// catchUp brings a sender's waiting transactions up to date with the state; event
// says that time has passed, or a block has come.
func (p *Pool) catchUp(from common.Address, event bool) {
	s, nonce, balance := p.sender(from)
	for _, e := range s.waiting {
		if e.tx.Nonce() < nonce {
			p.giveUp(s, e, tooLow(nonce, e.tx))
		}
	}
	p.promote(s, nonce, &balance, event)
	p.leave(from, s)
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
