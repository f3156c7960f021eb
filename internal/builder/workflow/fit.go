package workflow

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// fits says why values of a configured type cannot be values of an ABI type, or "".
func fits(t *Type, roles map[string]bool, s *shape) string {
	want := map[form]string{formText: "s", formInteger: "ui", formBool: "b", formEnum: "u", formState: "u", formAddress: "a", formArray: "[", formStruct: "("}[formOf(t, roles)]
	if s.kind == 0 || !strings.ContainsRune(want, rune(s.kind)) {
		return fmt.Sprintf("is %s in the configuration and %s in the code", t.Name, s.solidity())
	}
	switch s.kind {
	case 'u':
		if (t.Name == "enum" || t.Name == "state") && s.internal != "" && !strings.HasPrefix(s.internal, "enum ") {
			return fmt.Sprintf("is %s in the configuration and %s in the code", t.Name, s.solidity())
		}
	case '[':
		if why := fits(t.ElementType, roles, s.element); why != "" {
			return "has elements of which each " + why
		}
	case '(':
		return fitFields(t, roles, s.parts)
	}
	return ""
}

// fitFields compares the fields of a struct one by one.
func fitFields(t *Type, roles map[string]bool, parts []shape) string {
	if len(t.Fields) != len(parts) {
		return fmt.Sprintf("has %d fields in the configuration and %d in the code", len(t.Fields), len(parts))
	}
	for i := range parts {
		f := &t.Fields[i]
		if f.Name != parts[i].name {
			return fmt.Sprintf("has %s as field %d in the configuration and %s in the code", f.Name, i+1, parts[i].name)
		}
		if why := fits(&f.Type, roles, &parts[i]); why != "" {
			return fmt.Sprintf("has a field %s that %s", f.Name, why)
		}
	}
	return ""
}

// fitList compares parameters in count, order, names and types; returned values need no names.
func fitList(list []Identifier, roles map[string]bool, parts []shape, names bool) string {
	if len(list) != len(parts) {
		return fmt.Sprintf("the configuration has %d and the code %d: %s", len(list), len(parts), written(parts))
	}
	for i := range parts {
		if p := &list[i]; names && p.Name != parts[i].name {
			return fmt.Sprintf("number %d is called %s in the configuration and %s in the code", i+1, short(p.Name), short(parts[i].name))
		} else if why := fits(&p.Type, roles, &parts[i]); why != "" {
			return short(p.Name) + " " + why
		}
	}
	return ""
}

// solidity is the type as the code writes it, as far as it is known.
func (s *shape) solidity() string {
	if s.internal != "" {
		return s.internal
	}
	return s.text
}

// written is a list of parameters as the code writes it.
func written(parts []shape) string {
	texts := make([]string, len(parts))
	for i := range parts {
		texts[i] = strings.TrimSpace(parts[i].solidity() + " " + parts[i].name)
	}
	return "(" + strings.Join(texts, ", ") + ")"
}

// enumOf is the members of the Solidity enum behind an ABI type, and its name; nil where nobody said them.
func enumOf(enums map[string][]string, s *shape) (string, []string) {
	name, ok := strings.CutPrefix(s.internal, "enum ")
	if !ok {
		return "", nil
	}
	if members, ok := enums[name]; ok {
		return name, members
	}
	for _, key := range slices.Sorted(maps.Keys(enums)) { // an artifact may leave out, or add, the contract's name
		if last(key) == last(name) {
			return name, enums[key]
		}
	}
	return name, nil
}

func last(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }
