package workflow

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// What a guess makes of variables, types, states and transitions, mostly by
// their names, as people name them.

var (
	stateName = regexp.MustCompile(`(?i)^(current_?)?(state|status|stage|phase)$`)
	moneyName = regexp.MustCompile(`(?i)(price|amount|fee|cost|payment|offer|deposit)$`)
	timeName  = regexp.MustCompile(`(?i)(time|timestamp|date|deadline|expiry)$`)
	badEnd    = regexp.MustCompile(`(?i)(reject|cancel|terminat|fail|declin|expire|breach|dispute|outof|revoke|refus|withdr|abandon|lost)`)
)

// properties takes the public variables that can be read whole.
func (g *guess) properties(w *Workflow) {
	m := &matcher{entries: g.entries}
	state := g.state()
	for _, v := range g.contract.Variables {
		what := "the variable " + v.Name
		e := m.getter(v.Name)
		if explicit := m.getter("Get" + v.Name); e == nil && explicit != nil {
			e = explicit
		}
		if e == nil {
			why := "its getter wants an index or a key"
			if strings.HasSuffix(v.Type, "]") {
				why += fmt.Sprintf("; add function Get%s() public view returns (%s memory) to show all of it", v.Name, source(v.Type))
			}
			g.skip(v.Line, what, why)
			continue
		}
		p := Identifier{Name: v.Name, DisplayName: words(v.Name)}
		why := ""
		switch {
		case len(v.Name) > mostName:
			why = "its name is too long"
		case v.Name == state:
			p.Type = Type{Name: "state"}
		case strings.HasPrefix(v.Type, "struct ") && (len(e.out) != 1 || e.out[0].kind != '('):
			p.Type.Name = "struct"
			p.Type.Fields, why = g.identifiers(e.out, false)
		case len(e.out) != 1:
			why = "its getter returns several values"
		default:
			p.Type, why = g.typeOf(&e.out[0], v.Name)
		}
		if why != "" {
			g.skip(v.Line, what, why)
			continue
		}
		w.Properties = append(w.Properties, p)
	}
	g.states(w, state)
}

// state is the name of the variable that holds the contract's state, or "".
func (g *guess) state() string {
	best, rank := "", 0
	for _, v := range g.contract.Variables {
		name, ok := strings.CutPrefix(v.Type, "enum ")
		if !ok {
			continue
		}
		s := &shape{internal: v.Type}
		if _, members := enumOf(g.contract.Enums, s); len(members) == 0 {
			continue
		}
		r := 1
		if strings.Contains(strings.ToLower(last(name)), "state") {
			r = 2
		}
		if stateName.MatchString(v.Name) {
			r = 3
		}
		if r > rank {
			best, rank = v.Name, r
		}
	}
	return best
}

// states are the members of the state's enum, or one state where there is none.
func (g *guess) states(w *Workflow, state string) {
	members := []string{"Active"}
	for _, v := range g.contract.Variables {
		if v.Name == state && state != "" {
			_, members = enumOf(g.contract.Enums, &shape{internal: v.Type})
		}
	}
	if state == "" {
		g.report.warn(Finding{Code: "STATE_NONE", Rule: ruleCode, File: g.contract.File, Line: g.contract.Line, Column: min(g.contract.Line, 1),
			Message: fmt.Sprintf("The contract %s has no public variable of an enum that could be its state: it is always Active", g.contract.Name),
			Fix:     "add an enum StateType and a public variable State of it"})
	}
	for i, name := range members {
		s := State{Name: name, DisplayName: words(name), Style: "Success", Transitions: []Transition{}}
		if badEnd.MatchString(name) {
			s.Style = "Failure"
		}
		if len(members) > 1 {
			s.PercentComplete = i * 100 / (len(members) - 1)
		}
		w.States = append(w.States, s)
	}
	w.StartState = members[0]
}

// transitions allow every action in every state to every role.
func (g *guess) transitions(w *Workflow) {
	var all []string
	for _, s := range w.States {
		all = append(all, s.Name)
	}
	for i := range w.States {
		for _, f := range w.Functions {
			if f.ReadOnly {
				continue
			}
			w.States[i].Transitions = append(w.States[i].Transitions, Transition{
				AllowedRoles: slices.Clone(w.Initiators), AllowedInstanceRoles: []string{},
				DisplayName: f.DisplayName, Function: f.Name, NextStates: next(f.Name, all),
			})
		}
	}
}

// next is where a function leads by its name (Accept -> Accepted), or anywhere.
func next(function string, states []string) []string {
	for _, s := range states {
		if stem := strings.TrimSuffix(strings.ToLower(function), "e"); len(stem) > 3 && strings.HasPrefix(strings.ToLower(s), stem) {
			return []string{s}
		}
	}
	return slices.Clone(states)
}

// identifiers describes parameters, or says why it cannot. Only what is returned may be without a name.
func (g *guess) identifiers(parts []shape, returned bool) (list []Identifier, why string) {
	list = []Identifier{}
	for i := range parts {
		name := parts[i].name
		if name == "" && returned {
			if name = "Result"; len(parts) > 1 {
				name = fmt.Sprintf("Result%d", i+1)
			}
		}
		switch {
		case name == "":
			return nil, "one of its parameters has no name"
		case len(name) > mostName:
			return nil, "the name of a parameter is too long"
		}
		t, why := g.typeOf(&parts[i], name)
		if why != "" {
			return nil, why
		}
		list = append(list, Identifier{Name: name, DisplayName: words(name), Type: t})
	}
	return list, ""
}

// typeOf is the configured type for an ABI type under a name, or why there is none.
func (g *guess) typeOf(s *shape, name string) (Type, string) {
	switch s.kind {
	case 's':
		return Type{Name: "string"}, ""
	case 'b':
		return Type{Name: "bool"}, ""
	case 'u', 'i':
		return g.number(s, name), ""
	case 'a':
		return g.addressOf(s, name), ""
	case '[':
		e, why := g.typeOf(s.element, name)
		if why == "" && e.Name == "array" {
			why = "it is an array of arrays"
		}
		if why != "" {
			return Type{}, why
		}
		return Type{Name: "array", ElementType: &e}, ""
	case '(':
		fields, why := g.identifiers(s.parts, false)
		return Type{Name: "struct", Fields: fields}, why
	}
	return Type{}, fmt.Sprintf("the type %s cannot be shown or entered", s.solidity())
}

func (g *guess) number(s *shape, name string) Type {
	if _, members := enumOf(g.contract.Enums, s); len(members) > 0 && !slices.ContainsFunc(members, func(m string) bool { return !enumValue.MatchString(m) }) {
		return Type{Name: "enum", EnumValues: slices.Clone(members)}
	}
	switch {
	case moneyName.MatchString(name):
		return Type{Name: "money"}
	case timeName.MatchString(name):
		return Type{Name: "time"}
	}
	return Type{Name: "int"}
}

// addressOf is a contract, a role by the name, or any address.
func (g *guess) addressOf(s *shape, name string) Type {
	if strings.HasPrefix(s.internal, "contract ") {
		return Type{Name: "contract"}
	}
	bare := strings.ToLower(strings.Trim(name, "_"))
	for _, prefix := range []string{"instance", "new", "the"} {
		bare = strings.TrimPrefix(bare, prefix)
	}
	for _, r := range g.app.Roles {
		if strings.ToLower(r.Name) == bare {
			return Type{Name: r.Name}
		}
	}
	return Type{Name: "address"}
}
