// Package binding finds and keeps the bindings of workflows to their contracts:
// what turns a person's words into a contract's bytes and back, made of an
// application's configuration and code as the store has them.
package binding

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/solidity"
	"github.com/coco-consortium/coco/internal/builder/workflow"
	"github.com/coco-consortium/coco/internal/problem"
)

// ErrUnbound says that a workflow has no usable contract in a code.
var ErrUnbound = problem.New("BINDING_MISSING", "the application's code has no contract for this workflow",
	"add a version of the application whose code has it")

// Bound is a workflow of an application bound to the contract of one code. It
// must not be changed.
type Bound struct {
	ApplicationID, CodeID int
	Workflow              *offchain.Workflow
	Binding               *workflow.Binding
}

// Book keeps bindings. Applications and codes never change once they are added,
// so it never forgets. It may be used by many goroutines at once; one book
// belongs to one store.
type Book struct {
	mu    sync.Mutex
	bound map[page]*Bound
	codes map[int][]*Bound // by code id: those with code to recognise
}

type page struct{ workflow, code int }

// New makes an empty book.
func New() *Book {
	return &Book{bound: map[page]*Bound{}, codes: map[int][]*Bound{}}
}

// Of gives the binding of a workflow to its contract in a code. BINDING_MISSING:
// there is no such contract, or it does not fit; ROW_NOT_FOUND: no such row.
func (b *Book) Of(ctx context.Context, r offchain.Reader, workflowID, codeID int) (*Bound, error) {
	key := page{workflowID, codeID}
	b.mu.Lock()
	known := b.bound[key]
	b.mu.Unlock()
	if known != nil {
		return known, nil
	}
	row, err := r.Workflow(ctx, workflowID)
	if err != nil {
		return nil, err
	}
	if _, err := b.read(ctx, r, row.ApplicationID, codeID); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if known = b.bound[key]; known == nil {
		return nil, ErrUnbound.From(fmt.Errorf("workflow %s in code %d", row.Name, codeID))
	}
	return known, nil
}

// Recognise lists what the init code of a contract may be an instance of, in the
// order of the codes: oldest first.
func (b *Book) Recognise(ctx context.Context, r offchain.Reader, init []byte) ([]*Bound, error) {
	codes, err := r.Codes(ctx, 0, 0)
	if err != nil {
		return nil, err
	}
	var found []*Bound
	for _, c := range codes {
		all, err := b.read(ctx, r, c.ApplicationID, c.ID)
		if err != nil {
			return nil, err
		}
		for _, bound := range all {
			if bound.Binding.Matches(init) {
				found = append(found, bound)
			}
		}
	}
	return found, nil
}

// read binds all workflows of an application to one of its codes.
func (b *Book) read(ctx context.Context, r offchain.Reader, applicationID, codeID int) ([]*Bound, error) {
	b.mu.Lock()
	known, ok := b.codes[codeID]
	b.mu.Unlock()
	if ok {
		return known, nil
	}
	text, err := r.Configuration(ctx, applicationID)
	if err != nil {
		return nil, err
	}
	var app workflow.Application
	if err := json.Unmarshal(text, &app); err != nil {
		return nil, fmt.Errorf("the configuration of application %d: %w", applicationID, err)
	}
	text, err = r.CodeOutput(ctx, codeID)
	if err != nil {
		return nil, err
	}
	var out solidity.Output
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, fmt.Errorf("the output of code %d: %w", codeID, err)
	}
	rows, err := r.Workflows(ctx, applicationID)
	if err != nil {
		return nil, err
	}
	bound := []*Bound{}
	for i := range rows {
		c := contract(&out, rows[i].Name)
		if c == nil {
			continue
		}
		binding, err := workflow.Bind(&app, rows[i].Name, c)
		if err != nil {
			continue // Of says so to whoever asks for it
		}
		bound = append(bound, &Bound{ApplicationID: applicationID, CodeID: codeID, Workflow: &rows[i], Binding: binding})
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, one := range bound {
		b.bound[page{one.Workflow.ID, codeID}] = one
	}
	b.codes[codeID] = bound
	return bound, nil
}

// contract is the deployable contract of a name.
func contract(out *solidity.Output, name string) *solidity.Contract {
	for _, c := range out.Named(name) {
		if !c.Abstract && len(c.Bytecode) > 0 {
			return c
		}
	}
	return nil
}
