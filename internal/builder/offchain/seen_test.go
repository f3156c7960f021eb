package offchain

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// transact writes transactions straight into the tables, a block each, and their
// actions: of gives the applications of each.
func (in *installation) transact(n int, of func(id int) (connection int, applications []int)) {
	in.t.Helper()
	ctx := context.Background()
	t, err := in.engine.begin(ctx)
	if err != nil {
		in.t.Fatal(err)
	}
	exec := func(sql string, args ...any) {
		if err := t.exec(ctx, sql, args...); err != nil {
			in.t.Fatal(err)
		}
	}
	action := 0
	for id := 1; id <= n; id++ {
		connection, applications := of(id)
		exec("INSERT INTO block (id, connection_id, number, hash, parent, time) VALUES ($1, $2, $3, '0x', '0x', 0)", id, connection, id)
		exec(`INSERT INTO ledger_transaction (id, connection_id, block_id, hash, from_address, value, ours, status, tx_id)
			VALUES ($1, $2, $1, $3, '0x', '0', 0, 2, '')`, id, connection, fmt.Sprintf("0x%064x", id))
		for _, application := range applications {
			action++
			at := id
			if action%7 == 0 {
				at = 0 // one that waits
			}
			exec(`INSERT INTO action (id, application_id, contract_id, connection_id, function_id, function_name, person_id, from_address, caller_contract_id,
				status, found, at, request_id, arguments, sequence, state_id, error_code, error_message, revert_reason, hash, transaction_id, block_id)
				VALUES ($1, $2, 1, $3, 0, '', 0, '0x', 0, 2, 1, 0, '', $4, 1, 0, '', '', '', '0x', $5, $5)`, action, application, connection, []byte{}, at)
		}
	}
	if err := t.commit(ctx); err != nil {
		in.t.Fatal(err)
	}
}

// TestTransactionsOfSome compares the list with one that looks at every
// transaction, for every set of applications and every page.
func TestTransactionsOfSome(t *testing.T) {
	onBoth(t, func(t *testing.T, o Options) {
		const n = 300
		random := rand.New(rand.NewPCG(3, 4))
		in := install(t, o)
		action, seen := 0, map[[2]int][]int{} // by connection and application: transactions, oldest first
		in.transact(n, func(id int) (int, []int) {
			connection := 1 + random.IntN(2)
			applications := make([]int, random.IntN(4))
			for i := range applications {
				applications[i] = 1 + random.IntN(5)
				if action++; action%7 != 0 {
					key := [2]int{connection, applications[i]}
					seen[key] = append(seen[key], id)
				}
			}
			return connection, applications
		})
		rows, walk := seenRows, walkFrom
		defer func() { seenRows, walkFrom = rows, walk }()
		for _, how := range []string{"few", "merged", "walked"} {
			switch how {
			case "merged":
				seenRows = 20
			case "walked":
				walkFrom = 0
			}
			in.transactionsOf(how, n, seen)
		}
	})
}

// transactionsOf reads every page of every set of applications.
func (in *installation) transactionsOf(how string, n int, seen map[[2]int][]int) {
	t := in.t
	sets := [][]int{nil, {}, {9}, {3, 3, 1}, many(400)}
	for mask := range 32 {
		var set []int
		for i := range 5 {
			if mask&(1<<i) != 0 {
				set = append(set, i+1)
			}
		}
		sets = append(sets, set)
	}
	for _, set := range sets {
		for connection := 1; connection <= 2; connection++ {
			var want []int
			for _, application := range set {
				want = append(want, seen[[2]int{connection, application}]...)
			}
			slices.Sort(want)
			want = slices.Compact(want)
			slices.Reverse(want)
			var got []int
			for {
				l, err := in.TransactionsOf(t.Context(), connection, set, Page{Skip: len(got), Top: 17})
				if err != nil || (l.Total != len(want) && !l.AtLeast) || l.Total > len(want) || l.AtLeast && how == "few" || l.More != (len(got)+len(l.Rows) < len(want)) {
					t.Fatalf("%v: after %d there are %d of %d (%v): %v", set, len(got), len(l.Rows), l.Total, l.More, err)
				}
				for _, x := range l.Rows {
					got = append(got, x.ID)
				}
				if !l.More {
					break
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%v on connection %d: %v, not %v", set, connection, got, want)
			}
		}
	}
	for id := 0; id <= n+1; id++ {
		var want []int
		for key, ids := range seen {
			if slices.Contains(ids, id) {
				want = append(want, key[1])
			}
		}
		slices.Sort(want)
		if got, err := in.ApplicationsOf(t.Context(), id); err != nil || !slices.Equal(got, want) {
			t.Fatalf("transaction %d is of %v, not %v: %v", id, got, want, err)
		}
	}
}

func many(n int) (ids []int) {
	for i := range n {
		ids = append(ids, i+1)
	}
	return ids
}

// TestTransactionsAreWalked wants the newest transactions of an application read
// from an index, in its order, and no heap of all of them.
func TestTransactionsAreWalked(t *testing.T) {
	in := install(t, fresh(t, "sqlite"))
	s := &statement{}
	s.seen("a.application_id = "+s.arg(1), 1)
	s.WriteString(" ORDER BY a.transaction_id DESC LIMIT 20")
	var plan []string
	if err := in.engine.query(t.Context(), "EXPLAIN QUERY PLAN "+s.String(), s.args, func(r row) error {
		plan = append(plan, r.text(3))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(plan, "\n"); text != "SEARCH a USING COVERING INDEX action_application (application_id=? AND connection_id=? AND transaction_id>?)" {
		t.Error(text)
	}
}

// BenchmarkTransactionsOf reads pages for somebody who sees one application in a
// hundred of a ledger with COCO_OFFCHAIN_CONTRACTS transactions.
func BenchmarkTransactionsOf(b *testing.B) {
	for _, database := range databases {
		b.Run(database, func(b *testing.B) {
			n := contractsMany(b)
			in := install(b, fresh(b, database))
			in.transact(n, func(id int) (int, []int) { return 1, []int{1 + id%100} })
			if database == "postgres" {
				if err := in.engine.script(context.Background(), "ANALYZE"); err != nil {
					b.Fatal(err)
				}
			}
			for name, ids := range map[string][]int{"few": {7}, "half": many(50), "very many": many(400)} {
				for place, skip := range map[string]int{"first": 0, "deep": n / 200} {
					b.Run(name+" "+place, func(b *testing.B) {
						for b.Loop() {
							if l, err := in.TransactionsOf(b.Context(), 1, ids, Page{Skip: max(skip, 0), Top: 50}); err != nil || len(l.Rows) == 0 {
								b.Fatal(len(l.Rows), err)
							}
						}
					})
				}
			}
		})
	}
}
