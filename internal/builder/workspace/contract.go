package workspace

import (
	"context"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/problem"
)

// mostActions is how many of a contract's actions its page has; a list has all.
const mostActions = 1000

// Contracts lists those of the applications that the person sees, newest first.
func (p *Person) Contracts(ctx context.Context, q ContractQuery) (List[offchain.Contract], error) {
	none := List[offchain.Contract]{}
	f := offchain.ContractFilter{WorkflowID: q.WorkflowID, ConnectionID: q.ConnectionID, Search: q.Search, Properties: q.Properties, Page: offchain.Page(q.bounded())}
	switch {
	case q.WorkflowID != 0:
		w, err := p.Workflow(ctx, q.WorkflowID)
		if err != nil {
			return none, err
		}
		if q.ApplicationID != 0 && q.ApplicationID != w.ApplicationID {
			return none, nil
		}
		if q.State != "" {
			i := slices.IndexFunc(w.States, func(s offchain.State) bool { return s.Name == q.State })
			if i < 0 {
				return none, problem.New("STATE_UNKNOWN", "the workflow has no such state", "use a state's Name of the workflow")
			}
			f.StateID = w.States[i].ID
		}
		f.ApplicationIDs = []int{w.ApplicationID}
	case q.State != "":
		return none, problem.New("STATE_UNKNOWN", "states belong to workflows", "give workflowId with state")
	case q.ApplicationID != 0:
		if _, err := p.see(ctx, q.ApplicationID); err != nil {
			return none, err
		}
		f.ApplicationIDs = []int{q.ApplicationID}
	default:
		var err error
		if f.ApplicationIDs, err = p.visible(ctx); err != nil {
			return none, err
		}
	}
	if q.Address != "" {
		if f.Address = common.HexToAddress(q.Address); !common.IsHexAddress(q.Address) || f.Address == (common.Address{}) {
			return none, nil
		}
	}
	if f.ApplicationIDs != nil && len(f.ApplicationIDs) == 0 {
		return none, nil
	}
	var err error
	f.Order, err = order(q.Sort, map[string]offchain.OrderBy{"timestamp": offchain.ByDefault, "id": offchain.ByID, "state": offchain.ByState,
		"created": offchain.ByCreated, "modified": offchain.ByModified, "provisioningstatus": offchain.ByStatus})
	if err != nil {
		return none, err
	}
	return listed(p.w.contracts(f, func() (offchain.List[offchain.Contract], error) {
		return p.w.Store.Contracts(context.WithoutCancel(ctx), f)
	}))
}

// contract gives a contract, whoever asks. It is shared: nobody changes it.
func (w *Workspace) contract(ctx context.Context, id int) (*offchain.Contract, error) {
	c, err := remembered(w, fmt.Sprint("contract ", id), func() (*offchain.Contract, error) { return w.Store.Contract(context.WithoutCancel(ctx), id) })
	return c, hidden(err)
}

// seeContract gives a contract of an application that the person sees.
func (p *Person) seeContract(ctx context.Context, id int) (*offchain.Contract, *offchain.Application, error) {
	c, err := p.w.contract(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	app, err := p.see(ctx, c.ApplicationID)
	return c, app, err
}

// Contract is one contract with its history.
func (p *Person) Contract(ctx context.Context, id int) (*ContractDetail, error) {
	c, app, err := p.seeContract(ctx, id)
	if err != nil {
		return nil, err
	}
	d, err := remembered(p.w, fmt.Sprint("page ", id), func() (*ContractDetail, error) { return p.w.detail(context.WithoutCancel(ctx), c) })
	if err != nil {
		return nil, err
	}
	mine := *d
	mine.Application, mine.Actions = app, p.w.waiting(d.Actions)
	return &mine, nil
}

// detail reads what a contract's page shows, but for the application. The actions
// are those that led to the values: where a block came between the two, it reads
// again.
func (w *Workspace) detail(ctx context.Context, c *offchain.Contract) (_ *ContractDetail, err error) {
	d := &ContractDetail{}
	if d.Workflow, err = w.workflow(ctx, c.WorkflowID); err != nil {
		return nil, err
	}
	for {
		l, err := w.Store.Actions(ctx, c.ID, true, offchain.Page{Top: mostActions})
		if err != nil {
			return nil, err
		}
		now, err := w.Store.Contract(ctx, c.ID)
		if err != nil {
			return nil, err
		}
		if now.BlockNumber == c.BlockNumber && now.Status == c.Status {
			slices.Reverse(l.Rows)
			d.Contract, d.Actions = *now, l.Rows
			break
		}
		c = now
	}
	if d.Transactions, err = w.Store.ContractTransactions(ctx, c.ID); err != nil {
		return nil, err
	}
	d.People = map[int]offchain.Person{}
	for _, id := range append([]int{c.DeployedBy, c.ModifiedBy}, actors(d.Actions)...) {
		if _, ok := d.People[id]; id == 0 || ok {
			continue
		}
		who, err := w.person(ctx, id)
		if err != nil {
			return nil, err
		}
		d.People[id] = *who
	}
	return d, nil
}

func actors(actions []offchain.Action) []int {
	ids := make([]int, 0, len(actions))
	for _, a := range actions {
		ids = append(ids, a.PersonID)
	}
	return ids
}

// Actions lists what was done with a contract, newest first.
func (p *Person) Actions(ctx context.Context, contractID int, page Page) (List[offchain.Action], error) {
	if _, _, err := p.seeContract(ctx, contractID); err != nil {
		return List[offchain.Action]{}, err
	}
	l, err := listed(p.w.Store.Actions(ctx, contractID, true, offchain.Page(page.bounded())))
	l.Items = p.w.waiting(l.Items)
	return l, err
}

// Action is one of them.
func (p *Person) Action(ctx context.Context, contractID, id int) (*offchain.Action, error) {
	if _, _, err := p.seeContract(ctx, contractID); err != nil {
		return nil, err
	}
	a, err := p.w.Store.Action(ctx, id)
	if err != nil {
		return nil, hidden(err)
	}
	if a.ContractID != contractID {
		return nil, ErrNotFound
	}
	return &p.w.waiting([]offchain.Action{*a})[0], nil
}

// History are the values that a contract's property had; propertyID 0: all.
func (p *Person) History(ctx context.Context, contractID, propertyID int, page Page) (List[offchain.PastValue], error) {
	if _, _, err := p.seeContract(ctx, contractID); err != nil {
		return List[offchain.PastValue]{}, err
	}
	return listed(p.w.Store.History(ctx, contractID, propertyID, offchain.Page(page.bounded())))
}

// NameOf is who an address belongs to: a person's name, "" when nobody is known.
func (p *Person) NameOf(ctx context.Context, connectionID int, a common.Address) string {
	who, err := p.w.Store.PersonByAddress(ctx, connectionID, a)
	if err != nil {
		return ""
	}
	return DisplayName(who)
}

// DisplayName is how a person is written.
func DisplayName(who *offchain.Person) string {
	switch {
	case who.FirstName != "" && who.LastName != "":
		return who.FirstName + " " + who.LastName
	case who.FirstName+who.LastName != "":
		return who.FirstName + who.LastName
	case who.Email != "":
		return who.Email
	}
	return who.ExternalID
}
