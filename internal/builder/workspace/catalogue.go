package workspace

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/coco-consortium/coco/internal/builder/offchain"
)

// catalogue is what every request needs and what seldom changes: people,
// applications, workflows and roles. It is read from the store when somebody
// asks for it and forgotten when an entry changed it. Whoever writes an entry
// here forgets before answering, so that a role that was taken away counts from
// the next request on.
type catalogue struct {
	generation atomic.Uint64
	mu         sync.Mutex
	at         uint64
	people     map[string]*offchain.Person // by external id
	byID       map[int]*offchain.Person
	apps       map[int]*offchain.Application
	workflows  map[int]*offchain.Workflow
	roles      map[int]map[int][]string
}

const mostKept = 100_000 // rows of a kind

// forget makes everything be read again.
func (c *catalogue) forget() { c.generation.Add(1) }

// locked runs f with maps that are of the present generation.
func (c *catalogue) locked(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if g := c.generation.Load(); c.people == nil || c.at != g {
		c.at = g
		c.people, c.byID = map[string]*offchain.Person{}, map[int]*offchain.Person{}
		c.apps, c.roles = map[int]*offchain.Application{}, map[int]map[int][]string{}
		c.workflows = map[int]*offchain.Workflow{}
	}
	f()
}

// kept gives what a map of the catalogue has for a key, or reads and keeps it.
func kept[K comparable, V any](c *catalogue, of func() map[K]V, key K, read func() (V, error)) (V, error) {
	var v V
	var ok bool
	var at uint64
	c.locked(func() { v, ok = of()[key]; at = c.at })
	if ok {
		return v, nil
	}
	v, err := read()
	if err != nil {
		return v, err
	}
	c.locked(func() {
		m := of()
		if len(m) >= mostKept {
			clear(m)
		}
		if c.at == at { // what was read before a change may be older than it
			m[key] = v
		}
	})
	return v, nil
}

func (w *Workspace) personByExternalID(ctx context.Context, id string) (*offchain.Person, error) {
	return kept(&w.catalogue, func() map[string]*offchain.Person { return w.catalogue.people }, id, func() (*offchain.Person, error) {
		return w.Store.PersonByExternalID(ctx, id)
	})
}

func (w *Workspace) person(ctx context.Context, id int) (*offchain.Person, error) {
	return kept(&w.catalogue, func() map[int]*offchain.Person { return w.catalogue.byID }, id, func() (*offchain.Person, error) {
		return w.Store.Person(ctx, id)
	})
}

func (w *Workspace) application(ctx context.Context, id int) (*offchain.Application, error) {
	return kept(&w.catalogue, func() map[int]*offchain.Application { return w.catalogue.apps }, id, func() (*offchain.Application, error) {
		return w.Store.Application(ctx, id)
	})
}

func (w *Workspace) workflow(ctx context.Context, id int) (*offchain.Workflow, error) {
	return kept(&w.catalogue, func() map[int]*offchain.Workflow { return w.catalogue.workflows }, id, func() (*offchain.Workflow, error) {
		return w.Store.Workflow(ctx, id)
	})
}

// rolesOf gives the names of a person's roles by application.
func (w *Workspace) rolesOf(ctx context.Context, personID int) (map[int][]string, error) {
	return kept(&w.catalogue, func() map[int]map[int][]string { return w.catalogue.roles }, personID, func() (map[int][]string, error) {
		all, err := w.Store.AssignmentsOf(ctx, personID)
		if err != nil {
			return nil, err
		}
		roles := map[int][]string{}
		for _, a := range all {
			roles[a.ApplicationID] = append(roles[a.ApplicationID], a.RoleName)
		}
		return roles, nil
	})
}

// do writes an entry; what the catalogue holds may be old from then on.
func (w *Workspace) do(ctx context.Context, e offchain.Entry) (offchain.Applied, error) {
	a, err := w.Store.Do(ctx, e)
	switch e.(type) {
	case *offchain.ContractRequested, *offchain.ActionRequested:
	default:
		w.catalogue.forget()
	}
	return a, err
}

// Roles are the names of the person's roles in an application.
func (p *Person) Roles(ctx context.Context, applicationID int) ([]string, error) {
	all, err := p.w.rolesOf(ctx, p.ID)
	return all[applicationID], err
}

// visible are the ids of the applications in which the person has a role, in
// order; nil for an administrator, who sees all.
func (p *Person) visible(ctx context.Context) ([]int, error) {
	if p.Administrator {
		return nil, nil
	}
	all, err := p.w.rolesOf(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	ids := slices.Sorted(maps.Keys(all))
	if ids == nil {
		ids = []int{} // none, not all
	}
	return ids, nil
}

// see gives an application that the person may see.
func (p *Person) see(ctx context.Context, applicationID int) (*offchain.Application, error) {
	app, err := p.w.application(ctx, applicationID)
	if err != nil {
		return nil, hidden(err)
	}
	roles, err := p.Roles(ctx, applicationID)
	if err != nil {
		return nil, err
	}
	if !p.Administrator && len(roles) == 0 {
		return nil, ErrNotFound
	}
	return app, nil
}

// hidden makes of a missing row what a person is told of everything unseen.
func hidden(err error) error {
	if errors.Is(err, offchain.ErrNotFound) {
		return ErrNotFound
	}
	return err
}

func (p *Person) mustAdminister() error {
	if !p.Administrator {
		return ErrForbidden
	}
	return nil
}
