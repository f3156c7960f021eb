package portal

import (
	"bytes"
	"encoding/json"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/portal/page"
	"github.com/coco-consortium/coco/internal/builder/workflow"
	"github.com/coco-consortium/coco/internal/builder/workspace"
)

// face shows a person of this installation; 0 is nobody known.
func (x *visit) face(id int) page.Face {
	if id == 0 {
		return page.Face{}
	}
	who, err := x.person.User(x.ctx(), id)
	if err != nil {
		return page.Face{}
	}
	return page.Face{Name: workspace.DisplayName(who), You: id == x.person.ID}
}

// account shows who an address belongs to: a person's name if there is one.
func (x *visit) account(connection int, a common.Address) page.Face {
	f := page.Face{Address: strings.ToLower(a.Hex()), Name: x.nameOf(connection, a)}
	if mine, ok := x.person.Address(connection); ok && mine == a {
		f.You = true
	}
	return f
}

func (x *visit) nameOf(connection int, a common.Address) string {
	key := strconv.Itoa(connection) + a.Hex()
	name, ok := x.names[key]
	if !ok {
		name = x.person.NameOf(x.ctx(), connection, a)
		x.names[key] = name
	}
	return name
}

// kinds of values, beside the base types' own.
const kindAddress = "address"

// kindOf folds types into those that are shown and asked for in their own way: a
// role's name and every type that holds an account or a contract is an address.
func kindOf(t *workflow.Type, roles map[string]bool) string {
	switch {
	case roles[t.Name], t.Name == "user", t.Name == "contract":
		return kindAddress
	case offchain.BaseTypes[t.Name] == 0:
		return kindAddress
	}
	return t.Name
}

// shown is a value in wire form, ready to be read. w is for states.
func (x *visit) shown(t *workflow.Type, roles map[string]bool, w *offchain.Workflow, connection int, text string) page.Value {
	switch kindOf(t, roles) {
	case "int", "money":
		return page.Value{Kind: "number", Text: x.Group(text)}
	case "bool":
		if text == "true" {
			return page.Value{Kind: "text", Text: x.T("field.yes")}
		}
		return page.Value{Kind: "text", Text: x.T("field.no")}
	case "time":
		return x.moment(text)
	case "enum":
		if i, err := strconv.Atoi(text); err == nil && i >= 0 && i < len(t.EnumValues) {
			return page.Value{Kind: "text", Text: t.EnumValues[i]}
		}
	case "state":
		if w != nil {
			return page.Value{Kind: "state", State: x.state(w, w.StateOf(text), text)}
		}
	case kindAddress:
		if !common.IsHexAddress(text) {
			return page.Value{Kind: "text", Text: text}
		}
		a := common.HexToAddress(text)
		if a == (common.Address{}) {
			return page.Value{Kind: "text"}
		}
		f := x.account(connection, a)
		if f.Name == "" {
			return page.Value{Kind: "hex", Hex: f.Address}
		}
		return page.Value{Kind: "face", Face: &f, Hex: f.Address}
	case "array":
		return x.list(t, roles, connection, text)
	case "struct":
		return x.pairs(t, roles, connection, text)
	}
	return page.Value{Kind: "text", Text: text}
}

// moment is a time in Unix seconds; 0 is none, and what is no time stays a number.
func (x *visit) moment(text string) page.Value {
	n, ok := new(big.Int).SetString(text, 10)
	switch {
	case !ok || n.Sign() < 0 || n.BitLen() > 37: // beyond the year 6000
		return page.Value{Kind: "number", Text: x.Group(text)}
	case n.Sign() == 0:
		return page.Value{Kind: "text"}
	}
	return page.Value{Kind: "when", At: time.Unix(n.Int64(), 0).UTC()}
}

func (x *visit) list(t *workflow.Type, roles map[string]bool, connection int, text string) page.Value {
	var items []json.RawMessage
	if t.ElementType == nil || json.Unmarshal([]byte(text), &items) != nil {
		return page.Value{Kind: "text", Text: text}
	}
	v := page.Value{Kind: "list"}
	for _, item := range items {
		one := x.shown(t.ElementType, roles, nil, connection, plain(item))
		v.List = append(v.List, x.asText(one))
	}
	return v
}

func (x *visit) pairs(t *workflow.Type, roles map[string]bool, connection int, text string) page.Value {
	var fields map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &fields) != nil {
		return page.Value{Kind: "text", Text: text}
	}
	v := page.Value{Kind: "pairs"}
	for i := range t.Fields {
		f := &t.Fields[i]
		v.Pairs = append(v.Pairs, page.Pair{Name: label(f.DisplayName, f.Name), Value: x.shown(&f.Type, roles, nil, connection, plain(fields[f.Name]))})
	}
	return v
}

// plain is a JSON value as text in wire form: a string without its quotes.
func plain(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(bytes.TrimSpace(raw))
}

// asText is a value in a list.
func (x *visit) asText(v page.Value) string {
	switch v.Kind {
	case "face":
		return v.Face.Name
	case "hex":
		return v.Hex
	case "when":
		return x.Date(v.At)
	case "pairs", "list":
		parts := v.List
		for _, p := range v.Pairs {
			parts = append(parts, p.Name+": "+x.asText(p.Value))
		}
		return strings.Join(parts, "; ")
	}
	if v.Text == "" {
		return "–"
	}
	return v.Text
}

// state shows a state; s is nil when the configuration has none for the value.
func (x *visit) state(w *offchain.Workflow, s *offchain.State, value string) *page.State {
	if s == nil {
		if value == "" {
			return nil
		}
		return &page.State{Text: x.T("state.unknown", "value", value), Tone: "wait"}
	}
	out := &page.State{Text: label(s.DisplayName, s.Name), Percent: s.PercentComplete, Tone: "busy"}
	switch {
	case s.Style == "Failure":
		out.Tone = "bad"
	case s.PercentComplete >= 100 || len(s.Transitions) == 0:
		out.Tone = "good"
	}
	return out
}

// contractState is where a contract is; nil before it is on the ledger.
func (x *visit) contractState(w *offchain.Workflow, c *offchain.Contract) *page.State {
	if s := w.State(c.StateID); s != nil || c.State != "" {
		return x.state(w, s, c.State)
	}
	if w.StateProperty() == nil && c.Status == offchain.StatusCommitted {
		return x.state(w, w.State(w.StartStateID), "")
	}
	return nil
}

// statusTag says what became of a contract or an action.
func (x *visit) statusTag(status int) page.Tag {
	tones := []string{"wait", "busy", "good", "bad", "bad", "bad"}
	if status < 0 || status >= len(tones) {
		return page.Tag{Tone: "calm", Text: strconv.Itoa(status)}
	}
	return page.Tag{Tone: tones[status], Text: x.T("action.status." + strconv.Itoa(status))}
}

// label is a display name, or the name where there is none.
func label(display, name string) string {
	if display != "" {
		return display
	}
	return name
}

// roleNames are an application's roles, as values are read with them.
func roleNames(a *offchain.Application) map[string]bool {
	names := make(map[string]bool, len(a.Roles))
	for _, r := range a.Roles {
		names[r.Name] = true
	}
	return names
}

// version is how a version's number is written.
func version(a *offchain.Application) string { return strconv.Itoa(a.Version) + ".0" }

func (x *visit) applicationTag(a *offchain.Application) page.Tag {
	switch {
	case a.Archived:
		return page.Tag{Tone: "calm", Sign: "file", Text: x.T("application.archived")}
	case !a.Coded:
		return page.Tag{Tone: "wait", Text: x.T("application.uncoded")}
	case a.Enabled:
		return page.Tag{Tone: "good", Text: x.T("application.enabled")}
	}
	return page.Tag{Tone: "calm", Sign: "lock", Text: x.T("application.disabled")}
}

func applicationURL(id int) string { return "/applications/" + strconv.Itoa(id) }

func workflowURL(applicationID, id int) string {
	return applicationURL(applicationID) + "/workflows/" + strconv.Itoa(id)
}

func contractURL(id int) string { return "/contracts/" + strconv.Itoa(id) }
