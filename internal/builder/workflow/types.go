package workflow

import "slices"

// baseTypes are Workbench's. They are reserved: a role may not have such a name.
// The comparison is case sensitive; a role may be called User.
var baseTypes = []string{"address", "array", "bool", "contract", "enum", "int", "money", "state", "string", "time", "user"}

// extensionTypes are ours. They are not reserved, so that a role of an old file keeps its meaning.
var extensionTypes = []string{"document", "image", "struct"}

// elementTypes are what an array may hold; the first four are Workbench's.
var elementTypes = []string{"int", "bool", "money", "time", "string", "address", "contract", "user", "enum", "struct", "document", "image"}

// form is how a type's values are written and packed, whatever it is called.
type form int

const (
	formUnknown form = iota
	formText
	formInteger
	formBool
	formEnum  // EnumValues gives the members
	formState // an enum whose members are the workflow's states
	formAddress
	formArray
	formStruct
)

// formOf is the form of a type where these are the roles.
func formOf(t *Type, roles map[string]bool) form {
	switch {
	case roles[t.Name] && !slices.Contains(baseTypes, t.Name):
		return formAddress
	case t.Name == "string", t.Name == "image", t.Name == "document":
		return formText
	case t.Name == "int", t.Name == "money", t.Name == "time":
		return formInteger
	case t.Name == "bool":
		return formBool
	case t.Name == "enum":
		return formEnum
	case t.Name == "state":
		return formState
	case t.Name == "address", t.Name == "contract", t.Name == "user":
		return formAddress
	case t.Name == "array":
		return formArray
	case t.Name == "struct":
		return formStruct
	}
	return formUnknown
}
