package dispatch_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/coco-consortium/coco/internal/builder/ledger/simulated"
	"github.com/coco-consortium/coco/internal/builder/offchain"
)

// summary is what a person sees of actions: who did what, and what came of it.
func (s *stage) summary(contract int) []string {
	s.t.Helper()
	names := map[int]string{0: "nobody"}
	for name, id := range s.people {
		names[id] = name
	}
	var list []string
	for _, a := range s.actions(contract) {
		what := a.FunctionName
		if a.FunctionID == s.shop.Constructor.ID || a.FunctionID == s.item.Constructor.ID {
			what = "constructor"
		}
		text := names[a.PersonID] + " " + what
		for _, g := range a.Arguments {
			text += " " + g.Name + "=" + strings.ToLower(g.Value)
		}
		if a.CallerContractID != 0 {
			text += " by contract"
		}
		text += map[int]string{0: " asked", 1: " sent", 2: "", 3: " refused: ", 4: " failed: ", 5: " reverted: "}[a.Status] + a.RevertReason
		if w := s.shop.State(a.StateID); w != nil {
			text += " -> " + w.Name
		} else if w := s.item.State(a.StateID); w != nil {
			text += " -> " + w.Name
		}
		list = append(list, text)
	}
	return list
}

func (s *stage) wantActions(contract int, want ...string) {
	s.t.Helper()
	got := s.summary(contract)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		s.t.Fatalf("contract %d has the actions\n  %s\nnot\n  %s", contract, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func (s *stage) wantValue(contract int, property, want string) {
	s.t.Helper()
	if got := s.value(contract, property); !strings.EqualFold(got, want) {
		s.t.Fatalf("%s of contract %d is %q, not %q", property, contract, got, want)
	}
}

// items lists the contracts of the second workflow.
func (s *stage) items() []offchain.Contract {
	s.t.Helper()
	list, err := s.store.Contracts(s.t.Context(), offchain.ContractFilter{WorkflowID: s.item.ID, Order: offchain.Order{By: offchain.ByID}})
	s.ok(err)
	return list.Rows
}

// TestStory is the life of a contract, in the gateway and past it.
func TestStory(t *testing.T) {
	s := newStage(t, simulated.Options{})
	s.start()
	shop, first := s.create("kim", "10")
	s.calm()
	address := s.contract(shop).Address
	if a := s.action(first); a.Status != offchain.StatusCommitted || a.TransactionID == 0 || a.BlockNumber == 0 || a.Hash == (common.Hash{}) {
		t.Fatalf("the constructor's action is %+v", a)
	}
	if want := crypto.CreateAddress(addressOf("kim"), 0); address != want {
		t.Fatalf("the contract is at %s, not %s", address, want)
	}
	s.wantValue(shop, "Count", "10")
	s.wantValue(shop, "Owner", addressOf("kim").Hex())

	s.act("gus", shop, "Put", "n", "5")
	s.calm()
	s.call("gus", s.shop, address, "Take", "n", "1")      // past the gateway, by a person
	s.call("stranger", s.shop, address, "Take", "n", "2") // by nobody
	s.calm()
	s.wantValue(shop, "Count", "12")

	refused := s.act("gus", shop, "Take", "n", "99")
	s.calm()
	if a := s.action(refused); a.Status != offchain.StatusRefused || a.RevertReason != "too few" || a.ErrorCode != "ACTION_REFUSED" {
		t.Fatalf("an action that would revert is %+v", a)
	}
	s.call("lee", s.shop, address, "Take", "n", "98") // a revert in a block
	s.calm()
	s.act("gus", shop, "Make", "n", "3")
	s.calm()
	items := s.items()
	if len(items) != 1 || items[0].Status != offchain.StatusCommitted || items[0].DeployedBy != s.people["gus"] {
		t.Fatalf("the items are %+v", items)
	}
	item := items[0]
	s.wantValue(shop, "Last", item.Address.Hex())
	s.wantValue(item.ID, "Total", "3")
	s.act("lee", shop, "Pass", "item", item.Address.Hex(), "n", "4")
	s.calm()
	s.wantValue(item.ID, "Total", "7")
	s.act("lee", shop, "Try", "item", item.Address.Hex(), "n", "13") // the inner call is undone
	s.calm()
	s.wantValue(item.ID, "Total", "7")
	s.act("lee", shop, "Write", "text", "fragile")
	s.calm()
	s.act("lee", shop, "Break", "how", "true")
	s.calm()
	s.wantValue(shop, "Note", "fragile")
	if got := s.contract(shop).Unread; len(got) != 1 {
		t.Fatalf("unread properties are %v", got)
	}
	hidden := append(crypto.Keccak256([]byte("Hidden(uint256)"))[:4], common.BigToHash(common.Big2).Bytes()...)
	s.ok(s.direct("stranger", &address, hidden)) // a function that the configuration does not have
	s.calm()
	s.act("kim", shop, "Close")
	s.calm()
	s.act("kim", shop, "Put", "n", "1")
	s.calm()
	s.wantValue(shop, "State", "1")
	s.wantValue(shop, "Count", "13")
	it := strings.ToLower(item.Address.Hex())
	s.wantActions(shop,
		"kim constructor count=10 -> Open",
		"gus Put n=5 -> Open",
		"gus Take n=1 -> Open",
		"nobody Take n=2 -> Open",
		"gus Take n=99 refused: too few",
		"lee Take n=98 reverted: too few -> Open",
		"gus Make n=3 -> Open",
		"lee Pass item="+it+" n=4 -> Open",
		"lee Try item="+it+" n=13 -> Open",
		"lee Write text=fragile -> Open",
		"lee Break how=true -> Open",
		"nobody Hidden -> Open",
		"kim Close -> Closed",
		"kim Put n=1 refused: closed")
	s.wantActions(item.ID,
		"gus constructor shop="+strings.ToLower(address.Hex())+" n=3 by contract -> New",
		"lee Add n=4 by contract -> Used")
	before := s.dump()
	s.restart(s.forget)
	s.calm()
	same(t, "after the database was deleted", before, s.dump())
}

// TestDeployedPastTheGateway: a contract that a person deploys past the gateway
// is one of the application when the person may create it, and only then.
func TestDeployedPastTheGateway(t *testing.T) {
	s := newStage(t, simulated.Options{})
	s.start()
	data, err := s.bound(s.shop).Create(args("count", "4"))
	s.ok(err)
	for _, who := range []string{"stranger", "gus", "kim"} {
		s.ok(s.direct(who, nil, data))
	}
	s.calm()
	list, err := s.store.Contracts(t.Context(), offchain.ContractFilter{})
	s.ok(err)
	if len(list.Rows) != 1 || list.Rows[0].DeployedBy != s.people["kim"] || list.Rows[0].CodeID != s.code {
		t.Fatalf("the contracts are %+v", list.Rows)
	}
	s.wantActions(list.Rows[0].ID, "kim constructor count=4 -> Open")
	s.act("gus", list.Rows[0].ID, "Put", "n", "1")
	s.calm()
	s.wantValue(list.Rows[0].ID, "Count", "5")
	s.do(&offchain.ApplicationEnabled{ID: s.app, Enabled: false})
	s.ok(s.direct("kim", nil, data))
	s.calm()
	if list, err = s.store.Contracts(t.Context(), offchain.ContractFilter{}); err != nil || len(list.Rows) != 1 {
		t.Fatalf("a contract of an application that is read only: %+v, %v", list.Rows, err)
	}
}

// TestOldStateGone: a ledger that forgot the state of old blocks still gives the
// present values, and the rows can be made again.
func TestOldStateGone(t *testing.T) {
	s := newStage(t, simulated.Options{})
	s.start()
	shop, _ := s.create("kim", "1")
	s.calm()
	s.stop()
	address := s.contract(shop).Address
	for range 20 {
		s.call("gus", s.shop, address, "Put", "n", "1")
	}
	s.ledger.Keep(3)
	s.start()
	s.calm()
	s.wantValue(shop, "Count", "21")
	before := s.dump()
	s.ledger.Keep(1)
	s.restart(s.forget)
	s.calm()
	same(t, "after the database was deleted", before, s.dump())
}

// TestBlind: without traces the outer calls are known, and what was touched
// otherwise is not.
func TestBlind(t *testing.T) {
	s := newStage(t, simulated.Options{Blind: true})
	s.start()
	shop, _ := s.create("kim", "1")
	s.calm()
	s.act("gus", shop, "Make", "n", "3")
	s.calm()
	if items := s.items(); len(items) != 0 {
		t.Fatalf("items were found without traces: %+v", items)
	}
	s.wantActions(shop, "kim constructor count=1 -> Open", "gus Make n=3 -> Open")
}

// TestForeignLedger: a node of another ledger is left alone.
func TestForeignLedger(t *testing.T) {
	s := newStage(t, simulated.Options{})
	s.start()
	shop, _ := s.create("kim", "1")
	s.calm()
	before := s.dump()
	s.stop()
	s.driver = simulated.New(simulated.Options{Seed: 1})
	s.start()
	s.until("the indexer says so", func() bool {
		if s.index.State(s.conn).Problem == nil {
			s.do(&offchain.PersonChanged{ID: s.people["gus"], FirstName: "Gus"}) // a change to be woken by
			return false
		}
		return true
	})
	if code := s.index.State(s.conn).Problem; !errors.Is(code, errForeign) {
		t.Fatalf("the problem is %v", code)
	}
	same(t, "of another ledger", before, s.dump())
	if c := s.contract(shop); c.Status != offchain.StatusCommitted {
		t.Fatalf("the contract is %+v", c)
	}
}
