package workspace_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/builder/buildertest"
	"github.com/coco-consortium/coco/internal/builder/identity"
	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/sample"
	"github.com/coco-consortium/coco/internal/builder/workflow"
	"github.com/coco-consortium/coco/internal/builder/workspace"
	"github.com/coco-consortium/coco/internal/problem"
)

// world is an App Builder and the people who come to it, by name.
type world struct {
	*buildertest.House
	t      testing.TB
	ctx    context.Context
	people map[string]*workspace.Person
}

func newWorld(t testing.TB) *world {
	ctx, cancel := context.WithTimeout(t.Context(), 3*buildertest.Patience)
	t.Cleanup(cancel)
	w := &world{House: buildertest.New(t, identity.DevelopmentOptions{Issuer: "http://127.0.0.1:7700" + identity.PathIssuer}), t: t, ctx: ctx, people: map[string]*workspace.Person{}}
	w.come(identity.Claims{ExternalID: "administrator", Administrator: true})
	return w
}

// come lets somebody sign in.
func (w *world) come(c identity.Claims) *workspace.Person {
	w.t.Helper()
	c.Expires = time.Now().Add(time.Hour)
	p, err := w.Workspace.As(w.ctx, &c)
	w.Must(err)
	w.people[c.ExternalID] = p
	return p
}

func (w *world) administrator() *workspace.Person { return w.people["administrator"] }

// deploy uploads the sample Purchase under a name.
func (w *world) deploy(name string) *offchain.Application {
	w.t.Helper()
	id, report, err := w.administrator().Deploy(w.ctx, "a.json", configuration(name), sample.All[0].CodeName, sample.All[0].Code)
	if err != nil {
		w.t.Fatal(err, report)
	}
	app, err := w.Store.Application(w.ctx, id)
	w.Must(err)
	return app
}

// configuration is that of the sample Purchase under a name.
func configuration(name string) []byte {
	return bytes.Replace(sample.All[0].Configuration, []byte(`"ApplicationName": "Purchase"`), fmt.Appendf(nil, `"ApplicationName": %q`, name), 1)
}

// assign gives somebody a role and gives the assignment's id.
func (w *world) assign(app *offchain.Application, who, role string) int {
	w.t.Helper()
	for _, r := range app.Roles {
		if r.Name == role {
			id, err := w.administrator().Assign(w.ctx, app.ID, w.people[who].ID, r.ID)
			w.Must(err)
			return id
		}
	}
	w.t.Fatalf("there is no role %s", role)
	return 0
}

// workflow is the only workflow of an application.
func (w *world) workflow(app *offchain.Application) *offchain.Workflow {
	w.t.Helper()
	f, err := w.Store.Workflow(w.ctx, app.WorkflowIDs[0])
	w.Must(err)
	return f
}

func function(f *offchain.Workflow, name string) int {
	for i := range f.Functions {
		if f.Functions[i].Name == name {
			return f.Functions[i].ID
		}
	}
	panic(name)
}

// purchase is what a new contract wants.
func purchase(f *offchain.Workflow, machine string) workspace.Input {
	return workspace.Input{WorkflowID: f.ID, FunctionID: f.Constructor.ID, Arguments: arguments("machine", machine, "condition", "0", "askingPrice", "100")}
}

func arguments(pairs ...string) (list []workflow.Argument) {
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, workflow.Argument{Name: pairs[i], Value: pairs[i+1]})
	}
	return list
}

// create makes a contract and waits for it.
func (w *world) create(who string, app *offchain.Application, machine string) int {
	w.t.Helper()
	id, err := w.people[who].Create(w.ctx, purchase(w.workflow(app), machine))
	w.Must(err)
	w.settled(id)
	return id
}

// settled waits until nothing waits for a contract.
func (w *world) settled(contract int) *offchain.Contract {
	w.t.Helper()
	var c *offchain.Contract
	w.Until("the contract's actions are settled", func() bool {
		l, err := w.Store.Actions(w.ctx, contract, true, offchain.Page{Top: 100})
		w.Must(err)
		for _, a := range l.Rows {
			if a.Status < offchain.StatusCommitted {
				return false
			}
		}
		c, err = w.Store.Contract(w.ctx, contract)
		w.Must(err)
		return c.Status >= offchain.StatusCommitted
	})
	return c
}

// told is the code of what somebody was told; "" is yes.
func told(err error) string {
	if err == nil {
		return ""
	}
	return string(problem.CodeOf(err))
}
