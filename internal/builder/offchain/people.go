package offchain

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common"
)

// view reads: what is small from the catalogue, the rest by SQL. Outside the
// writer's turn q is the committed state, within it the transaction.
type view struct {
	q querier
	c *catalogue
}

var _ Reader = view{}

// top is the size of a page.
func (p Page) top() int {
	if p.Top < 1 {
		return 20
	}
	return p.Top
}

// paged cuts a page out of rows that are all there.
func paged[T any](rows []T, p Page) List[T] {
	out := List[T]{Total: len(rows)}
	from := min(max(p.Skip, 0), len(rows))
	to := min(from+p.top(), len(rows))
	out.Rows, out.More = rows[from:to], to < len(rows)
	return out
}

// get finds one row of a map.
func get[T any](v view, m map[int]*T, id int) (*T, error) {
	v.c.mu.RLock()
	defer v.c.mu.RUnlock()
	if found := m[id]; found != nil {
		return found, nil
	}
	return nil, ErrNotFound
}

// sorted are a map's rows by id.
func sorted[T any](m map[int]*T, keep func(*T) bool) []T {
	var out []T
	ids := make([]int, 0, len(m))
	for id, row := range m {
		if keep(row) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		out = append(out, *m[id])
	}
	return out
}

// order sorts rows that are in the order of their ids.
func order[T any](rows []T, o Order, compare func(a, b T) int) {
	if o.By != ByID && compare != nil {
		slices.SortStableFunc(rows, compare)
	}
	if o.Descending {
		slices.Reverse(rows)
	}
}

func compareText(a, b string) int { return cmp.Compare(strings.ToLower(a), strings.ToLower(b)) }

func (v view) Applications(_ context.Context, f ApplicationFilter) (List[Application], error) {
	search := strings.ToLower(f.Search)
	v.c.mu.RLock()
	rows := sorted(v.c.applications, func(a *Application) bool {
		return (f.IDs == nil || slices.Contains(f.IDs, a.ID)) && (f.Name == "" || f.Name == a.Name) &&
			(f.Enabled == nil || *f.Enabled == a.Enabled) && (f.Archived == nil || *f.Archived == a.Archived) &&
			(search == "" || strings.Contains(strings.ToLower(a.Name), search) || strings.Contains(strings.ToLower(a.DisplayName), search))
	})
	v.c.mu.RUnlock()
	order(rows, f.Order, func(a, b Application) int {
		switch f.Order.By {
		case ByName:
			return cmp.Or(compareText(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
		case ByCreated:
			return a.CreatedAt.Compare(b.CreatedAt)
		}
		return cmp.Or(compareText(a.DisplayName, b.DisplayName), cmp.Compare(a.Version, b.Version))
	})
	return paged(rows, f.Page), nil
}

func (v view) Application(_ context.Context, id int) (*Application, error) {
	return get(v, v.c.applications, id)
}

func (v view) Configuration(ctx context.Context, applicationID int) (json.RawMessage, error) {
	var e ApplicationAdded
	found, err := one(ctx, v.q, "SELECT entry FROM application WHERE id = $1", []any{applicationID}, func(r row) error {
		return json.Unmarshal(r.bytes(0), &e)
	})
	if err == nil && !found {
		err = ErrNotFound
	}
	return e.Configuration, err
}

func (v view) Workflows(_ context.Context, applicationID int) ([]Workflow, error) {
	v.c.mu.RLock()
	defer v.c.mu.RUnlock()
	if v.c.applications[applicationID] == nil {
		return nil, ErrNotFound
	}
	var out []Workflow
	for _, id := range v.c.applications[applicationID].WorkflowIDs {
		out = append(out, *v.c.workflows[id])
	}
	return out, nil
}

func (v view) Workflow(_ context.Context, id int) (*Workflow, error) {
	return get(v, v.c.workflows, id)
}

func (v view) Function(_ context.Context, id int) (*Workflow, *Function, error) {
	w, err := get(v, v.c.functions, id)
	if err != nil {
		return nil, nil, err
	}
	return w, w.Function(id), nil
}

func (v view) Role(_ context.Context, id int) (*Role, error) { return get(v, v.c.roles, id) }

func (v view) Codes(_ context.Context, applicationID, ledgerID int) ([]ContractCode, error) {
	v.c.mu.RLock()
	defer v.c.mu.RUnlock()
	return sorted(v.c.codes, func(k *ContractCode) bool {
		return (applicationID == 0 || k.ApplicationID == applicationID) && (ledgerID == 0 || k.LedgerID == ledgerID)
	}), nil
}

func (v view) Code(_ context.Context, id int) (*ContractCode, error) { return get(v, v.c.codes, id) }

func (v view) CodeFile(ctx context.Context, id int) (file []byte, err error) {
	found, err := one(ctx, v.q, "SELECT file FROM code WHERE id = $1", []any{id}, func(r row) error { file = r.bytes(0); return nil })
	if err == nil && !found {
		err = ErrNotFound
	}
	return file, err
}

func (v view) CodeOutput(ctx context.Context, id int) (output json.RawMessage, err error) {
	found, err := one(ctx, v.q, "SELECT output FROM code WHERE id = $1", []any{id}, func(r row) error { output = r.bytes(0); return nil })
	if err == nil && !found {
		err = ErrNotFound
	}
	return output, err
}

func (v view) Assignments(_ context.Context, applicationID, roleID int, p Page) (List[Assignment], error) {
	v.c.mu.RLock()
	defer v.c.mu.RUnlock()
	a := v.c.applications[applicationID]
	if a == nil {
		return List[Assignment]{}, ErrNotFound
	}
	var ids []int
	for _, r := range a.Roles {
		if roleID == 0 || roleID == r.ID {
			for id := range v.c.ofRole[r.ID] {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	page := paged(ids, p)
	out := List[Assignment]{Total: page.Total, More: page.More, Rows: []Assignment{}}
	for _, id := range page.Rows {
		row := *v.c.assignments[id]
		row.Person = v.c.people[row.PersonID]
		out.Rows = append(out.Rows, row)
	}
	return out, nil
}

func (v view) Assignment(_ context.Context, id int) (*Assignment, error) {
	return get(v, v.c.assignments, id)
}

func (v view) AssignmentsOf(_ context.Context, personID int) ([]Assignment, error) {
	v.c.mu.RLock()
	defer v.c.mu.RUnlock()
	out := make([]Assignment, 0, len(v.c.ofPerson[personID]))
	for id := range v.c.ofPerson[personID] {
		out = append(out, *v.c.assignments[id])
	}
	slices.SortFunc(out, func(a, b Assignment) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}

func (v view) People(_ context.Context, f PersonFilter) (List[Person], error) {
	search := strings.ToLower(f.Search)
	begins := func(s string) bool { return strings.HasPrefix(strings.ToLower(s), search) }
	v.c.mu.RLock()
	rows := sorted(v.c.people, func(p *Person) bool {
		return (f.ExternalID == "" || f.ExternalID == p.ExternalID) &&
			(f.Address == common.Address{} || slices.ContainsFunc(p.Keys, func(k Key) bool { return k.Address == f.Address })) &&
			(search == "" || begins(p.FirstName) || begins(p.LastName) || begins(p.Email) || begins(p.ExternalID) ||
				begins(p.FirstName+" "+p.LastName))
	})
	v.c.mu.RUnlock()
	order(rows, f.Order, func(a, b Person) int {
		switch f.Order.By {
		case ByLastName:
			return cmp.Or(compareText(a.LastName, b.LastName), compareText(a.FirstName, b.FirstName))
		case ByEmail:
			return compareText(a.Email, b.Email)
		}
		return cmp.Or(compareText(a.FirstName, b.FirstName), compareText(a.LastName, b.LastName))
	})
	return paged(rows, f.Page), nil
}

func (v view) Person(_ context.Context, id int) (*Person, error) { return get(v, v.c.people, id) }

func (v view) PersonByExternalID(_ context.Context, externalID string) (*Person, error) {
	v.c.mu.RLock()
	defer v.c.mu.RUnlock()
	if id, ok := v.c.byExternalID[externalID]; ok {
		return v.c.people[id], nil
	}
	return nil, ErrNotFound
}

func (v view) PersonByAddress(_ context.Context, connectionID int, a common.Address) (*Person, error) {
	v.c.mu.RLock()
	defer v.c.mu.RUnlock()
	for id := range v.c.connections {
		if connectionID == 0 || connectionID == id {
			if person, ok := v.c.byAddress[place{id, a}]; ok {
				return v.c.people[person], nil
			}
		}
	}
	return nil, ErrNotFound
}

func (v view) Ledgers(context.Context) ([]Ledger, error) {
	v.c.mu.RLock()
	defer v.c.mu.RUnlock()
	return v.c.ledgers, nil
}

func (v view) Connections(context.Context) ([]Connection, error) {
	v.c.mu.RLock()
	defer v.c.mu.RUnlock()
	return sorted(v.c.connections, func(*Connection) bool { return true }), nil
}

func (v view) Connection(_ context.Context, id int) (*Connection, error) {
	return get(v, v.c.connections, id)
}
