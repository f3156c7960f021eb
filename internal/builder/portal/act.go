package portal

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/portal/page"
	"github.com/coco-consortium/coco/internal/builder/workspace"
	"github.com/coco-consortium/coco/internal/problem"
)

// given reads what a form brought before; nothing when it was not sent.
func (x *visit) given(name string) string {
	if x.r.Method != http.MethodPost {
		return ""
	}
	return x.r.PostFormValue(name)
}

// requestID is the form's own, which makes a second click harmless, or a new one.
func (x *visit) requestID() string {
	if id := x.given("request"); id != "" && len(id) <= 128 {
		return id
	}
	return rand.Text()
}

// refusedInput is a problem of what was written, which the form can show.
func refusedInput(err error) bool {
	code := string(problem.CodeOf(err))
	return strings.HasPrefix(code, "VALUE_") || strings.HasPrefix(code, "ARGUMENT") || strings.HasPrefix(code, "PARAMETER") || code == "INPUT_INVALID"
}

// create is the form for a new contract.
func create(x *visit) error {
	a, w, err := x.workflowOf()
	if err != nil {
		return err
	}
	may, err := x.person.CanCreate(x.ctx(), w.ID)
	if err != nil {
		return err
	}
	if !may {
		if !a.Enabled {
			return workspace.ErrDisabled
		}
		return workspace.ErrForbidden
	}
	name, back := label(w.DisplayName, w.Name), workflowURL(a.ID, w.ID)
	v := &page.Form{Frame: x.frame(x.T("contracts.new.title", "workflow", name), "applications", append(x.crumbs(a), page.Link{Text: name, URL: back})...),
		Lead: w.Description, Action: x.r.URL.Path, Submit: x.T("contracts.create"), Cancel: back, RequestID: x.requestID()}
	all, err := x.person.Connections(x.ctx())
	if err != nil {
		return err
	}
	connection := 0
	if len(all) > 0 {
		connection = all[0].ID
	}
	if chosen, err := strconv.Atoi(x.given("connection")); err == nil {
		connection = chosen
	}
	if v.Fields, err = x.asked(a, connection, w.Constructor.Parameters, x.given); err != nil {
		return err
	}
	places := len(v.Fields)
	if len(all) > 1 {
		f := page.Field{ID: "connection", Name: "connection", Label: x.T("contract.fact.ledger"), Kind: "select", Required: true}
		for i := range all {
			f.Options = append(f.Options, page.Option{Value: strconv.Itoa(all[i].ID), Text: connectionName(&all[i]), Chosen: all[i].ID == connection})
		}
		v.Fields = append(v.Fields, f)
	}
	if x.r.Method != http.MethodPost {
		return x.draw("form", v)
	}
	args, wrong := x.arguments(a, w.Constructor.Parameters, v.Fields[:places])
	if v.Wrong = wrong; len(wrong) > 0 {
		return x.drawAs(http.StatusUnprocessableEntity, "form", v)
	}
	in := workspace.Input{WorkflowID: w.ID, FunctionID: w.Constructor.ID, Arguments: args, RequestID: v.RequestID}
	if len(all) > 1 {
		in.ConnectionID = connection
	}
	if _, err = x.person.Create(x.ctx(), in); err != nil {
		return x.again(v, err)
	}
	return x.redirect(back + "?done=created")
}

// again shows a form with what was not right in it; other errors are given back.
func (x *visit) again(v *page.Form, err error) error {
	if !refusedInput(err) {
		return err
	}
	text, lang := x.clause(err)
	v.Wrong = []page.Wrong{{Text: text, Lang: lang}}
	return x.drawAs(http.StatusUnprocessableEntity, "form", v)
}

// functionOf reads the contract and the function of a path.
func (x *visit) functionOf() (*workspace.ContractDetail, *offchain.Function, error) {
	id, err := x.id("contract")
	if err != nil {
		return nil, nil, err
	}
	d, err := x.person.Contract(x.ctx(), id)
	if err != nil {
		return nil, nil, err
	}
	if id, err = x.id("function"); err != nil {
		return nil, nil, err
	}
	f := d.Workflow.Function(id)
	if f == nil || f.Constructor {
		return nil, nil, workspace.ErrNotFound
	}
	return d, f, nil
}

func (x *visit) functionForm(d *workspace.ContractDetail, f *offchain.Function) (*page.Form, error) {
	w, a, back := d.Workflow, d.Application, contractURL(d.ID)
	name := label(f.DisplayName, f.Name)
	v := &page.Form{Frame: x.frame(name, "applications", append(x.crumbs(a),
		page.Link{Text: label(w.DisplayName, w.Name), URL: workflowURL(a.ID, w.ID)}, page.Link{Text: x.T("contract.number", "id", d.ID), URL: back})...),
		Action: x.r.URL.Path, Cancel: back}
	if f.Description != "" {
		v.About = f.Description
	}
	var err error
	v.Fields, err = x.asked(a, d.ConnectionID, f.Parameters, x.given)
	return v, err
}

// act is the form for an action.
func act(x *visit) error {
	d, f, err := x.functionOf()
	if err != nil {
		return err
	}
	v, err := x.functionForm(d, f)
	if err != nil {
		return err
	}
	v.Lead = x.T("act.lead", "id", d.ID, "workflow", label(d.Workflow.DisplayName, d.Workflow.Name))
	v.Submit, v.RequestID = x.T("act.submit", "action", v.Title), x.requestID()
	if s := x.contractState(d.Workflow, &d.Contract); s != nil {
		v.Context = []page.Pair{{Name: x.T("act.state"), Value: page.Value{Kind: "state", State: s}}}
	}
	if x.r.Method != http.MethodPost {
		may, err := x.person.Allowed(x.ctx(), d.ID)
		switch {
		case err != nil:
			return err
		case !slices.ContainsFunc(may, func(o offchain.Function) bool { return o.ID == f.ID }):
			return x.mayNot(d)
		}
		return x.draw("form", v)
	}
	args, wrong := x.arguments(d.Application, f.Parameters, v.Fields)
	if v.Wrong = wrong; len(wrong) > 0 {
		return x.drawAs(http.StatusUnprocessableEntity, "form", v)
	}
	if _, err := x.person.Act(x.ctx(), d.ID, workspace.Input{FunctionID: f.ID, Arguments: args, RequestID: v.RequestID}); err != nil {
		return x.again(v, err)
	}
	return x.redirect(contractURL(d.ID) + "?done=acted")
}

// mayNot says why a function that exists cannot be called now.
func (x *visit) mayNot(d *workspace.ContractDetail) error {
	switch {
	case !d.Application.Enabled:
		return workspace.ErrDisabled
	case d.Status != offchain.StatusCommitted:
		return workspace.ErrBusy
	}
	return workspace.ErrNotAllowedNow
}

// ask calls a read-only function and shows its answer.
func ask(x *visit) error {
	d, f, err := x.functionOf()
	if err != nil {
		return err
	}
	if !f.ReadOnly {
		return workspace.ErrNotFound
	}
	v, err := x.functionForm(d, f)
	if err != nil {
		return err
	}
	v.Lead, v.Submit = x.T("read.lead"), x.T("read.submit")
	if x.r.Method != http.MethodPost {
		return x.draw("form", v)
	}
	args, wrong := x.arguments(d.Application, f.Parameters, v.Fields)
	if v.Wrong = wrong; len(wrong) > 0 {
		return x.drawAs(http.StatusUnprocessableEntity, "form", v)
	}
	answer, err := x.person.Call(x.ctx(), d.ID, f.ID, args)
	if reverted := (*ledger.Reverted)(nil); errors.As(err, &reverted) {
		v.Wrong = []page.Wrong{{Text: sentence(reverted.Error())}}
		return x.drawAs(http.StatusUnprocessableEntity, "form", v)
	}
	if err != nil {
		return x.again(v, err)
	}
	for i, r := range answer {
		pair := page.Pair{Name: r.Name, Value: page.Value{Kind: "text", Text: r.Value}}
		if i < len(f.Returns) {
			t := &f.Returns[i]
			pair = page.Pair{Name: label(t.DisplayName, t.Name), Value: x.shown(&t.Type, roleNames(d.Application), d.Workflow, d.ConnectionID, r.Value)}
		}
		if pair.Name == "" {
			pair.Name = x.T("read.answer")
		}
		v.Answer = append(v.Answer, pair)
	}
	return x.draw("form", v)
}

// actionOf reads the action of a path.
func (x *visit) actionOf() (*offchain.Action, error) {
	contract, err := x.id("contract")
	if err != nil {
		return nil, err
	}
	id, err := x.id("action")
	if err != nil {
		return nil, err
	}
	return x.person.Action(x.ctx(), contract, id)
}

// proof has the ledger's receipt of an action checked, and shows the result.
func proof(x *visit) error {
	a, err := x.actionOf()
	if err != nil {
		return err
	}
	back := contractURL(a.ContractID)
	v := &page.Proof{Frame: x.frame(x.T("proof.title"), "applications", page.Link{Text: x.T("contract.number", "id", a.ContractID), URL: back}), Back: back,
		Facts: []page.Pair{{Name: x.T("proof.transaction"), Value: page.Value{Kind: "hex", Hex: a.Hash.Hex()}},
			{Name: x.T("proof.block"), Value: page.Value{Kind: "number", Text: x.Group(strconv.FormatUint(a.BlockNumber, 10))}}}}
	if a.TxID != "" {
		v.Facts = append(v.Facts, page.Pair{Name: x.T("proof.txid"), Value: page.Value{Kind: "code", Text: a.TxID}})
	}
	p, err := x.person.Proof(x.ctx(), a.ID)
	switch {
	case errors.Is(err, ledger.ErrNoProof):
		v.Tone, v.Title, v.Text = "calm", x.T("proof.none"), x.T("proof.none.text")
		return x.draw("proof", v)
	case err != nil:
		return err
	case p.Verified:
		v.Tone, v.Title, v.Text = "good", x.T("proof.good"), x.T("proof.good.text")
	case p.Service == "":
		v.Tone, v.Title = "wait", x.T("proof.unpinned")
	default:
		v.Tone, v.Title, v.Text, v.Tongue = "bad", x.T("proof.bad"), sentence(p.Problem), "en"
	}
	var out bytes.Buffer
	if json.Indent(&out, p.Receipt, "", "  ") == nil {
		v.Receipt = out.String()
		v.Download = back + "/activity/" + strconv.Itoa(a.ID) + "/receipt"
	}
	return x.draw("proof", v)
}

// receipt is the receipt as a file, for `coco receipt verify`.
func receipt(x *visit) error {
	a, err := x.actionOf()
	if err != nil {
		return err
	}
	p, err := x.person.Proof(x.ctx(), a.ID)
	if errors.Is(err, ledger.ErrNoProof) || err == nil && len(p.Receipt) == 0 {
		return workspace.ErrNotFound
	}
	if err != nil {
		return err
	}
	h := x.w.Header()
	page.Protect(h)
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Disposition", `attachment; filename="receipt-`+strconv.Itoa(a.ID)+`.json"`)
	_, err = x.w.Write(p.Receipt)
	return err
}
