package workspace_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/coco-consortium/coco/internal/builder/identity"
	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/workspace"
)

// model is what the test knows of an installation: who has how many roles where,
// and which contracts there are. It is the rule who sees what, in other words.
type model struct {
	*world
	random    *rand.Rand
	apps      []*offchain.Application
	names     []string
	held      map[string][]offchain.Assignment
	contracts map[int]*offchain.Application // by id
	machine   map[int]string
}

func (m *model) sees(who string, app *offchain.Application) bool {
	return who == "administrator" || slices.ContainsFunc(m.held[who], func(a offchain.Assignment) bool { return a.ApplicationID == app.ID })
}

// step changes something.
func (m *model) step(n int) {
	m.t.Helper()
	who, app := m.names[m.random.IntN(len(m.names))], m.apps[m.random.IntN(len(m.apps))]
	switch k := m.random.IntN(10); {
	case k < 4:
		role := app.Roles[m.random.IntN(len(app.Roles))]
		id, err := m.administrator().Assign(m.ctx, app.ID, m.people[who].ID, role.ID)
		if told(err) == "ROLE_ASSIGNED" {
			return
		}
		m.Must(err)
		m.held[who] = append(m.held[who], offchain.Assignment{ID: id, ApplicationID: app.ID, RoleName: role.Name})
	case k < 7:
		if held := m.held[who]; len(held) > 0 {
			i := m.random.IntN(len(held))
			m.Must(m.administrator().Unassign(m.ctx, held[i].ApplicationID, held[i].ID))
			m.held[who] = slices.Delete(held, i, i+1)
		}
	case k < 9:
		for _, name := range m.names { // rather somebody who may
			if m.random.IntN(2) == 0 && slices.ContainsFunc(m.held[name], func(a offchain.Assignment) bool { return a.ApplicationID == app.ID && a.RoleName == "Seller" }) {
				who = name
			}
		}
		seller := slices.ContainsFunc(m.held[who], func(a offchain.Assignment) bool { return a.ApplicationID == app.ID && a.RoleName == "Seller" })
		machine := fmt.Sprintf("machine-%d-of-%s", n, app.Name)
		id, err := m.people[who].Create(m.ctx, purchase(m.workflow(app), machine))
		if (err == nil) != seller {
			m.t.Fatalf("%s creates in %s: %v", who, app.Name, err)
		}
		if err == nil {
			m.contracts[id], m.machine[id] = app, machine
			m.settled(id)
		}
	default: // read only, or out of lists, and back: none of it hides
		m.Must(m.administrator().Archive(m.ctx, app.ID, true))
		m.look(who)
		m.Must(m.administrator().Archive(m.ctx, app.ID, false))
		m.Must(m.administrator().SetEnabled(m.ctx, app.ID, true))
	}
}

// look asks everything that shows contracts as somebody, and wants what they see
// and nothing else: no row, no number, no difference to what is not there.
func (m *model) look(who string) {
	m.t.Helper()
	p := m.people[who]
	wrong := func(what string, got, want any) {
		m.t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			m.t.Fatalf("%s, %s: %v, not %v", who, what, got, want)
		}
	}
	var mine []int
	transactions := map[int]bool{}
	for id, app := range m.contracts {
		sees := m.sees(who, app)
		all, err := m.Store.ContractTransactions(m.ctx, id)
		m.Must(err)
		if sees {
			mine = append(mine, id)
			for _, t := range all {
				transactions[t.ID] = true
			}
		}
		want := ""
		if !sees {
			want = "NOT_FOUND"
		}
		d, err := p.Contract(m.ctx, id)
		wrong("contract", told(err), want)
		if sees && (d.ID != id || d.ApplicationID != app.ID) {
			m.t.Fatalf("contract %d is %+v", id, d.Contract)
		}
		l, err := p.Actions(m.ctx, id, workspace.Page{})
		wrong("actions", told(err), want)
		_, err = p.Allowed(m.ctx, id)
		wrong("what may be done", told(err), want)
		_, err = p.History(m.ctx, id, 0, workspace.Page{})
		wrong("past values", told(err), want)
		_, err = p.Call(m.ctx, id, function(m.workflow(app), "Discount"), nil)
		wrong("question", told(err), want)
		ctx, cancel := context.WithCancel(m.ctx)
		_, err = p.Watch(ctx, 0, id)
		wrong("events", told(err), want)
		_, err = p.Changes(ctx, workspace.View{ContractID: id}, 0)
		wrong("live page", told(err), want)
		cancel()
		for _, a := range l.Items {
			_, err = p.Action(m.ctx, id, a.ID)
			wrong("action", told(err), "")
		}
		for _, t := range all {
			_, err = p.Transaction(m.ctx, m.Connection, t.ID)
			wrong("transaction", told(err), want)
		}
		found, err := p.Contracts(m.ctx, workspace.ContractQuery{Search: m.machine[id]})
		m.Must(err)
		n := 0
		if sees {
			n = 1
		}
		wrong("search", []int{len(found.Items), found.Total}, []int{n, n})
	}
	slices.Sort(mine)
	slices.Reverse(mine)
	wrong("contracts", m.all(func(page workspace.Page) ([]int, int) {
		l, err := p.Contracts(m.ctx, workspace.ContractQuery{Page: page})
		m.Must(err)
		return idsOf(l.Items, func(c *offchain.Contract) int { return c.ID }), l.Total
	}), mine)
	for _, app := range m.apps {
		l, err := p.Contracts(m.ctx, workspace.ContractQuery{ApplicationID: app.ID})
		if !m.sees(who, app) {
			wrong("contracts of "+app.Name, told(err), "NOT_FOUND")
			wrong("a number", l.Total, 0)
			continue
		}
		n := 0
		for _, of := range m.contracts {
			if of.ID == app.ID {
				n++
			}
		}
		wrong("contracts of "+app.Name, l.Total, n)
	}
	if who != "administrator" { // who sees those of nobody's contracts too
		want := []int{}
		for id := range transactions {
			want = append(want, id)
		}
		slices.Sort(want)
		slices.Reverse(want)
		wrong("transactions", m.all(func(page workspace.Page) ([]int, int) {
			l, err := p.Transactions(m.ctx, m.Connection, page)
			m.Must(err)
			return idsOf(l.Items, func(t *offchain.Transaction) int { return t.ID }), l.Total
		}), want)
	}
}

// all reads every page of a list, and wants its total right.
func (m *model) all(page func(workspace.Page) ([]int, int)) []int {
	m.t.Helper()
	ids := []int{}
	for {
		some, total := page(workspace.Page{Skip: len(ids), Top: 7})
		if ids = append(ids, some...); len(some) == 0 {
			if total != len(ids) {
				m.t.Fatalf("there are %d of %d", len(ids), total)
			}
			return ids
		}
	}
}

func idsOf[T any](rows []T, id func(*T) int) (ids []int) {
	for i := range rows {
		ids = append(ids, id(&rows[i]))
	}
	return ids
}

// TestNothingUnseenIsShown has people get and lose roles in several applications
// while contracts come, and looks as each of them.
func TestNothingUnseenIsShown(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			m := &model{world: newWorld(t), random: rand.New(rand.NewPCG(seed, 7)), held: map[string][]offchain.Assignment{},
				contracts: map[int]*offchain.Application{}, machine: map[int]string{}}
			for i := range 5 {
				m.names = append(m.names, fmt.Sprint("person", i))
				m.come(identity.Claims{ExternalID: m.names[i], Client: i == 4})
			}
			for i := range 3 {
				m.apps = append(m.apps, m.deploy(fmt.Sprint("Purchase", i)))
			}
			m.come(identity.Claims{ExternalID: "nobody"})
			for n := range 120 {
				if m.step(n); n%10 == 9 {
					for _, who := range append([]string{"administrator", "nobody"}, m.names...) {
						m.look(who)
					}
				}
			}
			if len(m.contracts) < 3 {
				t.Errorf("only %d contracts were made", len(m.contracts))
			}
		})
	}
}
