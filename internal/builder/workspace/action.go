package workspace

import (
	"cmp"
	"context"
	"crypto/rand"

	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/problem"
)

// CanCreate is whether the person may make a contract of a workflow now.
func (p *Person) CanCreate(ctx context.Context, workflowID int) (bool, error) {
	w, err := p.Workflow(ctx, workflowID)
	if err != nil {
		return false, err
	}
	r, err := p.w.rule(ctx, &p.Person, w.ID)
	return err == nil && r.create() == nil, err
}

// Allowed are the functions that the person may call on a contract in its present
// state, each once, by display name.
func (p *Person) Allowed(ctx context.Context, contractID int) ([]offchain.Function, error) {
	c, _, err := p.seeContract(ctx, contractID)
	if err != nil {
		return nil, err
	}
	r, err := p.w.rule(ctx, &p.Person, c.WorkflowID)
	if err != nil {
		return nil, err
	}
	return r.allowed(c), nil
}

// Create asks for a new contract and gives its id. What becomes of it is seen in
// its status.
func (p *Person) Create(ctx context.Context, in Input) (int, error) {
	w, err := p.Workflow(ctx, in.WorkflowID)
	if err != nil {
		return 0, err
	}
	in.FunctionID = cmp.Or(in.FunctionID, w.Constructor.ID)
	switch a, err := p.earlier(ctx, in); { // before the rule: the application may be read only since
	case err != nil:
		return 0, err
	case a != nil:
		return a.ContractID, p.w.same(ctx, a, w, in)
	}
	r, err := p.w.rule(ctx, &p.Person, w.ID)
	if err != nil {
		return 0, err
	}
	if err := r.create(); err != nil {
		return 0, err
	}
	if in.FunctionID != w.Constructor.ID {
		return 0, ErrFunction
	}
	connection, err := p.connectionOf(ctx, in.ConnectionID)
	if err != nil {
		return 0, err
	}
	code, err := p.w.codeOf(ctx, w.ApplicationID, in.CodeID)
	if err != nil {
		return 0, err
	}
	b, err := p.w.binding(ctx, code, w)
	if err != nil {
		return 0, err
	}
	if _, err := b.Create(in.Arguments); err != nil {
		return 0, err
	}
	shown := b.Shown("", in.Arguments)
	e := &offchain.ContractRequested{WorkflowID: w.ID, CodeID: code, ConnectionID: connection, PersonID: p.ID, Arguments: shown,
		RequestID: cmp.Or(in.RequestID, rand.Text())}
	switch a, err := p.w.do(ctx, e); {
	case err != nil:
		return 0, err
	case a.Repeated: // at the same time
		return p.Create(ctx, in)
	}
	return e.ContractID, nil
}

// Act asks for a function to be called on a contract and gives the action's id.
func (p *Person) Act(ctx context.Context, contractID int, in Input) (int, error) {
	c, _, err := p.seeContract(ctx, contractID)
	if err != nil {
		return 0, err
	}
	r, err := p.w.rule(ctx, &p.Person, c.WorkflowID)
	if err != nil {
		return 0, err
	}
	switch a, err := p.earlier(ctx, in); { // before the rule: the state may have moved on since
	case err != nil:
		return 0, err
	case a != nil && a.ContractID != contractID:
		return 0, ErrRepeated
	case a != nil:
		return a.ID, p.w.same(ctx, a, r.workflow, in)
	}
	f := r.workflow.Function(in.FunctionID)
	if f == nil || f.Constructor || f.ReadOnly {
		return 0, ErrFunction
	}
	if err := r.act(c, f.ID); err != nil {
		return 0, err
	}
	b, err := p.w.binding(ctx, c.CodeID, r.workflow)
	if err != nil {
		return 0, err
	}
	if _, err := b.Call(f.Name, in.Arguments); err != nil {
		return 0, err
	}
	shown := b.Shown(f.Name, in.Arguments)
	e := &offchain.ActionRequested{ContractID: c.ID, FunctionID: f.ID, PersonID: p.ID, Arguments: shown,
		RequestID: cmp.Or(in.RequestID, rand.Text())}
	switch a, err := p.w.do(ctx, e); {
	case err != nil:
		return 0, err
	case a.Repeated: // at the same time
		return p.Act(ctx, contractID, in)
	}
	return e.ActionID, nil
}

func (p *Person) connectionOf(ctx context.Context, id int) (int, error) {
	id = cmp.Or(id, p.w.Default)
	if _, err := p.w.Store.Connection(ctx, id); err != nil || p.w.Drivers[id] == nil {
		return 0, problem.New("CONNECTION_UNKNOWN", "there is no such connection", "leave connectionId out, or use one of GET /ledgers/connections")
	}
	return id, nil
}
