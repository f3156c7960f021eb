package workspace

import (
	"bytes"
	"context"
	"path"
	"strings"

	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/workflow"
	"github.com/coco-consortium/coco/internal/problem"
)

// ErrNoCode is an application whose second file was never uploaded.
var ErrNoCode = problem.New("CODE_MISSING", "the application has no contract code yet", "an administrator uploads it")

// base is the last part of an uploaded file's name, whatever system it is from.
func base(name string) string { return path.Base(strings.ReplaceAll(name, `\`, "/")) }

// Codes lists an application's code; ledgerID 0: for every kind of ledger.
func (p *Person) Codes(ctx context.Context, applicationID, ledgerID int, page Page) (List[offchain.ContractCode], error) {
	if _, err := p.see(ctx, applicationID); err != nil {
		return List[offchain.ContractCode]{}, err
	}
	all, err := p.w.Store.Codes(ctx, applicationID, ledgerID)
	return part(all, page), err
}

// CodeFile is the file that was uploaded.
func (p *Person) CodeFile(ctx context.Context, codeID int) (name string, content []byte, err error) {
	code, err := p.w.Store.Code(ctx, codeID)
	if err != nil {
		return "", nil, hidden(err)
	}
	if _, err := p.see(ctx, code.ApplicationID); err != nil {
		return "", nil, err
	}
	content, err = p.w.Store.CodeFile(ctx, codeID)
	return code.FileName, content, err
}

// Workflows lists an application's workflows.
func (p *Person) Workflows(ctx context.Context, applicationID int, page Page) (List[offchain.Workflow], error) {
	app, err := p.see(ctx, applicationID)
	if err != nil {
		return List[offchain.Workflow]{}, err
	}
	all := make([]offchain.Workflow, 0, len(app.WorkflowIDs))
	for _, id := range app.WorkflowIDs {
		w, err := p.w.workflow(ctx, id)
		if err != nil {
			return List[offchain.Workflow]{}, err
		}
		all = append(all, *w)
	}
	return part(all, page), nil
}

// Workflow is a whole workflow.
func (p *Person) Workflow(ctx context.Context, id int) (*offchain.Workflow, error) {
	w, err := p.w.workflow(ctx, id)
	if err != nil {
		return nil, hidden(err)
	}
	if _, err := p.see(ctx, w.ApplicationID); err != nil {
		return nil, err
	}
	return w, nil
}

// binding is how a workflow's values and calls are written for the code of its application.
func (w *Workspace) binding(ctx context.Context, codeID int, wf *offchain.Workflow) (*workflow.Binding, error) {
	b, err := w.Book.Of(ctx, w.Store, wf.ID, codeID)
	if err != nil {
		return nil, err
	}
	return b.Binding, nil
}

// withoutMark is a text without the byte order mark that some editors write.
func withoutMark(text []byte) []byte { return bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) }

// codeOf is the code that a new contract is made from: the one that was asked
// for, or the application's only one.
func (w *Workspace) codeOf(ctx context.Context, applicationID, codeID int) (int, error) {
	all, err := w.Store.Codes(ctx, applicationID, ethereum)
	if err != nil {
		return 0, err
	}
	for _, c := range all {
		if codeID == 0 || c.ID == codeID {
			return c.ID, nil
		}
	}
	if codeID != 0 {
		return 0, problem.New("CODE_UNKNOWN", "the application has no such contract code", "leave contractCodeId out, or use one of the application's list")
	}
	return 0, ErrNoCode
}
