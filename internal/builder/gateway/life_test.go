package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/sample"
)

// TestLife is a purchase from offer to acceptance as clients of Workbench do it.
func TestLife(t *testing.T) {
	w := newWorld(t)
	f := w.workflow("Purchase", "Purchase")
	if _, text, _ := w.ask("initiator", get, fmt.Sprintf("/api/v1//capabilities/canCreateContract/%d", f.ID), nil); string(text) != "true" {
		t.Errorf("the initiator may create: %s", text)
	}
	if _, text, _ := w.ask("administrator", get, fmt.Sprintf("/api/v1/capabilities/canCreateContract/%d", f.ID), nil); string(text) != "false" {
		t.Errorf("the administrator may create: %s", text)
	}
	id := w.purchase("a lathe")
	contract := fmt.Sprintf("/api/v2/contracts/%d", id)

	var functions struct{ WorkflowFunctions []struct{ Name string } }
	w.read("member", contract+"/actions", &functions)
	if len(functions.WorkflowFunctions) != 1 || functions.WorkflowFunctions[0].Name != "MakeOffer" {
		t.Errorf("a buyer may do %v", functions)
	}
	if status, _, _ := w.ask("administrator", get, contract+"/actions", nil); status != http.StatusNoContent {
		t.Errorf("an administrator without a role may act: %d", status)
	}
	if status, text, h := w.ask("administrator", get, contract+"/actions", nil, "Prefer", "return=representation"); status != http.StatusOK ||
		string(text) != `{"nextLink":null,"workflowFunctions":[]}` || h.Get("Preference-Applied") == "" {
		t.Errorf("with Prefer: %d %s", status, text)
	}
	inspector, _ := w.person("client").Address(1)
	offered := w.number("member", post, contract+"/actions", action(function(f, "MakeOffer"), "inspector", inspector.Hex(), "offerPrice", "90"))
	c := w.committed(id)
	if last := c.ContractActions[len(c.ContractActions)-1]; last.ID != offered || last.ProvisioningStatus != offchain.StatusCommitted || last.Parameters[1].Name != "Offer" {
		t.Errorf("the offer is %+v", last)
	}
	if got := c.value(f.Properties[4].ID); got != "90" {
		t.Errorf("%s is %s", f.Properties[4].Name, got)
	}
	var results struct {
		Results []struct{ Name, Value string }
	}
	if status, text, _ := w.ask("member", post, contract+"/calls", action(function(f, "Discount"))); status != http.StatusOK || json.Unmarshal(text, &results) != nil || results.Results[0].Value != "10" {
		t.Errorf("the discount is %d %s", status, text)
	}
	if status, text, _ := w.ask("member", post, contract+"/actions", action(function(f, "AcceptOffer"))); status != http.StatusForbidden {
		t.Errorf("a buyer accepts: %d %s", status, text)
	}
	if status, text, _ := w.ask("member", post, contract+"/actions", action(function(f, "MakeOffer"), "inspector", inspector.Hex(), "offerPrice", "90")); status != http.StatusForbidden {
		t.Errorf("a second offer: %d %s", status, text)
	}
	var history struct{ ContractActions []struct{ ID int } }
	w.read("member", contract+"/history", &history)
	if len(history.ContractActions) != 2 || history.ContractActions[0].ID != offered {
		t.Errorf("the history is %v", history)
	}
}

// TestRefusedByTheContract is what is seen of an action that the contract
// refuses: 200, then a status that version 1 does not know, and the reason.
func TestRefusedByTheContract(t *testing.T) {
	w := newWorld(t)
	f := w.workflow("Purchase", "Purchase")
	id := w.purchase("a lathe")
	inspector, _ := w.person("client").Address(1)
	made := w.number("member", post, fmt.Sprintf("/api/v1/contracts/%d/actions", id), action(function(f, "MakeOffer"), "inspector", inspector.Hex(), "offerPrice", "0"))
	c := w.committed(id)
	last := c.ContractActions[len(c.ContractActions)-1]
	if last.ID != made || last.ProvisioningStatus != offchain.StatusRefused || last.RevertReason != "an offer needs a price" || last.ErrorCode == "" {
		t.Errorf("version 2 shows %+v", last)
	}
	_, text, _ := w.ask("member", get, fmt.Sprintf("/api/v1/contracts/%d", id), nil)
	if strings.Contains(string(text), "offer needs") || strings.Contains(string(text), "errorCode") {
		t.Errorf("version 1 shows %s", text)
	}
	var one struct {
		ContractActions []struct{ ID, ProvisioningStatus int }
	}
	w.must(json.Unmarshal(text, &one))
	if last := one.ContractActions[len(one.ContractActions)-1]; last.ID != made || last.ProvisioningStatus != 0 {
		t.Errorf("version 1 shows %+v", last)
	}
}

func TestBadValues(t *testing.T) {
	w := newWorld(t)
	f := w.workflow("Purchase", "Purchase")
	creation := fmt.Sprintf("/api/v2/contracts?workflowId=%d", f.ID)
	good := map[string]string{"machine": "x", "condition": "0", "askingPrice": "1"}
	for name, bad := range map[string][]string{"condition": {"3", "-1", "New", ""}, "askingPrice": {"-1", "1.5", "x", "115792089237316195423570985008687907853269984665640564039457584007913129639936"},
		"machine": {strings.Repeat("x", 4001)}} {
		for _, v := range bad {
			var values []string
			for n, g := range good {
				if n == name {
					g = v
				}
				values = append(values, n, g)
			}
			if status, text, _ := w.ask("initiator", post, creation, action(f.Constructor.ID, values...)); status != http.StatusBadRequest || !strings.Contains(string(text), `"code":"VALUE_`) {
				t.Errorf("%s = %.20q is %d %s", name, v, status, text)
			}
		}
	}
	for path, want := range map[string]int{
		"/api/v1/contracts?workflowId=x": 400, "/api/v1/contracts?workflowId=1&WORKFLOWID=2": 400, "/api/v1/contracts?top=%zz": 400,
		"/api/v1/contracts/x": 400, "/api/v1/contracts/99999999999999999999": 400, "/api/v1/contracts/-1": 404, "/api/v1/contracts/999999": 404, "/api/v1/contracts?workflowId=9999": 404,
		"/api/v1/contracts?sortBy=id;drop+table": 400, "/api/v1/users?sortBy='": 400, "/api/v1/applications?enabled=perhaps": 400,
		"/api/v1/contracts?property.Machine=x": 400, fmt.Sprintf("/api/v1/contracts?workflowId=%d&property.Nothing=x", f.ID): 400,
		"/api/v1/contracts?top=-5&skip=-5": 204, "/api/v1/contracts?search=%27%22%25_%00": 204, "/api/v1/contracts?ledgerIdentifier=x": 204, "/api/v1/contracts?q=" + strings.Repeat("x", mostQuery): 400,
	} {
		if status, text, _ := w.ask("initiator", get, path, nil); status != want {
			t.Errorf("%.60s is %d, not %d: %s", path, status, want, text)
		}
	}
	if status, _, _ := w.ask("initiator", post, creation, strings.NewReader(`{"workflowActionInput":{"workflowFunctionID":1}}`)); status != 400 {
		t.Errorf("a wrapped input is %d", status)
	}
	if status, _, _ := w.ask("initiator", post, creation, strings.NewReader(`{"workflowFunctionID":1,"x":"`+strings.Repeat("x", maxBody)+`"}`)); status != 413 {
		t.Errorf("a large body is %d", status)
	}
	if status, _, _ := w.ask("administrator", get, "/api/v1/contracts", nil); status != http.StatusNoContent {
		t.Error("something was made")
	}
}

func TestAskedOnce(t *testing.T) {
	w := newWorld(t)
	f := w.workflow("Purchase", "Purchase")
	id := w.purchase("a lathe")
	path := fmt.Sprintf("/api/v2/contracts/%d/actions", id)
	ids := make(chan int)
	for range 2 {
		go func() {
			status, text, _ := w.ask("initiator", post, path, action(function(f, "ChangePrice"), "askingPrice", "5"), "Idempotency-Key", "once")
			var n int
			if status != http.StatusOK || json.Unmarshal(text, &n) != nil {
				t.Errorf("%d %s", status, text)
			}
			ids <- n
		}()
	}
	if first, second := <-ids, <-ids; first != second || first == 0 {
		t.Errorf("two actions: %d and %d", first, second)
	}
	if c := w.committed(id); len(c.ContractActions) != 2 {
		t.Errorf("there are %d actions", len(c.ContractActions))
	}
}

func TestFilters(t *testing.T) {
	w := newWorld(t)
	f := w.workflow("Purchase", "Purchase")
	first, second := w.purchase("a lathe"), w.purchase("a mill")
	address := w.committed(first).LedgerIdentifier
	for query, want := range map[string][]int{
		"":           {second, first},
		"sortBy=-Id": {second, first},
		"sortBy=Id":  {first, second},
		"ledgerIdentifier=" + strings.ToUpper(address[2:]):                                                   {first},
		"applicationId=" + fmt.Sprint(f.ApplicationID):                                                       {second, first},
		fmt.Sprintf("workflowId=%d&state=Offered", f.ID):                                                     {second, first},
		fmt.Sprintf("workflowId=%d&state=Agreed", f.ID):                                                      nil,
		fmt.Sprintf("workflowId=%d&property.machine=a%%20mill", f.ID):                                        {second},
		fmt.Sprintf("applicationId=%d&property.Machine=a%%20mill&property.AskingPrice=100", f.ApplicationID): {second},
		"search=a%20la": {first},
		"top=1&skip=1":  {first},
	} {
		status, text, h := w.ask("member", get, "/api/v1/contracts?"+query, nil)
		var l struct{ Contracts []struct{ ID int } }
		if status == http.StatusOK {
			w.must(json.Unmarshal(text, &l))
		}
		var got []int
		for _, c := range l.Contracts {
			got = append(got, c.ID)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s gives %v, not %v", query, got, want)
		}
		if query == "top=1&skip=1" && h.Get("X-Total-Count") != "2" {
			t.Errorf("there are %s", h.Get("X-Total-Count"))
		}
	}
	var page struct{ NextLink string }
	w.read("member", "/api/v2/contracts?top=1&expand=actions,transactions", &page)
	if page.NextLink != "/api/v2/contracts?expand=actions%2Ctransactions&skip=1&top=1" {
		t.Errorf("nextLink is %s", page.NextLink)
	}
	var expanded struct {
		Contracts []struct {
			ContractActions []struct{ ID int }
			Transactions    *[]int
		}
	}
	w.read("member", "/api/v2/contracts?top=1&expand=actions", &expanded)
	if len(expanded.Contracts[0].ContractActions) != 1 || expanded.Contracts[0].Transactions != nil {
		t.Errorf("expanded: %+v", expanded)
	}
}

func TestUploadsAreChecked(t *testing.T) {
	w := newWorld(t)
	bad := [3]string{"appFile", "bad.json", strings.Replace(string(sample.All[0].Configuration), `"Initiators": [`, `"Initiators": ["Nobody",`, 1)}
	var checked struct {
		Result   bool
		Errors   []string
		Findings []struct {
			Line int
			Fix  string
		}
	}
	_, text, _ := w.ask("administrator", post, "/api/v1/checkers/checkApplication", w.files(bad))
	w.must(json.Unmarshal(text, &checked))
	if checked.Result || len(checked.Errors) == 0 || checked.Findings[0].Line == 0 || checked.Findings[0].Fix == "" {
		t.Errorf("the check says %s", text)
	}
	before, _, _ := w.ask("administrator", get, "/api/v1/applications?name=Purchase&top=1&skip=1", nil)
	if status, text, _ := w.ask("administrator", post, "/api/v2/applications", w.files(bad)); status != http.StatusBadRequest || !strings.Contains(string(text), `"Errors":["bad.json:`) {
		t.Errorf("the upload is %d %s", status, text)
	}
	code := [3]string{"contractFile", "x.sol", "contract"}
	good := [3]string{"appFile", "a.json", string(sample.All[0].Configuration)}
	if status, text, _ := w.ask("administrator", post, "/api/v2/applications", w.files(good, code)); status != http.StatusBadRequest {
		t.Errorf("both with bad code: %d %s", status, text)
	}
	if after, _, _ := w.ask("administrator", get, "/api/v1/applications?name=Purchase&top=1&skip=1", nil); after != before || after != http.StatusNoContent {
		t.Errorf("something was kept: %d then %d", before, after)
	}
	code = [3]string{"contractFile", sample.All[0].CodeName, string(sample.All[0].Code)}
	id := w.number("administrator", post, "/api/v2/applications", w.files(good, code))
	var versions struct {
		Applications []struct {
			ID                int
			Version           string
			Enabled, IsLatest bool
		}
	}
	w.read("administrator", fmt.Sprintf("/api/v2/applications/%d/versions", id), &versions)
	if v := versions.Applications; len(v) != 2 || v[0].ID != id || v[0].Version != "2.0" || !v[0].Enabled || !v[0].IsLatest || v[1].Enabled || v[1].IsLatest {
		t.Errorf("the versions are %+v", versions)
	}
}

func TestDirectory(t *testing.T) {
	w := newWorld(t)
	var l struct {
		Value []struct{ DisplayName string }
	}
	w.read("administrator", "/api/v1/graphProxy/v1.0/users?$filter="+strings.ReplaceAll(`startswith(displayName,'INI') or startswith(mail,'INI')`, " ", "%20")+"&$top=5", &l)
	if len(l.Value) != 1 || l.Value[0].DisplayName != "initiator" {
		t.Errorf("found %+v", l)
	}
	w.read("administrator", "/api/v1/graph-proxy/v1.0/users", &l) // as Workbench's oldest clients write it
	w.read("administrator", "/api/v2/graphProxy/v1.0/users", &l)
	if len(l.Value) < len(cast) {
		t.Errorf("all are %+v", l)
	}
	for _, query := range []string{"$filter=x", "$top=0", "$top=1000"} {
		if status, _, _ := w.ask("administrator", get, "/api/v1/graphProxy/v1.0/users?"+query, nil); status != http.StatusBadRequest {
			t.Errorf("%s is %d", query, status)
		}
	}
}

func TestTwiceIsAConflict(t *testing.T) {
	w := newWorld(t)
	role := w.apps["Purchase"].Roles[0].ID
	for path, body := range map[string]string{
		"/api/v1/users": `{"externalID":"somebody"}`,
		fmt.Sprintf("/api/v1/applications/%d/roleAssignments", w.apps["Purchase"].ID): fmt.Sprintf(`{"userId":%d,"applicationRoleId":%d}`, w.people["stranger"], role),
	} {
		w.number("administrator", post, path, strings.NewReader(body))
		if status, text, _ := w.ask("administrator", post, path, strings.NewReader(body)); status != http.StatusConflict {
			t.Errorf("%s again is %d %s", path, status, text)
		}
	}
	path := fmt.Sprintf("/api/v1/applications/%d/contractCode", w.apps["Purchase"].ID)
	if status, text, _ := w.ask("administrator", post, path, w.files([3]string{"contractFile", "a.sol", string(sample.All[0].Code)})); status != http.StatusConflict {
		t.Errorf("a second code is %d %s", status, text)
	}
}

// person is a row of the cast.
func (w *world) person(who string) *offchain.Person {
	p, err := w.store.Person(w.t.Context(), w.people[who])
	w.must(err)
	return p
}
