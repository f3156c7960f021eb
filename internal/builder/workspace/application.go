package workspace

import (
	"context"
	"encoding/json"

	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/solidity"
	"github.com/coco-consortium/coco/internal/builder/workflow"
	"github.com/coco-consortium/coco/internal/problem"
)

// ErrRejected comes with the report that says why.
var ErrRejected = problem.New("CHECK_FAILED", "the files have errors", "mend what the report names and upload them again")

// ethereum is the one kind of ledger (Workbench: ledger id 1).
const ethereum = 1

// Applications lists those that the person sees: all for an administrator, else
// those in which they have a role.
func (p *Person) Applications(ctx context.Context, q ApplicationQuery) (List[offchain.Application], error) {
	ids, err := p.visible(ctx)
	if err != nil {
		return List[offchain.Application]{}, err
	}
	f := offchain.ApplicationFilter{IDs: ids, Name: q.Name, Enabled: q.Enabled, Search: q.Search, Page: offchain.Page(q.bounded())}
	if !q.Archived {
		f.Archived = new(false)
	}
	f.Order, err = order(q.Sort, map[string]offchain.OrderBy{"displayname": offchain.ByDisplayName, "name": offchain.ByName,
		"id": offchain.ByID, "createddttm": offchain.ByCreated})
	if err != nil {
		return List[offchain.Application]{}, err
	}
	return listed(p.w.Store.Applications(ctx, f))
}

// Application is one version of an application with its roles.
func (p *Person) Application(ctx context.Context, id int) (*offchain.Application, error) {
	return p.see(ctx, id)
}

// Versions are all versions of an application that the person sees, newest first.
func (p *Person) Versions(ctx context.Context, id int) ([]offchain.Application, error) {
	app, err := p.see(ctx, id)
	if err != nil {
		return nil, err
	}
	ids, err := p.visible(ctx)
	if err != nil {
		return nil, err
	}
	var all []offchain.Application
	for {
		l, err := p.w.Store.Applications(ctx, offchain.ApplicationFilter{IDs: ids, Name: app.Name,
			Order: offchain.Order{By: offchain.ByID, Descending: true}, Page: offchain.Page{Skip: len(all), Top: mostTop}})
		if all = append(all, l.Rows...); err != nil || !l.More {
			return all, err
		}
	}
}

// SetEnabled makes a version usable or read only.
func (p *Person) SetEnabled(ctx context.Context, id int, enabled bool) error {
	return p.turn(ctx, id, func(e *offchain.ApplicationEnabled) { e.Enabled = enabled })
}

// Archive takes a version out of lists, and makes it read only; or brings it back.
func (p *Person) Archive(ctx context.Context, id int, archived bool) error {
	return p.turn(ctx, id, func(e *offchain.ApplicationEnabled) { e.Archived, e.Enabled = archived, e.Enabled && !archived })
}

func (p *Person) turn(ctx context.Context, id int, change func(*offchain.ApplicationEnabled)) error {
	app, err := p.see(ctx, id)
	if err != nil {
		return err
	}
	if err := p.mustAdminister(); err != nil {
		return err
	}
	e := &offchain.ApplicationEnabled{ID: id, Enabled: app.Enabled, Archived: app.Archived, By: p.ID}
	if change(e); e.Enabled == app.Enabled && e.Archived == app.Archived {
		return nil
	}
	_, err = p.w.do(ctx, e)
	return err
}

// CheckApplication says what is wrong with a configuration.
func (p *Person) CheckApplication(ctx context.Context, name string, configuration []byte) (*workflow.Application, *workflow.Report, error) {
	if err := p.mustAdminister(); err != nil {
		return nil, nil, err
	}
	app, report := workflow.Parse(name, configuration)
	return app, report, nil
}

// CheckCode says what is wrong with a configuration and its code.
func (p *Person) CheckCode(ctx context.Context, name string, code []byte, configName string, configuration []byte) (*workflow.Report, error) {
	app, report, err := p.CheckApplication(ctx, configName, configuration)
	if err != nil || !report.OK() {
		return report, err
	}
	_, found, err := p.w.compile(ctx, app, name, code)
	if err != nil {
		return nil, err
	}
	report.Add(found)
	return report, nil
}

// AddApplication uploads a configuration: a new application, or the next version
// of one. It can be used when its code is there.
func (p *Person) AddApplication(ctx context.Context, name string, configuration []byte) (int, *workflow.Report, error) {
	app, report, err := p.CheckApplication(ctx, name, configuration)
	if err != nil {
		return 0, nil, err
	}
	if !report.OK() {
		return 0, report, ErrRejected
	}
	a, err := p.w.do(ctx, &offchain.ApplicationAdded{Name: app.Name, Configuration: withoutMark(configuration), By: p.ID})
	return a.ID, report, err
}

// AddCode uploads the code of an application and enables it; its earlier versions
// become read only.
func (p *Person) AddCode(ctx context.Context, applicationID, ledgerID int, name string, code []byte) (int, *workflow.Report, error) {
	if _, err := p.see(ctx, applicationID); err != nil {
		return 0, nil, err
	}
	if err := p.mustAdminister(); err != nil {
		return 0, nil, err
	}
	if ledgerID != ethereum {
		return 0, nil, problem.New("LEDGER_UNKNOWN", "there is no such kind of ledger", "use ledgerId=1")
	}
	configuration, err := p.w.Store.Configuration(ctx, applicationID)
	if err != nil {
		return 0, nil, hidden(err)
	}
	app, report := workflow.Parse("the configuration", configuration)
	if !report.OK() {
		return 0, report, ErrRejected
	}
	return p.addCode(ctx, app, applicationID, name, code)
}

func (p *Person) addCode(ctx context.Context, app *workflow.Application, applicationID int, name string, code []byte) (int, *workflow.Report, error) {
	out, report, err := p.w.compile(ctx, app, name, code)
	if err != nil {
		return 0, nil, err
	}
	if !report.OK() {
		return 0, report, ErrRejected
	}
	kept, err := json.Marshal(out)
	if err != nil {
		return 0, nil, err
	}
	a, err := p.w.do(ctx, &offchain.CodeAdded{ApplicationID: applicationID, LedgerID: ethereum, FileName: base(name), File: code, Output: kept, Enable: true, By: p.ID})
	return a.ID, report, err
}

// Deploy is both steps of an upload: nothing is kept unless both files are right.
func (p *Person) Deploy(ctx context.Context, configName string, configuration []byte, codeName string, code []byte) (int, *workflow.Report, error) {
	app, report, err := p.CheckApplication(ctx, configName, configuration)
	if err != nil {
		return 0, nil, err
	}
	if !report.OK() {
		return 0, report, ErrRejected
	}
	out, found, err := p.w.compile(ctx, app, codeName, code)
	if err != nil {
		return 0, nil, err
	}
	if report.Add(found); !report.OK() {
		return 0, report, ErrRejected
	}
	kept, err := json.Marshal(out)
	if err != nil {
		return 0, nil, err
	}
	a, err := p.w.do(ctx, &offchain.ApplicationDeployed{By: p.ID,
		Application: offchain.ApplicationAdded{Name: app.Name, Configuration: withoutMark(configuration)},
		Code:        offchain.CodeAdded{LedgerID: ethereum, FileName: base(codeName), File: code, Output: kept, Enable: true}})
	return a.ID, report, err
}

// compile makes of code what is in it, and checks it against a configuration.
func (w *Workspace) compile(ctx context.Context, app *workflow.Application, name string, code []byte) (*solidity.Output, *workflow.Report, error) {
	out, err := w.Compiler.Output(ctx, name, code)
	if err != nil {
		return nil, nil, err
	}
	return out, workflow.Check(app, out, w.Strict), nil
}
