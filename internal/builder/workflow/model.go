// Package workflow is an application's configuration: what it says, whether it is
// right by itself and beside its contracts, and how a value that a person writes
// becomes bytes for a contract and back.
//
// The configuration is the JSON of Azure Blockchain Workbench with its names,
// limits and meaning. What goes beyond it is an extension, marked so in the
// model and in the schema; a file that uses no extension means exactly what it
// meant there. docs/reference/application.md is the reference for people.
package workflow

import (
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// Application is one configuration file.
type Application struct {
	Name        string     `json:"ApplicationName"`
	DisplayName string     `json:"DisplayName"`
	Description string     `json:"Description,omitempty"`
	Roles       []Role     `json:"ApplicationRoles"`
	Workflows   []Workflow `json:"Workflows"`

	// where every value stands in the file it was read from, by JSON pointer;
	// nil for an application that was not made by Parse.
	places map[string]place
	file   string
}

// Role is what a person can be in an application. Its name is also the name of a type.
type Role struct {
	Name        string `json:"Name"`
	Description string `json:"Description,omitempty"`
}

// Workflow is one contract class: Name is the class's name.
type Workflow struct {
	Name        string       `json:"Name"`
	DisplayName string       `json:"DisplayName"`
	Description string       `json:"Description,omitempty"`
	Initiators  []string     `json:"Initiators"` // roles whose members may create contracts; none: only other contracts may
	StartState  string       `json:"StartState"` // advisory: the ledger's value wins
	Properties  []Identifier `json:"Properties"`
	Constructor Constructor  `json:"Constructor"`
	Functions   []Function   `json:"Functions"`
	States      []State      `json:"States"`
}

// Constructor is what a new contract is given.
type Constructor struct {
	Parameters []Identifier `json:"Parameters"`
}

// Identifier is a property, a parameter, a returned value or a field of a struct.
type Identifier struct {
	Name        string `json:"Name"`
	DisplayName string `json:"DisplayName"`
	Description string `json:"Description,omitempty"`
	Type        Type   `json:"Type"`
}

// Type is a base type's name or a role's. A role wins over the extensions'
// names (struct, image, document), which are not reserved.
type Type struct {
	Name        string       `json:"Name"`
	ElementType *Type        `json:"ElementType,omitempty"` // of array
	EnumValues  []string     `json:"EnumValues,omitempty"`  // of enum, in the order of the Solidity enum
	Fields      []Identifier `json:"Fields,omitempty"`      // extension: of struct, in the order of the Solidity struct
}

// Function is what a person can do with a contract.
type Function struct {
	Name        string       `json:"Name"`
	DisplayName string       `json:"DisplayName"`
	Description string       `json:"Description,omitempty"`
	Parameters  []Identifier `json:"Parameters"`
	Signature   string       `json:"Signature,omitempty"` // extension: name(types) of the Solidity function, to choose one of several of a name
	ReadOnly    bool         `json:"ReadOnly,omitempty"`  // extension: a view or pure function, which is asked and not sent
	Returns     []Identifier `json:"Returns,omitempty"`   // extension: what the function returns
}

// State is a member of the contract's state enum.
type State struct {
	Name            string       `json:"Name"`
	DisplayName     string       `json:"DisplayName"`
	Description     string       `json:"Description,omitempty"`
	PercentComplete int          `json:"PercentComplete"`
	Value           *int         `json:"Value,omitempty"` // the enum's ordinal; without it the place in the list, from 0
	Style           string       `json:"Style"`           // Success or Failure
	Transitions     []Transition `json:"Transitions"`
}

// Transition is that a function may be called in a state, and by whom: by a
// member of any AllowedRoles, or by the person whose address any property of
// AllowedInstanceRoles holds. NextStates is documentation and never enforced.
type Transition struct {
	AllowedRoles         []string `json:"AllowedRoles"`
	AllowedInstanceRoles []string `json:"AllowedInstanceRoles"`
	DisplayName          string   `json:"DisplayName"`
	Description          string   `json:"Description,omitempty"`
	Function             string   `json:"Function"`
	NextStates           []string `json:"NextStates"`
}

// Argument is a parameter's name as the configuration writes it and its value as text.
type Argument struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// RoleNames is the set of the application's roles, as CheckValue wants it.
func (a *Application) RoleNames() map[string]bool {
	names := make(map[string]bool, len(a.Roles))
	for _, r := range a.Roles {
		names[r.Name] = true
	}
	return names
}

// Workflow is the workflow of that name, or nil.
func (a *Application) Workflow(name string) *Workflow {
	i := slices.IndexFunc(a.Workflows, func(w Workflow) bool { return w.Name == name })
	if i < 0 {
		return nil
	}
	return &a.Workflows[i]
}

// StateProperty is the first property of type state, or nil.
func (w *Workflow) StateProperty() *Identifier {
	i := slices.IndexFunc(w.Properties, func(p Identifier) bool { return p.Type.Name == "state" })
	if i < 0 {
		return nil
	}
	return &w.Properties[i]
}

// Ordinal is the number that the contract has in the i-th state.
func (w *Workflow) Ordinal(i int) int {
	if v := w.States[i].Value; v != nil {
		return *v
	}
	return i
}

// StateOf is the state of a contract whose state property has this value, or nil
// if there is none. A workflow without such a property is always in its StartState.
func (w *Workflow) StateOf(value string) *State {
	known := w.StateProperty() != nil
	n, ok := new(big.Int).SetString(value, 10)
	for i := range w.States {
		if known && ok && n.IsInt64() && n.Int64() == int64(w.Ordinal(i)) || !known && w.States[i].Name == w.StartState {
			return &w.States[i]
		}
	}
	return nil
}

// ValueOf is the value of the state property in the state of that name, or "".
func (w *Workflow) ValueOf(name string) string {
	for i := range w.States {
		if w.States[i].Name == name {
			return strconv.Itoa(w.Ordinal(i))
		}
	}
	return ""
}

// Function is the function of that name, or the only one whose name differs in
// case alone (messages of old clients do), or nil.
func (w *Workflow) Function(name string) *Function {
	if i := named(len(w.Functions), func(i int) string { return w.Functions[i].Name }, name); i >= 0 {
		return &w.Functions[i]
	}
	return nil
}

// named is the place of name among n names, exactly or, if only one fits, without regard to case.
func named(n int, at func(int) string, name string) int {
	folded, count := -1, 0
	for i := range n {
		switch {
		case at(i) == name:
			return i
		case strings.EqualFold(at(i), name):
			folded, count = i, count+1
		}
	}
	if count != 1 {
		return -1
	}
	return folded
}
