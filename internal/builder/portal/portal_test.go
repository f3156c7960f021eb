package portal

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/builder/offchain"
)

const hostile = `<script>alert(1)</script>"><img src=x onerror=alert(2)>`

// offered makes a contract as Bob and waits until it is on the ledger.
func (w *world) offered(t *testing.T, machine string) string {
	t.Helper()
	list := workflowURL(w.purchase.ID, w.purchase.WorkflowIDs[0])
	form := w.browsers["bob"].form(list+"/new", "a0", machine, "a1", "2", "a2", "9007199254740993")
	for range 2 { // the same form twice is one contract
		status, page, at := w.browsers["bob"].ask(http.MethodPost, list+"/new", form)
		if status != http.StatusOK || at.Path != list {
			t.Fatalf("a new contract: %d at %s: %s", status, at, page)
		}
	}
	id := 0
	w.until("the contract is committed", func() bool {
		l, err := w.store.Contracts(t.Context(), offchain.ContractFilter{})
		w.must(err)
		if len(l.Rows) > 0 && l.Rows[0].Status == offchain.StatusCommitted {
			id = l.Rows[0].ID
		}
		return id != 0
	})
	return contractURL(id)
}

func TestPurchase(t *testing.T) {
	w := newWorld(t)
	at := w.offered(t, hostile)
	if l, err := w.store.Contracts(t.Context(), offchain.ContractFilter{}); err != nil || len(l.Rows) != 1 {
		t.Fatalf("%d contracts, %v", len(l.Rows), err)
	}
	list := workflowURL(w.purchase.ID, w.purchase.WorkflowIDs[0])
	for _, who := range []string{"bob", "carol", "dave", "alice"} {
		for _, path := range []string{list, at} {
			status, page := w.browsers[who].see(path)
			if status != http.StatusOK || !strings.Contains(page, "9,007,199,254,740,993") {
				t.Errorf("%s at %s: %d: %s", who, path, status, page)
			}
			if strings.Contains(page, "<script>alert") || strings.Contains(page, "<img") {
				t.Errorf("%s at %s: a hostile value is alive", who, path)
			}
		}
	}

	// What one may do is offered, and nothing else; who it waits for is said.
	_, page := w.browsers["carol"].see(at)
	if !strings.Contains(page, "Make an offer") {
		t.Errorf("the buyer is not offered to make an offer: %s", page)
	}
	if _, page = w.browsers["dave"].see(at); strings.Contains(page, "Make an offer") || !strings.Contains(page, "the turn of others: ") {
		t.Errorf("the inspector's page: %s", page)
	}

	// An offer: first wrong, then right.
	c, err := w.store.Contract(t.Context(), number(strings.TrimPrefix(at, "/contracts/")))
	w.must(err)
	flow, err := w.store.Workflow(t.Context(), c.WorkflowID)
	w.must(err)
	function := func(name string) string {
		for _, f := range flow.Functions {
			if f.Name == name {
				return fmt.Sprintf("%s/act/%d", at, f.ID)
			}
		}
		t.Fatalf("no function %s", name)
		return ""
	}
	dave, err := w.store.PersonByExternalID(t.Context(), w.externalID("Dave Diallo"))
	w.must(err)
	address, _ := dave.Address(c.ConnectionID)
	for _, price := range []string{"", "twelve", "1.55", "-1", strings.Repeat("9", 79)} {
		status, page, _ := w.browsers["carol"].send(function("MakeOffer"), "a0", strings.ToLower(address.Hex()), "a1", price)
		if status != http.StatusUnprocessableEntity || !strings.Contains(page, "There is a problem") {
			t.Errorf("the price %q: %d: %s", price, status, page)
		}
	}
	status, page, end := w.browsers["carol"].send(function("MakeOffer"), "a0", strings.ToLower(address.Hex()), "a1", "1250000")
	if status != http.StatusOK || end.Path != at {
		t.Fatalf("an offer: %d at %s: %s", status, end, page)
	}
	w.until("the offer is made", func() bool {
		c, err := w.store.Contract(t.Context(), c.ID)
		return err == nil && c.State == "1"
	})
	if _, page = w.browsers["bob"].see(at); !strings.Contains(page, "Accept the offer") || !strings.Contains(page, "1,250,000") {
		t.Errorf("the seller's page: %s", page)
	}
	if status, _ := w.browsers["carol"].see(function("AcceptOffer")); status != http.StatusConflict {
		t.Errorf("the buyer opens the seller's form: %d", status)
	}
	if status, page, _ := w.browsers["carol"].ask(http.MethodPost, function("AcceptOffer"), url.Values{"csrf": {w.browsers["carol"].csrf()}}); status != http.StatusForbidden {
		t.Errorf("the buyer accepts for the seller: %d %s", status, page)
	}

	// Another language; columns of one's own.
	r := w.browsers["bob"]
	if _, _, end := r.ask(http.MethodPost, "/settings", url.Values{"language": {"de"}, "to": {list}}); end.Path != list {
		t.Errorf("settings lead to %s", end)
	}
	if _, page = r.see(list); !strings.Contains(page, `lang="de"`) || !strings.Contains(page, "Neuer Vertrag") || !strings.Contains(page, "9.007.199.254.740.993") {
		t.Errorf("not in German: %s", page)
	}
	if _, page, _ = r.send(list+"/columns", "show", fmt.Sprint(flow.Properties[2].ID), "save", "1"); strings.Contains(page, "Machine</th>") {
		t.Errorf("a column stayed: %s", page)
	}
}

// csrf is the session's token, as the browser's pages have it.
func (b *browser) csrf() string { return b.form("/applications").Get("csrf") }

// Who may see what, on every page.
func TestWho(t *testing.T) {
	w := newWorld(t)
	at := w.offered(t, "A lathe")
	app := applicationURL(w.purchase.ID)
	list := workflowURL(w.purchase.ID, w.purchase.WorkflowIDs[0])
	const ok, no, hidden = http.StatusOK, http.StatusForbidden, http.StatusNotFound
	for _, c := range []struct {
		path                string
		admin, member, none int
	}{
		{"/applications", ok, ok, ok},
		{app, ok, ok, hidden},
		{list, ok, ok, hidden},
		{list + "?search=machine&state=Offered&sort=-modified", ok, ok, hidden},
		{list + "?sort=State%3BDROP", 400, 400, hidden},
		{list + "/columns", ok, ok, hidden},
		{list + "/new", no, no, hidden},
		{app + "/versions", ok, ok, hidden},
		{app + "/versions/new", ok, no, no},
		{app + "/members", ok, ok, hidden},
		{app + "/members/new", ok, no, hidden},
		{app + "/members/1/change", ok, no, hidden},
		{app + "/members/1/remove", ok, no, hidden},
		{"/applications/new", ok, no, no},
		{"/applications/999", hidden, hidden, hidden},
		{"/applications/x", hidden, hidden, hidden},
		{at, ok, ok, hidden},
		{at + "/activity/1/proof", ok, ok, hidden},
		{at + "/activity/1/receipt", hidden, hidden, hidden}, // the ledger in memory gives none
		{at + "/activity/99/proof", hidden, hidden, hidden},
		{at + "/act/1", hidden, hidden, hidden}, // the constructor
		{"/people", ok, no, no},
		{"/people/1", ok, no, no},
		{"/people/new", ok, no, no},
		{"/ledger", ok, ok, ok},
		{"/ledger/1/blocks", ok, ok, ok},
		{"/ledger/1/transactions", ok, ok, ok},
		{"/ledger/1/transactions/1", ok, ok, hidden},
		{"/ledger/9/blocks", hidden, hidden, hidden},
		{"/design", ok, ok, ok},
		{"/nowhere", hidden, hidden, hidden},
	} {
		for who, want := range map[string]int{"alice": c.admin, "dave": c.member, "eve": c.none} {
			status, page := w.browsers[who].see(c.path)
			if status != want {
				t.Errorf("%s at %s: %d, not %d", who, c.path, status, want)
			}
			if who == "eve" && (strings.Contains(page, "lathe") || strings.Contains(page, "Machine purchase")) && c.path != "/design" {
				t.Errorf("%s at %s learns of the contract: %s", who, c.path, page)
			}
			for _, header := range []string{"<title>", "<h1"} {
				if !strings.Contains(page, header) {
					t.Errorf("%s at %s: no %s", who, c.path, header)
				}
			}
		}
	}

	// Whatever changes something needs the session's token.
	for _, path := range []string{app + "/turn/disabled", list + "/new", app + "/members/new", "/people/new", app + "/members/1/remove"} {
		if status, _, _ := w.browsers["alice"].ask(http.MethodPost, path, url.Values{"csrf": {"wrong"}}); status != http.StatusForbidden {
			t.Errorf("%s with a wrong token: %d", path, status)
		}
	}
	if status, _, _ := w.browsers["bob"].ask(http.MethodPost, app+"/turn/disabled", url.Values{"csrf": {w.browsers["bob"].csrf()}}); status != http.StatusForbidden {
		t.Errorf("a member disables the application: %d", status)
	}
}

// A person's page shows their roles, and hears when one is given.
func TestPerson(t *testing.T) {
	w := newWorld(t)
	alice := w.browsers["alice"]
	who, err := w.store.PersonByExternalID(t.Context(), w.externalID("Eve Ekman"))
	w.must(err)
	path := fmt.Sprint("/people/", who.ID)
	if _, page := alice.see(path); !strings.Contains(page, "No roles in any application") || !strings.Contains(page, `data-events="/events?people"`) {
		t.Errorf("without a role: %s", page)
	}
	lines := alice.listening("?people")
	if status, page, _ := alice.send(applicationURL(w.purchase.ID)+"/members/new", "person", fmt.Sprint(who.ID), "role", fmt.Sprint(w.purchase.Roles[1].ID)); status != http.StatusOK {
		t.Fatalf("a role: %d: %s", status, page)
	}
	if !hears(lines, -1) {
		t.Error("a role is given, and the page is not told")
	}
	if _, page := alice.see(path); !strings.Contains(page, w.purchase.Roles[1].Name) || !strings.Contains(page, ">"+w.purchase.DisplayName+"<") {
		t.Errorf("the role is missing: %s", page)
	}
}

// An upload is checked, says what is wrong, and counts once.
func TestUpload(t *testing.T) {
	w := newWorld(t)
	alice := w.browsers["alice"]
	status, page := alice.upload("/applications/new", "bad.json", `{"ApplicationName":"X"}`, "x.sol", "contract X {}")
	if status != http.StatusUnprocessableEntity || !strings.Contains(page, "bad.json:1:") || !strings.Contains(page, "a.7.1") {
		t.Errorf("a wrong configuration: %d %s", status, page)
	}
	status, page = alice.upload("/applications/new", "", "", "x.sol", "contract X {}")
	if status != http.StatusUnprocessableEntity || !strings.Contains(page, "Choose a configuration file") {
		t.Errorf("no configuration: %d %s", status, page)
	}
	for range 2 {
		if status, page = alice.upload("/applications/new", freight.ConfigurationName, string(freight.Configuration), freight.CodeName, string(freight.Code)); status != http.StatusOK || !strings.Contains(page, "Deployed.") {
			t.Fatalf("a right upload: %d %s", status, page)
		}
	}
	if l, err := w.store.Applications(t.Context(), offchain.ApplicationFilter{Name: "Freight"}); err != nil || len(l.Rows) != 1 {
		t.Errorf("%d versions, %v", len(l.Rows), err)
	}
	status, page = alice.upload(applicationURL(w.purchase.ID)+"/versions/new", freight.ConfigurationName, string(freight.Configuration), freight.CodeName, string(freight.Code))
	if status != http.StatusUnprocessableEntity || !strings.Contains(page, "not for “Purchase”") {
		t.Errorf("another application's files as a version: %d %s", status, page)
	}
	if status, _ := w.browsers["bob"].upload("/checks", "x.json", "{}", "", ""); status != http.StatusForbidden {
		t.Errorf("a member checks files: %d", status)
	}
}
