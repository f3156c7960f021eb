package dispatch_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/coco-consortium/coco/internal/builder/indexer"
	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/ledger/simulated"
	"github.com/coco-consortium/coco/internal/builder/offchain"
)

var (
	histories = flag.Int("histories", 6, "how many random histories are tried")
	firstSeed = flag.Uint64("seed", 1, "of the first random history")
)

// TestHistories does at random what people, strangers, other programs, ledgers
// and operators do, and compares the rows with the ledger itself at the end.
func TestHistories(t *testing.T) {
	for i := range *histories {
		seed := *firstSeed + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 0))
			h := &history{stage: newStage(t, simulated.Options{Manual: i%3 != 0, Replaces: i%2 == 0, Seed: seed}), rand: r}
			h.run(60)
		})
	}
}

type history struct {
	*stage
	rand  *rand.Rand
	older string // a copy of the database
}

var everybody = []string{"kim", "lee", "gus", "stranger"}

func (h *history) who() string { return everybody[h.rand.IntN(3)] }

func (h *history) run(steps int) {
	h.older = h.t.TempDir()
	h.ok(h.store.Close())
	copyFiles(h.t, h.older, h.dir)
	h.open()
	h.start()
	h.create("kim", "5")
	for range steps {
		h.move()
	}
	h.settle()
	h.compare()
	before := h.dump()
	h.restart(h.forget)
	h.calm()
	same(h.t, "after the database was deleted", before, h.dump())
	h.restart(func() { h.forget(); copyFiles(h.t, h.dir, h.older) })
	h.calm()
	same(h.t, "after the database was restored", before, h.dump())
}

// settle makes blocks until nothing is pending.
func (h *history) settle() {
	h.t.Helper()
	if h.ledger.Manual || h.ledger.Replaces { // until what waits for it is final
		h.mined()
	}
	h.calm()
}

// some is a contract that is on the ledger, or nil.
func (h *history) some() *offchain.Contract {
	list, err := h.store.Contracts(h.t.Context(), offchain.ContractFilter{Order: offchain.Order{By: offchain.ByID}, Page: offchain.Page{Top: 1000}})
	h.ok(err)
	there := slices.DeleteFunc(list.Rows, func(c offchain.Contract) bool { return c.Status != offchain.StatusCommitted })
	if len(there) == 0 {
		return nil
	}
	return &there[h.rand.IntN(len(there))]
}

// words are a function of a contract and arguments for it.
func (h *history) words(c *offchain.Contract) (*offchain.Workflow, string, []string) {
	n := fmt.Sprint(h.rand.IntN(15))
	if c.WorkflowID == h.item.ID {
		return h.item, "Add", []string{"n", n}
	}
	item := common.Address{1}.Hex()
	if items := h.items(); len(items) > 0 {
		item = items[h.rand.IntN(len(items))].Address.Hex()
	}
	switch h.rand.IntN(12) {
	case 0:
		return h.shop, "Close", nil
	case 1, 2:
		return h.shop, "Make", []string{"n", n}
	case 3, 4:
		return h.shop, "Pass", []string{"item", item, "n", n}
	case 5:
		return h.shop, "Try", []string{"item", item, "n", n}
	case 6:
		return h.shop, "Break", []string{"how", fmt.Sprint(h.rand.IntN(2) == 0)}
	case 7:
		return h.shop, "Write", []string{"text", "note " + n}
	case 8, 9:
		return h.shop, "Take", []string{"n", n}
	}
	return h.shop, "Put", []string{"n", n}
}

func (h *history) move() {
	c := h.some()
	switch k := h.rand.IntN(100); {
	case k < 8:
		h.create(h.who(), fmt.Sprint(h.rand.IntN(20)))
	case k < 45 && c != nil: // the contract may go meanwhile: then so does what is asked of it
		w, function, pairs := h.words(c)
		i := slices.IndexFunc(w.Functions, func(f offchain.Function) bool { return f.Name == function })
		_, _ = h.store.Do(h.t.Context(), &offchain.ActionRequested{ContractID: c.ID, FunctionID: w.Functions[i].ID,
			PersonID: h.people[h.who()], Arguments: args(pairs...)})
	case k < 65 && c != nil:
		w, function, pairs := h.words(c)
		data, err := h.bound(w).Call(function, args(pairs...))
		h.ok(err)
		to := c.Address
		h.direct(everybody[h.rand.IntN(4)], &to, data) // another may take the nonce first
	case k < 69:
		data, err := h.bound(h.shop).Create(args("count", "3"))
		h.ok(err)
		h.direct(everybody[h.rand.IntN(4)], nil, data)
	case k < 85 && h.ledger.Manual:
		h.ledger.Mine()
	case k < 89 && h.ledger.Replaces:
		drop := h.rand.IntN(4)
		h.ledger.Fork(1+h.rand.IntN(3), func(tx *types.Transaction) bool { return int(tx.Hash()[0])%4 < drop })
	case k < 93:
		h.restart(nil)
	case k < 95:
		h.restart(h.forget)
	case k < 97:
		h.restart(func() { h.forget(); copyFiles(h.t, h.dir, h.older) })
	case k < 98 && !h.ledger.Replaces && !h.ledger.Manual:
		h.settle()
	}
}

// compare holds the rows against the ledger.
func (h *history) compare() {
	h.t.Helper()
	h.once()
	shop, item := h.bound(h.shop), h.bound(h.item)
	// the ledger's own tale: which contracts there are, and what was called
	type told struct {
		item  bool
		calls []string
	}
	there := map[common.Address]*told{}
	tale := func(tx ledger.Transaction) {
		row, err := h.store.TransactionByHash(h.t.Context(), h.conn, tx.Hash)
		h.ok(err)
		for i, f := range tx.Calls {
			if f.Failed && i > 0 {
				continue
			}
			mark := fmt.Sprintf("%s %v", tx.Hash, f.Failed)
			switch f.Kind {
			case "CALL":
				if c := there[f.To]; c != nil {
					b := shop
					if c.item {
						b = item
					}
					name, _, _ := b.DecodeCall(f.Input)
					c.calls = append(c.calls, mark+" "+name)
				}
			case "CREATE":
				ofShop := len(f.Code) > 0 && shop.Matches(f.Code)
				keeper := tx.From == addressOf("kim") || tx.From == addressOf("lee")
				if !f.Failed && (!ofShop || row.Ours || keeper) {
					there[f.To] = &told{item: !ofShop, calls: []string{mark + " "}}
				}
			}
		}
	}
	for _, tx := range h.ledger.Transactions() {
		tale(tx)
	}
	head, err := h.ledger.Head(h.t.Context())
	h.ok(err)
	list, err := h.store.Contracts(h.t.Context(), offchain.ContractFilter{Page: offchain.Page{Top: 10_000}})
	h.ok(err)
	for _, c := range list.Rows {
		if c.Status != offchain.StatusCommitted {
			continue
		}
		want := there[c.Address]
		delete(there, c.Address)
		if want == nil || want.item != (c.WorkflowID == h.item.ID) {
			h.t.Fatalf("contract %d at %s is not on the ledger", c.ID, c.Address)
		}
		var got []string
		for _, a := range h.actions(c.ID) {
			if a.TransactionID != 0 && a.ErrorCode != string(indexer.ErrMissed.Code) {
				got = append(got, fmt.Sprintf("%s %v %s", a.Hash, a.Status == offchain.StatusReverted, a.FunctionName))
			}
		}
		slices.Sort(got)
		slices.Sort(want.calls)
		if strings.Join(got, "\n") != strings.Join(want.calls, "\n") {
			h.t.Fatalf("contract %d has the actions\n%s\nbut the ledger tells of\n%s", c.ID, strings.Join(got, "\n"), strings.Join(want.calls, "\n"))
		}
		h.values(&c, head)
	}
	for address, missing := range there {
		h.t.Errorf("the contract at %s is not known; the ledger tells of\n%s", address, strings.Join(missing.calls, "\n"))
	}
}

// values holds a contract's values against what its getters say now.
func (h *history) values(c *offchain.Contract, head ledger.Ref) {
	h.t.Helper()
	w := h.shop
	if c.WorkflowID == h.item.ID {
		w = h.item
	}
	b := h.bound(w)
	for i, read := range b.Reads() {
		results, err := h.ledger.Read(h.t.Context(), head, []ledger.Call{{To: c.Address, Data: read}})
		h.ok(err)
		id := w.Properties[i].ID
		if results[0].Err != nil {
			if !slices.Contains(c.Unread, id) {
				h.t.Fatalf("contract %d: %s cannot be read, and nobody says so", c.ID, w.Properties[i].Name)
			}
			continue
		}
		want, err := b.DecodeRead(i, results[0].Data)
		h.ok(err)
		if got, ok := c.Value(id); got != want || !ok {
			h.t.Fatalf("contract %d: %s is %q, but the ledger says %q", c.ID, w.Properties[i].Name, got, want)
		}
	}
}
