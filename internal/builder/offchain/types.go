package offchain

import (
	"slices"
	"strconv"

	"github.com/coco-consortium/coco/internal/builder/workflow"
)

// BaseTypes are the ids of the types that need no application. The first three
// are the ids that Workbench's answers showed.
var BaseTypes = map[string]int{
	"state": 1, "string": 2, "money": 3, "int": 4, "bool": 5, "time": 6, "address": 7,
	"user": 8, "contract": 9, "enum": 10, "array": 11, "struct": 12, "image": 13, "document": 14,
}

// firstOwnType is the first id of types that belong to an application.
const firstOwnType = 1000

// definition puts a workflow back into the form of the configuration.
func definition(w *Workflow) *workflow.Workflow {
	d := &workflow.Workflow{Name: w.Name, DisplayName: w.DisplayName, Description: w.Description,
		Initiators: slices.Clone(w.Initiators), Properties: []workflow.Identifier{}, Functions: []workflow.Function{}}
	parameters := func(f *Function) []workflow.Identifier {
		out := []workflow.Identifier{}
		for _, p := range f.Parameters {
			out = append(out, workflow.Identifier{Name: p.Name, DisplayName: p.DisplayName, Description: p.Description, Type: p.Type.Type})
		}
		return out
	}
	if s := w.State(w.StartStateID); s != nil {
		d.StartState = s.Name
	}
	d.Constructor.Parameters = parameters(&w.Constructor)
	for i := range w.Functions {
		f := &w.Functions[i]
		d.Functions = append(d.Functions, workflow.Function{Name: f.Name, DisplayName: f.DisplayName, Description: f.Description,
			Parameters: parameters(f), Signature: f.Signature, ReadOnly: f.ReadOnly, Returns: f.Returns})
	}
	for _, p := range w.Properties {
		d.Properties = append(d.Properties, workflow.Identifier{Name: p.Name, DisplayName: p.DisplayName, Description: p.Description, Type: p.Type.Type})
	}
	for _, s := range w.States {
		value := s.Value
		state := workflow.State{Name: s.Name, DisplayName: s.DisplayName, Description: s.Description,
			PercentComplete: s.PercentComplete, Value: &value, Style: s.Style}
		for _, t := range s.Transitions {
			state.Transitions = append(state.Transitions, workflow.Transition{AllowedRoles: t.AllowedRoles,
				AllowedInstanceRoles: t.AllowedInstanceRoles, DisplayName: t.DisplayName, Description: t.Description,
				Function: t.Function, NextStates: t.NextStates})
		}
		d.States = append(d.States, state)
	}
	return d
}

// text is a state's value as it is read from the ledger.
func (s *State) text() string { return strconv.Itoa(s.Value) }
