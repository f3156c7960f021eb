package gateway

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/builder/buildertest"
	"github.com/coco-consortium/coco/internal/builder/identity"
	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/sample"
)

// patience is how long something may take that is waited for.
const patience = buildertest.Patience

// world is a whole App Builder without pages, and the gateway behind a listener.
type world struct {
	t       testing.TB
	house   *buildertest.House
	dir     string
	store   *offchain.Store
	gateway *Gateway
	server  *httptest.Server
	tokens  map[string]string // by who
	people  map[string]int    // ids
	apps    map[string]*offchain.Application
}

// cast are who asks, and their roles.
var cast = []struct {
	name          string
	client, admin bool
	roles         []string
}{
	{name: "administrator", admin: true},
	{name: "stranger"},
	{name: "other", roles: []string{"Freight/Carrier"}},
	{name: "member", roles: []string{"Purchase/Buyer"}},
	{name: "initiator", roles: []string{"Purchase/Seller"}},
	{name: "client", client: true, roles: []string{"Purchase/Seller"}},
}

func newWorld(t testing.TB) *world {
	t.Helper()
	house := buildertest.New(t, identity.DevelopmentOptions{Issuer: "http://127.0.0.1:7700" + identity.PathIssuer})
	w := &world{t: t, house: house, dir: house.Dir, store: house.Store, tokens: map[string]string{}, people: map[string]int{}, apps: map[string]*offchain.Application{}}
	w.gateway = New(Options{Workspace: house.Workspace, Authenticator: house.OIDC, Issuer: house.OIDC.Issuer(), Audience: house.OIDC.Audience(), Heartbeat: 50 * time.Millisecond})
	w.server = httptest.NewServer(w.gateway)
	t.Cleanup(func() {
		w.server.CloseClientConnections()
		w.server.Close()
	})
	w.settle()
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	w.house.Must(err)
}

// settle makes tokens and people, uploads the samples and gives roles, all through
// the gateway.
func (w *world) settle() {
	t := w.t
	for _, who := range cast {
		token, err := identity.Mint(w.dir, identity.MintOptions{Name: who.name, Client: who.client, Administrator: who.admin, TTL: time.Hour})
		w.must(err)
		w.tokens[who.name] = token
		var me struct{ CurrentUser struct{ UserID int } }
		w.read(who.name, "/api/v1/users/me", &me)
		w.people[who.name] = me.CurrentUser.UserID
	}
	past, err := identity.Mint(w.dir, identity.MintOptions{Name: "member", TTL: time.Hour, Clock: func() time.Time { return time.Now().Add(-3 * time.Hour) }})
	w.must(err)
	parts := strings.Split(w.tokens["administrator"], ".")
	forged := strings.Join([]string{parts[0], parts[1], strings.Split(w.tokens["member"], ".")[2]}, ".") // signed for other claims
	w.tokens["expired"], w.tokens["forger"], w.tokens["anonymous"] = past, forged, ""
	for _, a := range sample.All {
		id := w.number("administrator", post, "/api/v1/applications", w.files([3]string{"appFile", a.ConfigurationName, string(a.Configuration)}))
		w.number("administrator", post, fmt.Sprintf("/api/v1/applications/%d/contractCode?ledgerId=1", id), w.files([3]string{"contractFile", a.CodeName, string(a.Code)}))
		app := struct {
			ApplicationRoles []struct {
				ID   int
				Name string
			}
		}{}
		w.read("administrator", fmt.Sprintf("/api/v2/applications/%d", id), &app)
		w.apps[a.Name], err = w.store.Application(t.Context(), id)
		w.must(err)
		for _, who := range cast {
			for _, role := range who.roles {
				for _, r := range app.ApplicationRoles {
					if a.Name+"/"+r.Name == role {
						w.number("administrator", post, fmt.Sprintf("/api/v1/applications/%d/roleAssignments", id),
							strings.NewReader(fmt.Sprintf(`{"userId":%d,"applicationRoleId":%d}`, w.people[who.name], r.ID)))
					}
				}
			}
		}
	}
}

// sent is a multipart body.
type sent struct {
	io.Reader
	kind string
}

func (w *world) files(parts ...[3]string) io.Reader {
	kind, body := form(w.t, parts...)
	return sent{bytes.NewReader(body), kind}
}

// ask sends a request and checks the answer against the OpenAPI document.
func (w *world) ask(who, method, path string, body io.Reader, header ...string) (int, []byte, http.Header) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, w.server.URL+path, body)
	w.must(err)
	if token := w.tokens[who]; token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if s, ok := body.(sent); ok {
		r.Header.Set("Content-Type", s.kind)
	} else if body != nil {
		r.Header.Set("Content-Type", "application/json-patch+json") // as the generated clients do
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	w.must(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	w.must(err)
	answered(w.t, method, path, answer.StatusCode, answer.Header, text)
	return answer.StatusCode, text, answer.Header
}

// read reads an answer that must be 200.
func (w *world) read(who, path string, into any) {
	w.t.Helper()
	status, text, _ := w.ask(who, get, path, nil)
	if status != http.StatusOK {
		w.t.Fatalf("%s as %s: %d %s", path, who, status, text)
	}
	w.must(json.Unmarshal(text, into))
}

// number reads a bare number from an answer that must be 200.
func (w *world) number(who, method, path string, body io.Reader, header ...string) int {
	w.t.Helper()
	status, text, _ := w.ask(who, method, path, body, header...)
	var n int
	if status != http.StatusOK || json.Unmarshal(text, &n) != nil {
		w.t.Fatalf("%s %s as %s: %d %s", method, path, who, status, text)
	}
	return n
}

// until waits until a condition holds, which is looked at when something changed.
func (w *world) until(what string, holds func() bool) {
	w.t.Helper()
	w.house.Until(what, holds)
}

// workflow is a workflow of an application by name.
func (w *world) workflow(application, name string) *offchain.Workflow {
	w.t.Helper()
	for _, id := range w.apps[application].WorkflowIDs {
		f, err := w.store.Workflow(w.t.Context(), id)
		w.must(err)
		if f.Name == name {
			return f
		}
	}
	w.t.Fatalf("%s has no workflow %s", application, name)
	return nil
}

// action is the body of an action: a function's id and its values.
func action(functionID int, values ...string) io.Reader {
	in := map[string]any{"workflowFunctionID": functionID}
	var list []map[string]string
	for i := 0; i < len(values); i += 2 {
		list = append(list, map[string]string{"name": values[i], "value": values[i+1]})
	}
	in["workflowActionParameters"] = list
	text, err := json.Marshal(in)
	if err != nil {
		panic(err)
	}
	return bytes.NewReader(text)
}

// function is a function's id by name.
func function(f *offchain.Workflow, name string) int {
	for _, one := range f.Functions {
		if one.Name == name {
			return one.ID
		}
	}
	return 0
}

// purchase makes a purchase as the initiator and waits until it is committed.
func (w *world) purchase(machine string) (id int) {
	w.t.Helper()
	f := w.workflow("Purchase", "Purchase")
	id = w.number("initiator", post, fmt.Sprintf("/api/v1/contracts?workflowId=%d", f.ID), action(f.Constructor.ID, "machine", machine, "condition", "0", "askingPrice", "100"))
	w.committed(id)
	return id
}

// committed waits until a contract and its last action are settled.
func (w *world) committed(id int) (c contractAnswer) {
	w.t.Helper()
	w.until("the contract is on the ledger", func() bool {
		w.read("administrator", fmt.Sprintf("/api/v2/contracts/%d", id), &c)
		for _, a := range c.ContractActions {
			if a.ProvisioningStatus < 2 {
				return false
			}
		}
		return c.ProvisioningStatus >= 2
	})
	return c
}

// contractAnswer is what tests read of a contract.
type contractAnswer struct {
	ID, ProvisioningStatus, WorkflowStateID int
	LedgerIdentifier                        string
	ContractProperties                      []struct {
		WorkflowPropertyID int
		Value              string
	}
	Transactions    []struct{ ID, BlockID int }
	ContractActions []struct {
		ID, ProvisioningStatus, WorkflowFunctionID int
		ErrorCode, ErrorMessage, RevertReason      string
		Parameters                                 []struct{ Name, Value string }
	}
}

func (c contractAnswer) value(propertyID int) string {
	for _, p := range c.ContractProperties {
		if p.WorkflowPropertyID == propertyID {
			return cmp.Or(p.Value, "empty")
		}
	}
	return ""
}
