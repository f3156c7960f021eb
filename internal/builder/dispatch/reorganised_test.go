package dispatch_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/coco-consortium/coco/internal/builder/ledger/simulated"
	"github.com/coco-consortium/coco/internal/builder/offchain"
)

// TestOnceForEver: while other programs sign with the same keys, blocks are replaced,
// the ledger forgets what it was given and hears it again from other nodes, and the
// process ends and begins, every action that was asked for happens, and happens once.
func TestOnceForEver(t *testing.T) {
	for i := range *histories {
		seed := *firstSeed + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			onceForEver(t, seed)
		})
	}
}

func onceForEver(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	s := newStage(t, simulated.Options{Manual: true, Replaces: true, Seed: seed})
	s.start()
	var shops [3]int
	for i := range shops {
		shops[i], _ = s.create("kim", "0")
	}
	s.mined()
	for range simulated.Depth + 1 { // the contracts stay
		s.ledger.Mine()
	}
	s.calm()
	data, err := s.bound(s.shop).Call("Put", args("n", "1000000"))
	s.ok(err)
	var asked []int
	foreign, repeated := 0, map[common.Hash]bool{}
	some := func() func(*types.Transaction) bool {
		part := 1 + r.IntN(3)
		return func(tx *types.Transaction) bool { return int(tx.Hash()[1])%4 < part }
	}
	for range 120 {
		who, shop := everybody[r.IntN(2)], shops[r.IntN(len(shops))]
		switch k := r.IntN(100); {
		case k < 30:
			asked = append(asked, s.act(who, shop, "Put", "n", "1"))
		case k < 45: // another program of the same person
			to := s.contract(shop).Address
			if s.direct(who, &to, data) == nil {
				foreign++
			}
		case k < 65:
			s.ledger.Mine()
		case k < 70:
			s.ledger.Cut(1 + r.IntN(simulated.Depth))
		case k < 80:
			s.ledger.Fork(1+r.IntN(simulated.Depth), some())
		case k < 90:
			s.ledger.Echo(some())
		case k < 93:
			s.ledger.Drop()
		case k < 96:
			s.restart(nil)
		default: // until what is asked for is sent
			s.until("something is sent", func() bool {
				pending, err := s.store.Pending(t.Context(), s.conn)
				s.ok(err)
				sent := len(pending) == 0
				for _, p := range pending {
					sent = sent || p.Status == offchain.StatusSent
				}
				return sent
			})
		}
	}
	s.mined()
	s.once()
	for _, id := range asked {
		if a := s.action(id); a.Status != offchain.StatusCommitted {
			t.Errorf("action %d is %+v", id, a)
		}
	}
	for _, tx := range s.ledger.Transactions() {
		if repeated[tx.Hash] {
			t.Errorf("transaction %s is on the ledger twice", tx.Hash)
		}
		repeated[tx.Hash] = true
	}
	if foreign == 0 || len(asked) < 10 {
		t.Fatalf("%d actions, %d transactions of another program: the test tests nothing", len(asked), foreign)
	}
}

// TestNonceFreedByAReorganisation: a block with another transaction of the same nonce
// is replaced. The action that was signed first happens, and only that.
func TestNonceFreedByAReorganisation(t *testing.T) {
	s := newStage(t, simulated.Options{Manual: true, Replaces: true})
	s.start()
	shop, _ := s.create("kim", "0")
	s.mined()
	for range simulated.Depth + 1 {
		s.ledger.Mine()
	}
	s.calm()
	to := s.contract(shop).Address
	data, err := s.bound(s.shop).Call("Put", args("n", "1000"))
	s.ok(err)
	id := s.act("kim", shop, "Put", "n", "1")
	s.until("it is sent", func() bool { return s.action(id).Status == offchain.StatusSent })
	s.stop()
	s.ledger.Drop()
	s.ok(s.direct("kim", &to, data))
	s.ledger.Mine()
	s.start()
	s.until("it waits for the other one", func() bool {
		s.do(&offchain.PersonChanged{ID: s.people["gus"], FirstName: "Gus"}) // a change to be woken by
		code, _ := s.send.Waits(s.action(id))
		return code == "ACTION_CONTESTED"
	})
	s.ledger.Fork(1, func(*types.Transaction) bool { return true })                          // the other one is gone
	s.ledger.Echo(func(tx *types.Transaction) bool { return !bytes.Equal(tx.Data(), data) }) // what was signed is not
	s.mined()
	s.once()
	s.wantValue(shop, "Count", "1")
}

// TestLedgerSetBack: a ledger loses its newest blocks and makes no others by itself.
// That is noticed, what was in them is sent again, and new actions go on.
func TestLedgerSetBack(t *testing.T) {
	s := newStage(t, simulated.Options{Replaces: true})
	s.start()
	shop, _ := s.create("kim", "0")
	s.calm()
	for _, who := range []string{"kim", "gus", "kim"} {
		s.act(who, shop, "Put", "n", "1")
		s.calm()
	}
	for n := range 5 { // 4: the contract goes too
		s.ledger.Cut(n)
		if n%2 == 0 {
			s.act("kim", shop, "Put", "n", "1")
		}
		s.until("it is as before", func() bool {
			s.do(&offchain.PersonChanged{ID: s.people["gus"], FirstName: "Gus"}) // a change to be woken by
			sent := 0
			for _, tx := range s.ledger.Transactions() {
				if len(tx.Calls) > 0 {
					sent++
				}
			}
			return sent == len(s.actions(shop))
		})
		s.calm()
	}
	s.once()
	s.wantValue(shop, "Count", "6")
}
