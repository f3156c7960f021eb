package indexer

import (
	"errors"
	"reflect"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/builder/offchain"
)

// example is a range of two blocks in which a contract is found, called and read.
func example() (*facts, *offchain.BlocksTaken) {
	a, b := common.Hash{1}, common.Hash{2}
	f := &facts{Version: factsVersion, Blocks: []blockFacts{
		{Number: 7, Hash: a, Time: 1_000_000, Transactions: []transactionFacts{
			{Hash: common.Hash{9}, Value: []byte{3}, Calls: []callFacts{
				{Contract: 4, Function: 5, Name: "Make", Person: 6, Sequence: 1, State: 8, Arguments: []argumentFacts{{Parameter: 2, Name: "n", Value: "3"}}},
				{Contract: -1, Function: 10, Sequence: 2, Caller: 4}}}},
			Sets: []setFacts{{Contract: -1, Values: []valueFacts{{Property: 3, Value: "x"}}, Unread: []int{4}}}},
		{Number: 8, Hash: b, Parent: a, Transactions: []transactionFacts{
			{Hash: common.Hash{10}, To: common.Address{5}.Bytes(), Failed: true, Ours: true, Calls: []callFacts{
				{Settles: 77, Contract: -1, Reverted: true, Reason: "no", Message: "the contract refused: no", Sequence: 1}}}}}},
		Found: []foundFacts{{Application: 1, Workflow: 2, Code: 3, Address: common.Address{8}, By: 6}}}
	return f, &offchain.BlocksTaken{ConnectionID: 1, From: 7, To: 8, Hashes: []common.Hash{a, b},
		FirstBlock: 100, FirstTransaction: 200, FirstContract: 300, FirstAction: 400}
}

func TestRows(t *testing.T) {
	f, e := example()
	var err error
	if e.Facts, err = f.encode(); err != nil {
		t.Fatal(err)
	}
	rows, err := Source{}.Rows(t.Context(), nil, e)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Source{}.Rows(t.Context(), nil, e)
	if err != nil || !reflect.DeepEqual(rows, again) {
		t.Fatal("the same entry gave other rows", err)
	}
	if len(rows.Blocks) != 2 || rows.Blocks[1].ID != 101 || len(rows.Transactions) != 2 || rows.Transactions[1].BlockID != 101 {
		t.Errorf("blocks and transactions are %+v, %+v", rows.Blocks, rows.Transactions)
	}
	if x := rows.Transactions; x[0].To != nil || x[0].Value.Int64() != 3 || x[1].Status != offchain.StatusReverted || !x[1].Ours {
		t.Errorf("transactions are %+v", x)
	}
	if c := rows.Contracts; len(c) != 1 || c[0].ID != 300 || c[0].WorkflowID != 2 || c[0].DeployedBy != 6 {
		t.Errorf("contracts are %+v", c)
	}
	if a := rows.Actions; len(a) != 2 || a[0].ID != 400 || a[0].ContractID != 4 || a[1].ContractID != 300 || a[1].CallerContractID != 4 || a[1].TransactionID != 200 {
		t.Errorf("actions are %+v", a)
	}
	if s := rows.Settled; len(s) != 1 || s[0].ActionID != 77 || s[0].Status != offchain.StatusReverted || s[0].ErrorCode != "ACTION_REVERTED" || s[0].TransactionID != 201 {
		t.Errorf("settled are %+v", s)
	}
	if p := rows.Properties; len(p) != 1 || p[0].ContractID != 300 || p[0].BlockID != 100 || p[0].Values[0].Value != "x" || p[0].Unread[0] != 4 {
		t.Errorf("properties are %+v", p)
	}
}

// TestFactsOfOthers: facts that do not belong to their entry make no rows.
func TestFactsOfOthers(t *testing.T) {
	for name, change := range map[string]func(f *facts, e *offchain.BlocksTaken){
		"another version":       func(f *facts, _ *offchain.BlocksTaken) { f.Version = 2 },
		"a block less":          func(f *facts, _ *offchain.BlocksTaken) { f.Blocks = f.Blocks[:1] },
		"another block":         func(_ *facts, e *offchain.BlocksTaken) { e.Hashes[1] = common.Hash{3} },
		"another number":        func(f *facts, _ *offchain.BlocksTaken) { f.Blocks[0].Number++ },
		"a contract of nowhere": func(f *facts, _ *offchain.BlocksTaken) { f.Found[0].Block = 2 },
	} {
		f, e := example()
		change(f, e)
		var err error
		if e.Facts, err = f.encode(); err != nil {
			t.Fatal(err)
		}
		if _, err := (Source{}).Rows(t.Context(), nil, e); !errors.Is(err, ErrFacts) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, e := example()
	if _, err := (Source{}).Rows(t.Context(), nil, e); !errors.Is(err, ErrFacts) {
		t.Errorf("no facts: %v", err)
	}
}

func FuzzFacts(f *testing.F) {
	known, e := example()
	text, err := known.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, text []byte) {
		e := *e
		e.Facts = text
		rows, err := Source{}.Rows(t.Context(), nil, &e)
		if err != nil && !errors.Is(err, ErrFacts) {
			t.Fatal(err)
		}
		if err == nil && len(rows.Blocks) != 2 {
			t.Fatalf("%d blocks", len(rows.Blocks))
		}
	})
}
