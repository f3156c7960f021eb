package pool

import (
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// When the sequencer refuses one, those behind it are refused with it and the
// sender may use its nonce again.
func TestRefusedByExecution(t *testing.T) {
	l, a := newLedger(), newAccount(t)
	l.balance[a.address] = 5
	p := l.pool(Limits{})
	e, err := p.Admit(nil, transfer(t, a, 0, 5))
	if err != nil {
		t.Fatal(err)
	}
	p.Admit(nil, transfer(t, a, 1, 0))
	l.balance[a.address] = 0
	l.execute(1)
	if got := p.Next(a.address); got != 0 {
		t.Errorf("next nonce %d", got)
	}
	l.execute(1)
	if err := e.Wait(t.Context()); Reason(err) != "does not fit the state" {
		t.Errorf("got %v", err)
	}
	if s := p.Status(e.Hash()); s.Pending || s.Refused == nil {
		t.Errorf("status %+v", s)
	}
	if _, err := p.Admit(nil, transfer(t, a, 0, 0)); err != nil {
		t.Errorf("the nonce again: %v", err)
	}
	if len(p.entries) != 1 || len(p.flights) != 1 {
		t.Errorf("%d entries, %d flights", len(p.entries), len(p.flights))
	}
}

// A refused transaction is known as refused before an older one of somebody else
// is committed, and its sender may send again.
func TestRefusedBehindAnother(t *testing.T) {
	for _, ask := range []string{"status", "find", "again", "tick"} {
		l, a, b := newLedger(), newAccount(t), newAccount(t)
		l.balance[a.address] = 5
		p := l.pool(Limits{})
		if _, err := p.Admit(nil, transfer(t, b, 0, 0)); err != nil {
			t.Fatal(err)
		}
		tx := transfer(t, a, 0, 5)
		for _, tx := range []*Transaction{tx, transfer(t, a, 1, 0)} {
			if _, err := p.Admit(nil, tx); err != nil {
				t.Fatal(err)
			}
		}
		l.balance[a.address] = 4
		l.execute(3) // one is executed and not committed, two are refused
		l.balance[a.address] = 5
		switch ask {
		case "tick":
			if p.Tick(); len(p.flights) != 1 {
				t.Errorf("%d flights, one of which is not done", len(p.flights))
			}
		case "status":
			if s := p.Status(tx.Hash()); s.Pending || s.Refused == nil {
				t.Errorf("status %+v", s)
			}
		case "find":
			if _, found := p.Find(tx.Hash()); found {
				t.Error("it is found among those on their way")
			}
		}
		if _, err := p.Admit(nil, tx); err != nil {
			t.Errorf("%s: sent again: %v", ask, err)
		}
		if s := p.Status(tx.Hash()); !s.Pending {
			t.Errorf("%s: sent again: %+v", ask, s)
		}
		l.commit() // the older one: the refused are settled once more
		if s := p.Status(tx.Hash()); !s.Pending || p.Next(a.address) != 1 {
			t.Errorf("%s: after the commit: %+v, next nonce %d", ask, s, p.Next(a.address))
		}
		l.execute(1)
		l.commit()
		p.Tick()
		if len(p.entries)+len(p.senders)+len(p.flights) != 0 {
			t.Errorf("%s: left in the pool: %+v", ask, p)
		}
	}
}

// Whoever asks right after sending is answered at the commit, but neither by a
// gap nor by a ledger that stands still held up.
func TestSettle(t *testing.T) {
	l, a := newLedger(), newAccount(t)
	p := l.pool(Limits{})
	ahead, err := p.Admit(nil, transfer(t, a, 1, 0))
	if err != nil || p.Settle(t.Context(), ahead, time.Hour) {
		t.Errorf("a transaction before its turn: %v, or said to be settled", err)
	}
	first, err := p.Admit(nil, transfer(t, a, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	settled := make(chan bool)
	for _, e := range []*Entry{first, ahead} {
		go func() { settled <- p.Settle(t.Context(), e, time.Hour) }()
	}
	l.execute(2)
	l.commit()
	for range 2 {
		if !<-settled {
			t.Error("committed, and not settled")
		}
	}

	third, err := p.Admit(nil, transfer(t, a, 2, 0))
	if err != nil {
		t.Fatal(err)
	}
	l.now = l.now.Add(time.Minute)
	if p.Settle(t.Context(), third, time.Minute) {
		t.Error("settled without a commit")
	}
	l.execute(1)
	l.commit()
}

// A transaction may be executed and committed while the next one is admitted,
// between any two looks at it: the next one's turn has come all the same.
func TestDoneWhileTheStateIsRead(t *testing.T) {
	l, a := newLedger(), newAccount(t)
	p := l.pool(Limits{})
	if _, err := p.Admit(nil, transfer(t, a, 0, 0)); err != nil {
		t.Fatal(err)
	}
	account := p.Account
	p.Account = func(address common.Address) (uint64, uint256.Int) {
		nonce, balance := account(address)
		p.Account = account
		l.execute(1)
		l.commit()
		return nonce, balance
	}
	e, err := p.Admit(nil, transfer(t, a, 1, 0))
	if err != nil || e.Waiting() {
		t.Errorf("the next transaction: %v, or it waits for one that is committed", err)
	}
	if next := p.Next(a.address); next != 2 {
		t.Errorf("next nonce %d", next)
	}
	l.execute(1)
	l.commit()
}
