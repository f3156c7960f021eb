package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/coco-consortium/coco/internal/builder/indexer"
	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/ledger/simulated"
	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/vault"
)

var errForeign = ledger.ErrForeign

// TestOrder: each person's actions are in blocks in the order in which they were
// asked for, whoever else is busy.
func TestOrder(t *testing.T) {
	s := newStage(t, simulated.Options{Manual: true})
	s.start()
	shop, _ := s.create("kim", "0")
	s.mined()
	want := map[string][]int{}
	for i := range 30 {
		for who := range roles {
			want[who] = append(want[who], s.act(who, shop, "Put", "n", fmt.Sprint(i)))
		}
		if i%7 == 0 {
			s.ledger.Mine()
		}
	}
	s.mined()
	for who, ids := range want {
		place := 0
		for _, id := range ids {
			a := s.action(id)
			if a.Status != offchain.StatusCommitted || a.TransactionID <= place {
				t.Fatalf("%s's action %d has status %d and transaction %d, after transaction %d", who, id, a.Status, a.TransactionID, place)
			}
			place = a.TransactionID
		}
	}
	s.wantValue(shop, "Count", fmt.Sprint(3*30*29/2))
}

// mined makes blocks until everything is settled, each when the one before was taken
// in: on a busy machine they would become more and more.
func (s *stage) mined() {
	s.t.Helper()
	done := make(chan struct{})
	var mining sync.WaitGroup
	mining.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
				if cursor, err := s.store.Cursor(context.Background(), s.conn); err == nil && cursor.Next > s.ledger.Height() {
					s.ledger.Mine()
				}
			}
		}
	})
	s.until("everything is settled", func() bool {
		pending, err := s.store.Pending(s.t.Context(), s.conn)
		s.ok(err)
		return len(pending) == 0
	})
	close(done)
	mining.Wait()
	s.calm()
}

// TestDependent: an action that only works after one that is on its way waits for
// it instead of being refused; one that does not work then is refused.
func TestDependent(t *testing.T) {
	s := newStage(t, simulated.Options{Manual: true})
	s.start()
	shop, _ := s.create("kim", "0")
	s.mined()
	put := s.act("kim", shop, "Put", "n", "5")
	take := s.act("gus", shop, "Take", "n", "5")
	more := s.act("gus", shop, "Take", "n", "1")
	s.mined()
	for id, want := range map[int]int{put: offchain.StatusCommitted, take: offchain.StatusCommitted, more: offchain.StatusRefused} {
		if got := s.action(id).Status; got != want {
			t.Errorf("action %d has status %d, not %d", id, got, want)
		}
	}
}

// TestForeignNonces: another program signs for the same person. Nothing that was
// asked for is lost, and nothing happens twice.
func TestForeignNonces(t *testing.T) {
	s := newStage(t, simulated.Options{Manual: true})
	s.start()
	shop, _ := s.create("kim", "0")
	s.mined()
	to := s.contract(shop).Address
	data, err := s.bound(s.shop).Call("Put", args("n", "1000"))
	s.ok(err)
	for i := range 20 {
		s.act("kim", shop, "Put", "n", "1")
		if i%3 == 0 {
			if err := s.direct("kim", &to, data); err != nil && !errors.Is(err, ledger.ErrNonceUsed) {
				t.Fatal(err)
			}
		}
		if i%5 == 4 {
			s.ledger.Mine()
		}
	}
	s.mined()
	foreign := 0
	for _, tx := range s.ledger.Transactions() {
		row, err := s.store.TransactionByHash(t.Context(), s.conn, tx.Hash)
		s.ok(err)
		if !row.Ours {
			foreign++
		}
	}
	if foreign == 0 {
		t.Fatal("no transaction of the other program was in a block: the test tests nothing")
	}
	s.wantValue(shop, "Count", fmt.Sprint(20+1000*foreign))
	s.once()
}

// once checks that every action that is in a block is in one block, by one
// transaction, and that no other transaction of ours is.
func (s *stage) once() {
	s.t.Helper()
	seen := map[int]common.Hash{}
	ours := 0
	for _, tx := range s.ledger.Transactions() {
		row, err := s.store.TransactionByHash(s.t.Context(), s.conn, tx.Hash)
		s.ok(err)
		a, err := s.store.ActionByHash(s.t.Context(), s.conn, tx.Hash)
		if errors.Is(err, offchain.ErrNotFound) {
			if row.Ours {
				s.t.Fatalf("transaction %s is nobody's action", tx.Hash)
			}
			continue
		}
		s.ok(err)
		if other, ok := seen[a.ID]; ok {
			s.t.Fatalf("action %d happened twice: %s and %s", a.ID, other, tx.Hash)
		}
		seen[a.ID] = tx.Hash
		ours++
		want := offchain.StatusCommitted
		if tx.Failed || a.ErrorCode == string(indexer.ErrMissed.Code) {
			want = offchain.StatusReverted
		}
		if a.Status != want || a.Hash != tx.Hash || !row.Ours {
			s.t.Fatalf("action %d of transaction %s has status %d, hash %s, ours %v", a.ID, tx.Hash, a.Status, a.Hash, row.Ours)
		}
	}
	if ours == 0 {
		s.t.Fatal("no action is in a block")
	}
}

// TestLedgerDown: while the ledger cannot be reached everything waits, and goes
// on by itself.
func TestLedgerDown(t *testing.T) {
	var mu sync.Mutex
	down, lost := false, 0
	s := newStage(t, simulated.Options{
		Hook: func(string) error {
			mu.Lock()
			defer mu.Unlock()
			if down {
				return ledger.ErrUnavailable
			}
			return nil
		},
		After: func(operation string) error { // every third answer to a submission is lost
			mu.Lock()
			defer mu.Unlock()
			if operation == "submit" {
				if lost++; lost%3 == 1 {
					return ledger.ErrUnavailable
				}
			}
			return nil
		}})
	s.start()
	shop, _ := s.create("kim", "0")
	s.calm()
	mu.Lock()
	down = true
	mu.Unlock()
	for i := range 9 {
		s.act([]string{"kim", "lee", "gus"}[i%3], shop, "Put", "n", "1")
	}
	s.until("the dispatcher says so", func() bool {
		if s.send.State(s.conn).Problem == nil {
			s.do(&offchain.PersonChanged{ID: s.people["gus"], FirstName: "Gus"})
			return false
		}
		return true
	})
	if state := s.send.State(s.conn); !errors.Is(state.Problem, ledger.ErrUnavailable) || state.Since.IsZero() {
		t.Fatalf("the dispatcher's state is %+v", state)
	}
	mu.Lock()
	down = false
	mu.Unlock()
	s.calm()
	s.wantValue(shop, "Count", "9")
	s.once()
}

// TestPoisoned: an action that can never be sent is ended, and those behind it go
// on, of the same person and of others.
func TestPoisoned(t *testing.T) {
	s := newStage(t, simulated.Options{})
	s.vault.hook = func(person string) error {
		if person == "lee" {
			panic("a key that brings the vault down")
		}
		if person == "gus" {
			return vault.ErrUnknown
		}
		return nil
	}
	s.start()
	shop, _ := s.create("kim", "0")
	s.calm()
	wrong := s.act("kim", shop, "Put", "n", "many")
	extra := s.act("kim", shop, "Put", "m", "1")
	lee := s.act("lee", shop, "Put", "n", "1")
	gus := s.act("gus", shop, "Put", "n", "1")
	good := s.act("kim", shop, "Put", "n", "2")
	s.calm()
	for _, id := range []int{wrong, extra, lee, gus} {
		if a := s.action(id); a.Status != offchain.StatusRefused || a.ErrorCode == "" || a.ErrorMessage == "" {
			t.Errorf("a poisoned action is %+v", a)
		}
	}
	if a := s.action(good); a.Status != offchain.StatusCommitted {
		t.Errorf("the action behind is %+v", a)
	}
	s.wantValue(shop, "Count", "2")
}

// TestFaultWhileFilling: a vault that fails badly while a nonce is given away that
// another program took and lost keeps the actions behind it waiting, and no others.
func TestFaultWhileFilling(t *testing.T) {
	s := newStage(t, simulated.Options{Manual: true})
	s.start()
	shop, _ := s.create("kim", "0")
	s.mined()
	to := s.contract(shop).Address
	data, err := s.bound(s.shop).Call("Put", args("n", "1000"))
	s.ok(err)
	s.ok(s.direct("kim", &to, data))
	s.stop()
	s.start()
	id := s.act("kim", shop, "Put", "n", "1")
	s.until("it is sent", func() bool { return s.action(id).Status == offchain.StatusSent })
	s.stop()
	s.ledger.Drop()
	faults := 0
	s.vault.hook = func(string) error {
		if faults++; faults < 3 {
			panic("a fault of the vault")
		}
		return nil
	}
	s.start()
	s.mined()
	if a := s.action(id); a.Status != offchain.StatusCommitted || faults < 3 {
		t.Errorf("after %d faults the action is %+v", faults, a)
	}
	s.wantValue(shop, "Count", "1")
}

// TestFaultWhileWithdrawing: a vault that fails badly while an action is withdrawn that
// the ledger refuses is asked again later.
func TestFaultWhileWithdrawing(t *testing.T) {
	s := newStage(t, simulated.Options{Manual: true})
	refused := -1
	s.driver = picky{s.ledger, func(tx *types.Transaction) error {
		if int(tx.Nonce()) == refused && len(tx.Data()) > 0 {
			return ledger.ErrRefused
		}
		return nil
	}}
	s.start()
	shop, _ := s.create("kim", "0")
	s.mined()
	id := s.act("kim", shop, "Put", "n", "1")
	s.until("it is sent", func() bool { return s.action(id).Status == offchain.StatusSent })
	s.stop()
	s.ledger.Drop()
	refused = int(s.nonce(id))
	faults := 0
	s.vault.hook = func(string) error {
		if faults++; faults == 1 {
			panic("a fault of the vault")
		}
		return nil
	}
	s.start()
	s.mined()
	if a := s.action(id); a.Status != offchain.StatusFailed || faults < 2 {
		t.Errorf("after %d faults the action is %+v", faults, a)
	}
}

// TestBothLost: two actions on one contract whose nonces another program took, and
// which cannot happen any more, do not wait for each other.
func TestBothLost(t *testing.T) {
	s := newStage(t, simulated.Options{Manual: true})
	s.start()
	shop, _ := s.create("kim", "10")
	s.mined()
	kim, gus := s.act("kim", shop, "Take", "n", "5"), s.act("gus", shop, "Take", "n", "5")
	s.until("both are sent", func() bool {
		return s.action(kim).Status == offchain.StatusSent && s.action(gus).Status == offchain.StatusSent
	})
	s.stop()
	s.ledger.Drop()
	to := s.contract(shop).Address
	for _, who := range []string{"kim", "gus"} {
		data, err := s.bound(s.shop).Call("Take", args("n", "4"))
		s.ok(err)
		s.ok(s.direct(who, &to, data))
	}
	s.start()
	s.mined()
	for _, id := range []int{kim, gus} {
		if a := s.action(id); a.Status != offchain.StatusFailed || a.RevertReason != "too few" {
			t.Errorf("an action that lost its nonce is %+v", a)
		}
	}
	s.wantValue(shop, "Count", "2")
}

// TestRefusedLater: a transaction that the ledger refuses after later ones were
// signed leaves a nonce that is given away, so that the later ones go on.
func TestRefusedLater(t *testing.T) {
	var mu sync.Mutex
	refuse := map[uint64]bool{}
	s := newStage(t, simulated.Options{Manual: true})
	s.driver = picky{s.ledger, func(tx *types.Transaction) error {
		mu.Lock()
		defer mu.Unlock()
		if refuse[tx.Nonce()] && len(tx.Data()) > 0 {
			return ledger.ErrRefused
		}
		return nil
	}}
	s.start()
	var shops [3]int
	for i := range shops {
		shops[i], _ = s.create("kim", "0")
	}
	s.mined()
	first := s.act("kim", shops[0], "Put", "n", "1")
	second := s.act("kim", shops[1], "Put", "n", "10")
	third := s.act("kim", shops[2], "Put", "n", "100")
	s.until("all are sent", func() bool { return s.action(third).Status == offchain.StatusSent })
	s.stop()
	s.ledger.Drop() // the ledger lost them
	refuse[s.nonce(first)] = true
	s.start()
	s.mined()
	if a := s.action(first); a.Status != offchain.StatusFailed || a.ErrorCode != "LEDGER_REFUSED" {
		t.Errorf("the refused action is %+v", a)
	}
	for _, id := range []int{second, third} {
		if a := s.action(id); a.Status != offchain.StatusCommitted {
			t.Errorf("a later action is %+v", a)
		}
	}
	for i, want := range []string{"0", "10", "100"} {
		s.wantValue(shops[i], "Count", want)
	}
}

// nonce is that of an action's newest transaction.
func (s *stage) nonce(action int) uint64 {
	s.t.Helper()
	pending, err := s.store.Pending(s.t.Context(), s.conn)
	s.ok(err)
	for _, p := range pending {
		if n := len(p.Signed); p.ID == action && n > 0 {
			return p.Signed[n-1].Nonce
		}
	}
	s.t.Fatalf("action %d is not on its way", action)
	return 0
}

// picky is a driver that refuses some transactions.
type picky struct {
	*simulated.Ledger
	refuse func(tx *types.Transaction) error
}

func (p picky) Submit(ctx context.Context, tx *types.Transaction) error {
	if err := p.refuse(tx); err != nil {
		return err
	}
	return p.Ledger.Submit(ctx, tx)
}
