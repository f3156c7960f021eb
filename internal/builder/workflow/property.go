package workflow

import (
	"fmt"
	"slices"
	"strings"
)

// property finds the getter of the i-th property: the generated one of a public
// state variable; of an array, whose generated getter wants an index, a function
// called Get and the property's name; of a struct either.
func (m *matcher) property(i int) *entry {
	p, at := &m.workflow.Properties[i], pointer(m.at, "Properties", i)
	form := formOf(&p.Type, m.roles)
	own, explicit := m.getter(p.Name), m.getter("Get"+p.Name)
	e := own
	if (form == formArray || form == formStruct) && explicit != nil {
		e = explicit
	}
	switch {
	case e == nil && form == formArray:
		m.fail("GETTER_MISSING", ruleCode, at,
			fmt.Sprintf("add function Get%s() public view returns (%s) { return %s; }", p.Name, m.arrayType(&p.Type, p.Name), p.Name),
			"Add the Get%s function to the %s contract for the %s workflow: the array property %s needs a public view function that returns all of it", p.Name, m.where(), m.workflow.Name, p.Name)
		return nil
	case e == nil:
		var names []string
		for j := range m.entries {
			if f := &m.entries[j]; f.Type == "function" && len(f.in) == 0 && f.readOnly() {
				names = append(names, f.Name)
			}
		}
		m.fail("PROPERTY_MISSING", ruleCode, at, suggest(p.Name, names, fmt.Sprintf("add it to %s as a public state variable, or leave it out of the configuration", m.where())),
			"Add the public state variable %s to the %s contract for the %s workflow. It currently doesn't exist or is not public", p.Name, m.contract.Name, m.workflow.Name)
		return nil
	}
	why := ""
	if flat(&p.Type, m.roles, e.out) {
		why = fitFields(&p.Type, m.roles, e.out)
	} else {
		why = fitList([]Identifier{*p}, m.roles, e.out, false)
	}
	if why != "" {
		m.fail("PROPERTY_TYPE", ruleCode, pointer(at, "Type"), "give both the same type",
			"The property %s of the %s contract has another type than the configuration: %s", p.Name, m.where(), why)
		return nil
	}
	if flat(&p.Type, m.roles, e.out) {
		m.enums(p.Type.Fields, pointer(at, "Type", "Fields"), e.out)
	} else {
		m.enum(&p.Type, pointer(at, "Type"), &e.out[0])
	}
	return e
}

// getter is the function of a name that takes nothing, changes nothing and returns something.
func (m *matcher) getter(name string) *entry {
	i := slices.IndexFunc(m.entries, func(e entry) bool {
		return e.Type == "function" && e.Name == name && len(e.in) == 0 && len(e.out) > 0 && e.readOnly()
	})
	if i < 0 {
		return nil
	}
	return &m.entries[i]
}

// arrayType is how a getter's return type is written for this array.
func (m *matcher) arrayType(t *Type, name string) string {
	for _, v := range m.contract.Variables {
		if v.Name == name {
			return source(v.Type) + " memory"
		}
	}
	switch formOf(t.ElementType, m.roles) {
	case formText:
		return "string[] memory"
	case formBool:
		return "bool[] memory"
	case formAddress:
		return "address[] memory"
	}
	return "int256[] memory"
}

// source is an internal type as the code itself writes it: without struct, enum or contract.
func source(internal string) string {
	for _, kind := range []string{"struct ", "enum ", "contract "} {
		internal = strings.TrimPrefix(internal, kind)
	}
	return internal
}

// enums compares the members of all enums in a list of parameters.
func (m *matcher) enums(list []Identifier, at string, parts []shape) {
	for i := range min(len(list), len(parts)) {
		m.enum(&list[i].Type, pointer(at, i, "Type"), &parts[i])
	}
}

// enum compares the members of an enum, or of the state, with the code's (a.3.5, a.3.7).
func (m *matcher) enum(t *Type, at string, s *shape) {
	switch formOf(t, m.roles) {
	case formArray:
		m.enum(t.ElementType, pointer(at, "ElementType"), s.element)
	case formStruct:
		m.enums(t.Fields, pointer(at, "Fields"), s.parts)
	case formEnum, formState:
		name, members := enumOf(m.contract.Enums, s)
		switch {
		case members == nil:
			if key := name + at; !m.said[key] {
				m.said[key] = true
				m.report.warn(m.app.finding("ENUM_UNCHECKED", ruleCode, at, fmt.Sprintf("The members of the enum behind this type are not known from the artifact of %s", m.contract.Name),
					"see that their order is that of the configuration, or give the source"))
			}
		case formOf(t, m.roles) == formState:
			m.states(name, members)
		case !slices.Equal(members, t.EnumValues):
			m.fail("ENUM_MEMBERS", ruleCode, pointer(at, "EnumValues"), fmt.Sprintf("write %s", quotedList(members)),
				"The enum %s of the %s contract has other members than EnumValues", name, m.where())
		}
	}
}

// states compares the states with the members of the contract's enum.
func (m *matcher) states(name string, members []string) {
	known := map[int]bool{}
	for i := range m.workflow.States {
		s, n := &m.workflow.States[i], m.workflow.Ordinal(i)
		known[n] = true
		if n >= len(members) || members[n] != s.Name {
			fix := fmt.Sprintf("name the states as the enum does and in its order, or give each its Value: %s", quotedList(members))
			if j := slices.Index(members, s.Name); j >= 0 {
				fix = fmt.Sprintf("in the enum it is number %d: write \"Value\": %d, or change the order", j, j)
			}
			m.fail("STATE_MEMBER", ruleCode, pointer(m.at, "States", i), fix,
				"The state %s has the value %d, which the enum %s of the %s contract calls otherwise", s.Name, n, name, m.where())
		}
	}
	for i, member := range members {
		if !known[i] {
			m.report.warn(m.app.finding("STATE_UNCONFIGURED", ruleCode, pointer(m.at, "States"),
				fmt.Sprintf("The enum %s of the %s contract has the member %s, which is no state of the configuration", name, m.where(), member), "add it to States"))
		}
	}
}

func quotedList(members []string) string {
	quoted := make([]string, len(members))
	for i, s := range members {
		quoted[i] = fmt.Sprintf("%q", s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
