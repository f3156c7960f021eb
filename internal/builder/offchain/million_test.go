package offchain

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

// contractsMany is how many contracts the list benchmarks look through:
// COCO_OFFCHAIN_CONTRACTS, by default few.
func contractsMany(b *testing.B) int {
	n, err := strconv.Atoi(os.Getenv("COCO_OFFCHAIN_CONTRACTS"))
	if err != nil {
		return 20_000
	}
	return n
}

// fill writes contracts straight into the tables: what blocks would make, in a
// minute instead of an hour.
func fill(b testing.TB, in *installation, n int) {
	b.Helper()
	random := rand.New(rand.NewPCG(5, 6))
	ctx := context.Background()
	for from := 1; from <= n; from += 5000 {
		t, err := in.engine.begin(ctx)
		if err != nil {
			b.Fatal(err)
		}
		f := newFolder(t, in.catalogue, script{}, in.counters)
		for id := from; id < min(from+5000, n+1); id++ {
			p, state := in.asset.Properties, in.asset.States[random.IntN(2)]
			values := []Value{{p[0].ID, state.text()}, {p[1].ID, fmt.Sprintf("Chair number %d", random.IntN(n))},
				{p[2].ID, strings.ToLower(account(random.IntN(100)).Hex())}, {p[3].ID, "[1,2]"}}
			at := time.Unix(1_700_000_000+int64(id), 0)
			c := &Contract{ID: id, ApplicationID: in.app.ID, WorkflowID: in.asset.ID, CodeID: 1, ConnectionID: 1, Status: 2,
				Address: common.Address{1, byte(id >> 16), byte(id >> 8), byte(id)}, DeployedBy: 1, CreatedAt: at, StateID: state.ID, State: state.text(),
				ModifiedAt: at, ModifiedBy: 1, LastActionID: id, BlockNumber: uint64(id), Values: values}
			if err := f.insertContract(ctx, c, true); err != nil {
				b.Fatal(err)
			}
			for _, v := range values {
				if err := f.insert(ctx, "property_value (contract_id, property_id, value, folded)", id, v.PropertyID, v.Value, fold(v.Value)); err != nil {
					b.Fatal(err)
				}
			}
		}
		if err := f.finish(ctx, in.journal.end); err != nil {
			b.Fatal(err)
		}
		if err := t.commit(ctx); err != nil {
			b.Fatal(err)
		}
		in.counters = f.counters
	}
}

// Lists and filters of a very large application. Each must stay under 100 ms
// with a million contracts.
func BenchmarkContracts(b *testing.B) {
	for _, database := range databases {
		b.Run(database, func(b *testing.B) {
			n := contractsMany(b)
			in := install(b, fresh(b, database))
			began := time.Now()
			fill(b, in, n)
			if database == "postgres" {
				if err := in.engine.script(context.Background(), "ANALYZE"); err != nil {
					b.Fatal(err)
				}
			}
			b.Logf("%d contracts written in %s", n, time.Since(began).Round(time.Second))
			p := in.asset.Properties
			holder := map[int]string{p[2].ID: strings.ToLower(account(5).Hex())}
			half := map[int]string{p[0].ID: "7"}
			for _, list := range []struct {
				name string
				f    ContractFilter
			}{
				{"first page", ContractFilter{WorkflowID: in.asset.ID}},
				{"all applications", ContractFilter{}},
				{"one application", ContractFilter{ApplicationIDs: []int{in.app.ID}}},
				{"page at the middle", ContractFilter{WorkflowID: in.asset.ID, Page: Page{Skip: n / 2}}},
				{"last page", ContractFilter{WorkflowID: in.asset.ID, Page: Page{Skip: n - 50}}},
				{"after a key", ContractFilter{WorkflowID: in.asset.ID, After: n / 2}},
				{"state", ContractFilter{WorkflowID: in.asset.ID, StateID: in.asset.States[1].ID}},
				{"by modified", ContractFilter{WorkflowID: in.asset.ID, Order: Order{ByModified, true}}},
				{"by state", ContractFilter{WorkflowID: in.asset.ID, Order: Order{By: ByState}}},
				{"value of 1 in 2", ContractFilter{WorkflowID: in.asset.ID, Properties: half}},
				{"value of 1 in 100", ContractFilter{WorkflowID: in.asset.ID, Properties: holder}},
				{"value of 1 in 100 and state", ContractFilter{StateID: in.asset.States[0].ID, Properties: holder}},
				{"value of one", ContractFilter{Properties: map[int]string{p[1].ID: "chair number 77"}}},
				{"two values", ContractFilter{Properties: map[int]string{p[0].ID: "7", p[2].ID: strings.ToLower(account(5).Hex())}}},
				{"search that all match", ContractFilter{Search: "chair"}},
				{"search that some match", ContractFilter{Search: "chair number 99"}},
				{"search that one matches", ContractFilter{Search: "chair number 12345"}},
				{"search that none matches", ContractFilter{Search: "table"}},
				{"address", ContractFilter{Address: common.Address{1, 0, 1, 1}}},
			} {
				list.f.Page.Top = 50
				b.Run(list.name, func(b *testing.B) {
					for b.Loop() {
						got, err := in.Contracts(b.Context(), list.f)
						if err != nil {
							b.Fatal(err)
						}
						if len(got.Rows) == 0 && list.name != "search that none matches" && list.name != "value of one" {
							b.Fatal("nothing found")
						}
					}
				})
			}
		})
	}
}

// A request from Do to durable and visible, alone and many at once.
func BenchmarkDo(b *testing.B) {
	for _, database := range databases {
		b.Run(database, func(b *testing.B) {
			in := install(b, fresh(b, database))
			in.create(map[string]string{"State": "0"})
			ask := func() {
				if _, err := in.Do(context.Background(), &ActionRequested{ContractID: 1, FunctionID: in.asset.Functions[0].ID, PersonID: 1}); err != nil {
					b.Error(err)
				}
			}
			b.Run("alone", func(b *testing.B) {
				for b.Loop() {
					ask()
				}
			})
			b.Run("64 at once", func(b *testing.B) {
				b.SetParallelism(32)
				b.RunParallel(func(p *testing.PB) {
					for p.Next() {
						ask()
					}
				})
			})
		})
	}
}

// Blocks of 100 settled actions, each with two values that change.
func BenchmarkBlocks(b *testing.B) {
	for _, database := range databases {
		b.Run(database, func(b *testing.B) {
			in := install(b, fresh(b, database))
			n := byte(0)
			actions := 0
			for b.Loop() {
				var events []event
				n++
				for i := range 100 {
					events = append(events, event{Hash: common.Hash{n, byte(i), byte(actions >> 16), byte(actions >> 8)}, Found: in.asset.ID,
						At: common.Address{n, byte(i), byte(actions >> 16), byte(actions >> 8)}, Values: map[string]string{"State": "0", "Description": fmt.Sprint(actions, i)}})
				}
				in.blocks(1, events)
				actions += 100
			}
			b.ReportMetric(float64(actions)/b.Elapsed().Seconds(), "actions/s")
		})
	}
}

// What a page needs, from a small installation.
func BenchmarkPage(b *testing.B) {
	for _, database := range databases {
		b.Run(database, func(b *testing.B) {
			in := populated(b, fresh(b, database), 442)
			some, err := in.Contracts(b.Context(), ContractFilter{WorkflowID: in.asset.ID})
			if err != nil {
				b.Fatal(err)
			}
			id := some.Rows[0].ID
			for range 18 {
				do(b, in.Store, &ActionRequested{ContractID: id, FunctionID: in.asset.Functions[0].ID, PersonID: 1})
			}
			b.Run("list of 50", func(b *testing.B) {
				for b.Loop() {
					if _, err := in.Contracts(b.Context(), ContractFilter{WorkflowID: in.asset.ID, Page: Page{Top: 50}}); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run("contract with 19 actions", func(b *testing.B) {
				for b.Loop() {
					if _, err := in.Contract(b.Context(), id); err != nil {
						b.Fatal(err)
					}
					if _, err := in.Actions(b.Context(), id, true, Page{Top: 50}); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
