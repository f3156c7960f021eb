package builder

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/coco-consortium/coco/internal/builder/ledger/ledgertest"
	"github.com/coco-consortium/coco/internal/builder/offchain/postgrestest"
)

// sql runs a statement on a database and gives its rows as text.
func sql(t testing.TB, dsn, statement string) []string {
	t.Helper()
	c, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	rows, err := c.Query(t.Context(), statement)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprintf("%v", values))
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return list
}

// documentedViews gives the columns of the views that reports are written for.
func documentedViews(t testing.TB) map[string][]string {
	t.Helper()
	f, err := os.Open("../../internal/builder/offchain/testdata/sql-views.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	views := map[string][]string{}
	for _, l := range lines[1:] {
		views[l[0]] = append(views[l[0]], `"`+l[2]+`"`)
	}
	for _, twin := range []string{"vwContract", "vwContractAction", "vwContractProperty", "vwContractState"} {
		views[twin+"V0"] = views[twin]
	}
	if len(views) != 17 {
		t.Fatalf("there are %d views", len(views))
	}
	return views
}

// report is what all views say, each by its documented columns.
func report(t testing.TB, dsn string) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for view, columns := range documentedViews(t) {
		rows := sql(t, dsn, fmt.Sprintf(`SELECT %s FROM %q`, strings.Join(columns, ", "), view))
		slices.Sort(rows)
		if len(rows) == 0 {
			t.Errorf("%s is empty", view)
		}
		all[view] = rows
	}
	return all
}

// TestPostgres lives on PostgreSQL: the builder is killed and the server ends its
// connections while actions are under way, and the database is dropped.
func TestPostgres(t *testing.T) {
	dsn := postgrestest.DSN(t)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	name, server := u.Path[1:], *u
	server.Path = "/postgres"
	n, _ := newCoco(t)
	b := newAlone(t, connectionOf(n)+"db: "+dsn+"\n")
	flow, constructor, functions, properties := b.names(bob, "Purchase", "Purchase")
	var ids []int
	for round := range 4 {
		for k := range 5 {
			ids = append(ids, b.post(bob, fmt.Sprintf("/api/v2/contracts?workflowId=%d", flow),
				input(constructor, "machine", fmt.Sprintf("machine %d of %d", k, round), "condition", "0", "askingPrice", "1")))
		}
		if round%2 == 0 {
			b.node.Kill(t)
			b.begin()
		} else {
			sql(t, server.String(), fmt.Sprintf("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%s'", name))
		}
	}
	for _, id := range ids {
		b.until(bob, id, "the contract", func(c *contract) bool { return c.ProvisioningStatus == 2 })
	}
	b.post(bob, fmt.Sprintf("/api/v2/contracts/%d/actions", ids[0]), input(functions["ChangePrice"], "askingPrice", "77"))
	b.until(bob, ids[0], "the price", func(c *contract) bool { return c.value(properties["AskingPrice"]) == "77" })
	var list struct{ Contracts []contract }
	b.read(bob, fmt.Sprintf("/api/v2/contracts?workflowId=%d&top=100", flow), &list)
	if len(list.Contracts) != len(ids) {
		t.Errorf("%d contracts, not %d", len(list.Contracts), len(ids))
	}
	pages, views := b.snapshot(alice), report(t, dsn)
	if !strings.Contains(fmt.Sprint(views["vwContractProperty"]), "machine 4 of 3") {
		t.Error("the views do not tell the last machine")
	}
	b.node.Kill(t)
	sql(t, server.String(), fmt.Sprintf("DROP DATABASE %s WITH (FORCE)", name))
	sql(t, server.String(), "CREATE DATABASE "+name)
	b.begin()
	if after := b.snapshot(alice); after != pages {
		t.Errorf("made again the pages are others:\n%s", difference(pages, after))
	}
	for view, rows := range report(t, dsn) {
		if !slices.Equal(rows, views[view]) {
			t.Errorf("made again %s is another:\n%s", view, difference(strings.Join(views[view], "\n"), strings.Join(rows, "\n")))
		}
	}
}

// TestPostgresCrashes kills the server of the database again and again while people
// work. Whoever is told that something was asked for sees it come to its end, without
// anybody mending anything.
func TestPostgresCrashes(t *testing.T) {
	dsn := postgrestest.DSN(t)
	n, _ := newCoco(t)
	b := newAlone(t, connectionOf(n)+"db: "+dsn+"\n")
	flow, constructor, _, properties := b.names(bob, "Purchase", "Purchase")
	create := fmt.Sprintf("/api/v2/contracts?workflowId=%d", flow)
	asked := map[int]string{}
	refused := 0
	for round := range 4 {
		for k := range 12 {
			if k == 4 {
				postgrestest.Crash(t)
			}
			machine := fmt.Sprintf("machine %d of %d", k, round)
			status, data, err := b.ask(bob, http.MethodPost, create, input(constructor, "machine", machine, "condition", "0", "askingPrice", "1"))
			var id int
			switch {
			case err != nil:
				t.Fatal(err)
			case status == http.StatusOK && json.Unmarshal(data, &id) == nil:
				asked[id] = machine
			case status < http.StatusInternalServerError:
				t.Fatalf("%s: %d %s", machine, status, data)
			default:
				if refused++; inner.Match(data) {
					t.Errorf("%s: %d %s", machine, status, data)
				}
			}
		}
		ledgertest.Eventually(t, "pages are read again", func() bool {
			status, _, err := b.ask(bob, http.MethodGet, "/api/v2/contracts", nil)
			return err == nil && (status == http.StatusOK || status == http.StatusNoContent)
		})
	}
	t.Logf("%d asked for, %d refused", len(asked), refused)
	if len(asked) == 0 {
		t.Fatal("nothing was asked for")
	}
	for id, machine := range asked {
		b.until(bob, id, machine, func(c *contract) bool { return c.ProvisioningStatus == 2 && c.value(properties["Machine"]) == machine })
	}
	b.node.Kill(t)
	b.begin()
	for id, machine := range asked {
		b.until(bob, id, machine, func(c *contract) bool { return c.value(properties["Machine"]) == machine })
	}
}
