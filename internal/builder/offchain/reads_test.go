package offchain

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/builder/workflow"
)

// populated is an installation with contracts of two workflows on the ledger.
func populated(t testing.TB, o Options, n int) *installation {
	in := install(t, o)
	random := rand.New(rand.NewPCG(1, 2))
	for i := 0; i < n; i += 20 {
		var events []event
		for j := i; j < min(n, i+20); j++ {
			e := event{Hash: common.Hash{0xAB, byte(j >> 16), byte(j >> 8), byte(j)}, Found: in.asset.ID, From: account(random.IntN(4)),
				At: common.Address{0xC0, byte(j >> 16), byte(j >> 8), byte(j)}, Values: map[string]string{
					"State": fmt.Sprint(random.IntN(2) * 7), "Description": fmt.Sprintf("Chair %d", random.IntN(n/3)),
					"Holder": strings.ToLower(account(random.IntN(3)).Hex()), "Prices": "[" + strings.Repeat("1,", random.IntN(80)) + "1]"}}
			if random.IntN(5) == 0 {
				e.Found, e.Values = in.part.ID, map[string]string{"State": "0", "Kind": fmt.Sprint(random.IntN(2))}
			}
			events = append(events, e)
		}
		in.blocks(1, events)
	}
	return in
}

// Every filter, order and page gives what a plain look at all contracts gives.
func TestContractsFilters(t *testing.T) {
	onBoth(t, func(t *testing.T, o Options) {
		in := populated(t, o, 300)
		waits := in.request("waits", "1").ContractID
		all, err := in.Contracts(t.Context(), ContractFilter{Page: Page{Top: 1000}})
		if err != nil || len(all.Rows) != 301 || all.Total != 301 || all.More || all.Rows[0].ID != waits {
			t.Fatalf("%d contracts of %d, %v", len(all.Rows), all.Total, err)
		}
		p := in.asset.Properties
		two := 2
		filters := map[string]ContractFilter{
			"all":               {},
			"workflow":          {WorkflowID: in.part.ID},
			"application":       {ApplicationIDs: []int{in.app.ID}},
			"no application":    {ApplicationIDs: []int{}},
			"unknown":           {ApplicationIDs: []int{99}},
			"state":             {StateID: in.asset.States[1].ID},
			"state of another":  {StateID: in.asset.States[1].ID, WorkflowID: in.part.ID},
			"status":            {Status: &two},
			"deployed by":       {DeployedBy: in.people[0]},
			"connection":        {ConnectionID: 2},
			"address":           {Address: all.Rows[50].Address},
			"property":          {Properties: map[int]string{p[2].ID: strings.ToUpper(account(1).Hex())}},
			"two properties":    {Properties: map[int]string{p[2].ID: strings.ToLower(account(1).Hex()), p[0].ID: "7"}},
			"property, state":   {StateID: in.asset.States[0].ID, Properties: map[int]string{p[2].ID: strings.ToLower(account(1).Hex())}},
			"long property":     {Properties: map[int]string{p[3].ID: "[" + strings.Repeat("1,", 50) + "1]"}},
			"search":            {Search: "cHAIR 1"},
			"search id":         {Search: "17"},
			"search address":    {Search: all.Rows[60].Address.Hex()},
			"search in nothing": {Search: "x'; DROP TABLE contract; --"},
			"search wildcards":  {Search: "%"},
			"search, workflow":  {Search: "0", WorkflowID: in.part.ID},
		}
		orders := []Order{{}, {By: ByID}, {By: ByID, Descending: true}, {By: ByModified}, {By: ByState, Descending: true}, {By: ByStatus}, {By: ByEmail}}
		for name, f := range filters {
			for _, order := range orders {
				f.Order = order
				want := plainly(in, all.Rows, f)
				for _, page := range []Page{{}, {Top: 7}, {Skip: 5, Top: 10}, {Skip: 1000, Top: 5}, {Skip: -1, Top: -1}} {
					f.Page = page
					got, err := in.Contracts(t.Context(), f)
					if err != nil {
						t.Fatalf("%s, %v: %v", name, order, err)
					}
					part := paged(want, page)
					if got.Total != part.Total || got.AtLeast || got.More != part.More || fmt.Sprint(ids(got.Rows)) != fmt.Sprint(ids(part.Rows)) {
						t.Errorf("%s, order %v, page %v: %d, %v of %d, want %v of %d", name, order, page, len(got.Rows), ids(got.Rows), got.Total, ids(part.Rows), part.Total)
					}
				}
			}
		}
		// Page after page by key.
		var walked []int
		for after := 0; ; {
			got, err := in.Contracts(t.Context(), ContractFilter{ApplicationIDs: []int{in.app.ID}, After: after, Page: Page{Top: 23}})
			if err != nil {
				t.Fatal(err)
			}
			walked = append(walked, ids(got.Rows)...)
			if !got.More {
				break
			}
			after = walked[len(walked)-1]
		}
		if fmt.Sprint(walked) != fmt.Sprint(ids(all.Rows)) {
			t.Errorf("page after page: %v", walked)
		}
	})
}

// Every list of contracts is found in an index: SQLite says which it would use.
func TestListsUseIndexes(t *testing.T) {
	in := install(t, fresh(t, "sqlite"))
	plans := &planning{engine: in.engine}
	v := view{plans, in.catalogue}
	p := in.asset.Properties
	for name, f := range map[string]ContractFilter{
		"all": {}, "workflow": {WorkflowID: in.asset.ID}, "application": {ApplicationIDs: []int{in.app.ID}},
		"state": {StateID: in.asset.States[0].ID}, "address": {Address: common.Address{1}}, "property": {Properties: map[int]string{p[1].ID: "x"}},
		"search": {Search: "x"}, "search id": {Search: "1"}, "search address": {Search: account(1).Hex()}, "deep": {Page: Page{Skip: 9 * bucket}},
		"modified": {Order: Order{By: ByModified}}, "after": {After: 9},
	} {
		if _, err := v.Contracts(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		if _, err := v.ContractByAddress(t.Context(), 1, account(1)); !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
		if _, err := v.Actions(t.Context(), 1, true, Page{}); err != nil {
			t.Fatal(err)
		}
		for _, step := range plans.steps {
			if strings.HasPrefix(step, "SCAN") && !strings.Contains(step, "contract_count") && step != "SCAN c" && !strings.HasPrefix(step, "SCAN (") &&
				!slices.Contains([]string{"SCAN x", "SCAN y", "SCAN m", "SCAN w0", "SCAN w1"}, step) {
				t.Errorf("%s: %s in\n%s", name, step, strings.Join(plans.steps, "\n"))
			}
			// All there are, in the order of their ids, until the page is full.
			if step == "SCAN c" && !slices.Contains([]string{"all", "application", "after", "deep"}, name) {
				t.Errorf("%s reads every contract:\n%s", name, strings.Join(plans.steps, "\n"))
			}
		}
		plans.steps = nil
	}
}

// planning notes how SQLite would run each query.
type planning struct {
	engine
	steps []string
}

func (p *planning) query(ctx context.Context, text string, args []any, each func(row) error) error {
	if err := p.engine.query(ctx, "EXPLAIN QUERY PLAN "+text, args, func(r row) error { p.steps = append(p.steps, r.text(3)); return nil }); err != nil {
		return err
	}
	return p.engine.query(ctx, text, args, each)
}

// Pages that lie so deep that the way there is found in the counters.
func TestPagesFarDown(t *testing.T) {
	onBoth(t, func(t *testing.T, o Options) {
		in := install(t, o)
		const many = 3*bucket + 100
		fill(t, in, many)
		in.create(map[string]string{"State": "7"})
		all, err := in.Contracts(t.Context(), ContractFilter{Page: Page{Top: 2 * many}})
		if err != nil || len(all.Rows) != many+1 {
			t.Fatalf("%d contracts, %v", len(all.Rows), err)
		}
		for name, f := range map[string]ContractFilter{
			"all": {}, "workflow": {WorkflowID: in.asset.ID}, "both workflows": {ApplicationIDs: []int{in.app.ID}},
			"state": {WorkflowID: in.asset.ID, StateID: in.asset.States[1].ID}, "none": {WorkflowID: in.part.ID},
			"value": {Properties: map[int]string{in.asset.Properties[0].ID: "7"}},
		} {
			for _, f.Order = range []Order{{}, {By: ByID}, {By: ByState}} {
				want := plainly(in, all.Rows, f)
				for _, skip := range []int{bucket - 1, bucket + 1, 2 * bucket, 2*bucket + 77, 3*bucket + 99, many, many + 1, 9 * bucket} {
					f.Page = Page{Skip: skip, Top: 3}
					got, err := in.Contracts(t.Context(), f)
					part := paged(want, f.Page)
					if err != nil || got.More != part.More || got.Total != min(part.Total, map[bool]int{true: part.Total, false: CountLimit}[f.plain()]) ||
						fmt.Sprint(ids(got.Rows)) != fmt.Sprint(ids(part.Rows)) {
						t.Errorf("%s, order %v, skip %d: %v of %d, want %v of %d, %v", name, f.Order, skip, ids(got.Rows), got.Total, ids(part.Rows), part.Total, err)
					}
				}
			}
		}
	})
}

func ids(rows []Contract) []int {
	out := []int{}
	for _, c := range rows {
		out = append(out, c.ID)
	}
	return out
}

// plainly filters and sorts in memory.
func plainly(in *installation, rows []Contract, f ContractFilter) []Contract {
	search := strings.ToLower(f.Search)
	out := slices.DeleteFunc(slices.Clone(rows), func(c Contract) bool {
		keep := (f.ApplicationIDs == nil || slices.Contains(f.ApplicationIDs, c.ApplicationID)) &&
			(f.WorkflowID == 0 || f.WorkflowID == c.WorkflowID) && (f.StateID == 0 || f.StateID == c.StateID) &&
			(f.Status == nil || *f.Status == c.Status) && (f.DeployedBy == 0 || f.DeployedBy == c.DeployedBy) &&
			(f.ConnectionID == 0 || f.ConnectionID == c.ConnectionID) && (f.Address == common.Address{} || f.Address == c.Address)
		for id, want := range f.Properties {
			value, ok := c.Value(id)
			keep = keep && ok && strings.EqualFold(value, want)
		}
		begins := func(v Value) bool { return strings.HasPrefix(strings.ToLower(v.Value), search) }
		return !keep || search != "" && !slices.ContainsFunc(c.Values, begins) && fmt.Sprint(c.ID) != search && strings.ToLower(c.Address.Hex()) != search
	})
	slices.SortFunc(out, func(a, b Contract) int {
		c := 0
		switch f.Order.By {
		case ByModified:
			c = a.ModifiedAt.Compare(b.ModifiedAt)
		case ByState:
			c = cmp.Compare(a.StateID, b.StateID)
		case ByStatus:
			c = cmp.Compare(a.Status, b.Status)
		}
		c = cmp.Or(c, cmp.Compare(a.ID, b.ID))
		if f.Order.Descending || f.Order.By == ByDefault {
			c = -c
		}
		return c
	})
	return out
}

// Reads of everything else, after a little of everything.
func TestReads(t *testing.T) {
	onBoth(t, func(t *testing.T, o Options) {
		in := install(t, o)
		life(in)
		ctx := t.Context()
		actions, err := in.Actions(ctx, 1, true, Page{Top: 2})
		if err != nil || len(actions.Rows) != 2 || actions.Total != 4 || !actions.More {
			t.Fatalf("actions: %+v, %v", actions, err)
		}
		last, err := in.Action(ctx, actions.Rows[0].ID)
		if err != nil || last.ErrorCode != "REVERTED" && last.PersonID != 0 {
			t.Errorf("the last action: %+v, %v", last, err)
		}
		outside, err := in.Actions(ctx, 1, false, Page{Top: 50})
		if err != nil {
			t.Fatal(err)
		}
		offer := outside.Rows[1]
		if offer.Status != StatusCommitted || offer.BlockNumber != 2 || offer.TxID != "2.2" || offer.BlockTime.IsZero() ||
			offer.Arguments[0] != (Argument{in.asset.Functions[0].Parameters[0].ID, "price", "Price", "5"}) {
			t.Errorf("the offer: %+v", offer)
		}
		if a, err := in.ActionByHash(ctx, 1, common.Hash{0x51, 0, byte(offer.ID), 0}); err != nil || a.ID != offer.ID {
			t.Errorf("by the hash that was replaced: %+v, %v", a, err)
		}
		if a, err := in.ActionByRequest(ctx, in.people[1], "o"); err != nil || a.ID != offer.ID {
			t.Errorf("by its request: %+v, %v", a, err)
		}
		c, err := in.Contract(ctx, 1)
		if err != nil || c.State != "3" || c.StateID != 0 || len(c.Unread) != 1 || len(c.Values) != 4 {
			t.Errorf("the contract: %+v, %v", c, err)
		}
		history, err := in.History(ctx, 1, in.asset.Properties[0].ID, Page{})
		if err != nil || len(history.Rows) != 3 || history.Rows[0].Value != "3" || history.Rows[2].Value != "0" {
			t.Errorf("history: %+v, %v", history, err)
		}
		if h, err := in.History(ctx, 1, 0, Page{Top: 1}); err != nil || h.Total != 7 || !h.More {
			t.Errorf("whole history: %+v, %v", h, err)
		}
		blocks, err := in.Blocks(ctx, 1, Page{Top: 1})
		if err != nil || blocks.Total != 5 || !blocks.More || blocks.Rows[0].Number != 4 {
			t.Errorf("blocks: %+v, %v", blocks, err)
		}
		transactions, err := in.Transactions(ctx, 1, Page{})
		if err != nil || transactions.Total != 4 || transactions.Rows[0].Status != StatusReverted {
			t.Errorf("transactions: %+v, %v", transactions, err)
		}
		of, err := in.ContractTransactions(ctx, 1)
		if err != nil || len(of) != 3 || of[0].To != nil || of[2].To == nil || of[0].Value.Int64() != 7 {
			t.Errorf("transactions of the contract: %+v, %v", of, err)
		}
		pending, err := in.Pending(ctx, 1)
		if err != nil || len(pending) != 1 || pending[0].Status != StatusAsked {
			t.Errorf("pending: %+v, %v", pending, err)
		}
		apps, err := in.Applications(ctx, ApplicationFilter{Order: Order{By: ByName}})
		if err != nil || len(apps.Rows) != 2 || apps.Rows[0].Latest || !apps.Rows[1].Latest || !apps.Rows[0].Coded || apps.Rows[1].Enabled {
			t.Errorf("applications: %+v, %v", apps, err)
		}
		copied, err := in.Assignments(ctx, apps.Rows[1].ID, 0, Page{})
		if err != nil || copied.Total != 2 || copied.Rows[0].Person == nil {
			t.Errorf("assignments of the second version: %+v, %v", copied, err)
		}
		people, err := in.People(ctx, PersonFilter{Search: "clé"})
		if err != nil || people.Total != 1 || len(people.Rows[0].Keys) != 1 || people.Rows[0].Status != PersonIsProvisioned {
			t.Errorf("people: %+v, %v", people, err)
		}
		if file, err := in.CodeFile(ctx, 1); err != nil || !bytes.Equal(file, []byte("contract Asset {}")) {
			t.Errorf("code: %q, %v", file, err)
		}
		definition := in.asset.Definition()
		if definition.States[1].Name != "Closed" || *definition.States[1].Value != 7 || len(definition.Functions) != 2 || definition.StartState != "Active" {
			t.Errorf("definition: %+v", definition)
		}
		for name, id := range BaseTypes {
			var got string
			if _, err := one(ctx, in.engine, "SELECT name FROM data_type WHERE id = $1", []any{id}, func(r row) error { got = r.text(0); return nil }); err != nil || got != name {
				t.Errorf("type %d is %q, want %q (%v)", id, got, name, err)
			}
		}
	})
}

// Nothing that was given to a store can be read in its directory.
func TestNothingReadableOnDisk(t *testing.T) {
	o := fresh(t, "sqlite")
	in := install(t, o)
	const marker = "MARKER-5b1e0a"
	in.create(map[string]string{"State": "0", "Description": marker})
	do(t, in.Store, &PersonAdded{ExternalID: marker, FirstName: marker})
	do(t, in.Store, &CodeAdded{ApplicationID: func() int {
		a := &ApplicationAdded{Name: marker, Configuration: []byte(strings.ReplaceAll(asset, "Asset", marker))}
		do(t, in.Store, a)
		return a.ID
	}(), LedgerID: 1, File: []byte(marker), Output: []byte(`"` + marker + `"`)})
	do(t, in.Store, &ContractRequested{WorkflowID: in.asset.ID, CodeID: 1, ConnectionID: 1, PersonID: 1,
		Arguments: []workflow.Argument{{Name: "description", Value: marker}}})
	for _, when := range []string{"open", "closed"} {
		files := read(t, o.Dir)
		if when == "open" && len(files["builder.db-wal"]) == 0 {
			t.Error("there is no write-ahead file to look into")
		}
		for name, data := range files {
			for _, text := range []string{marker, "SQLite format 3", "CREATE TABLE", "Asset.sol"} {
				if bytes.Contains(data, []byte(text)) {
					t.Errorf("%s, while %s, holds %q", name, when, text)
				}
			}
		}
		in.Close()
	}
	// Neither with another key.
	o.Key[0]++
	if _, err := Open(t.Context(), o); err == nil {
		t.Error("another key opens the store")
	}
	remove(t, o.Dir+"/journal")
	if _, err := Open(t.Context(), o); err == nil {
		t.Error("another key opens the database")
	} else if !strings.Contains(err.Error(), string(errUnreadable.Code)) {
		t.Errorf("another key: %v", err)
	}
	if _, err := os.Stat(o.Dir + "/builder.db"); err != nil {
		t.Error(err)
	}
}

func TestPackedColumnsAreBounded(t *testing.T) {
	for _, b := range [][]byte{nil, {0xff}, {1}, {1, 1}, {1, 1, 9}, {0xff, 0xff, 0xff, 0xff, 0x0f}, bytes.Repeat([]byte{0xff}, 30)} {
		if v, err := unpackValues(b); err == nil {
			t.Errorf("%x: %v", b, v)
		}
		if v, err := unpackArguments(b); err == nil {
			t.Errorf("%x: %v", b, v)
		}
	}
	values := []Value{{1, ""}, {300, "é\x01"}}
	if got, err := unpackValues(packValues(values)); err != nil || !slices.Equal(got, values) {
		t.Errorf("%v, %v", got, err)
	}
	arguments := []Argument{{0, "a", "", "b"}, {7, "", "", "1"}}
	if got, err := unpackArguments(packArguments(arguments)); err != nil || !slices.Equal(got, arguments) {
		t.Errorf("%v, %v", got, err)
	}
}
