package workflow

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/coco-consortium/coco/internal/builder/solidity"
)

// Infer writes a first configuration for contracts: the public state variables
// become properties, those that hold people's addresses become roles too, the
// enum called state becomes the states, the functions become actions that every
// role may take in every state, since who may do what stands in the functions'
// bodies. It fits the code as it is; a person then takes away what is too much.
// What could not be taken is a warning.
func Infer(out *solidity.Output) (*Application, *Report) {
	report := newReport()
	for _, m := range out.Errors() {
		report.fail(Finding{Code: "CODE_ERROR", Rule: ruleCode, File: m.File, Line: m.Line, Column: m.Column, Message: m.Text, Fix: "correct the code at this place"})
	}
	contracts := concrete(out)
	if len(contracts) == 0 && report.OK() {
		report.fail(Finding{Code: "CONTRACT_MISSING", Rule: ruleCode, Message: "There is no contract in the code that can be deployed", Fix: "write all functions of the contract"})
	}
	if !report.OK() {
		return nil, report
	}
	app := &Application{Name: contracts[0].Name, DisplayName: words(contracts[0].Name), Roles: []Role{}, Workflows: []Workflow{}}
	var guesses []*guess
	for _, c := range contracts {
		g := &guess{app: app, contract: c, report: report}
		entries, err := readABI(c.ABI)
		if err != nil || len(c.Name) > mostName {
			g.skip(c.Line, "the contract "+c.Name, "its name is too long or its ABI cannot be read")
			continue
		}
		m := newMatcher(&Application{Workflows: make([]Workflow, 1)}, 0, c, newReport())
		m.take(entries)
		g.entries = m.entries
		g.people()
		guesses = append(guesses, g)
	}
	if len(app.Roles) == 0 {
		app.Roles = append(app.Roles, Role{Name: "Participant", Description: "Whoever takes part"})
	}
	for _, g := range guesses {
		app.Workflows = append(app.Workflows, g.workflow())
	}
	return app, report
}

// Format is the configuration as a file.
func (a *Application) Format() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(a) // plain data always encodes
	return b.Bytes()
}

// concrete lists the contracts that can be deployed and of which no other one inherits.
func concrete(out *solidity.Output) []*solidity.Contract {
	var list []*solidity.Contract
	based := map[string]bool{solidity.BaseContract: true}
	for i := range out.Contracts {
		c := &out.Contracts[i]
		for _, b := range c.Bases {
			based[b] = true
		}
	}
	seen := map[string]bool{}
	for i := range out.Contracts {
		c := &out.Contracts[i]
		if !c.Abstract && c.Kind != "interface" && c.Kind != "library" && len(c.Bytecode) > 0 && !based[c.Name] && !seen[c.Name] {
			list, seen[c.Name] = append(list, c), true
		}
	}
	return list
}

// guess makes one workflow of one contract.
type guess struct {
	app      *Application
	contract *solidity.Contract
	entries  []entry
	report   *Report
}

func (g *guess) skip(line int, what, why string) {
	g.leave(line, what, why, "nothing need be done, unless people should see or use it")
}

func (g *guess) leave(line int, what, why, fix string) {
	f := Finding{Code: "LEFT_OUT", Rule: ruleCode, File: g.contract.File, Line: line, Message: fmt.Sprintf("%s is left out: %s", what, why), Fix: fix}
	if line > 0 {
		f.Column = 1
	}
	g.report.warn(f)
}

// people makes a role of every public variable that holds somebody's address.
func (g *guess) people() {
	for _, v := range g.contract.Variables {
		if name := roleOf(v); name != "" && !g.app.RoleNames()[name] {
			g.app.Roles = append(g.app.Roles, Role{Name: name})
		}
	}
}

// roleOf is InstanceOwner -> Owner; "" where the variable is no person's by its type or name.
func roleOf(v solidity.Variable) string {
	name := strings.Trim(v.Name, "_")
	if v.Type != "address" && v.Type != "address payable" {
		return ""
	}
	lower := strings.ToLower(name)
	for _, thing := range []string{"address", "contract", "registry", "token"} {
		if strings.HasSuffix(lower, thing) {
			return ""
		}
	}
	if rest := name[min(len("Instance"), len(name)):]; strings.HasPrefix(lower, "instance") && rest != "" {
		name = rest
	}
	if name == "" || len(name) > mostName {
		return ""
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

func (g *guess) workflow() Workflow {
	w := Workflow{Name: g.contract.Name, DisplayName: words(g.contract.Name), Initiators: []string{}, Properties: []Identifier{}, Functions: []Function{}, Constructor: Constructor{Parameters: []Identifier{}}}
	for _, r := range g.app.Roles {
		w.Initiators = append(w.Initiators, r.Name)
	}
	g.properties(&w)
	for i := range g.entries {
		e := &g.entries[i]
		switch e.Type {
		case "constructor":
			if list, why := g.identifiers(e.in, false); why != "" {
				g.leave(g.contract.Line, "the constructor", why, "give it other parameters, or none: until then nobody can make such a contract")
			} else {
				w.Constructor.Parameters = list
			}
		case "function":
			if f, ok := g.function(e); ok {
				w.Functions = append(w.Functions, f)
			}
		}
	}
	g.transitions(&w)
	return w
}

// function takes what is no getter of a property; several of one name get
// numbers behind it and their signatures.
func (g *guess) function(e *entry) (Function, bool) {
	f := Function{Name: e.Name, DisplayName: words(e.Name), ReadOnly: e.readOnly()}
	if g.isGetter(e) {
		return f, false
	}
	if place, count := g.among(e); count > 1 {
		f.Signature = e.signature()
		if place > 0 {
			f.Name = fmt.Sprintf("%s%d", e.Name, place+1)
		}
	}
	var why string
	if f.Parameters, why = g.identifiers(e.in, false); why == "" {
		f.Returns, why = g.identifiers(e.out, true)
	}
	switch {
	case why != "":
	case len(f.Name) > mostName:
		why = "its name is too long"
	case f.ReadOnly && len(e.out) == 0:
		why = "it neither changes nor returns anything"
	}
	if why != "" {
		g.skip(g.line(e.Name), "the function "+e.Name, why)
	}
	return f, why == ""
}

// among is the place of a function among those of its name, and their count.
func (g *guess) among(e *entry) (place, count int) {
	for i := range g.entries {
		o := &g.entries[i]
		if o.Type != "function" || o.Name != e.Name {
			continue
		}
		if o == e {
			place = count
		}
		count++
	}
	return place, count
}

func (g *guess) line(function string) int {
	for _, f := range g.contract.Functions {
		if f.Name == function {
			return f.Line
		}
	}
	return 0
}

// isGetter is that a function only shows a public variable.
func (g *guess) isGetter(e *entry) bool {
	return slices.ContainsFunc(g.contract.Variables, func(v solidity.Variable) bool {
		return v.Name == e.Name || e.Name == "Get"+v.Name && len(e.in) == 0 && e.readOnly()
	})
}

// words is a name for people: RequestPrice -> Request price.
func words(name string) string {
	var b strings.Builder
	runes := []rune(strings.Trim(name, "_"))
	for i, r := range runes {
		switch upper := r >= 'A' && r <= 'Z'; {
		case r == '_':
			b.WriteByte(' ')
		case i == 0:
			b.WriteString(strings.ToUpper(string(r)))
		case upper && runes[i-1] >= 'a' && runes[i-1] <= 'z':
			b.WriteByte(' ')
			if i+1 < len(runes) && runes[i+1] >= 'A' && runes[i+1] <= 'Z' {
				b.WriteRune(r) // an abbreviation stays one
			} else {
				b.WriteString(strings.ToLower(string(r)))
			}
		default:
			b.WriteRune(r)
		}
	}
	if b.Len() == 0 {
		return name
	}
	return b.String()
}
