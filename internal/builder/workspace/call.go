package workspace

import (
	"context"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/workflow"
)

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
