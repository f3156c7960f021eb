package simulated

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/solidity"
	"github.com/coco-consortium/coco/internal/builder/workflow"
)

// TestMarket does on the ledger what the tests of other rooms rely on: a contract
// that makes and calls another, a call that refuses, and blocks that are replaced.
func TestMarket(t *testing.T) {
	app, report := workflow.Parse("Market.json", MarketConfiguration)
	if !report.OK() {
		t.Fatal(report.Errors)
	}
	var out solidity.Output
	if err := json.Unmarshal(MarketOutput, &out); err != nil {
		t.Fatal(err)
	}
	if r := workflow.Check(app, &out, true); !r.OK() {
		t.Fatal(r.Errors)
	}
	shop, err := workflow.Bind(app, "Shop", out.Named("Shop")[0])
	if err != nil {
		t.Fatal(err)
	}
	item, err := workflow.Bind(app, "Item", out.Named("Item")[0])
	if err != nil {
		t.Fatal(err)
	}
	l := New(Options{Replaces: true})
	key, _ := crypto.GenerateKey()
	from := crypto.PubkeyToAddress(key.PublicKey)
	send := func(to *common.Address, data []byte) ledger.Transaction {
		t.Helper()
		nonce, err := l.NextNonce(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		tx, err := l.Prepare(t.Context(), ledger.Request{From: from, To: to, Data: data, Nonce: nonce})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Submit(t.Context(), types.MustSignNewTx(key, Signer, &types.LegacyTx{Nonce: tx.Nonce(), To: to, Data: data, Gas: tx.Gas(), GasPrice: tx.GasPrice()})); err != nil {
			t.Fatal(err)
		}
		all := l.Transactions()
		return all[len(all)-1]
	}
	data, err := shop.Create([]workflow.Argument{{Name: "count", Value: "5"}})
	if err != nil {
		t.Fatal(err)
	}
	created := send(nil, data)
	if created.Failed || created.Created == nil {
		t.Fatalf("the creation gave %+v", created)
	}
	call := func(name string, args ...workflow.Argument) []byte {
		t.Helper()
		data, err := shop.Call(name, args)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	_, err = l.Prepare(t.Context(), ledger.Request{From: from, To: created.Created, Data: call("Take", workflow.Argument{Name: "n", Value: "6"}), Nonce: 1})
	var reverted *ledger.Reverted
	if !errors.As(err, &reverted) || reverted.Reason != "too few" {
		t.Fatalf("taking too much gave %v", err)
	}
	made := send(created.Created, call("Make", workflow.Argument{Name: "n", Value: "3"}))
	if len(made.Calls) != 2 || made.Calls[1].Kind != "CREATE" || !item.Matches(made.Calls[1].Code) || shop.Matches(made.Calls[1].Code) {
		t.Fatalf("making an item called %+v", made.Calls)
	}
	args := []workflow.Argument{{Name: "item", Value: made.Calls[1].To.Hex()}, {Name: "n", Value: "13"}}
	tried := send(created.Created, call("Try", args...))
	if tried.Failed || len(tried.Calls) != 2 || !tried.Calls[1].Failed {
		t.Fatalf("trying called %+v", tried.Calls)
	}
	head, err := l.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	results, err := l.Read(t.Context(), head, []ledger.Call{{To: *created.Created, Data: shop.Reads()[1]}})
	if err != nil || results[0].Err != nil {
		t.Fatal(err, results)
	}
	if text, err := shop.DecodeRead(1, results[0].Data); err != nil || text != "4" {
		t.Fatalf("the count is %q: %v", text, err)
	}
	l.Fork(1, func(*types.Transaction) bool { return true })
	if _, err := l.Read(t.Context(), head, nil); !errors.Is(err, ledger.ErrReplaced) {
		t.Fatalf("a replaced block is read: %v", err)
	}
	if got := len(l.Transactions()); got != 2 {
		t.Fatalf("%d transactions are left", got)
	}
}
