package pool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/coco-consortium/coco/internal/forward"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// Limits of a pool. A zero field means its default.
type Limits struct {
	Ahead        uint64        // how far before its turn a transaction may come
	Waiting      int           // transactions that wait for their turn, of all senders
	WaitingBytes int           // their bytes
	Wait         time.Duration // how long one waits
	Refusals     int           // refusals remembered
	Remember     time.Duration // how long
}

// DefaultLimits are those of docs/reference/json-rpc.md and bounds for the rest.
var DefaultLimits = Limits{
	Ahead: 64, Waiting: 16384, WaitingBytes: 64 << 20, Wait: 60 * time.Second,
	Refusals: 65536, Remember: 10 * time.Minute,
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits
	l.Ahead = cmp.Or(l.Ahead, d.Ahead)
	l.Waiting = cmp.Or(l.Waiting, d.Waiting)
	l.WaitingBytes = cmp.Or(l.WaitingBytes, d.WaitingBytes)
	l.Wait = cmp.Or(l.Wait, d.Wait)
	l.Refusals = cmp.Or(l.Refusals, d.Refusals)
	l.Remember = cmp.Or(l.Remember, d.Remember)
	return l
}

// Config is what a pool is made of. All fields but Limits are required.
type Config struct {
	// Account gives a sender's nonce and balance in the speculative state, both
	// at one moment. On a node that is not the primary that is the committed state,
	// which moves with the blocks of others: see Committed.
	Account func(common.Address) (nonce uint64, balance uint256.Int)
	// Submit is the forwarder's, or on a network of one the sequencer's. It is
	// called behind the pool's lock and may not wait.
	Submit func(*sequencer.Request) (Ticket, error)
	Now    func() time.Time
	Limits Limits
	// Fault says why nothing can be committed any more; nil while it can. It may
	// be left out.
	Fault func() error
	// OnItsWay reports that another node brought a transaction here that has not
	// come to its end yet. The state may be past its nonce because it was executed;
	// who sends it here too waits with the other. It may be left out.
	OnItsWay func(common.Hash) bool
}

// Pool admits transactions. See the package comment.
type Pool struct {
	Config

	mu       sync.Mutex
	entries  map[common.Hash]*Entry
	senders  map[common.Address]*sender
	flights  []*Entry // handed over, oldest first; also some that have ended
	waiting  []*Entry // waiting since, oldest first; also some that wait no more
	places   int      // entries that wait
	bytes    int      // their size
	refusals refusals
}

// New makes an empty pool.
func New(c Config) *Pool {
	c.Limits = c.Limits.withDefaults()
	return &Pool{
		Config:   c,
		entries:  make(map[common.Hash]*Entry),
		senders:  make(map[common.Address]*sender),
		refusals: refusals{of: make(map[common.Hash]refusal), most: c.Limits.Refusals, remember: c.Limits.Remember},
	}
}

// Admit takes a checked transaction in: it is handed over, with those that waited
// for it, or waits for an earlier one. An error is a refusal in geth's words, or
// that the network takes nothing now.
func (p *Pool) Admit(caller []byte, t *Transaction) (*Entry, error) {
	if p.Fault != nil {
		if err := p.Fault(); err != nil {
			return nil, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settle()
	if p.entry(t.hash) != nil {
		return nil, ErrAlreadyKnown
	}
	s, nonce, balance := p.sender(t.From)
	defer p.leave(t.From, s)
	next := s.next(nonce)
	switch {
	case t.Nonce() < next && p.OnItsWay != nil && p.OnItsWay(t.hash):
	case t.Nonce() < next:
		return nil, detail(ErrNonceTooLow, fmt.Sprintf("next nonce %v, tx nonce %v", next, t.Nonce()))
	case t.Nonce()-next > p.Limits.Ahead:
		return nil, detail(ErrNonceTooHigh, fmt.Sprintf("next nonce %v, tx nonce %v, at most %v ahead", next, t.Nonce(), p.Limits.Ahead))
	case !s.affords(&balance, &t.value):
		return nil, s.broke(&balance, t)
	}
	e := &Entry{tx: t, caller: caller, pool: p, arrived: p.Now(), ended: make(chan struct{})}
	if t.Nonce() > next {
		return e, p.seat(s, e)
	}
	if err := p.submit(s, e); err != nil {
		return nil, err
	}
	if len(s.waiting) > 0 {
		p.promote(s, nonce, &balance, false)
	}
	return e, nil
}

// Next is the sender's next nonce: that of the speculative state and what was
// admitted on top of it without a gap. It is the "pending" transaction count.
func (p *Pool) Next(from common.Address) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, nonce, _ := p.sender(from)
	defer p.leave(from, s)
	return s.next(nonce)
}

// Find gives the admitted transaction of a hash, as long as it is neither
// committed nor refused.
func (p *Pool) Find(hash common.Hash) (*Entry, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settle()
	e := p.entry(hash)
	return e, e != nil
}

// entry gives what is on its way under a hash, nil if nothing is.
func (p *Pool) entry(hash common.Hash) *Entry {
	if e := p.entries[hash]; e != nil && e.done() {
		p.end(e)
	}
	return p.entries[hash]
}

// Settle waits for a transaction that is on its way: until it is committed,
// which is true, or refused, or was handed over a patience ago. It
// does not wait for one whose turn has not come. So a client that asks at once
// after sending has its answer by asking once, and a network that stands still
// delays nobody.
func (p *Pool) Settle(ctx context.Context, e *Entry, patience time.Duration) bool {
	p.mu.Lock()
	waits, handed := e.waits(), e.handed
	p.mu.Unlock()
	if waits {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, patience-p.Now().Sub(handed))
	defer cancel()
	return e.Wait(ctx) == nil
}

// sender gives what is known of an account, with its nonce and balance, and
// without the flying transactions at either end that are done. The state is read
// last: a transaction that was done before has left its mark there.
func (p *Pool) sender(from common.Address) (s *sender, nonce uint64, balance uint256.Int) {
	if s = p.senders[from]; s == nil {
		s = new(sender)
		p.senders[from] = s
	}
	for len(s.flying) > 0 && s.flying[0].done() {
		p.end(s.flying[0])
	}
	for last := len(s.flying) - 1; last >= 0 && s.flying[last].done(); last-- {
		p.end(s.flying[last])
	}
	nonce, balance = p.Account(from)
	s.at(nonce)
	return s, nonce, balance
}

// leave forgets a sender that has nothing in the pool.
func (p *Pool) leave(from common.Address, s *sender) {
	if s.idle() {
		delete(p.senders, from)
	}
}

// submit hands a transaction over.
func (p *Pool) submit(s *sender, e *Entry) error {
	ticket, err := p.Submit(e.tx.Request(e.caller))
	if err != nil {
		return err
	}
	e.ticket, e.handed = ticket, p.Now()
	p.entries[e.tx.hash] = e
	p.refusals.forget(e.tx.hash)
	p.flights = append(p.flights, e)
	s.fly(e)
	return nil
}

// settle takes note of what became of the oldest flights.
func (p *Pool) settle() {
	n := 0
	for n < len(p.flights) && p.landed(p.flights[n]) {
		p.flights[n] = nil
		n++
	}
	p.flights = p.flights[n:]
}

// landed reports whether a flight is over, and takes note of what became of it.
func (p *Pool) landed(e *Entry) bool {
	if e.ticket != nil && !e.done() {
		return false
	}
	if e.ticket != nil { // else it came back to wait, and stands here again when it is handed over again
		p.end(e)
	}
	if s := p.senders[e.tx.From]; s != nil {
		p.leave(e.tx.From, s)
	}
	return true
}

// end takes note of what became of one that is done. That may be before its turn
// among the flights has come, in which case there is nothing to be done then.
func (p *Pool) end(e *Entry) {
	if closed(e.ended) {
		return
	}
	err := e.ticket.Err()
	if err != nil && p.comeBack(e, err) {
		return
	}
	p.finish(e, err)
}

// finish ends a transaction that was handed over.
func (p *Pool) finish(e *Entry, err error) {
	if s := p.senders[e.tx.From]; s != nil {
		s.land(e)
	}
	p.forget(e, err)
}

// forget ends a transaction that neither flies nor waits any more.
func (p *Pool) forget(e *Entry, err error) {
	delete(p.entries, e.tx.hash)
	if err != nil && !errors.Is(err, sequencer.ErrOutcomeUnknown) && !errors.Is(err, forward.ErrExpired) { // another node may have it
		p.refusals.add(e.tx.hash, err, p.Now())
	}
	e.err = err
	close(e.ended)
}

// broke is the refusal of a transaction whose value cannot be paid, with geth's
// numbers.
func (s *sender) broke(balance *uint256.Int, t *Transaction) error {
	cost, queued := t.value.ToBig(), s.sum.ToBig()
	over := new(big.Int).Sub(new(big.Int).Add(cost, queued), balance.ToBig())
	if queued.Sign() == 0 {
		return detail(ErrFunds, fmt.Sprintf("balance %v, tx cost %v, overshot %v", balance.ToBig(), cost, over))
	}
	return detail(ErrFunds, fmt.Sprintf("balance %v, queued cost %v, tx cost %v, overshot %v", balance.ToBig(), queued, cost, over))
}
