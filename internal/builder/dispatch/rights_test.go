package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/ledger/simulated"
	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/vault"
	"github.com/coco-consortium/coco/internal/problem"
)

// rights is a rule that a test changes.
type rights struct {
	mu   sync.Mutex
	rule func(a offchain.Action) error
}

func (r *rights) Allows(_ context.Context, a offchain.Action) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rule == nil {
		return nil
	}
	return r.rule(a)
}

func (r *rights) set(rule func(a offchain.Action) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rule = rule
}

// TestChangedMeanwhile: what a person may no longer do when its turn comes is not
// signed. It ends as not sent, and says what changed.
func TestChangedMeanwhile(t *testing.T) {
	r := &rights{}
	s := newStage(t, simulated.Options{})
	s.rights = r
	signed := 0
	s.vault.hook = func(string) error { signed++; return nil }
	s.start()
	shop, _ := s.create("kim", "1")
	s.calm()
	s.act("lee", shop, "Put", "n", "1")
	s.calm()
	for code, part := range map[problem.Code]string{
		"FORBIDDEN":            "gus lost the role",
		"APPLICATION_DISABLED": "made read only",
		"ACTION_NOT_ALLOWED":   "changed by Put of lee",
	} {
		before := signed
		r.set(func(offchain.Action) error { return problem.New(code, "no", "ask") })
		id := s.act("gus", shop, "Put", "n", "1")
		s.calm()
		a := s.action(id)
		if a.Status != offchain.StatusRefused || a.ErrorCode != string(code) || !strings.Contains(a.ErrorMessage, part) || signed != before {
			t.Errorf("%s: signed %d times; the action is %+v", code, signed-before, a)
		}
		r.set(nil)
	}
	// It is asked again after what is slow.
	asked := 0
	r.set(func(offchain.Action) error {
		if asked++; asked > 1 {
			return problem.New("FORBIDDEN", "no", "ask")
		}
		return nil
	})
	before := signed
	id := s.act("gus", shop, "Put", "n", "1")
	s.calm()
	if a := s.action(id); a.Status != offchain.StatusRefused || signed != before {
		t.Errorf("the action is %+v", a)
	}
	// What is not known now is asked again, and what passes is waited for.
	asked = 0
	r.set(func(offchain.Action) error {
		switch asked++; asked {
		case 1:
			return problem.New("CONTRACT_BUSY", "not there yet", "wait")
		case 2:
			return errors.New("SELECT failed")
		}
		return nil
	})
	id = s.act("gus", shop, "Put", "n", "1")
	s.calm()
	if a := s.action(id); a.Status != offchain.StatusCommitted || asked < 4 {
		t.Errorf("asked %d times the action is %+v", asked, a)
	}
}

// TestOneAfterTheOther: a person's second action on a contract is asked about when
// the first is in the state that is looked at. On other contracts, and for other
// people, nothing waits.
func TestOneAfterTheOther(t *testing.T) {
	r := &rights{}
	s := newStage(t, simulated.Options{Manual: true})
	s.rights = r
	s.start()
	shop, _ := s.create("kim", "0")
	other, _ := s.create("kim", "0")
	s.mined()
	r.set(func(a offchain.Action) error { // one Put only, by the newest values
		if c, err := s.store.Contract(context.Background(), a.ContractID); err != nil || s.value(c.ID, "Count") != "0" {
			return problem.New("ACTION_NOT_ALLOWED", "no", "ask")
		}
		return nil
	})
	first := s.act("kim", shop, "Put", "n", "1")
	second := s.act("kim", shop, "Put", "n", "1") // of another tab
	elsewhere := s.act("kim", other, "Put", "n", "1")
	somebody := s.act("gus", shop, "Put", "n", "1")
	s.until("what need not wait is sent", func() bool {
		sent := true
		for _, id := range []int{first, elsewhere, somebody} {
			sent = sent && s.action(id).Status == offchain.StatusSent
		}
		return sent
	})
	if a := s.action(second); a.Status != offchain.StatusAsked {
		t.Errorf("the second action is %+v", a)
	}
	s.mined()
	for id, want := range map[int]int{first: 2, elsewhere: 2, somebody: 2, second: 3} {
		if a := s.action(id); a.Status != want {
			t.Errorf("not %d: %+v", want, a)
		}
	}
}

// TestRevokedAfterSigning: what was signed is out. It ends with what became of it on
// the ledger, or, if that took its nonce for another transaction for ever, as failed.
func TestRevokedAfterSigning(t *testing.T) {
	r := &rights{}
	s := newStage(t, simulated.Options{Manual: true, Replaces: true})
	s.rights = r
	s.start()
	shop, _ := s.create("kim", "0")
	s.mined()
	for range simulated.Depth + 1 {
		s.ledger.Mine()
	}
	s.calm()
	done, lost := s.act("gus", shop, "Put", "n", "1"), s.act("lee", shop, "Put", "n", "1")
	s.until("both are sent", func() bool {
		return s.action(done).Status == offchain.StatusSent && s.action(lost).Status == offchain.StatusSent
	})
	s.stop()
	s.ledger.Drop()
	to := s.contract(shop).Address
	data, err := s.bound(s.shop).Call("Put", args("n", "100"))
	s.ok(err)
	s.ok(s.direct("lee", &to, data))
	r.set(func(offchain.Action) error { return problem.New("FORBIDDEN", "no", "ask") })
	s.start()
	s.mined()
	if a := s.action(done); a.Status != offchain.StatusCommitted {
		t.Errorf("what was sent is %+v", a)
	}
	if a := s.action(lost); a.Status != offchain.StatusFailed || a.ErrorCode != "FORBIDDEN" {
		t.Errorf("what lost its nonce is %+v", a)
	}
	s.wantValue(shop, "Count", "101")
}

// TestUnfundedAfterSigning: what was signed waits for funds, and says so.
func TestUnfundedAfterSigning(t *testing.T) {
	var mu sync.Mutex
	poor := true
	s := newStage(t, simulated.Options{})
	s.driver = picky{s.ledger, func(tx *types.Transaction) error {
		mu.Lock()
		defer mu.Unlock()
		if poor && tx.To() != nil {
			return ledger.ErrUnfunded
		}
		return nil
	}}
	s.start()
	shop, _ := s.create("kim", "0")
	s.calm()
	id := s.act("kim", shop, "Put", "n", "1")
	s.until("it says why it waits", func() bool {
		s.do(&offchain.PersonChanged{ID: s.people["gus"], FirstName: "Gus"}) // a change to be woken by
		code, message := s.send.Waits(s.action(id))
		return code != "" && message != ""
	})
	mu.Lock()
	poor = false
	mu.Unlock()
	s.calm()
	if a := s.action(id); a.Status != offchain.StatusCommitted {
		t.Errorf("the action is %+v", a)
	}
	if code, _ := s.send.Waits(s.action(id)); code != "" {
		t.Errorf("a settled action waits: %s", code)
	}
	s.once()
}

// TestWaitsSaysWhy: while the ledger or the vault is down each action says so.
func TestWaitsSaysWhy(t *testing.T) {
	var mu sync.Mutex
	var down error
	hook := func(string) error {
		mu.Lock()
		defer mu.Unlock()
		return down
	}
	set := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		down = err
	}
	for name, where := range map[string]func(*stage){
		"LEDGER_UNAVAILABLE": func(s *stage) { s.ledger.Hook = hook },
		"VAULT_DOWN":         func(s *stage) { s.vault.hook = hook },
	} {
		set(nil)
		s := newStage(t, simulated.Options{Hook: func(string) error { return nil }})
		where(s)
		s.start()
		shop, _ := s.create("kim", "0")
		s.calm()
		cause := fmt.Errorf("dial tcp 10.1.2.3:8545: connection refused")
		why := map[string]error{"LEDGER_UNAVAILABLE": ledger.ErrUnavailable.From(cause), "VAULT_DOWN": vault.ErrDown.From(cause)}[name]
		set(why)
		id := s.act("kim", shop, "Put", "n", "1")
		s.until("it says why it waits", func() bool {
			s.do(&offchain.PersonChanged{ID: s.people["gus"], FirstName: "Gus"}) // a change to be woken by
			code, message := s.send.Waits(s.action(id))
			if strings.Contains(message, "10.1.2.3") {
				t.Fatal(message)
			}
			return code == string(problem.CodeOf(why)) && message != ""
		})
		set(nil)
		s.calm()
		if code, _ := s.send.Waits(s.action(id)); code != "" || s.action(id).Status != offchain.StatusCommitted {
			t.Errorf("%s: afterwards %q, %+v", name, code, s.action(id))
		}
	}
}
