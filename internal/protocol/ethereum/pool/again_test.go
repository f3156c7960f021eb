package pool

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// refuse ends the n-th request in the queue with an error.
func (l *ledger) refuse(n int, err error) {
	k := l.queue[n]
	l.queue = append(l.queue[:n:n], l.queue[n+1:]...)
	k.err = err
	close(k.executed)
	close(k.done)
}

// admitted admits transactions of one sender, of nonces from 0 on.
func admitted(t *testing.T, p *Pool, a account, n int) (entries []*Entry) {
	t.Helper()
	for nonce := range uint64(n) {
		e, err := p.Admit(nil, transfer(t, a, nonce, 1))
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	return entries
}

// What was handed over in vain for a reason that passes is handed over again, by
// itself, and whoever waits for it waits on.
func TestComesBack(t *testing.T) {
	for _, why := range []error{ErrNonceTooHigh, sequencer.ErrNotCommitted, sequencer.ErrNotPrimary, sequencer.ErrBusy} {
		l, a := newLedger(), newAccount(t)
		l.balance[a.address] = 9
		p := l.pool(Limits{})
		entries := admitted(t, p, a, 3)
		l.refuse(1, why)
		waited := make(chan error)
		go func() { waited <- entries[1].Wait(context.Background()) }()
		for p.Tick(); entries[1].Waiting(); p.Tick() {
			continue // until it is handed over again
		}
		if next := p.Next(a.address); next != 3 {
			t.Errorf("%v: next nonce %d", why, next)
		}
		l.execute(1)
		l.refuse(0, ErrNonceTooHigh) // the third, which has got before the second
		if s := p.Status(entries[2].Hash()); !s.Pending {
			t.Errorf("%v: the third is not on its way: %+v", why, s)
		}
		l.execute(1)
		p.Tick()
		l.execute(1)
		l.commit()
		if err := errors.Join(<-waited, entries[2].Wait(t.Context())); err != nil {
			t.Errorf("%v: %v", why, err)
		}
		p.Tick()
		if len(p.entries)+len(p.senders)+len(p.flights)+len(p.waiting)+p.places+p.bytes != 0 {
			t.Errorf("%v: left in the pool: %+v", why, p)
		}
	}
}

// Nothing comes back for ever: after its time the last reason is the answer.
func TestComesBackNoMore(t *testing.T) {
	l, a := newLedger(), newAccount(t)
	l.balance[a.address] = 9
	p := l.pool(Limits{})
	e := admitted(t, p, a, 1)[0]
	l.refuse(0, sequencer.ErrNotCommitted)
	l.full = true
	p.Tick()
	if !e.Waiting() {
		t.Fatal("it has not come back")
	}
	l.now = l.now.Add(time.Minute)
	p.Tick()
	if err := e.Wait(t.Context()); !errors.Is(err, sequencer.ErrBusy) {
		t.Errorf("handed to nobody: %v", err)
	}
	l.full = false
	e = admitted(t, p, a, 1)[0]
	l.now = l.now.Add(time.Minute)
	l.refuse(0, sequencer.ErrNotCommitted)
	if err := e.Wait(t.Context()); !errors.Is(err, sequencer.ErrNotCommitted) {
		t.Errorf("not committed in its time: %v", err)
	}
	if s := p.Status(e.Hash()); !errors.Is(s.Refused, sequencer.ErrNotCommitted) {
		t.Errorf("status %+v", s)
	}
}

// What comes back finds no place where there is none, and none where another one
// has it.
func TestComesBackToNoPlace(t *testing.T) {
	l, a := newLedger(), newAccount(t)
	l.balance[a.address] = 9
	p := l.pool(Limits{Waiting: 1})
	entries := admitted(t, p, a, 3)
	l.refuse(0, problem.New("TEST_REFUSED", "for a reason of its own", ""))
	l.refuse(0, ErrNonceTooHigh)
	l.refuse(0, ErrNonceTooHigh)
	p.Tick()
	waiting := 0
	for _, e := range entries[1:] {
		if e.Waiting() {
			waiting++
		} else if err := e.Wait(t.Context()); !errors.Is(err, ErrNonceTooHigh) {
			t.Errorf("got %v", err)
		}
	}
	if waiting != 1 || p.places != 1 {
		t.Errorf("%d wait in %d places", waiting, p.places)
	}
}

// The state falls back when a view is lost: what flies counts again, its value too.
func TestStateFallsBack(t *testing.T) {
	l, a := newLedger(), newAccount(t)
	l.balance[a.address] = 2
	p := l.pool(Limits{})
	admitted(t, p, a, 2)
	l.execute(2)
	if next := p.Next(a.address); next != 2 {
		t.Errorf("executed: next nonce %d", next)
	}
	l.nonce[a.address], l.balance[a.address] = 0, 2
	if next := p.Next(a.address); next != 2 {
		t.Errorf("lost and on their way: next nonce %d", next)
	}
	if _, err := p.Admit(nil, transfer(t, a, 2, 1)); !errors.Is(err, ErrFunds) {
		t.Errorf("what is spent already: %v", err)
	}
	l.nonce[a.address], l.balance[a.address] = 2, 0
	l.commit()
	p.Tick()
	if len(p.senders)+len(p.flights) != 0 {
		t.Errorf("left in the pool: %+v", p)
	}
}

// TestBroughtByAnotherNode: a transaction that another node brought is executed
// here and not committed, so that the state is past its nonce. Who sends it here
// too hears of its end; another one with its nonce is too late as ever.
func TestBroughtByAnotherNode(t *testing.T) {
	l, a := newLedger(), newAccount(t)
	l.nonce[a.address] = 5
	p := l.pool(Limits{})
	brought := transfer(t, a, 4, 0)
	p.OnItsWay = func(hash common.Hash) bool { return hash == brought.Hash() }
	_, err := p.Admit(nil, transfer(t, a, 4, 0, 100))
	wantRefusal(t, err, "nonce too low: next nonce 5, tx nonce 4")
	e, err := p.Admit(nil, brought)
	if err != nil {
		t.Fatal(err)
	}
	if next := p.Next(a.address); next != 5 {
		t.Errorf("the next nonce is %d", next)
	}
	_, err = p.Admit(nil, brought)
	wantRefusal(t, err, "already known")
	own := transfer(t, a, 5, 0)
	if _, err := p.Admit(nil, own); err != nil {
		t.Errorf("the one behind it: %v", err)
	}
	close(l.queue[0].executed) // the forwarder joins it to the one under way
	close(l.queue[0].done)
	if err := e.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	if next := p.Next(a.address); next != 6 {
		t.Errorf("the next nonce is %d", next)
	}
}
