package workspace

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/problem"
)

// rule is who may write, and when: Workbench's rule, over all that it looks at. It
// stands here once, for those who ask and for those who sign later. Administrators
// have no more rights by it than others.
type rule struct {
	application *offchain.Application
	workflow    *offchain.Workflow
	person      *offchain.Person
	roles       []string // of the person in the application
}

func (w *Workspace) rule(ctx context.Context, who *offchain.Person, workflowID int) (r rule, err error) {
	r.person = who
	if r.workflow, err = w.workflow(ctx, workflowID); err != nil {
		return r, hidden(err)
	}
	if r.application, err = w.application(ctx, r.workflow.ApplicationID); err != nil {
		return r, hidden(err)
	}
	all, err := w.rolesOf(ctx, who.ID)
	r.roles = all[r.application.ID]
	return r, err
}

// create is nil if the person may make a contract of the workflow: one of their
// roles is among its initiators, and this version of the application is in use.
func (r rule) create() error {
	switch {
	case !meet(r.roles, r.workflow.Initiators):
		return problem.New(ErrForbidden.Code, "only these roles may make such a contract: "+strings.Join(r.workflow.Initiators, ", "), ErrForbidden.Next)
	case !r.application.Coded:
		return ErrNoCode
	case !r.application.Enabled:
		return ErrDisabled
	}
	return nil
}

// act is nil if the person may call a function on a contract: the contract's
// state has a transition with it, which names one of the person's roles, or a
// property that holds the person's address.
func (r rule) act(c *offchain.Contract, functionID int) error {
	if !r.application.Enabled {
		return ErrDisabled
	}
	if c.Status != offchain.StatusCommitted {
		return ErrBusy
	}
	refusal := ErrNotAllowedNow // to anybody
	for _, t := range r.transitions(c) {
		if t.FunctionID != functionID {
			continue
		}
		if len(r.roles) > 0 && (meet(r.roles, t.AllowedRoles) || r.named(c, t.AllowedInstanceRoles)) {
			return nil
		}
		refusal = ErrForbidden
	}
	return refusal
}

// transitions are those of a contract's state; of the first one where the workflow
// has no property that says.
func (r rule) transitions(c *offchain.Contract) []offchain.Transition {
	id := c.StateID
	if r.workflow.StateProperty() == nil {
		id = r.workflow.StartStateID
	}
	if s := r.workflow.State(id); s != nil {
		return s.Transitions
	}
	return nil
}

// allowed are the functions that the person may call on a contract now, each once,
// by display name.
func (r rule) allowed(c *offchain.Contract) []offchain.Function {
	var list []offchain.Function
	for _, t := range r.transitions(c) {
		f := r.workflow.Function(t.FunctionID)
		if f == nil || slices.ContainsFunc(list, func(o offchain.Function) bool { return o.ID == f.ID }) {
			continue
		}
		if r.act(c, f.ID) == nil {
			list = append(list, *f)
		}
	}
	slices.SortStableFunc(list, func(a, b offchain.Function) int {
		return cmp.Compare(strings.ToLower(a.DisplayName), strings.ToLower(b.DisplayName))
	})
	return list
}

// named is whether one of these properties of a contract holds the person's address.
func (r rule) named(c *offchain.Contract, properties []string) bool {
	mine, ok := r.person.Address(c.ConnectionID)
	if !ok {
		return false
	}
	for i := range r.workflow.Properties {
		p := &r.workflow.Properties[i]
		if !slices.Contains(properties, p.Name) {
			continue
		}
		if v, ok := c.Value(p.ID); ok && common.IsHexAddress(v) && common.HexToAddress(v) == mine {
			return true
		}
	}
	return false
}

func meet(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// Allows is nil if who asked for an action may still do it: it is asked again
// before the action is signed, because roles and states change while it waits.
// What refuses it is one of ErrForbidden, ErrDisabled, ErrNotAllowedNow,
// ErrNoCode, ErrNotFound, and ErrBusy, which passes. Any other error says that it
// is not known now.
func (w *Workspace) Allows(ctx context.Context, a offchain.Action) error {
	c, err := w.contract(ctx, a.ContractID)
	if err != nil {
		return err
	}
	who, err := w.person(ctx, a.PersonID)
	if err != nil {
		return hidden(err)
	}
	r, err := w.rule(ctx, who, c.WorkflowID)
	if err != nil {
		return err
	}
	if a.FunctionID == r.workflow.Constructor.ID {
		return r.create()
	}
	return r.act(c, a.FunctionID)
}
