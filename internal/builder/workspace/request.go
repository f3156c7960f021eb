package workspace

import (
	"bytes"
	"context"
	"errors"

	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/workflow"
	"github.com/coco-consortium/coco/internal/problem"
)

const mostRequestID = 128

// earlier gives the action that the person asked for under the same request id
// before; nil when there is none.
func (p *Person) earlier(ctx context.Context, in Input) (*offchain.Action, error) {
	if in.RequestID == "" {
		return nil, nil
	}
	if len(in.RequestID) > mostRequestID {
		return nil, problem.Newf(ErrInput.Code, ErrInput.Next, "a request id has at most %d bytes", mostRequestID)
	}
	a, err := p.w.Store.ActionByRequest(ctx, p.ID, in.RequestID)
	if errors.Is(err, offchain.ErrNotFound) {
		return nil, nil
	}
	return a, err
}

// same is ErrRepeated unless a request is the one that an action was asked for by:
// the same function with the same values, however they are written.
func (w *Workspace) same(ctx context.Context, a *offchain.Action, of *offchain.Workflow, in Input) error {
	c, err := w.Store.Contract(ctx, a.ContractID)
	if err != nil {
		return err
	}
	f := of.Function(in.FunctionID)
	if f == nil || a.FunctionID != f.ID || in.CodeID != 0 && in.CodeID != c.CodeID || in.ConnectionID != 0 && in.ConnectionID != c.ConnectionID {
		return ErrRepeated
	}
	b, err := w.binding(ctx, c.CodeID, of)
	if err != nil {
		return err
	}
	pack := b.Create
	if !f.Constructor {
		pack = func(args []workflow.Argument) ([]byte, error) { return b.Call(f.Name, args) }
	}
	now, err := pack(in.Arguments)
	if err != nil {
		return err
	}
	var first []workflow.Argument
	for _, g := range a.Arguments {
		first = append(first, workflow.Argument{Name: g.Name, Value: g.Value})
	}
	if then, err := pack(first); err != nil || !bytes.Equal(then, now) {
		return ErrRepeated
	}
	return nil
}
