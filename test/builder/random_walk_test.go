package builder

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// someone is a person of the walks.
type someone struct {
	name, address string
	id            int
	roles         []string // in the application that is walked
	sees          bool     // an administrator, or who has a role
}

// instance is a contract as it must be.
type instance struct {
	flow    *flow
	id      int
	state   string
	values  map[string]string
	count   int
	actions int
	maker   *instance
}

func newInstance(f *flow, by string, given map[string]string) *instance {
	i := &instance{flow: f, state: f.first, values: map[string]string{}, actions: 1}
	for _, p := range f.properties {
		i.values[p.name] = p.kind.zero()
	}
	if _, ok := i.values["Maker"]; ok {
		i.values["Maker"] = by
	}
	i.apply(f.constructor, by, given)
	i.count, i.values["Count"] = 0, "0"
	return i
}

// fails is that a call reverts.
func (i *instance) fails(g *function, given map[string]string) bool {
	return g.guard != nil && given[g.guard.name] == "true" || g.pings && i.maker == nil
}

func (i *instance) apply(g *function, by string, given map[string]string) {
	for _, p := range g.parameters {
		if p.sets != nil {
			i.values[p.sets.name] = given[p.name]
		}
	}
	if g.caller != nil {
		i.values[g.caller.name] = by
	}
	if to, ok := g.next[i.state]; ok {
		i.state = to
	}
	i.count++
	i.values["Count"] = fmt.Sprint(i.count)
}

// may is the rule: in the current state there is a transition of the function that
// names a role of the person, or a property that holds the person's address. Who
// has no role does nothing. Without a property of type state the state is StartState.
func (i *instance) may(who *someone, g *function) bool {
	current := i.state
	if i.flow.stateless {
		current = i.flow.start
	}
	if len(who.roles) == 0 {
		return false
	}
	for _, s := range i.flow.states {
		for _, t := range s.transitions {
			if s.name != current || t.function != g {
				continue
			}
			for _, r := range t.roles {
				if slices.Contains(who.roles, r) {
					return true
				}
			}
			for _, p := range t.instances {
				if i.values[p] == who.address {
					return true
				}
			}
		}
	}
	return false
}

// walk is one application on the gateway.
type walk struct {
	*application
	t          testing.TB
	b          *installation
	dsn        string
	people     []*someone
	id         int
	flows      map[*flow]*ids
	instances  []*instance
	tried      map[string]bool // person, state and function
	taken, not int             // steps that were allowed and that were not
}

type ids struct {
	id, constructor       int
	functions, properties map[string]int
}

// page is what a walk looks at of a contract.
type page struct {
	contract
	ContractActions []done `json:"contractActions"`
}

type done struct {
	ID, ProvisioningStatus int
	RevertReason           string
	Parameters             []struct{ Name, Value string }
}

// until reads a contract until it is as wanted.
func (w *walk) until(who *someone, id int, what string, is func(c *page) bool) *page {
	w.t.Helper()
	var c page
	for deadline := time.Now().Add(guard); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		c = page{}
		if w.b.read(who.name, fmt.Sprintf("/api/v2/contracts/%d", id), &c); is(&c) {
			return &c
		}
	}
	w.t.Fatalf("contract %d: waiting for %s: %+v", id, what, c)
	return nil
}

// status wants an answer's status and gives its body.
func (w *walk) status(want int, who *someone, method, path string, body any) []byte {
	w.t.Helper()
	got, data, err := w.b.ask(who.name, method, path, body)
	if err != nil || got != want {
		w.t.Fatalf("%s (roles %v): %s %s: %d %v instead of %d: %s\n%v", who.name, who.roles, method, path, got, err, want, data, body)
	}
	return data
}

// refused is how an action is answered that is not allowed.
func (who *someone) refused() int {
	if who.sees {
		return http.StatusForbidden
	}
	return http.StatusNotFound
}

// arguments draws values for parameters, and how they are sent.
func (w *walk) arguments(g *function) (values map[string]string, sent []any) {
	values, sent = map[string]string{}, []any{}
	for _, p := range g.parameters {
		v := w.value(p.kind, 4000)
		if p == g.guard && w.chance(60) {
			v = "false"
		}
		values[p.name] = v
		sent = append(sent, map[string]any{"name": p.name, "value": w.given(p.kind, v)})
	}
	return values, sent
}

// create makes a contract of each workflow as everybody, where that is allowed.
func (w *walk) create(f *flow, who *someone) {
	w.t.Helper()
	x := w.flows[f]
	values, sent := w.arguments(f.constructor)
	path := fmt.Sprintf("/api/v2/contracts?workflowId=%d", x.id)
	body := map[string]any{"workflowFunctionID": x.constructor, "workflowActionParameters": sent}
	can := slices.ContainsFunc(f.initiators, func(r string) bool { return slices.Contains(who.roles, r) })
	if who.sees {
		if got := string(w.status(200, who, "GET", fmt.Sprintf("/api/v1/capabilities/canCreateContract/%d", x.id), nil)); got != fmt.Sprint(can) {
			w.t.Fatalf("%s with %v may create %s: %s", who.name, who.roles, f.name, got)
		}
	}
	if !can {
		w.status(who.refused(), who, "POST", path, body)
		return
	}
	i := newInstance(f, who.address, values)
	if err := json.Unmarshal(w.status(200, who, "POST", path, body), &i.id); err != nil {
		w.t.Fatal(err)
	}
	w.instances = append(w.instances, i)
	c := w.until(who, i.id, "the contract", func(c *page) bool { return c.ProvisioningStatus >= 2 })
	w.compare(i, c, who)
}

// compare holds what the gateway shows of a contract against what it must be.
func (w *walk) compare(i *instance, c *page, who *someone) {
	w.t.Helper()
	defer func() {
		if w.t.Failed() {
			w.t.Logf("the actions are %+v\n%s", c.ContractActions, w.code())
		}
	}()
	x := w.flows[i.flow]
	for name, want := range i.shown() {
		if got := c.value(x.properties[name]); got != want {
			w.t.Fatalf("contract %d of %s as %s: %s is %q and not %q", i.id, i.flow.name, who.name, name, got, want)
		}
	}
	if c.ProvisioningStatus != 2 || len(c.ContractActions) != i.actions {
		w.t.Fatalf("contract %d of %s: status %d, %d actions and not %d: %+v", i.id, i.flow.name, c.ProvisioningStatus, len(c.ContractActions), i.actions, c.ContractActions)
	}
}

// shown are the values of all properties.
func (i *instance) shown() map[string]string {
	all := maps.Clone(i.values)
	if !i.flow.stateless {
		all["State"] = fmt.Sprint(slices.Index(i.flow.members, i.state))
	}
	return all
}

// look compares what each person may do with what the gateway offers, and tries
// what it does not offer.
func (w *walk) look(i *instance) {
	w.t.Helper()
	x := w.flows[i.flow]
	path := fmt.Sprintf("/api/v2/contracts/%d/actions", i.id)
	for _, who := range w.people {
		var may []string
		for _, g := range i.flow.functions {
			key := fmt.Sprint(who.name, i.flow.name, i.state, g.name)
			switch {
			case i.may(who, g):
				may = append(may, g.name)
			case !w.tried[key] && g.asks == nil:
				w.tried[key], w.not = true, w.not+1
				_, sent := w.arguments(g)
				w.status(who.refused(), who, "POST", path, map[string]any{"workflowFunctionID": x.functions[g.name], "workflowActionParameters": sent})
			}
		}
		want := http.StatusNoContent
		if len(may) > 0 {
			want = http.StatusOK
		} else if !who.sees {
			want = http.StatusNotFound
		}
		var got []string
		if data := w.status(want, who, "GET", path+"?top=100", nil); want == http.StatusOK {
			var list struct{ WorkflowFunctions []struct{ Name string } }
			if err := json.Unmarshal(data, &list); err != nil {
				w.t.Fatal(err)
			}
			for _, g := range list.WorkflowFunctions {
				got = append(got, g.Name)
			}
		}
		slices.Sort(may)
		if !slices.Equal(got, may) {
			w.t.Fatalf("%s with %v in state %s of %s is offered %v and not %v", who.name, who.roles, i.state, i.flow.name, got, may)
		}
	}
}

// step takes an action that is allowed: one that was not tried, if there is one.
func (w *walk) step(i *instance) bool {
	type choice struct {
		who *someone
		g   *function
		key string
	}
	var fresh, known []choice
	for _, who := range w.people {
		for _, g := range i.flow.functions {
			if key := fmt.Sprint(who.name, i.flow.name, i.state, g.name); !i.may(who, g) {
				continue
			} else if c := (choice{who, g, key}); w.tried[key] {
				known = append(known, c)
			} else {
				fresh = append(fresh, c)
			}
		}
	}
	if len(fresh) == 0 {
		fresh = known
	}
	if len(fresh) == 0 {
		return false
	}
	c := fresh[w.IntN(len(fresh))]
	w.tried[c.key], w.taken = true, w.taken+1
	w.act(i, c.who, c.g)
	return true
}

func (w *walk) act(i *instance, who *someone, g *function) {
	w.t.Helper()
	path, x := fmt.Sprintf("/api/v2/contracts/%d", i.id), w.flows[i.flow]
	values, sent := w.arguments(g)
	if n := len(sent); n > 0 && w.chance(25) { // first something that is no value
		bad := slices.Clone(sent)
		k := w.IntN(n)
		if v := w.wrong(g.parameters[k].kind); v != "" {
			bad[k] = map[string]any{"name": g.parameters[k].name, "value": v}
			w.status(http.StatusBadRequest, who, "POST", path+"/actions", map[string]any{"workflowFunctionID": x.functions[g.name], "workflowActionParameters": bad})
		}
	}
	w.Shuffle(len(sent), func(a, b int) { sent[a], sent[b] = sent[b], sent[a] })
	var id int
	if err := json.Unmarshal(w.status(200, who, "POST", path+"/actions", map[string]any{"workflowFunctionID": x.functions[g.name], "workflowActionParameters": sent}), &id); err != nil {
		w.t.Fatal(err)
	}
	fails := i.fails(g, values)
	i.actions++
	if !fails {
		i.apply(g, who.address, values)
		if g.pings {
			pinged := i.maker.flow.functions
			i.maker.apply(pinged[slices.IndexFunc(pinged, func(f *function) bool { return f.quiet })], "", nil)
			i.maker.actions++
		}
	}
	settled := -1
	c := w.until(who, i.id, g.name, func(c *page) bool {
		settled = slices.IndexFunc(c.ContractActions, func(a done) bool { return a.ID == id && a.ProvisioningStatus >= 2 })
		return settled >= 0
	})
	did := c.ContractActions[settled]
	says := ""
	if g.guard != nil {
		says = reason + g.name
	}
	switch {
	case fails && (did.ProvisioningStatus != 3 || did.RevertReason != says):
		w.t.Fatalf("%s of contract %d should have failed by %q: %+v", g.name, i.id, says, did)
	case !fails && did.ProvisioningStatus != 2:
		w.t.Fatalf("%s of contract %d: %+v", g.name, i.id, did)
	}
	if g.makes != nil && !fails {
		w.made(i, c, g, values)
	}
	w.compare(i, c, who)
	if i.maker != nil && g.pings {
		var parent page
		w.b.read(who.name, fmt.Sprintf("/api/v2/contracts/%d", i.maker.id), &parent)
		w.compare(i.maker, &parent, who)
	}
	for _, p := range did.Parameters {
		name := strings.TrimPrefix(p.Name, "The ")
		if want, ok := values[name]; !ok || p.Value != want {
			w.t.Fatalf("%s of contract %d was given %s %q and not %q", g.name, i.id, name, p.Value, want)
		}
	}
	if len(did.Parameters) != len(values) {
		w.t.Fatalf("%s of contract %d: the parameters %+v", g.name, i.id, did.Parameters)
	}
}

// made finds the contract that a contract made.
func (w *walk) made(i *instance, c *page, g *function, values map[string]string) {
	w.t.Helper()
	last := "Last" + g.makes.name
	address := c.value(w.flows[i.flow].properties[last])
	i.values[last] = address
	var list struct{ Contracts []contract }
	w.b.read(alice, "/api/v2/contracts?ledgerIdentifier="+address, &list)
	if len(list.Contracts) != 1 {
		w.t.Fatalf("%d contracts at %s", len(list.Contracts), address)
	}
	child := newInstance(g.makes, c.LedgerIdentifier, values)
	child.id, child.maker = list.Contracts[0].ID, i
	var shown page
	w.b.read(alice, fmt.Sprintf("/api/v2/contracts/%d", child.id), &shown)
	w.compare(child, &shown, w.people[0])
	w.instances = append(w.instances, child)
}
