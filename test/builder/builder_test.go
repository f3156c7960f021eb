// Package builder tries App Builder as its users do: the real program, its node
// and its gateway, three people, kills, and a database that is lost.
package builder

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/coco-consortium/coco/test/binary"
)

func TestMain(m *testing.M) { binary.Main(m) }

// guard is against hangs.
const guard = time.Minute

// installation is a running `coco start` with its portal, and people's tokens.
type installation struct {
	t      testing.TB
	data   string
	node   *binary.Node
	place  place
	tokens map[string]string
}

// place is what --json says of App Builder.
type place struct {
	Portal   string `json:"portal"`
	Gateway  string `json:"gateway"`
	Issuer   string `json:"issuer"`
	Audience string `json:"audience"`
	TokenURL string `json:"tokenUrl"`
	Database string `json:"database"`
	Users    []struct {
		Name       string   `json:"name"`
		ExternalID string   `json:"externalId"`
		Roles      []string `json:"roles"`
	} `json:"users"`
}

func found(t testing.TB) *installation {
	i := &installation{t: t, data: t.TempDir(), tokens: map[string]string{}}
	i.start()
	return i
}

// start starts it, or goes on with what is there.
func (i *installation) start(more ...string) {
	i.t.Helper()
	i.node = binary.StartCommand(i.t, exec.Command(binary.Path(), append([]string{"start", "--json", "--rpc", "127.0.0.1:0", "--portal", "127.0.0.1:0", "--data", i.data}, more...)...))
	if err := json.Unmarshal([]byte(i.node.Line), &i.place); err != nil {
		i.t.Fatal(err)
	}
	for _, u := range i.place.Users {
		args := []string{"token", "--user", u.Name, "--data", i.data}
		if len(u.Roles) > 0 && u.Roles[0] == "Administrator" {
			args = append(args, "--admin")
		}
		out, err := exec.Command(binary.Path(), args...).Output()
		if err != nil {
			i.t.Fatal(err)
		}
		i.tokens[u.Name] = string(bytes.TrimSpace(out))
	}
}

// ask sends a request as somebody; the answer's status and body.
func (i *installation) ask(who, method, path string, body any) (int, []byte, error) {
	var text io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		text = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(i.t.Context(), method, i.place.Gateway+path, text)
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+i.tokens[who])
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	return answer.StatusCode, data, err
}

// read wants 200 and decodes the answer.
func (i *installation) read(who, path string, result any) {
	i.t.Helper()
	status, data, err := i.ask(who, http.MethodGet, path, nil)
	if err != nil || status != http.StatusOK {
		i.t.Fatalf("GET %s: %d %v %s", path, status, err, data)
	}
	if err := json.Unmarshal(data, result); err != nil {
		i.t.Fatalf("GET %s: %v: %s", path, err, data)
	}
}

// contract is what a test looks at.
type contract struct {
	ID                 int    `json:"id"`
	ProvisioningStatus int    `json:"provisioningStatus"`
	LedgerIdentifier   string `json:"ledgerIdentifier"`
	ContractProperties []struct {
		WorkflowPropertyID int    `json:"workflowPropertyId"`
		Value              string `json:"value"`
	} `json:"contractProperties"`
	ContractActions []struct {
		ID                      int    `json:"id"`
		ProvisioningStatus      int    `json:"provisioningStatus"`
		RevertReason            string `json:"revertReason"`
		ErrorCode, ErrorMessage string
	} `json:"contractActions"`
}

// names gives the ids of a workflow's functions and properties.
func (i *installation) names(who string, application, workflow string) (id, constructor int, functions, properties map[string]int) {
	i.t.Helper()
	type named struct {
		ID   int    `json:"id"`
		Name string `json:"name"`
	}
	var apps struct{ Applications []named }
	i.read(who, "/api/v2/applications?name="+application, &apps)
	var flows struct{ Workflows []named }
	i.read(who, fmt.Sprintf("/api/v2/applications/%d/workflows", apps.Applications[0].ID), &flows)
	for _, f := range flows.Workflows {
		if f.Name == workflow {
			id = f.ID
		}
	}
	var w struct {
		ConstructorID int
		Functions     []named
		Properties    []named
	}
	i.read(who, fmt.Sprintf("/api/v2/applications/workflows/%d", id), &w)
	functions, properties = map[string]int{}, map[string]int{}
	for _, f := range w.Functions {
		functions[f.Name] = f.ID
	}
	for _, p := range w.Properties {
		properties[p.Name] = p.ID
	}
	return id, w.ConstructorID, functions, properties
}

// input is what a function is called with.
func input(function int, arguments ...string) map[string]any {
	list := []map[string]string{}
	for k := 0; k+1 < len(arguments); k += 2 {
		list = append(list, map[string]string{"name": arguments[k], "value": arguments[k+1]})
	}
	return map[string]any{"workflowFunctionID": function, "workflowActionParameters": list}
}

// post wants a number.
func (i *installation) post(who, path string, body any) int {
	i.t.Helper()
	status, data, err := i.ask(who, http.MethodPost, path, body)
	var id int
	if err != nil || status != http.StatusOK || json.Unmarshal(data, &id) != nil {
		i.t.Fatalf("POST %s: %d %v %s", path, status, err, data)
	}
	return id
}

// until reads a contract until it is as wanted.
func (i *installation) until(who string, id int, what string, done func(c *contract) bool) *contract {
	i.t.Helper()
	var c contract
	for deadline := time.Now().Add(guard); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		c = contract{}
		if i.read(who, fmt.Sprintf("/api/v2/contracts/%d", id), &c); done(&c) {
			return &c
		}
	}
	i.t.Fatalf("contract %d: waiting for %s: %+v", id, what, c)
	return nil
}

func (c *contract) value(property int) string {
	for _, p := range c.ContractProperties {
		if p.WorkflowPropertyID == property {
			return p.Value
		}
	}
	return ""
}

const (
	alice = "Alice Adler"
	bob   = "Bob Berger"
	carol = "Carol Chen"
	dave  = "Dave Diallo"
)

func (i *installation) address(who string) string {
	i.t.Helper()
	var me struct {
		CurrentUser struct {
			UserChainMappings []struct{ ChainIdentifier string }
		}
	}
	i.read(who, "/api/v2/users/me", &me)
	return me.CurrentUser.UserChainMappings[0].ChainIdentifier
}

// TestPurchase has three people buy a machine, and looks at what each may do.
func TestPurchase(t *testing.T) {
	i := found(t)
	flow, constructor, functions, properties := i.names(bob, "Purchase", "Purchase")
	create := fmt.Sprintf("/api/v2/contracts?workflowId=%d", flow)
	if status, data, err := i.ask(carol, http.MethodPost, create, input(constructor, "machine", "Lathe", "condition", "2", "askingPrice", "900")); status != http.StatusForbidden {
		t.Errorf("a buyer makes a contract: %d %v %s", status, err, data)
	}
	id := i.post(bob, create, input(constructor, "machine", "Lathe <b>1</b>", "condition", "2", "askingPrice", "900"))
	c := i.until(bob, id, "the contract", func(c *contract) bool { return c.ProvisioningStatus == 2 })
	if c.value(properties["Machine"]) != "Lathe <b>1</b>" || c.value(properties["State"]) != "0" {
		t.Errorf("the contract is %+v", c)
	}
	act := fmt.Sprintf("/api/v2/contracts/%d/actions", id)
	step := func(who, function, state string, arguments ...string) {
		t.Helper()
		i.post(who, act, input(functions[function], arguments...))
		i.until(dave, id, function, func(c *contract) bool { return c.value(properties["State"]) == state })
	}
	step(carol, "MakeOffer", "1", "inspector", i.address(dave), "offerPrice", "800")
	if status, _, _ := i.ask(dave, http.MethodPost, act, input(functions["AcceptOffer"])); status != http.StatusForbidden {
		t.Errorf("the inspector accepts the offer: %d", status)
	}
	step(bob, "AcceptOffer", "2")
	step(dave, "Inspect", "3", "defects", "False", "report", "as new")
	step(carol, "Complete", "4")
	c = i.until(alice, id, "all actions", func(c *contract) bool { return len(c.ContractActions) == 5 })
	var proof struct {
		Verified bool
		Problem  string
		Receipt  json.RawMessage
	}
	i.read(bob, fmt.Sprintf("/api/v2/contracts/%d/actions/%d/proof", id, c.ContractActions[4].ID), &proof)
	if !proof.Verified || len(proof.Receipt) == 0 {
		t.Errorf("the receipt of the last step: %+v", proof)
	}
	if status, data, err := i.ask(bob, http.MethodPost, act, input(functions["Withdraw"])); status == http.StatusOK {
		t.Errorf("withdrawn after the end: %s %v", data, err)
	}
}

// TestContractsOfContracts has a tender make a shipment.
func TestContractsOfContracts(t *testing.T) {
	i := found(t)
	flow, constructor, functions, properties := i.names(bob, "Freight", "Tender")
	shipments, _, moves, values := i.names(bob, "Freight", "Shipment")
	id := i.post(bob, fmt.Sprintf("/api/v2/contracts?workflowId=%d", flow),
		input(constructor, "consignee", i.address(dave), "goods", "Cheese", "mostCelsius", "-2", "deadline", "1900000000"))
	i.until(bob, id, "the tender", func(c *contract) bool { return c.ProvisioningStatus == 2 })
	act := fmt.Sprintf("/api/v2/contracts/%d/actions", id)
	i.post(carol, act, input(functions["Bid"], "price", "340282366920938463463374607431768211456"))
	i.until(bob, id, "the bid", func(c *contract) bool {
		return c.value(properties["BestPrice"]) == "340282366920938463463374607431768211456"
	})
	i.post(bob, act, input(functions["Award"]))
	tender := i.until(bob, id, "the award", func(c *contract) bool { return c.value(properties["State"]) == "1" })
	var list struct{ Contracts []contract }
	i.read(carol, fmt.Sprintf("/api/v2/contracts?workflowId=%d", shipments), &list)
	if len(list.Contracts) != 1 || list.Contracts[0].LedgerIdentifier != tender.value(properties["ShipmentContract"]) {
		t.Fatalf("the shipments are %+v, the tender says %s", list.Contracts, tender.value(properties["ShipmentContract"]))
	}
	at := list.Contracts[0].ID
	move := fmt.Sprintf("/api/v2/contracts/%d/actions", at)
	i.post(carol, move, input(moves["PickUp"]))
	i.until(carol, at, "the goods to move", func(c *contract) bool { return c.value(values["State"]) == "1" })
	i.post(carol, move, input(moves["Read"], "celsius", "-5"))
	i.until(carol, at, "the reading", func(c *contract) bool { return c.value(values["Readings"]) == "[-5]" })
	i.post(carol, move, input(moves["Deliver"]))
	i.until(dave, at, "the delivery", func(c *contract) bool { return c.value(values["State"]) == "2" })
	i.post(dave, move, input(moves["Refuse"])) // the contract refuses: it did not become too warm
	c := i.until(dave, at, "the refusal to fail", func(c *contract) bool {
		last := c.ContractActions[len(c.ContractActions)-1]
		return last.ProvisioningStatus >= 3
	})
	if last := c.ContractActions[len(c.ContractActions)-1]; last.RevertReason != "only what became too warm can be refused" {
		t.Errorf("the last action is %+v", last)
	}
}

// snapshot is everything that the gateway shows somebody of both applications.
func (i *installation) snapshot(who string) string {
	var all bytes.Buffer
	for _, path := range []string{"/api/v2/applications", "/api/v2/users", "/api/v2/contracts?top=100"} {
		_, data, _ := i.ask(who, http.MethodGet, path, nil)
		all.Write(data)
		all.WriteByte('\n')
	}
	for block := range 20 { // a start adds one of its own to the end
		_, data, _ := i.ask(who, http.MethodGet, fmt.Sprintf("/api/v2/ledgers/connections/1/blocks/%d", block+1), nil)
		all.Write(data)
		all.WriteByte('\n')
	}
	var list struct{ Contracts []contract }
	i.read(who, "/api/v2/contracts?top=100", &list)
	for _, c := range list.Contracts {
		_, data, _ := i.ask(who, http.MethodGet, fmt.Sprintf("/api/v2/contracts/%d", c.ID), nil)
		all.Write(data)
		all.WriteByte('\n')
	}
	return all.String()
}

// difference shows where two texts begin to differ.
func difference(a, b string) string {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	cut := func(s string) string { return s[max(0, n-200):min(len(s), n+200)] }
	return cut(a) + "\n---\n" + cut(b)
}

// TestKillsAndLoss kills the process under work, and loses the database.
func TestKillsAndLoss(t *testing.T) {
	i := found(t)
	flow, constructor, functions, properties := i.names(bob, "Purchase", "Purchase")
	var ids []int
	for round := range 4 {
		for n := range 5 {
			ids = append(ids, i.post(bob, fmt.Sprintf("/api/v2/contracts?workflowId=%d", flow),
				input(constructor, "machine", fmt.Sprintf("machine %d of %d", n, round), "condition", "0", "askingPrice", "1")))
		}
		i.node.Kill(t)
		i.start()
	}
	for _, id := range ids { // what was acknowledged comes to its end, once
		i.until(bob, id, "the contract", func(c *contract) bool { return c.ProvisioningStatus == 2 })
	}
	i.post(bob, fmt.Sprintf("/api/v2/contracts/%d/actions", ids[0]), input(functions["ChangePrice"], "askingPrice", "77"))
	i.until(bob, ids[0], "the price", func(c *contract) bool { return c.value(properties["AskingPrice"]) == "77" })
	before := i.snapshot(alice)
	i.node.Stop(t)
	files, err := filepath.Glob(filepath.Join(i.data, "builder", "builder.db*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("the database is %v %v", files, err)
	}
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	i.start()
	if after := i.snapshot(alice); after != before {
		t.Errorf("made again the database is another:\n%s", difference(before, after))
	}
	var list struct{ Contracts []contract }
	i.read(bob, fmt.Sprintf("/api/v2/contracts?workflowId=%d&top=100", flow), &list)
	if len(list.Contracts) != len(ids) {
		t.Errorf("%d contracts, not %d", len(list.Contracts), len(ids))
	}
}

// TestNothingReadableOnDisk looks for what people wrote in all files.
func TestNothingReadableOnDisk(t *testing.T) {
	i := found(t)
	const secret = "MARKER-of-a-secret-machine"
	flow, constructor, _, _ := i.names(bob, "Purchase", "Purchase")
	id := i.post(bob, fmt.Sprintf("/api/v2/contracts?workflowId=%d", flow), input(constructor, "machine", secret, "condition", "0", "askingPrice", "1"))
	i.until(bob, id, "the contract", func(c *contract) bool { return c.ProvisioningStatus == 2 })
	search := func() {
		t.Helper()
		looked := 0
		err := filepath.WalkDir(i.data, func(name string, d os.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil
			}
			content, err := os.ReadFile(name)
			if errors.Is(err, os.ErrNotExist) {
				return nil
			}
			looked++
			for _, word := range []string{secret, "bob.berger@example.com", "Berger"} {
				if bytes.Contains(content, []byte(word)) {
					t.Errorf("%s holds %q", name, word)
				}
			}
			return err
		})
		if err != nil || looked < 5 {
			t.Errorf("%d files, %v", looked, err)
		}
	}
	search()
	i.node.Kill(t)
	search()
}
