package offchain

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/ethereum/go-ethereum/common"
)

// catalogue holds in memory what is small and asked for at every request:
// applications, people, roles, connections. It is read from the tables and
// nowhere else: at the beginning, and after each entry what that entry changed.
// Its values are never changed, only replaced.
type catalogue struct {
	mu           sync.RWMutex
	applications map[int]*Application
	workflows    map[int]*Workflow
	functions    map[int]*Workflow // by id of the function
	roles        map[int]*Role
	codes        map[int]*ContractCode
	people       map[int]*Person
	byExternalID map[string]int
	byAddress    map[place]int
	assignments  map[int]*Assignment
	ofPerson     map[int]map[int]bool // assignments by person
	ofRole       map[int]map[int]bool // assignments by role
	connections  map[int]*Connection
	ledgers      []Ledger
}

// place is an account on a connection.
type place struct {
	connection int
	address    common.Address
}

// touched collects what a transaction changed, for the catalogue and watchers.
type touched struct {
	applications, people, connections, contracts set
	codes, assignments                           set
	actions                                      map[int]ActionChange
}

type set map[int]bool

func (s *set) add(id int) {
	if *s == nil {
		*s = set{}
	}
	(*s)[id] = true
}

func newCatalogue() *catalogue {
	return &catalogue{applications: map[int]*Application{}, workflows: map[int]*Workflow{}, functions: map[int]*Workflow{},
		roles: map[int]*Role{}, codes: map[int]*ContractCode{}, people: map[int]*Person{}, byExternalID: map[string]int{},
		byAddress: map[place]int{}, assignments: map[int]*Assignment{}, ofPerson: map[int]map[int]bool{},
		ofRole: map[int]map[int]bool{}, connections: map[int]*Connection{}}
}

// within is a condition on ids: all, or those of a set.
func within(column string, ids set) string {
	if ids == nil {
		return "1 = 1"
	}
	var texts []string
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		texts = append(texts, fmt.Sprint(id))
	}
	if len(texts) == 0 {
		return "1 = 0"
	}
	return column + " IN (" + strings.Join(texts, ",") + ")"
}

// load reads everything.
func (c *catalogue) load(ctx context.Context, q querier) error {
	var ledgers []Ledger
	if err := q.query(ctx, "SELECT id, name, display_name FROM ledger ORDER BY id", nil, func(r row) error {
		ledgers = append(ledgers, Ledger{int(r.int(0)), r.text(1), r.text(2)})
		return nil
	}); err != nil {
		return err
	}
	c.mu.Lock()
	c.ledgers = ledgers
	c.mu.Unlock()
	publish, err := c.read(ctx, q, nil, nil, nil, nil, nil)
	if err == nil {
		publish()
	}
	return err
}

// changes reads what a transaction touched; the function that it gives makes
// that known.
func (c *catalogue) changes(ctx context.Context, q querier, t *touched) (func(), error) {
	some := func(s set) set {
		if s == nil {
			return set{}
		}
		return s
	}
	if len(t.applications)+len(t.people)+len(t.connections)+len(t.codes)+len(t.assignments) == 0 {
		return func() {}, nil
	}
	return c.read(ctx, q, some(t.applications), some(t.people), some(t.connections), some(t.codes), some(t.assignments))
}

// read reads rows of the given ids; nil is all of them.
func (c *catalogue) read(ctx context.Context, q querier, applications, people, connections, codes, assignments set) (publish func(), err error) {
	var steps []func(context.Context, querier) (func(), error)
	if applications == nil || len(applications) > 0 {
		steps = append(steps, func(ctx context.Context, q querier) (func(), error) { return c.readApplications(ctx, q, applications) })
	}
	if people == nil || len(people) > 0 {
		steps = append(steps, func(ctx context.Context, q querier) (func(), error) { return c.readPeople(ctx, q, people) })
	}
	if connections == nil || len(connections) > 0 {
		steps = append(steps, func(ctx context.Context, q querier) (func(), error) { return c.readConnections(ctx, q, connections) })
	}
	if codes == nil || len(codes) > 0 {
		steps = append(steps, func(ctx context.Context, q querier) (func(), error) { return c.readCodes(ctx, q, codes) })
	}
	if assignments == nil || len(assignments) > 0 {
		steps = append(steps, func(ctx context.Context, q querier) (func(), error) { return c.readAssignments(ctx, q, assignments) })
	}
	var changes []func()
	for _, step := range steps {
		change, err := step(ctx, q)
		if err != nil {
			return nil, err
		}
		changes = append(changes, change)
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, change := range changes {
			change()
		}
		if applications == nil || len(applications)+len(codes) > 0 {
			c.derive()
		}
	}, nil
}

// derive sets what depends on other rows: which version is the latest, and
// which has code.
func (c *catalogue) derive() {
	for _, a := range c.applications {
		latest, coded := true, false
		for _, other := range c.applications {
			latest = latest && (other.Name != a.Name || other.Version <= a.Version)
		}
		for _, code := range c.codes {
			coded = coded || code.ApplicationID == a.ID
		}
		if a.Latest != latest || a.Coded != coded {
			b := *a
			b.Latest, b.Coded = latest, coded
			c.applications[a.ID] = &b
		}
	}
}

func (c *catalogue) readApplications(ctx context.Context, q querier, ids set) (func(), error) {
	var all []*built
	err := q.query(ctx, "SELECT id, enabled, archived, entry FROM application WHERE "+within("id", ids), nil, func(r row) error {
		var e ApplicationAdded
		if err := json.Unmarshal(r.bytes(3), &e); err != nil {
			return err
		}
		b, err := build(&e)
		if err != nil {
			return err
		}
		b.application.Enabled, b.application.Archived = r.int(1) != 0, r.int(2) != 0
		all = append(all, b)
		return nil
	})
	return func() {
		for _, b := range all {
			c.applications[b.application.ID] = &b.application
			for i := range b.application.Roles {
				c.roles[b.application.Roles[i].ID] = &b.application.Roles[i]
			}
			for i := range b.workflows {
				w := &b.workflows[i]
				c.workflows[w.ID] = w
				c.functions[w.Constructor.ID] = w
				for _, f := range w.Functions {
					c.functions[f.ID] = w
				}
			}
		}
	}, err
}

func (c *catalogue) readPeople(ctx context.Context, q querier, ids set) (func(), error) {
	found := map[int]*Person{}
	if err := q.query(ctx, "SELECT id, external_id, first_name, last_name, email, client, status, created_at FROM person WHERE id > 0 AND "+
		within("id", ids), nil, func(r row) error {
		p := &Person{ID: int(r.int(0)), ExternalID: r.text(1), FirstName: r.text(2), LastName: r.text(3), Email: r.text(4),
			Client: r.int(5) != 0, Status: int(r.int(6)), CreatedAt: moment(r.int(7))}
		found[p.ID] = p
		return nil
	}); err != nil {
		return nil, err
	}
	err := q.query(ctx, "SELECT id, person_id, connection_id, address FROM account WHERE "+within("person_id", ids)+" ORDER BY id", nil, func(r row) error {
		if p := found[int(r.int(1))]; p != nil {
			p.Keys = append(p.Keys, Key{int(r.int(0)), p.ID, int(r.int(2)), common.HexToAddress(r.text(3))})
		}
		return nil
	})
	return func() {
		for _, p := range found {
			c.people[p.ID] = p
			c.byExternalID[p.ExternalID] = p.ID
			for _, k := range p.Keys {
				c.byAddress[place{k.ConnectionID, k.Address}] = p.ID
			}
		}
	}, err
}

func (c *catalogue) readConnections(ctx context.Context, q querier, ids set) (func(), error) {
	var found []*Connection
	err := q.query(ctx, "SELECT id, ledger_id, endpoint, kind, funding_account, chain_id, genesis FROM connection WHERE "+within("id", ids), nil, func(r row) error {
		found = append(found, &Connection{ID: int(r.int(0)), LedgerID: int(r.int(1)), Endpoint: r.text(2), Kind: r.text(3),
			FundingAccount: r.text(4), ChainID: uint64(r.int(5)), Genesis: common.HexToHash(r.text(6))})
		return nil
	})
	return func() {
		for _, k := range found {
			c.connections[k.ID] = k
		}
	}, err
}

func (c *catalogue) readCodes(ctx context.Context, q querier, ids set) (func(), error) {
	var found []*ContractCode
	err := q.query(ctx, "SELECT id, application_id, ledger_id, file_name, size, created_by, created_at FROM code WHERE "+within("id", ids), nil, func(r row) error {
		found = append(found, &ContractCode{ID: int(r.int(0)), ApplicationID: int(r.int(1)), LedgerID: int(r.int(2)), FileName: r.text(3),
			Size: int(r.int(4)), CreatedBy: int(r.int(5)), CreatedAt: moment(r.int(6))})
		return nil
	})
	return func() {
		for _, k := range found {
			c.codes[k.ID] = k
		}
	}, err
}

func (c *catalogue) readAssignments(ctx context.Context, q querier, ids set) (func(), error) {
	found := map[int]*Assignment{}
	err := q.query(ctx, `SELECT a.id, a.application_id, a.role_id, r.name, a.person_id, a.assigned_by, a.assigned_at
		FROM assignment a JOIN role r ON r.id = a.role_id WHERE `+within("a.id", ids), nil, func(r row) error {
		a := &Assignment{ID: int(r.int(0)), ApplicationID: int(r.int(1)), RoleID: int(r.int(2)), RoleName: r.text(3),
			PersonID: int(r.int(4)), AssignedBy: int(r.int(5)), AssignedAt: moment(r.int(6))}
		found[a.ID] = a
		return nil
	})
	return func() {
		if ids == nil {
			clear(c.assignments)
			clear(c.ofPerson)
			clear(c.ofRole)
		}
		for id := range ids {
			if old := c.assignments[id]; old != nil {
				delete(c.ofPerson[old.PersonID], id)
				delete(c.ofRole[old.RoleID], id)
				delete(c.assignments, id)
			}
		}
		for id, a := range found {
			c.assignments[id] = a
			put(c.ofPerson, a.PersonID, id)
			put(c.ofRole, a.RoleID, id)
		}
	}, err
}

func put(m map[int]map[int]bool, key, id int) {
	if m[key] == nil {
		m[key] = map[int]bool{}
	}
	m[key][id] = true
}
