package workflow

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// checker is the second half of Parse: names are unique and lead somewhere.
type checker struct {
	app    *Application
	report *Report
	roles  map[string]bool
}

// references checks the rules a.7.2 to a.7.5 on a decoded application.
func references(a *Application, report *Report) {
	c := &checker{app: a, report: report, roles: a.RoleNames()}
	names := make([]string, len(a.Roles))
	for i, r := range a.Roles {
		names[i] = r.Name
		if slices.Contains(baseTypes, r.Name) {
			c.fail("ROLE_RESERVED", ruleReserved, pointer("/ApplicationRoles", i, "Name"), "give the role another name; case matters, so a capital letter is enough",
				"the role %q has the name of a type", r.Name)
		}
	}
	c.unique("/ApplicationRoles", "role", names)
	if len(names) == 0 && a.places["/ApplicationRoles"] != (place{}) {
		c.warn("ROLES_NONE", ruleReferences, "/ApplicationRoles", "add a role", "there is no role, so nobody can see or use the application")
	}
	names = make([]string, len(a.Workflows))
	for i := range a.Workflows {
		names[i] = a.Workflows[i].Name
		c.workflow(&a.Workflows[i], pointer("/Workflows", i))
	}
	c.unique("/Workflows", "workflow", names)
}

func (c *checker) fail(code, rule, at, fix, format string, args ...any) {
	c.report.fail(c.app.finding(code, rule, at, fmt.Sprintf(format, args...), fix))
}

func (c *checker) warn(code, rule, at, fix, format string, args ...any) {
	c.report.warn(c.app.finding(code, rule, at, fmt.Sprintf(format, args...), fix))
}

// unique wants each name once in the list at a pointer.
func (c *checker) unique(at, what string, names []string) {
	first := map[string]int{}
	for i, name := range names {
		if name == "" {
			continue // has an error already
		}
		if j, ok := first[name]; ok {
			c.fail("NAME_TWICE", ruleUnique, pointer(at, i, "Name"), "give it another name, or leave it out",
				"there is a %s %q already, %s/%d", what, name, at, j)
			continue
		}
		first[name] = i
	}
}

func (c *checker) identifiers(list []Identifier, at, what string, property bool) {
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].Name
		c.typeOf(&list[i].Type, pointer(at, i, "Type"), property)
	}
	c.unique(at, what, names)
}

// typeOf checks that a type is known and whole; only a property itself is of type state.
func (c *checker) typeOf(t *Type, at string, property bool) {
	switch formOf(t, c.roles) {
	case formUnknown:
		if t.Name == "" {
			return // has an error already
		}
		known := append(slices.Sorted(maps.Keys(c.roles)), slices.Concat(baseTypes, extensionTypes)...)
		c.fail("TYPE_UNKNOWN", ruleReferences, pointer(at, "Name"), suggest(t.Name, known, "write a base type or the name of a role"),
			"%s is neither a type nor a role", short(t.Name))
	case formState:
		if !property {
			c.fail("STATE_PARAMETER", ruleTypes, pointer(at, "Name"), "use enum for a parameter, and state for the property that holds the contract's state",
				"only a property can be of type state")
		}
	case formEnum:
		first := map[string]bool{}
		for i, v := range t.EnumValues {
			if first[v] {
				c.fail("NAME_TWICE", ruleUnique, pointer(at, "EnumValues", i), "leave one of them out", "the enum has the member %s twice", short(v))
			}
			first[v] = true
		}
	case formArray:
		e := t.ElementType
		if e == nil || e.Name == "" {
			return
		}
		if !slices.Contains(elementTypes, e.Name) && !c.roles[e.Name] || e.Name == "array" || e.Name == "state" {
			c.fail("ELEMENT_UNKNOWN", ruleTypes, pointer(at, "ElementType", "Name"), suggest(e.Name, elementTypes, "write one of "+strings.Join(elementTypes, ", ")),
				"an array cannot hold %s", short(e.Name))
			return
		}
		c.typeOf(e, pointer(at, "ElementType"), false)
	case formStruct:
		if len(t.Fields) == 0 {
			c.fail("STRUCT_FIELDS", ruleTypes, at, `add "Fields" with the members of the Solidity struct in their order`, "a struct has Fields")
		}
		c.identifiers(t.Fields, pointer(at, "Fields"), "field", false)
	}
}

func (c *checker) workflow(w *Workflow, at string) {
	c.identifiers(w.Properties, pointer(at, "Properties"), "property", true)
	c.identifiers(w.Constructor.Parameters, pointer(at, "Constructor", "Parameters"), "parameter", false)
	functions := make([]string, len(w.Functions))
	for i := range w.Functions {
		f := &w.Functions[i]
		functions[i] = f.Name
		here := pointer(at, "Functions", i)
		c.identifiers(f.Parameters, pointer(here, "Parameters"), "parameter", false)
		c.identifiers(f.Returns, pointer(here, "Returns"), "returned value", false)
	}
	c.unique(pointer(at, "Functions"), "function", functions)
	states := make([]string, len(w.States))
	ordinals := map[int]string{}
	for i := range w.States {
		s := &w.States[i]
		states[i] = s.Name
		if other, ok := ordinals[w.Ordinal(i)]; ok {
			c.warn("STATE_VALUE_TWICE", ruleUnique, pointer(at, "States", i, "Value"), "write the ordinal of each in the Solidity enum, or leave Value out of all of them",
				"the states %s and %s have the same value %d: contracts with it are in the first", short(other), short(s.Name), w.Ordinal(i))
			continue
		}
		ordinals[w.Ordinal(i)] = s.Name
	}
	c.unique(pointer(at, "States"), "state", states)
	roles := slices.Sorted(maps.Keys(c.roles))
	c.names("ROLE_UNKNOWN", "role", w.Initiators, pointer(at, "Initiators"), roles)
	c.name("STATE_UNKNOWN", "state", w.StartState, pointer(at, "StartState"), states)
	if n := count(w.Properties); n != 1 && w.Properties != nil {
		c.warn("STATE_PROPERTY", ruleReferences, pointer(at, "Properties"), "have exactly one property of type state",
			"the workflow has %d properties of type state: %s", n, map[bool]string{true: "its contracts stay in StartState for ever", false: "the first one is used"}[n == 0])
	}
	for i := range w.States {
		for j := range w.States[i].Transitions {
			c.transition(w, &w.States[i].Transitions[j], pointer(at, "States", i, "Transitions", j), roles, functions, states)
		}
	}
	if c.report.OK() {
		c.lint(w, at)
	}
}

func (c *checker) transition(w *Workflow, t *Transition, at string, roles, functions, states []string) {
	c.names("ROLE_UNKNOWN", "role", t.AllowedRoles, pointer(at, "AllowedRoles"), roles)
	var holders []string
	for i := range w.Properties {
		holders = append(holders, w.Properties[i].Name)
	}
	c.names("PROPERTY_UNKNOWN", "property", t.AllowedInstanceRoles, pointer(at, "AllowedInstanceRoles"), holders)
	for i, name := range t.AllowedInstanceRoles {
		if p := slices.Index(holders, name); p >= 0 && formOf(&w.Properties[p].Type, c.roles) != formAddress {
			c.warn("INSTANCE_ROLE_ADDRESS", ruleReferences, pointer(at, "AllowedInstanceRoles", i), "name a property of type user, address or of a role",
				"the property %s holds no address, so nobody is allowed by it", short(name))
		}
	}
	c.name("FUNCTION_UNKNOWN", "function", t.Function, pointer(at, "Function"), functions)
	c.names("STATE_UNKNOWN", "state", t.NextStates, pointer(at, "NextStates"), states)
	if i := slices.Index(functions, t.Function); i >= 0 && w.Functions[i].ReadOnly {
		c.warn("TRANSITION_READ_ONLY", ruleReferences, pointer(at, "Function"), "leave the transition out, or ReadOnly of the function",
			"the function %s is ReadOnly: it can be asked in every state and changes none", short(t.Function))
	}
}

// names checks each of a list of references and says what stands there twice.
func (c *checker) names(code, what string, list []string, at string, known []string) {
	seen := map[string]bool{}
	for i, name := range list {
		c.name(code, what, name, pointer(at, i), known)
		if seen[name] && name != "" {
			c.warn("NAME_REPEATED", ruleReferences, pointer(at, i), "leave one of them out", "the %s %s stands here twice", what, short(name))
		}
		seen[name] = true
	}
}

func (c *checker) name(code, what, name, at string, known []string) {
	if name != "" && !slices.Contains(known, name) {
		c.fail(code, ruleReferences, at, suggest(name, known, "write the name of a "+what+" that there is, or add it"), "there is no %s %s", what, short(name))
	}
}

// suggest is a fix: the nearest known name, or else what.
func suggest(name string, known []string, what string) string {
	if near := nearest(name, known); near != "" {
		return fmt.Sprintf("write %q, or %s", near, what)
	}
	return what
}

func count(properties []Identifier) (n int) {
	for i := range properties {
		if properties[i].Type.Name == "state" {
			n++
		}
	}
	return n
}
