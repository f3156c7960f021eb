package offchain

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/builder/workflow"
)

func remove(t testing.TB, name string) {
	t.Helper()
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
}

// The views have the documented columns in their documented order, and types
// that stand for the documented ones.
func TestViewsAreAsDocumented(t *testing.T) {
	f, err := os.Open("testdata/sql-views.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	type documented struct{ name, kind string }
	want := map[string][]documented{}
	for _, r := range rows[1:] {
		want[r[0]] = append(want[r[0]], documented{r[2], r[3]})
	}
	for _, twin := range twins {
		want[twin+"V0"] = want[twin]
	}
	if len(want) != 17 || len(rows) != 247 {
		t.Fatalf("the table has %d views in %d lines", len(want), len(rows))
	}
	types := map[string][]string{"int": {"integer", "bigint"}, "bit": {"boolean"}, "datetime2(7)": {"timestamp without time zone"}, "decimal(32,2)": {"numeric"}}
	onBoth(t, func(t *testing.T, o Options) {
		s := mustOpen(t, o)
		for view, columns := range want {
			got := columnsOf(t, s.engine, view)
			if len(got) != len(columns) {
				t.Errorf("%s has %d columns, want %d", view, len(got), len(columns))
				continue
			}
			for i, c := range columns {
				if got[i][0] != c.name {
					t.Errorf("%s, column %d is %s, want %s", view, i+1, got[i][0], c.name)
				}
				accepted := types[c.kind]
				if accepted == nil {
					accepted = []string{"text"}
				}
				if o.DSN != "" && !slices.Contains(accepted, got[i][1]) {
					t.Errorf("%s.%s is a %s, documented as %s", view, c.name, got[i][1], c.kind)
				}
			}
		}
	})
}

// life is a little of everything.
func life(in *installation) {
	t := in.t
	contract, at := in.create(map[string]string{"State": "0", "Description": "chair\x00 \xff", "Holder": "0xAa00", "Prices": "[1,2]"})
	offer := &ActionRequested{ContractID: contract, FunctionID: in.asset.Functions[0].ID, PersonID: in.people[1], RequestID: "o",
		Arguments: []workflow.Argument{{Name: "price", Value: "5"}}}
	do(t, in.Store, offer)
	in.sign(offer.ActionID, 0)
	hash := in.sign(offer.ActionID, 1) // another took the nonce
	do(t, in.Store, &ApplicationAdded{Name: "Asset", Configuration: json.RawMessage(asset), By: in.people[0]})
	in.blocks(1, nil, []event{{Hash: hash, Action: offer.ActionID, From: account(1), Values: map[string]string{"State": "7", "Description": "chair"}}},
		[]event{{Hash: common.Hash{3}, At: at, Function: 0, From: account(9), Values: map[string]string{"State": "3"}, Broken: []string{"Prices"}}})
	refused := &ActionRequested{ContractID: contract, FunctionID: in.asset.Functions[1].ID, PersonID: in.people[1]}
	do(t, in.Store, refused)
	do(t, in.Store, &Failed{ActionID: refused.ActionID, Status: StatusRefused, Code: "REVERTED", Message: "no", RevertReason: "not now"})
	part := common.Address{0xF0}
	in.blocks(2, []event{{Hash: common.Hash{4}, Found: in.part.ID, At: part, From: account(1), Values: map[string]string{"State": "0", "Kind": "1"}}},
		[]event{{Hash: common.Hash{5}, At: part, From: account(2), Values: map[string]string{"Kind": "0"}}})
	reverted := in.request("table", "7")
	in.blocks(1, []event{{Hash: in.sign(reverted.ActionID, 0), Action: reverted.ActionID, From: account(0), Failed: "too late"}})
	in.request("waits", "8")
	do(t, in.Store, &RoleRemoved{ID: 1})
	do(t, in.Store, &RoleChanged{ID: 2, PersonID: in.people[2], RoleID: in.app.FirstRole + 1})
	do(t, in.Store, &PersonChanged{ID: in.people[2], FirstName: "Cléo", LastName: "X", Email: "c@example.org"})
	do(t, in.Store, &ApplicationEnabled{ID: in.app.ID, Enabled: true, Archived: true})
	do(t, in.Store, &ConnectionChanged{ID: 2, Endpoint: "http://c"})
}

// A deleted database, one of any earlier moment, and one that was closed are all
// folded to the same rows.
func TestRebuildIsTheSame(t *testing.T) {
	onBoth(t, func(t *testing.T, o Options) {
		in := install(t, o)
		life(in)
		want := dump(t, in.Store)
		for _, part := range []string{"chair", "too late", "not now", "0xf000000000000000000000000000000000000000", "Cléo"} {
			if !strings.Contains(want, part) {
				t.Errorf("the database does not hold %q", part)
			}
		}
		in.Close()
		s := mustOpen(t, o)
		same(t, "the reopened database", dump(t, s), want)
		s.Close()
		o = emptied(t, o)
		s = mustOpen(t, o)
		same(t, "the rebuilt database", dump(t, s), want)
		// Ids go on where they were.
		p := &PersonAdded{ExternalID: "next"}
		do(t, s, p)
		if p.ID != len(in.people)+1 {
			t.Errorf("the next person has the id %d", p.ID)
		}
	})
}

// A builder killed between journal and database, at every entry.
func TestDatabaseBehindTheJournal(t *testing.T) {
	onBoth(t, func(t *testing.T, o Options) {
		in := install(t, o)
		life(in)
		want := dump(t, in.Store)
		in.Close()
		j, err := openJournal(o.Dir, o.Key, nil)
		if err != nil {
			t.Fatal(err)
		}
		full := j.end
		var marks []mark
		if err := j.read(mark{tag: j.start, offset: journalHeader}, func(at mark, _ [][]byte) error { marks = append(marks, at); return nil }); err != nil {
			t.Fatal(err)
		}
		j.close()
		file, err := os.ReadFile(o.Dir + "/journal")
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(marks)-1; i += 7 {
			o = emptied(t, o)
			if err := os.WriteFile(o.Dir+"/journal", file[:marks[i].offset], 0o600); err != nil {
				t.Fatal(err)
			}
			s := mustOpen(t, o) // a database of that moment
			s.Close()
			if err := os.WriteFile(o.Dir+"/journal", file, 0o600); err != nil {
				t.Fatal(err)
			}
			s = mustOpen(t, o)
			if s.journal.end != full {
				t.Fatalf("the journal ends at %v", s.journal.end)
			}
			same(t, fmt.Sprintf("the database of entry %d", marks[i].sequence), dump(t, s), want)
			s.Close()
		}
		// The other way round the database knows what the journal does not.
		if err := os.WriteFile(o.Dir+"/journal", file[:marks[3].offset], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), o); !errors.Is(err, errAhead) {
			t.Errorf("a database ahead of the journal: %v", err)
		}
	})
}

func TestForeignDatabaseIsRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, o Options) {
		s := mustOpen(t, o)
		s.Close()
		remove(t, o.Dir+"/journal")
		if _, err := Open(t.Context(), o); !errors.Is(err, errForeign) {
			t.Errorf("a database of another journal: %v", err)
		}
	})
}

// A journal that went another way from the database's entry on is noticed.
func TestForkedJournalIsRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, o Options) {
		s := mustOpen(t, o)
		do(t, s, &PersonAdded{ExternalID: "a"})
		s.Close()
		files := read(t, o.Dir)
		s = mustOpen(t, o)
		do(t, s, &PersonAdded{ExternalID: "b"})
		s.Close()
		ahead := read(t, o.Dir)
		// The same journal without that entry goes on with others.
		write(t, o.Dir, map[string][]byte{"journal": files["journal"]})
		s = mustOpen(t, emptied(t, o))
		do(t, s, &PersonAdded{ExternalID: "c"})
		do(t, s, &PersonAdded{ExternalID: "d"})
		s.Close()
		journal := read(t, o.Dir)["journal"]
		write(t, o.Dir, ahead)
		write(t, o.Dir, map[string][]byte{"journal": journal})
		if _, err := Open(t.Context(), o); !errors.Is(err, errAhead) {
			t.Errorf("a database of another branch: %v", err)
		}
	})
}

// read gives the files of a directory.
func read(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(dir + "/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = data
	}
	return out
}

func write(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	for name, data := range files {
		if err := os.WriteFile(dir+"/"+name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
