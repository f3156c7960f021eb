package workspace_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/builder/identity"
	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/workspace"
)

// survey is an application with two functions of the same Solidity name, which the
// configuration tells apart by their signatures, and one contract of it.
func survey(t *testing.T) (*world, *offchain.Workflow, int) {
	w := newWorld(t)
	owner := w.come(identity.Claims{ExternalID: "owner"})
	read := func(name string) []byte {
		text, err := os.ReadFile("../workflow/testdata/" + name)
		w.Must(err)
		return text
	}
	e := &offchain.ApplicationDeployed{Application: offchain.ApplicationAdded{Name: "Survey", Configuration: read("Survey.json")},
		Code: offchain.CodeAdded{LedgerID: 1, FileName: "Survey.sol", File: read("Survey.sol"), Output: read("Survey.out.json"), Enable: true}}
	_, err := w.Store.Do(w.ctx, e)
	w.Must(err)
	app, err := w.Store.Application(w.ctx, e.Application.ID)
	w.Must(err)
	w.Until("the application is seen", func() bool { _, err := w.administrator().Application(w.ctx, app.ID); return err == nil })
	w.assign(app, "owner", "Owner")
	f := w.workflow(app)
	id, err := owner.Create(w.ctx, workspace.Input{WorkflowID: f.ID, Arguments: arguments("list", `["Why?"]`, "office", `{"Street":"Main","Number":7,"Door":2}`)})
	w.Must(err)
	if c := w.settled(id); c.Status != offchain.StatusCommitted {
		t.Fatalf("the contract is %+v", c)
	}
	return w, f, id
}

// act does something as the owner and gives what became of it.
func (w *world) act(f *offchain.Workflow, contract int, name string, args ...string) *offchain.Action {
	w.t.Helper()
	id, err := w.people["owner"].Act(w.ctx, contract, workspace.Input{FunctionID: function(f, name), Arguments: arguments(args...)})
	w.Must(err)
	w.settled(contract)
	a, err := w.people["owner"].Action(w.ctx, contract, id)
	w.Must(err)
	return a
}

// TestOverloads: each function of a Solidity name is the one whose signature the
// configuration gives, when it is called, in the history, and when it is read back.
func TestOverloads(t *testing.T) {
	w, f, id := survey(t)
	wallet, _ := w.people["owner"].Address(w.Connection)
	person := func(name string) string {
		return fmt.Sprintf(`{"Name":%q,"Wallet":%q,"Home":{"Street":"Hill","Number":3,"Door":1}}`, name, wallet.Hex())
	}
	for _, step := range [][]string{{"Invite", "who", `["` + wallet.Hex() + `"]`}, {"Enter", "person", person("Ada")},
		{"EnterMany", "list", "[" + person("Bo") + "," + person("Cy") + "]"}} {
		a := w.act(f, id, step[0], step[1:]...)
		if a.Status != offchain.StatusCommitted || a.FunctionName != step[0] || a.FunctionID != function(f, step[0]) || len(a.Arguments) != 1 || a.Arguments[0].Name != step[1] {
			t.Fatalf("%s is %+v", step[0], a)
		}
	}
	for _, name := range []string{"Ada", "Bo", "Cy", "Nobody"} {
		got, err := w.people["owner"].Call(w.ctx, id, function(f, "Find"), arguments("name", name))
		w.Must(err)
		var p struct{ Name string }
		if len(got) != 2 || json.Unmarshal([]byte(got[1].Value), &p) != nil {
			t.Fatalf("finding %s gives %+v", name, got)
		}
		if there := name != "Nobody"; strings.EqualFold(got[0].Value, "true") != there || there && p.Name != name {
			t.Errorf("finding %s gives %+v", name, got)
		}
	}
	c, err := w.Store.Contract(w.ctx, id)
	w.Must(err)
	people := ""
	for _, v := range c.Values {
		if strings.Contains(v.Value, `"Ada"`) {
			people = v.Value
		}
	}
	if n := strings.Count(people, `"Wallet"`); n != 3 {
		t.Errorf("the people are %s", people)
	}
}

// TestSameActionFromTwoTabs: of two that were both allowed when they were asked for
// the second is refused with a reason where the first moved the state, and done where
// the state still allows it.
func TestSameActionFromTwoTabs(t *testing.T) {
	w, f, id := survey(t)
	twice := func(name string, args ...string) (a [2]*offchain.Action) {
		t.Helper()
		var ids [2]int
		for k := range ids { // past the check at asking, which the first may be too fast for
			e := &offchain.ActionRequested{ContractID: id, FunctionID: function(f, name), PersonID: w.people["owner"].ID, Arguments: arguments(args...)}
			_, err := w.Store.Do(w.ctx, e)
			w.Must(err)
			ids[k] = e.ActionID
		}
		w.settled(id)
		for k := range ids {
			var err error
			a[k], err = w.people["owner"].Action(w.ctx, id, ids[k])
			w.Must(err)
		}
		return a
	}
	if a := twice("Paint", "list", "[0]"); a[0].Status != offchain.StatusCommitted || a[1].Status != offchain.StatusCommitted {
		t.Errorf("what the workflow allows twice: %+v, %+v", a[0], a[1])
	}
	a := twice("Invite", "who", "[]")
	if a[0].Status != offchain.StatusCommitted || a[1].Status != offchain.StatusRefused || a[1].ErrorCode != "ACTION_NOT_ALLOWED" ||
		!strings.Contains(a[1].ErrorMessage, "changed by Invite") {
		t.Errorf("the first is %+v, the second %+v", a[0], a[1])
	}
}
