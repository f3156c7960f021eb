package workflow

import (
	"fmt"
	"regexp"
)

// The objects of a configuration: which keys each has, which are needed, and
// their limits. schema.json says the same; a test compares the two.

func (d *decoder) application(n *node) {
	a := d.app
	d.object(n, "", "the application",
		need("ApplicationName", d.name(&a.Name)),
		need("DisplayName", d.long(&a.DisplayName)),
		may("Description", d.long(&a.Description)),
		need("ApplicationRoles", list(d, &a.Roles, 0, d.role)),
		need("Workflows", list(d, &a.Workflows, 1, d.workflow)))
}

func (d *decoder) role(r *Role) read {
	return func(n *node, at string) {
		d.object(n, at, "the role",
			need("Name", d.name(&r.Name)),
			may("Description", d.long(&r.Description)))
	}
}

func (d *decoder) workflow(w *Workflow) read {
	return func(n *node, at string) {
		d.object(n, at, "the workflow",
			need("Name", d.name(&w.Name)),
			need("DisplayName", d.long(&w.DisplayName)),
			may("Description", d.long(&w.Description)),
			need("Initiators", list(d, &w.Initiators, 0, d.reference)),
			need("StartState", d.name(&w.StartState)),
			need("Properties", list(d, &w.Properties, 0, d.identifier)),
			need("Constructor", func(n *node, at string) {
				d.object(n, at, "the constructor", need("Parameters", list(d, &w.Constructor.Parameters, 0, d.identifier)))
			}),
			need("Functions", list(d, &w.Functions, 0, d.function)),
			need("States", list(d, &w.States, 1, d.state)))
	}
}

func (d *decoder) reference(name *string) read { return d.name(name) }

func (d *decoder) identifier(i *Identifier) read {
	return func(n *node, at string) {
		d.object(n, at, "the property, parameter or field",
			need("Name", d.name(&i.Name)),
			need("DisplayName", d.long(&i.DisplayName)),
			may("Description", d.long(&i.Description)),
			need("Type", d.kindOfValue(&i.Type)))
	}
}

func (d *decoder) kindOfValue(t *Type) read {
	return func(n *node, at string) {
		d.object(n, at, "the type",
			need("Name", d.name(&t.Name)),
			may("ElementType", func(n *node, at string) {
				t.ElementType = &Type{}
				d.kindOfValue(t.ElementType)(n, at)
			}),
			may("EnumValues", list(d, &t.EnumValues, 0, d.enumValue)),
			may("Fields", list(d, &t.Fields, 0, d.identifier)))
		switch {
		case t.Name == "array" && t.ElementType == nil:
			d.fail("ELEMENT_MISSING", ruleTypes, at, `add "ElementType": { "Name": "int" } or another type`, "an array has an ElementType")
		case t.Name == "enum" && len(t.EnumValues) == 0:
			d.fail("ENUM_VALUES", ruleTypes, at, `add "EnumValues" with the members of the Solidity enum in their order`, "an enum has EnumValues")
		}
	}
}

var (
	enumValue = regexp.MustCompile(`^[A-Za-z0-9]{1,255}$`)
	signature = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$]*\([A-Za-z0-9,()\[\]]*\)$`)
)

func (d *decoder) enumValue(s *string) read {
	return func(n *node, at string) {
		if !d.kind(n, at, '"', "a text in double quotes") {
			return
		}
		if *s = n.text; !enumValue.MatchString(n.text) {
			d.fail("ENUM_VALUE_FORM", ruleTypes, at, "use letters and digits only",
				"the member %s of an enum is not of 1 to 255 characters out of A-Z, a-z and 0-9", short(n.text))
		}
	}
}

func (d *decoder) function(f *Function) read {
	return func(n *node, at string) {
		d.object(n, at, "the function",
			need("Name", d.name(&f.Name)),
			need("DisplayName", d.long(&f.DisplayName)),
			may("Description", d.long(&f.Description)),
			need("Parameters", list(d, &f.Parameters, 0, d.identifier)),
			may("Signature", d.signature(&f.Signature)),
			may("ReadOnly", d.boolean(&f.ReadOnly)),
			may("Returns", list(d, &f.Returns, 0, d.identifier)))
	}
}

func (d *decoder) signature(s *string) read {
	return func(n *node, at string) {
		if d.text(s, 1, mostItems)(n, at); *s != "" && !signature.MatchString(*s) {
			d.fail("SIGNATURE_FORM", ruleForm, at, "write it like transfer(address,uint256), without spaces and names",
				"%s is no signature of a function", short(*s))
		}
	}
}

func (d *decoder) state(s *State) read {
	return func(n *node, at string) {
		d.object(n, at, "the state",
			need("Name", d.name(&s.Name)),
			need("DisplayName", d.long(&s.DisplayName)),
			may("Description", d.long(&s.Description)),
			need("PercentComplete", d.integer(100, func(v int) { s.PercentComplete = v })),
			may("Value", d.integer(mostValue, func(v int) { s.Value = &v })),
			need("Style", d.style(&s.Style)),
			may("Transitions", list(d, &s.Transitions, 0, d.transition)))
	}
}

func (d *decoder) style(s *string) read {
	return func(n *node, at string) {
		if !d.kind(n, at, '"', "a text in double quotes") {
			return
		}
		if *s = n.text; *s != "Success" && *s != "Failure" {
			fix := `write "Success" or "Failure"`
			if near := nearest(*s, []string{"Success", "Failure"}); near != "" {
				fix = fmt.Sprintf("write %q, as upper and lower case matter", near)
			}
			d.fail("STYLE_UNKNOWN", ruleForm, at, fix, "%s is no style of a state", short(*s))
		}
	}
}

func (d *decoder) transition(t *Transition) read {
	return func(n *node, at string) {
		d.object(n, at, "the transition",
			may("AllowedRoles", list(d, &t.AllowedRoles, 0, d.reference)),
			may("AllowedInstanceRoles", list(d, &t.AllowedInstanceRoles, 0, d.reference)),
			need("DisplayName", d.long(&t.DisplayName)),
			may("Description", d.long(&t.Description)),
			need("Function", d.name(&t.Function)),
			need("NextStates", list(d, &t.NextStates, 1, d.reference)))
	}
}

// Shown are the arguments of a call, or of a creation where function is "", that
// Call or Create takes: by their names and in their order in the configuration,
// values in canonical form, as they will be decoded from the ledger.
func (b *Binding) Shown(function string, args []Argument) []Argument {
	parameters := b.Workflow.Constructor.Parameters
	if f := b.Workflow.Function(function); f != nil {
		parameters = f.Parameters
	}
	list := make([]Argument, len(parameters))
	for _, a := range args {
		if i := named(len(parameters), func(i int) string { return parameters[i].Name }, a.Name); i >= 0 {
			text, err := CheckValue(&parameters[i].Type, b.roles, a.Value)
			if err != nil {
				text = a.Value
			}
			list[i] = Argument{parameters[i].Name, text}
		}
	}
	return list
}
