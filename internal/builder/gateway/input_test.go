package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/sample"
)

// TestLargeNumbersKeepEveryDigit sends whole numbers that no float64 holds, as
// numbers and as texts, and reads them back from the ledger.
func TestLargeNumbersKeepEveryDigit(t *testing.T) {
	w := newWorld(t)
	f := w.workflow("Purchase", "Purchase")
	price := f.Properties[3].ID
	id := w.purchase("a lathe")
	path := fmt.Sprintf("/api/v2/contracts/%d/actions", id)
	largest := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1)).String()
	body := func(value string) *strings.Reader {
		return strings.NewReader(fmt.Sprintf(`{"workflowFunctionID":%d,"workflowActionParameters":[{"name":"askingPrice","value":%s}]}`, function(f, "ChangePrice"), value))
	}
	for _, number := range []string{"9007199254740993", "18446744073709551617", largest} {
		for _, value := range []string{number, `"` + number + `"`} {
			w.number("initiator", post, path, body(value))
			c := w.committed(id)
			if last := c.ContractActions[len(c.ContractActions)-1]; c.value(price) != number || last.Parameters[0].Value != number {
				t.Errorf("%s became %s on the ledger and %v in the history", value, c.value(price), last.Parameters)
			}
		}
	}
	count := len(w.committed(id).ContractActions)
	for _, value := range []string{"-1", `"-1"`, "1.5", "1e3", `"1e3"`, `"0x10"`, "[7]", "{}", "true", `"７"`, `""`, "null", new(big.Int).Lsh(big.NewInt(1), 256).String(), strings.Repeat("9", 5000)} {
		status, text, _ := w.ask("initiator", post, path, body(value))
		if status != http.StatusBadRequest || !strings.Contains(string(text), `"code":"VALUE_`) && !strings.Contains(string(text), `"code":"REQUEST_MALFORMED"`) {
			t.Errorf("%.30s is %d %s", value, status, text)
		}
	}
	if c := w.committed(id); len(c.ContractActions) != count {
		t.Error("a refused value was asked for")
	}
}

// TestBodiesSayOneThing refuses what could be read in two ways, and takes a byte
// order mark.
func TestBodiesSayOneThing(t *testing.T) {
	w := newWorld(t)
	f := w.workflow("Purchase", "Purchase")
	path := fmt.Sprintf("/api/v1/contracts?workflowId=%d", f.ID)
	values := `[{"name":"machine","value":"x"},{"name":"condition","value":"0"},{"name":"askingPrice","value":"1"}]`
	good := fmt.Sprintf(`{"workflowFunctionID":%d,"workflowActionParameters":%s}`, f.Constructor.ID, values)
	for name, body := range map[string]string{
		"a member twice":           strings.Replace(good, `{"work`, `{"workflowFunctionID":1,"work`, 1),
		"in another case":          strings.Replace(good, `{"work`, `{"WORKFLOWFUNCTIONID":1,"work`, 1),
		"escaped":                  strings.Replace(good, `{"work`, `{"\u0077orkflowFunctionID":1,"work`, 1),
		"values twice":             strings.Replace(good, `,"workflowActionParameters"`, `,"workflowActionParameters":[],"workflowActionParameters"`, 1),
		"a value twice":            strings.Replace(good, `"value":"x"`, `"value":"x","value":"y"`, 1),
		"a value in another case":  strings.Replace(good, `"value":"x"`, `"value":"x","Value":"y"`, 1),
		"a name twice":             strings.Replace(good, `"name":"machine"`, `"name":"machine","name":"condition"`, 1),
		"a parameter twice":        strings.Replace(good, `[{`, `[{"name":"machine","value":"z"},{`, 1),
		"two bodies":               good + good,
		"something behind":         good + "x",
		"a mark in the middle":     good[:1] + "\xef\xbb\xbf" + good[1:],
		"two marks":                "\xef\xbb\xbf\xef\xbb\xbf" + good,
		"UTF-16":                   "\xff\xfe{\x00}\x00",
		"no object":                "[" + good + "]",
		"deep":                     strings.Repeat(`{"a":`, 20_000),
		"a name that is no text":   strings.Replace(good, `"machine"`, `7`, 1),
		"a function that is none":  strings.Replace(good, fmt.Sprint(`:`, f.Constructor.ID, `,`), `:1e1,`, 1),
		"a function beyond an int": strings.Replace(good, fmt.Sprint(`:`, f.Constructor.ID, `,`), `:9223372036854775808,`, 1),
	} {
		if status, text, _ := w.ask("initiator", post, path, strings.NewReader(body)); status != http.StatusBadRequest {
			t.Errorf("%s is %d %s", name, status, text)
		}
	}
	if status, _, _ := w.ask("administrator", get, "/api/v1/contracts", nil); status != http.StatusNoContent {
		t.Error("something was made")
	}
	w.number("initiator", post, path, strings.NewReader("\xef\xbb\xbf"+good))
	marked := [3]string{"appFile", "a.json", "\xef\xbb\xbf" + strings.Replace(string(sample.All[0].Configuration), `"Purchase"`, `"Marked"`, 1)}
	id := w.number("administrator", post, "/api/v1/applications", w.files(marked))
	twice := [3]string{"appFile", "a.json", strings.Replace(string(sample.All[0].Configuration), `"DisplayName"`, `"DisplayName":"x","DisplayName"`, 1)}
	if status, text, _ := w.ask("administrator", post, "/api/v1/applications", w.files(twice)); status != http.StatusBadRequest || !bytes.Contains(text, []byte("Errors")) {
		t.Errorf("a configuration with a key twice is %d %s", status, text)
	}
	var app struct{ Name string }
	if w.read("administrator", fmt.Sprintf("/api/v1/applications/%d", id), &app); app.Name != "Marked" {
		t.Errorf("with a mark it is %q", app.Name)
	}
}

// TestSortByIsNoSQL tries to write SQL by way of each list's order and filters:
// nothing of it reaches the database.
func TestSortByIsNoSQL(t *testing.T) {
	w := newWorld(t)
	w.purchase("a lathe")
	f := w.workflow("Purchase", "Purchase")
	count := func() (n int) {
		l, err := w.store.Contracts(t.Context(), offchain.ContractFilter{})
		w.must(err)
		return l.Total
	}
	before := count()
	for _, evil := range []string{"id;drop table contract", "id desc, (select 1)", "Id'--", `"id"`, "id/**/desc", "1", "id\x00", "case when 1=1 then id end", "-", "--Id", "id  asc desc", "-id desc", "-id asc", "desc", "application_id", strings.Repeat("a", 4000)} {
		for _, list := range []string{"applications?", "contracts?", "users?", fmt.Sprintf("contracts?workflowId=%d&", f.ID)} {
			status, text, _ := w.ask("administrator", get, "/api/v1/"+list+"sortBy="+url.QueryEscape(evil), nil)
			if status != http.StatusBadRequest || !bytes.Contains(text, []byte("SORT_UNKNOWN")) {
				t.Errorf("%s sorted by %.40q is %d %s", list, evil, status, text)
			}
		}
		for _, filter := range []string{"contracts?search=", "applications?name=", "applications?search=", "users?search=", "users?externalId=", "users?userChainIdentifier=", "contracts?ledgerIdentifier=",
			fmt.Sprintf("contracts?workflowId=%d&property.Machine=", f.ID), "graphProxy/v1.0/users?$filter=", fmt.Sprintf("applications/%d/roleAssignments?sortBy=", f.ApplicationID)} {
			if status, text, _ := w.ask("administrator", get, "/api/v2/"+filter+url.QueryEscape("' OR 1=1 --"+evil), nil); status >= 500 || status == http.StatusOK && !strings.Contains(filter, "roleAssignments") {
				t.Errorf("%s%.40q is %d %s", filter, evil, status, text)
			}
		}
	}
	if count() != before {
		t.Error("contracts came or went")
	}
	for _, order := range []string{"timestamp", "TIMESTAMP", "-Timestamp", "Id", "-Id", "id desc", "State", "Modified", "ProvisioningStatus"} {
		if status, text, _ := w.ask("member", get, "/api/v1/contracts?sortBy="+url.QueryEscape(order), nil); status != http.StatusOK {
			t.Errorf("%s is %d %s", order, status, text)
		}
	}
}

// TestRequestIDs sends one request id for two things: the second is refused, with
// a code of its own, and nothing is asked for.
func TestRequestIDs(t *testing.T) {
	w := newWorld(t)
	f := w.workflow("Purchase", "Purchase")
	id := w.purchase("a lathe")
	path := fmt.Sprintf("/api/v2/contracts/%d/actions", id)
	first := w.number("initiator", post, path, action(function(f, "ChangePrice"), "askingPrice", "5"), "Idempotency-Key", "one")
	if again := w.number("initiator", post, path, action(function(f, "ChangePrice"), "askingPrice", "5"), "Idempotency-Key", "one"); again != first {
		t.Errorf("the same is %d, not %d", again, first)
	}
	var p struct{ Code, Next string }
	status, text, _ := w.ask("initiator", post, path, action(function(f, "ChangePrice"), "askingPrice", "6"), "Idempotency-Key", "one")
	if json.Unmarshal(text, &p) != nil || status != http.StatusConflict || p.Code != "REQUEST_ID_USED" || p.Next == "" {
		t.Errorf("another price is %d %s", status, text)
	}
	if status, text, _ := w.ask("initiator", post, path, action(function(f, "ChangePrice"), "askingPrice", "6"), "Idempotency-Key", strings.Repeat("k", 200)); status != http.StatusBadRequest {
		t.Errorf("a long id is %d %s", status, text)
	}
	if c := w.committed(id); len(c.ContractActions) != 2 {
		t.Errorf("there are %d actions", len(c.ContractActions))
	}
}

// TestEndpointsHoldNoSecrets wants nothing of a connection's address but the machine.
func TestEndpointsHoldNoSecrets(t *testing.T) {
	w := newWorld(t)
	ids := map[int]string{}
	for i, c := range [][2]string{{"https://ann:secret1@node.example:8545/v3/secret2?key=secret3#secret4", "https://node.example:8545"},
		{"wss://node.example/secret5", "wss://node.example"}, {"/var/secret6/geth.ipc", ""}, {"node secret7:8545", ""}, {"http:secret8", "http:"}} {
		a, err := w.store.Do(t.Context(), &offchain.ConnectionAdded{LedgerID: 1, Endpoint: c[0], Kind: "ethereum", ChainID: uint64(100 + i), Genesis: [32]byte{byte(i + 1)}})
		w.must(err)
		ids[a.ID] = c[1]
	}
	for _, who := range []string{"administrator", "member", "stranger"} {
		for _, version := range []string{"v1", "v2"} {
			_, text, _ := w.ask(who, get, "/api/"+version+"/ledgers/connections", nil)
			for id, want := range ids {
				_, one, _ := w.ask(who, get, fmt.Sprintf("/api/%s/ledgers/connections/%d", version, id), nil)
				var c struct{ EndpointURL string }
				if json.Unmarshal(one, &c) != nil || c.EndpointURL != want {
					t.Errorf("%s reads %s", who, one)
				}
				text = append(text, one...)
			}
			if bytes.Contains(text, []byte("secret")) {
				t.Errorf("%s reads %s", who, text)
			}
		}
	}
}
