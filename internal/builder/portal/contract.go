package portal

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/portal/page"
	"github.com/coco-consortium/coco/internal/builder/workspace"
)

// newestShown is how many actions a contract's page has at first.
const newestShown = 50

// slow is after how long a page says that it takes longer than usual.
const slow = time.Minute

// contract is one contract: its status, its values, what one can do, what was done.
func contract(x *visit) error {
	id, err := x.id("contract")
	if err != nil {
		return err
	}
	d, err := x.person.Contract(x.ctx(), id)
	if err != nil {
		return err
	}
	w, a := d.Workflow, d.Application
	number := x.T("contract.number", "id", d.ID)
	back := page.Link{Text: label(w.DisplayName, w.Name), URL: workflowURL(a.ID, w.ID)}
	v := &page.Contract{Frame: x.frame(number, "applications", append(x.crumbs(a), back)...), ID: d.ID,
		Workflow: label(w.DisplayName, w.Name), State: x.contractState(w, &d.Contract), Status: x.contractNotice(d)}
	v.Frame.Events = "/events?contract=" + strconv.Itoa(d.ID)
	if d.Status != offchain.StatusCommitted {
		v.State = nil
	}
	v.States = x.path(d)
	v.Details = x.details(d)
	if err := x.offers(v, d); err != nil {
		return err
	}
	connection, err := x.person.Connection(x.ctx(), d.ConnectionID)
	if err != nil {
		return err
	}
	v.Facts = x.facts(d, connection)
	actions := slices.Clone(d.Actions)
	slices.Reverse(actions)
	if len(actions) > newestShown && x.r.URL.Query().Get("activity") != "all" {
		actions, v.More = actions[:newestShown], x.with("activity", "all")+"#activity-title"
	}
	for i := range actions {
		v.Activity = append(v.Activity, x.event(d, connection, &actions[i]))
	}
	return x.draw("contract", v)
}

// contractNotice says how far a contract is that is not on the ledger.
func (x *visit) contractNotice(d *workspace.ContractDetail) *page.Notice {
	c := &d.Contract
	key := "contract.status." + strconv.Itoa(c.Status)
	switch c.Status {
	case offchain.StatusCommitted:
		return nil
	case offchain.StatusAsked, offchain.StatusSent:
		if len(d.Actions) > 0 {
			if why, lang := x.waits(&d.Actions[0]); why != "" {
				return &page.Notice{Tone: "wait", Title: x.T(key, "id", c.ID), Text: why, Lang: lang}
			}
		}
		if x.p.pages.Now().Sub(c.CreatedAt) > slow {
			return &page.Notice{Tone: "wait", Title: x.T("contract.status.1.slow", "id", c.ID)}
		}
		return &page.Notice{Tone: "busy", Title: x.T(key, "id", c.ID)}
	}
	n := &page.Notice{Tone: "bad", Title: x.T(key, "id", c.ID)}
	if c.RequestID != "" {
		n.Text = x.T("event.request", "id", c.RequestID)
	}
	return n
}

// path is the workflow's states, with those that were reached.
func (x *visit) path(d *workspace.ContractDetail) []page.Step {
	if d.Status != offchain.StatusCommitted {
		return nil
	}
	been := map[int]bool{}
	for _, a := range d.Actions {
		been[a.StateID] = true
	}
	var steps []page.Step
	for _, s := range d.Workflow.States {
		kind := "open"
		switch {
		case s.ID == d.StateID:
			kind = "here"
		case been[s.ID]:
			kind = "been"
		}
		steps = append(steps, page.Step{ID: s.ID, Text: label(s.DisplayName, s.Name), Kind: kind})
	}
	return steps
}

func (x *visit) details(d *workspace.ContractDetail) []page.Pair {
	var out []page.Pair
	for i := range d.Workflow.Properties {
		p := &d.Workflow.Properties[i]
		text, ok := d.Value(p.ID)
		if !ok {
			continue
		}
		pair := page.Pair{Name: label(p.DisplayName, p.Name), Value: x.shown(&p.Type.Type, roleNames(d.Application), d.Workflow, d.ConnectionID, text)}
		if p.Type.Name == "contract" {
			pair.Value = x.linked(d.ConnectionID, pair.Value)
		}
		if slices.Contains(d.Unread, p.ID) {
			pair.Hint = x.T("contract.unread")
		}
		out = append(out, pair)
	}
	return out
}

// linked is a contract's address as a link, if the person sees that contract.
func (x *visit) linked(connection int, v page.Value) page.Value {
	if v.Hex == "" {
		return v
	}
	list, err := x.person.Contracts(x.ctx(), workspace.ContractQuery{Address: v.Hex, ConnectionID: connection})
	if err != nil || len(list.Items) == 0 {
		return v
	}
	c := list.Items[0]
	return page.Value{Kind: "link", Text: x.T("contract.number", "id", c.ID), URL: contractURL(c.ID), Hex: v.Hex}
}

// offers are what the person may do now, or why there is nothing; and how the last
// thing that they did is doing.
func (x *visit) offers(v *page.Contract, d *workspace.ContractDetail) error {
	may, err := x.person.Allowed(x.ctx(), d.ID)
	if err != nil {
		return err
	}
	at := func(kind string, f *offchain.Function) page.Offer {
		o := page.Offer{Text: label(f.DisplayName, f.Name), Hint: f.Description, URL: contractURL(d.ID) + "/" + kind + "/" + strconv.Itoa(f.ID)}
		if s := d.Workflow.State(d.StateID); s != nil && kind == "act" {
			for _, t := range s.Transitions {
				if t.FunctionID == f.ID {
					o.Text, o.Hint = cmp.Or(t.DisplayName, o.Text), cmp.Or(t.Description, o.Hint)
					break
				}
			}
		}
		return o
	}
	for i := range may {
		v.Offers = append(v.Offers, at("act", &may[i]))
	}
	if d.Status == offchain.StatusCommitted {
		for i := range d.Workflow.Functions {
			if f := &d.Workflow.Functions[i]; f.ReadOnly {
				v.Reads = append(v.Reads, at("ask", f))
			}
		}
	}
	if len(may) == 0 {
		v.Why, err = x.why(d)
	}
	v.Progress = x.progress(d)
	return err
}

// why says why the person can do nothing.
func (x *visit) why(d *workspace.ContractDetail) (string, error) {
	switch {
	case d.Status == offchain.StatusAsked || d.Status == offchain.StatusSent:
		return x.T("contract.why.busy"), nil
	case d.Status != offchain.StatusCommitted:
		return x.T("contract.why.failed"), nil
	case !d.Application.Enabled:
		return x.T("contract.why.disabled"), nil
	}
	roles, err := x.person.Roles(x.ctx(), d.ApplicationID)
	if err != nil {
		return "", err
	}
	s := d.Workflow.State(d.StateID)
	switch {
	case len(roles) == 0:
		return x.T("contract.why.norole"), nil
	case s == nil:
		return x.T("contract.why.end", "state", d.State), nil
	case len(s.Transitions) == 0:
		return x.T("contract.why.end", "state", label(s.DisplayName, s.Name)), nil
	}
	var who []string
	add := func(name string) {
		if name != "" && !slices.Contains(who, name) {
			who = append(who, name)
		}
	}
	for _, t := range s.Transitions {
		for _, r := range t.AllowedRoles {
			add(r)
		}
		for _, name := range t.AllowedInstanceRoles {
			add(x.instance(d, name))
		}
	}
	if len(who) == 0 {
		return x.T("contract.why.contracts", "state", label(s.DisplayName, s.Name)), nil
	}
	return x.T("contract.why.others", "state", label(s.DisplayName, s.Name), "who", strings.Join(who, ", ")), nil
}

// instance names who a property of a contract holds.
func (x *visit) instance(d *workspace.ContractDetail, property string) string {
	for i := range d.Workflow.Properties {
		p := &d.Workflow.Properties[i]
		if p.Name != property {
			continue
		}
		text, _ := d.Value(p.ID)
		if !common.IsHexAddress(text) || common.HexToAddress(text) == (common.Address{}) {
			return ""
		}
		if name := x.nameOf(d.ConnectionID, common.HexToAddress(text)); name != "" {
			return label(p.DisplayName, p.Name) + " (" + name + ")"
		}
		return label(p.DisplayName, p.Name)
	}
	return ""
}

// progress tells of the person's own last action while it is on its way, and when
// it did not happen.
func (x *visit) progress(d *workspace.ContractDetail) *page.Notice {
	if len(d.Actions) == 0 || d.Status != offchain.StatusCommitted {
		return nil
	}
	last := &d.Actions[len(d.Actions)-1]
	if last.PersonID != x.person.ID {
		return nil
	}
	what := x.what(d.Workflow, last)
	switch last.Status {
	case offchain.StatusAsked, offchain.StatusSent:
		n := &page.Notice{Tone: "busy", Title: x.T("contract.progress."+strconv.Itoa(last.Status), "what", what)}
		if n.Text, n.Lang = x.waits(last); n.Text != "" {
			n.Tone = "wait"
		}
		return n
	case offchain.StatusCommitted:
		return nil
	}
	n := &page.Notice{Tone: "bad", Title: x.T("contract.failed", "what", what)}
	if n.Text, n.Lang = x.reason(last); n.Lang == "" {
		n.Text = strings.TrimSpace(n.Text + " " + x.T("action.status."+strconv.Itoa(last.Status)+".text"))
	}
	return n
}

func (x *visit) facts(d *workspace.ContractDetail, c *offchain.Connection) []page.Pair {
	by := x.face(d.DeployedBy)
	facts := []page.Pair{}
	if d.Address != (common.Address{}) {
		facts = append(facts, page.Pair{Name: x.T("contract.fact.address"), Value: page.Value{Kind: "hex", Hex: strings.ToLower(d.Address.Hex())}})
	}
	return append(facts,
		page.Pair{Name: x.T("contract.fact.ledger"), Value: page.Value{Kind: "link", Text: connectionName(c), URL: ledgerURL(c.ID) + "/blocks"}},
		page.Pair{Name: x.T("contract.fact.by"), Value: page.Value{Kind: "face", Face: &by}},
		page.Pair{Name: x.T("contract.fact.at"), Value: page.Value{Kind: "when", At: d.CreatedAt}})
}

// what names an action.
func (x *visit) what(w *offchain.Workflow, a *offchain.Action) string {
	f := w.Function(a.FunctionID)
	switch {
	case f == nil:
		return cmp.Or(a.FunctionName, x.T("event.created"))
	case f.Constructor:
		return x.T("event.created")
	}
	return label(f.DisplayName, f.Name)
}

// reason is why an action failed, in the contract's words where it has some; lang is
// its language when that is not the page's.
func (x *visit) reason(a *offchain.Action) (text, lang string) {
	switch {
	case a.RevertReason != "":
		return x.T("action.reason", "reason", a.RevertReason), ""
	case a.ErrorMessage != "" || a.ErrorCode != "":
		text, _, lang = x.Problem(a.ErrorCode, cmp.Or(sentence(a.ErrorMessage), a.ErrorCode), "")
	}
	return text, lang
}

// waits says why an action gets no further, if that is known; lang is its language
// when that is not the page's.
func (x *visit) waits(a *offchain.Action) (text, lang string) {
	if a.ErrorCode == "" {
		return "", ""
	}
	text, _, lang = x.Problem(a.ErrorCode, sentence(a.ErrorMessage), "")
	return x.T("action.waits", "reason", text), lang
}

// event is an action in the timeline.
func (x *visit) event(d *workspace.ContractDetail, c *offchain.Connection, a *offchain.Action) page.Event {
	w := d.Workflow
	e := page.Event{ID: a.ID, What: x.what(w, a), By: x.face(a.PersonID), At: a.At, Tag: x.statusTag(a.Status)}
	if e.By.Name == "" && a.From != (common.Address{}) {
		e.By = x.account(a.ConnectionID, a.From)
	}
	if a.CallerContractID != 0 {
		e.Via = x.T("event.contract", "id", a.CallerContractID)
	}
	f := w.Function(a.FunctionID)
	for _, arg := range a.Arguments {
		pair := page.Pair{Name: label(arg.DisplayName, arg.Name), Value: page.Value{Kind: "text", Text: arg.Value}}
		if f != nil {
			for i := range f.Parameters {
				if p := &f.Parameters[i]; p.ID == arg.ParameterID || arg.ParameterID == 0 && p.Name == arg.Name {
					pair.Name = label(p.DisplayName, p.Name)
					pair.Value = x.shown(&p.Type.Type, roleNames(d.Application), w, d.ConnectionID, arg.Value)
				}
			}
		}
		e.Values = append(e.Values, pair)
	}
	if a.Status == offchain.StatusCommitted {
		e.State = x.state(w, w.State(a.StateID), "")
	}
	if a.Status < offchain.StatusCommitted {
		e.Pending = true
		e.Error, e.Lang = x.waits(a)
	}
	if a.Status >= offchain.StatusRefused {
		e.Hint = x.T("action.status." + strconv.Itoa(a.Status) + ".text")
		e.Error, e.Lang = x.reason(a)
		if a.RequestID != "" {
			e.Hint += " " + x.T("event.request", "id", a.RequestID)
		}
	}
	if a.TransactionID != 0 {
		e.Block, e.BlockURL = x.Group(strconv.FormatUint(a.BlockNumber, 10)), ledgerURL(a.ConnectionID)+"/blocks/"+strconv.Itoa(a.BlockID)
		e.HashURL = ledgerURL(a.ConnectionID) + "/transactions/" + strconv.Itoa(a.TransactionID)
		if c.Kind == "coco" {
			e.Verify = contractURL(d.ID) + "/activity/" + strconv.Itoa(a.ID) + "/proof"
		}
	}
	if a.Hash != (common.Hash{}) {
		e.Hash = a.Hash.Hex()
	}
	return e
}
