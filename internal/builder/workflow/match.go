package workflow

import (
	"fmt"
	"slices"
	"strings"

	"github.com/coco-consortium/coco/internal/builder/solidity"
)

// matcher holds one workflow beside one contract (rules a.3 and a.7.6).
type matcher struct {
	app      *Application
	workflow *Workflow
	at       string // the workflow's pointer
	contract *solidity.Contract
	roles    map[string]bool
	report   *Report
	entries  []entry
	said     map[string]bool // enums whose members nobody said
}

func newMatcher(app *Application, i int, c *solidity.Contract, report *Report) *matcher {
	return &matcher{app: app, workflow: &app.Workflows[i], at: pointer("/Workflows", i), contract: c, roles: app.RoleNames(), report: report, said: map[string]bool{}}
}

func (m *matcher) fail(code, rule, at, fix, format string, args ...any) {
	m.report.fail(m.app.finding(code, rule, at, fmt.Sprintf(format, args...), fix))
}

// take keeps the entries, with the types as the code writes them where only the
// syntax tree says those (before 0.5.11 the ABI has no internal types).
func (m *matcher) take(entries []entry) {
	m.entries = entries
	for i := range entries {
		e := &entries[i]
		if e.Type == "constructor" && m.contract.Creation != nil {
			internals(e.in, m.contract.Creation.Parameters)
		}
		for _, f := range m.contract.Functions {
			if e.Type == "function" && e.Name == f.Name && sameTypes(e.in, f.Parameters) {
				internals(e.in, f.Parameters)
				internals(e.out, f.Returns)
			}
		}
		for _, v := range m.contract.Variables {
			if e.Type == "function" && e.Name == v.Name && len(e.in) == 0 && len(e.out) == 1 && e.out[0].internal == "" {
				name(&e.out[0], v.Type)
			}
		}
	}
}

func sameTypes(parts []shape, parameters []solidity.Parameter) bool {
	return slices.EqualFunc(parts, parameters, func(s shape, p solidity.Parameter) bool {
		return p.Type == "" || p.Type == s.text || s.kind == '(' || s.kind == '['
	})
}

func internals(parts []shape, parameters []solidity.Parameter) {
	if len(parts) == len(parameters) {
		for i := range parts {
			name(&parts[i], parameters[i].Internal)
		}
	}
}

// name gives a shape its Solidity type, and an array's elements theirs.
func name(s *shape, internal string) {
	if s.internal != "" || internal == "" {
		return
	}
	s.internal = internal
	if i := strings.LastIndexByte(internal, '['); s.kind == '[' && i >= 0 {
		name(s.element, internal[:i])
	}
}

// where names the contract for messages, with its place if known.
func (m *matcher) where() string {
	switch {
	case m.contract.Line > 0:
		return fmt.Sprintf("%s (%s:%d)", m.contract.Name, m.contract.File, m.contract.Line)
	case m.contract.File != "":
		return fmt.Sprintf("%s (%s)", m.contract.Name, m.contract.File)
	}
	return m.contract.Name
}

// constructor compares its parameters; a contract without one takes none.
func (m *matcher) constructor() []shape {
	var in []shape
	for i := range m.entries {
		if m.entries[i].Type == "constructor" {
			in = m.entries[i].in
		}
	}
	list, at := m.workflow.Constructor.Parameters, pointer(m.at, "Constructor", "Parameters")
	if why := fitList(list, m.roles, in, true); why != "" {
		m.fail("CONSTRUCTOR_MISMATCH", ruleCode, at, "give the constructor the same parameters in the same order: "+why,
			"The constructor of the %s contract for the %s workflow has different parameters than the configuration. The code has %s", m.where(), m.workflow.Name, written(in))
		return nil
	}
	m.enums(list, at, in)
	return in
}

// function finds the contract's function for the i-th of the configuration.
func (m *matcher) function(i int) *entry {
	f, at := &m.workflow.Functions[i], pointer(m.at, "Functions", i)
	var fit, close []*entry
	why := ""
	for j := range m.entries {
		e := &m.entries[j]
		if e.Type != "function" || f.Signature == "" && e.Name != f.Name || f.Signature != "" && e.signature() != f.Signature {
			continue
		}
		if because := fitList(f.Parameters, m.roles, e.in, true); because == "" {
			fit = append(fit, e)
		} else {
			close, why = append(close, e), because
		}
	}
	switch {
	case len(fit) == 0:
		m.fail("FUNCTION_MISSING", ruleCode, at, m.hint(f, close, why),
			"Add the %s function to the %s contract for the %s workflow. It currently doesn't exist or has a different function signature with different parameter names, or without public/external visibility", f.Name, m.contract.Name, m.workflow.Name)
		return nil
	case len(fit) > 1:
		m.fail("FUNCTION_AMBIGUOUS", ruleCode, at, fmt.Sprintf("add \"Signature\": %q or another", fit[0].signature()),
			"The %s contract has %d functions %s that fit the configuration", m.where(), len(fit), f.Name)
		return nil
	}
	e := fit[0]
	m.enums(f.Parameters, pointer(at, "Parameters"), e.in)
	m.behaviour(f, e, at)
	return e
}

// hint says what is different, or where else the function is.
func (m *matcher) hint(f *Function, close []*entry, why string) string {
	if len(close) > 0 {
		return fmt.Sprintf("in %s there is %s%s: %s", m.where(), close[0].Name, written(close[0].in), why)
	}
	for _, g := range m.contract.Functions {
		if g.Name == f.Name && (g.Visibility == "internal" || g.Visibility == "private") {
			return fmt.Sprintf("%s:%d: the function is %s; make it public", g.File, g.Line, g.Visibility)
		}
	}
	var names []string
	for i := range m.entries {
		if m.entries[i].Type == "function" {
			names = append(names, m.entries[i].Name)
		}
	}
	return suggest(f.Name, names, fmt.Sprintf("add it to %s, or leave it out of the configuration", m.where()))
}

// behaviour checks what a function returns and whether it changes anything.
func (m *matcher) behaviour(f *Function, e *entry, at string) {
	switch {
	case f.ReadOnly && !e.readOnly():
		m.fail("FUNCTION_CHANGES", ruleCode, pointer(at, "ReadOnly"), "make it view or pure in the code, or leave ReadOnly out",
			"The %s function of the %s contract is neither view nor pure", f.Name, m.where())
	case !f.ReadOnly && e.readOnly():
		m.fail("FUNCTION_VIEW", ruleCode, at, "add \"ReadOnly\": true, which is an extension, or leave the function out",
			"The %s function of the %s contract is a view function: it cannot be an action", f.Name, m.where())
	case len(f.Returns) == 0 && len(e.out) > 0 && !f.ReadOnly:
		m.fail("FUNCTION_RETURNS", ruleCode, at, "remove the return value, or add \"Returns\", which is an extension",
			"The %s function of the %s contract returns a value %s", f.Name, m.where(), written(e.out))
	default:
		if why := fitList(f.Returns, m.roles, e.out, false); why != "" {
			m.fail("RETURNS_MISMATCH", ruleCode, pointer(at, "Returns"), "describe what the function returns: "+why,
				"The %s function of the %s contract returns %s, and the configuration says otherwise", f.Name, m.where(), written(e.out))
			return
		}
		m.enums(f.Returns, pointer(at, "Returns"), e.out)
	}
}
