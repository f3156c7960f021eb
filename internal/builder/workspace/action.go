package workspace

import (
	"cmp"
	"context"
	"crypto/rand"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/workflow"
	"github.com/coco-consortium/coco/internal/problem"
)

const mostRequestID = 128

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
	if in.RequestID != "" { // asked again: the application may be read only since
		if a, err := p.w.Store.ActionByRequest(ctx, p.ID, in.RequestID); err == nil {
			return p.asked(ctx, a, w)
		}
	}
	r, err := p.w.rule(ctx, &p.Person, w.ID)
	if err != nil {
		return 0, err
	}
	if err := r.create(); err != nil {
		return 0, err
	}
	if in.FunctionID != 0 && in.FunctionID != w.Constructor.ID {
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
	e := &offchain.ContractRequested{WorkflowID: w.ID, CodeID: code, ConnectionID: connection, PersonID: p.ID, Arguments: in.Arguments}
	if e.RequestID, err = requestID(in.RequestID); err != nil {
		return 0, err
	}
	a, err := p.w.do(ctx, e)
	if err != nil {
		return 0, err
	}
	if a.Repeated { // at the same time
		first, err := p.w.Store.ActionByRequest(ctx, p.ID, e.RequestID)
		if err != nil {
			return 0, err
		}
		return p.asked(ctx, first, w)
	}
	return e.ContractID, nil
}

// asked is the contract that an earlier request with the same id asked for.
func (p *Person) asked(ctx context.Context, a *offchain.Action, w *offchain.Workflow) (int, error) {
	c, err := p.w.Store.Contract(ctx, a.ContractID)
	if err != nil {
		return 0, err
	}
	return c.ID, same(c.WorkflowID == w.ID && a.FunctionID == w.Constructor.ID)
}

// Act asks for a function to be called on a contract and gives the action's id.
func (p *Person) Act(ctx context.Context, contractID int, in Input) (int, error) {
	c, _, err := p.seeContract(ctx, contractID)
	if err != nil {
		return 0, err
	}
	id, err := requestID(in.RequestID)
	if err != nil {
		return 0, err
	}
	if in.RequestID != "" { // asked again: the state may have moved on since
		if a, err := p.w.Store.ActionByRequest(ctx, p.ID, id); err == nil {
			return a.ID, same(a.ContractID == contractID && a.FunctionID == in.FunctionID)
		}
	}
	r, err := p.w.rule(ctx, &p.Person, c.WorkflowID)
	if err != nil {
		return 0, err
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
	e := &offchain.ActionRequested{ContractID: c.ID, FunctionID: f.ID, PersonID: p.ID, Arguments: in.Arguments, RequestID: id}
	a, err := p.w.do(ctx, e)
	if err != nil {
		return 0, err
	}
	if a.Repeated { // at the same time
		first, err := p.w.Store.ActionByRequest(ctx, p.ID, id)
		if err != nil {
			return 0, err
		}
		return first.ID, same(first.ContractID == contractID && first.FunctionID == f.ID)
	}
	return e.ActionID, nil
}

// same is ErrRepeated unless a request is the one that its id was used for.
func same(is bool) error {
	if !is {
		return ErrRepeated
	}
	return nil
}

// requestID checks the id that a caller chose, or makes one.
func requestID(id string) (string, error) {
	if len(id) > mostRequestID {
		return "", problem.Newf(ErrInput.Code, ErrInput.Next, "a request id has at most %d bytes", mostRequestID)
	}
	return cmp.Or(id, rand.Text()), nil
}

func (p *Person) connectionOf(ctx context.Context, id int) (int, error) {
	id = cmp.Or(id, p.w.Default)
	if _, err := p.w.Store.Connection(ctx, id); err != nil || p.w.Drivers[id] == nil {
		return 0, problem.New("CONNECTION_UNKNOWN", "there is no such connection", "leave connectionId out, or use one of GET /ledgers/connections")
	}
	return id, nil
}

// Call asks a contract a question: a read-only function (an extension of Workbench)
// on its newest state. Whoever sees the contract may.
func (p *Person) Call(ctx context.Context, contractID, functionID int, args []workflow.Argument) ([]workflow.Argument, error) {
	c, _, err := p.seeContract(ctx, contractID)
	if err != nil {
		return nil, err
	}
	w, err := p.w.workflow(ctx, c.WorkflowID)
	if err != nil {
		return nil, err
	}
	f, driver := w.Function(functionID), p.w.Drivers[c.ConnectionID]
	switch {
	case f == nil || !f.ReadOnly:
		return nil, ErrFunction
	case c.Address == (common.Address{}) || driver == nil:
		return nil, ErrBusy
	}
	b, err := p.w.binding(ctx, c.CodeID, w)
	if err != nil {
		return nil, err
	}
	data, err := b.Call(f.Name, args)
	if err != nil {
		return nil, err
	}
	head, err := driver.Head(ctx)
	if err != nil {
		return nil, err
	}
	from, _ := p.Address(c.ConnectionID)
	results, err := driver.Read(ctx, head, []ledger.Call{{From: from, To: c.Address, Data: data}})
	if err != nil {
		return nil, err
	}
	if results[0].Err != nil {
		return nil, results[0].Err
	}
	return b.DecodeReturn(f.Name, results[0].Data)
}
