package offchain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/problem"
)

// What was taken in and rewound is as if it had never been.
func TestRewind(t *testing.T) {
	onBoth(t, func(t *testing.T, o Options) {
		in := install(t, o)
		contract, at := in.create(map[string]string{"State": "0", "Description": "chair", "Holder": "0x1", "Prices": "[]"})
		second := in.request("table", "2")
		hash := in.sign(second.ActionID, 0)
		before, err := in.Contract(t.Context(), contract)
		if err != nil {
			t.Fatal(err)
		}
		rows := func() (counts string) {
			for _, table := range []string{"contract", "action", "argument", "property_value", "past_value", "block", "ledger_transaction", "signed", "contract_count"} {
				if _, err := one(t.Context(), in.engine, "SELECT COUNT(*) FROM "+table, nil, func(r row) error {
					counts += fmt.Sprint(table, " ", r.int(0), "\n")
					return nil
				}); err != nil {
					t.Fatal(err)
				}
			}
			return counts
		}
		want := rows()
		last := in.number[1] - 1
		child := common.Address{0xEE}
		in.blocks(1, []event{{Hash: hash, Action: second.ActionID, From: account(0), Created: common.Address{0xDD}, Values: map[string]string{"State": "0"}},
			{Hash: common.Hash{8}, At: at, Function: in.asset.Functions[1].ID, From: account(1), Values: map[string]string{"State": "7", "Description": "none"}}},
			[]event{{Hash: common.Hash{9}, Found: in.part.ID, At: child, From: account(1), Values: map[string]string{"State": "0"}}})
		found, err := in.ContractByAddress(t.Context(), 1, child)
		if err != nil {
			t.Fatal(err)
		}
		if c, _ := in.Contract(t.Context(), contract); c.StateID == before.StateID || c.BlockNumber == before.BlockNumber {
			t.Fatalf("nothing happened: %+v", c)
		}
		do(t, in.Store, &Rewound{ConnectionID: 1, To: int64(last)})
		if got := rows(); got != want {
			t.Errorf("rows:\n%swant\n%s", got, want)
		}
		after, err := in.Contract(t.Context(), contract)
		if err != nil || fmt.Sprint(*after) != fmt.Sprint(*before) {
			t.Errorf("the contract is %+v, was %+v (%v)", after, before, err)
		}
		if c, err := in.Contract(t.Context(), second.ContractID); err != nil || c.Status != StatusSent || c.Address != (common.Address{}) || len(c.Values) > 0 {
			t.Errorf("what was asked for: %+v, %v", c, err)
		}
		if _, err := in.Contract(t.Context(), found.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("a contract of a block that is gone: %v", err)
		}
		cursor, err := in.Cursor(t.Context(), 1)
		if err != nil || cursor.Next != last+1 || cursor.Hash != blockHash(1, last, 0) {
			t.Errorf("cursor %+v, %v", cursor, err)
		}
		pending, err := in.Pending(t.Context(), 1)
		if err != nil || len(pending) != 1 || pending[0].ID != second.ActionID || len(pending[0].Signed) != 1 || !pending[0].Creation {
			t.Errorf("pending %+v, %v", pending, err)
		}
		// The other branch has it later.
		in.number[1], in.branch = last+1, 1
		in.blocks(1, nil, []event{{Hash: hash, Action: second.ActionID, From: account(0), Created: common.Address{0xDD}, Values: map[string]string{"State": "0"}}})
		if c, err := in.Contract(t.Context(), second.ContractID); err != nil || c.Status != StatusCommitted {
			t.Errorf("after the other branch: %+v, %v", c, err)
		}
		do(t, in.Store, &Rewound{ConnectionID: 1, To: -1})
		if cursor, err := in.Cursor(t.Context(), 1); err != nil || cursor.Next != 0 || cursor.Hash != (common.Hash{}) {
			t.Errorf("rewound to nothing: %+v, %v", cursor, err)
		}
		want = dump(t, in.Store)
		in.Close()
		same(t, "the rebuilt database", dump(t, mustOpen(t, emptied(t, o))), want)
	})
}

func refusedWith(t *testing.T, s *Store, code problem.Code, e Entry) {
	t.Helper()
	before := s.journal.end
	if _, err := s.Do(t.Context(), e); problem.CodeOf(err) != code {
		t.Errorf("%T %+v: %v, want %s", e, e, err, code)
	}
	if s.journal.end != before {
		t.Errorf("%T was refused and journaled", e)
	}
}

func TestRefusals(t *testing.T) {
	onBoth(t, func(t *testing.T, o Options) {
		in := install(t, o)
		contract, _ := in.create(map[string]string{"State": "0"})
		s, ann := in.Store, in.people[0]
		refusedWith(t, s, "PERSON_EXISTS", &PersonAdded{ExternalID: "oid-Ann"})
		refusedWith(t, s, "REFERENCE_UNKNOWN", &PersonAdded{})
		refusedWith(t, s, "REFERENCE_UNKNOWN", &PersonChanged{ID: 99})
		refusedWith(t, s, "REFERENCE_UNKNOWN", &PersonProvisioned{PersonID: 99})
		refusedWith(t, s, "ACCOUNT_EXISTS", &KeyAssociated{PersonID: ann, ConnectionID: 1, Address: common.Address{7}})
		refusedWith(t, s, "ACCOUNT_EXISTS", &KeyAssociated{PersonID: ann, ConnectionID: 1, Address: account(1)})
		refusedWith(t, s, "REFERENCE_UNKNOWN", &KeyAssociated{PersonID: ann, ConnectionID: 9, Address: common.Address{7}})
		refusedWith(t, s, "ROLE_ASSIGNED", &RoleAssigned{PersonID: ann, RoleID: in.app.FirstRole})
		refusedWith(t, s, "REFERENCE_UNKNOWN", &RoleAssigned{PersonID: ann, RoleID: 99})
		refusedWith(t, s, "REFERENCE_UNKNOWN", &RoleRemoved{ID: 99})
		refusedWith(t, s, "CONNECTION_EXISTS", &ConnectionAdded{LedgerID: 1, Endpoint: "http://a"})
		refusedWith(t, s, "CONNECTION_EXISTS", &ConnectionChanged{ID: 2, Endpoint: "http://a"})
		refusedWith(t, s, "CODE_EXISTS", &CodeAdded{ApplicationID: in.app.ID, LedgerID: 1})
		refusedWith(t, s, "REFERENCE_UNKNOWN", &CodeAdded{ApplicationID: 99, LedgerID: 1})
		refusedWith(t, s, "CONFIGURATION_UNREADABLE", &ApplicationAdded{Name: "x", Configuration: json.RawMessage(`{}`)})
		refusedWith(t, s, "REFERENCE_UNKNOWN", &ContractRequested{WorkflowID: 99, CodeID: 1, ConnectionID: 1, PersonID: ann})
		refusedWith(t, s, "REFERENCE_UNKNOWN", &ContractRequested{WorkflowID: in.asset.ID, CodeID: 9, ConnectionID: 1, PersonID: ann})
		refusedWith(t, s, "REFERENCE_UNKNOWN", &ActionRequested{ContractID: 99, FunctionID: in.asset.Functions[0].ID, PersonID: ann})
		refusedWith(t, s, "REFERENCE_UNKNOWN", &ActionRequested{ContractID: contract, FunctionID: in.asset.Constructor.ID, PersonID: ann})
		refusedWith(t, s, "ACTION_SETTLED", &Signed{ActionID: 1, Hash: common.Hash{77}, Raw: []byte{1}})
		refusedWith(t, s, "ACTION_SETTLED", &Failed{ActionID: 1, Status: StatusFailed})
		refusedWith(t, s, "BLOCKS_OUT_OF_ORDER", &BlocksTaken{ConnectionID: 1, From: 9, To: 9, Hashes: make([]common.Hash, 1)})
		refusedWith(t, s, "BLOCKS_OUT_OF_ORDER", &Rewound{ConnectionID: 1, To: 99})
		wrong := in.taken(1, []event{{Hash: common.Hash{1}, Action: 1}})
		wrong.Hashes[0] = common.Hash{1}
		wrong.Facts = json.RawMessage(`[]`)
		refusedWith(t, s, "BLOCK_ROWS_WRONG", wrong)

		// The same request asks once.
		a := &ContractRequested{WorkflowID: in.asset.ID, CodeID: 1, ConnectionID: 1, PersonID: ann, RequestID: "twice"}
		b := &ContractRequested{WorkflowID: in.asset.ID, CodeID: 1, ConnectionID: 1, PersonID: ann, RequestID: "twice"}
		do(t, s, a)
		if applied := do(t, s, b); !applied.Repeated || b.ContractID != a.ContractID || b.ActionID != a.ActionID {
			t.Errorf("the second time: %+v, %+v", applied, b)
		}
		other := &ContractRequested{WorkflowID: in.asset.ID, CodeID: 1, ConnectionID: 1, PersonID: in.people[1], RequestID: "twice"}
		if applied := do(t, s, other); applied.Repeated {
			t.Error("another person's request was taken for the first one's")
		}
		// Closed means closed.
		s.Close()
		if _, err := s.Do(t.Context(), &PersonAdded{ExternalID: "late"}); !errors.Is(err, errClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// Many ask at once: each gets an id of its own, and the same at a rebuild.
func TestConcurrentRequests(t *testing.T) {
	onBoth(t, func(t *testing.T, o Options) {
		in := install(t, o)
		changes, stop := in.Watch()
		defer stop()
		const many = 200
		ids := make([]int, many)
		var wg sync.WaitGroup
		for i := range many {
			wg.Go(func() {
				r := &ContractRequested{WorkflowID: in.asset.ID, CodeID: 1, ConnectionID: 1, PersonID: in.people[0], RequestID: fmt.Sprint("same ", i/2)}
				if _, err := in.Do(context.Background(), r); err != nil {
					t.Error(err)
				}
				ids[i] = r.ContractID
			})
		}
		wg.Wait()
		seen := set{}
		for i := 0; i < many; i += 2 {
			if ids[i] != ids[i+1] || seen[ids[i]] {
				t.Fatalf("request %d got contracts %d and %d", i/2, ids[i], ids[i+1])
			}
			seen.add(ids[i])
		}
		told := set{}
		for deadline := time.After(time.Minute); len(told) < many/2; {
			select {
			case c := <-changes:
				for _, id := range c.Contracts {
					told.add(id)
				}
			case <-deadline:
				t.Fatalf("told of %d contracts", len(told))
			}
		}
		want := dump(t, in.Store)
		in.Close()
		same(t, "the rebuilt database", dump(t, mustOpen(t, emptied(t, o))), want)
	})
}

// Any history is rebuilt to the same rows.
func TestAnyHistoryIsRebuilt(t *testing.T) {
	onBoth(t, func(t *testing.T, o Options) {
		for seed := range uint64(3) {
			if seed > 0 {
				o = fresh(t, map[bool]string{true: "sqlite", false: "postgres"}[o.DSN == ""])
			}
			in := install(t, o)
			history(in, rand.New(rand.NewPCG(seed, 1)), 120)
			want := dump(t, in.Store)
			in.Close()
			s := mustOpen(t, emptied(t, o))
			same(t, fmt.Sprintf("seed %d", seed), dump(t, s), want)
			s.Close()
		}
	})
}

// history does things at random.
func history(in *installation, random *rand.Rand, steps int) {
	t := in.t
	type known struct {
		id int
		at common.Address
	}
	var contracts []known
	var waiting []int // actions that are asked for
	signed := map[int]common.Hash{}
	values := func() map[string]string {
		out := map[string]string{}
		for _, p := range []string{"State", "Description", "Holder", "Prices", "Kind"} {
			if random.IntN(3) > 0 {
				out[p] = fmt.Sprint(random.IntN(9))
			}
		}
		return out
	}
	for step := range steps {
		switch n := random.IntN(12); {
		case n < 3:
			waiting = append(waiting, in.request("x", "1").ActionID)
		case n < 5 && len(contracts) > 0:
			c := contracts[random.IntN(len(contracts))]
			a := &ActionRequested{ContractID: c.id, FunctionID: in.asset.Functions[0].ID, PersonID: in.people[random.IntN(3)]}
			if _, err := in.Do(t.Context(), a); err == nil {
				waiting = append(waiting, a.ActionID)
			}
		case n < 7 && len(waiting) > 0:
			id := waiting[random.IntN(len(waiting))]
			if a, err := in.Action(t.Context(), id); err == nil && a.Status < StatusCommitted {
				signed[id] = in.sign(id, byte(step))
			}
		case n == 7 && len(waiting) > 0:
			in.Do(t.Context(), &Failed{ActionID: waiting[random.IntN(len(waiting))], Status: StatusFailed, Code: "X"})
		case n < 11:
			var events []event
			for id, hash := range signed {
				a, err := in.Action(t.Context(), id)
				if err == nil && a.Status == StatusSent && random.IntN(2) == 0 {
					at := common.Address{0xC1, byte(id >> 8), byte(id), in.branch}
					events = append(events, event{Hash: hash, Action: id, From: account(0), Created: at, Values: values()})
					contracts = append(contracts, known{a.ContractID, at})
				}
				delete(signed, id)
				break
			}
			if len(contracts) > 0 {
				c := contracts[random.IntN(len(contracts))]
				if _, err := in.ContractByAddress(t.Context(), 1, c.at); err == nil {
					events = append(events, event{Hash: common.Hash{1, byte(step), in.branch}, At: c.at, From: account(1), Values: values()})
				}
			}
			if random.IntN(3) == 0 {
				events = append(events, event{Hash: common.Hash{2, byte(step), in.branch}, Found: in.part.ID, At: common.Address{0xC2, byte(step), in.branch}, Values: values()})
			}
			in.blocks(1, events, nil)
		case n == 11 && in.number[1] > 3:
			in.branch++
			in.number[1] -= uint64(1 + random.IntN(3))
			do(t, in.Store, &Rewound{ConnectionID: 1, To: int64(in.number[1]) - 1})
		}
	}
}
