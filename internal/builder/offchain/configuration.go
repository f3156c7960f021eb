package offchain

import (
	"encoding/json"
	"errors"

	"github.com/coco-consortium/coco/internal/builder/workflow"
	"github.com/coco-consortium/coco/internal/problem"
)

// errConfiguration is a configuration that its caller did not check.
var errConfiguration = problem.New("CONFIGURATION_UNREADABLE", "the configuration cannot be read",
	"check it with coco app check")

// built is what an application's entry says: rows with their ids, and how many
// ids of each kind it takes. Tables and memory are both made from it.
type built struct {
	application Application
	workflows   []Workflow
	types       []DataType // the application's own

	functions, parameters, properties, states, transitions int
}

// build computes an application's rows from its entry, always the same.
func build(e *ApplicationAdded) (*built, error) {
	var c workflow.Application
	if err := json.Unmarshal(e.Configuration, &c); err != nil {
		return nil, errConfiguration.From(err)
	}
	if len(c.Workflows) == 0 || c.Name == "" {
		return nil, errConfiguration.From(errors.New("it has no name or no workflow"))
	}
	b := &built{application: Application{ID: e.ID, Name: clean(e.Name), Version: e.Version, DisplayName: clean(c.DisplayName),
		Description: clean(c.Description), CreatedBy: e.By, CreatedAt: e.At}}
	for i, r := range c.Roles {
		b.application.Roles = append(b.application.Roles,
			Role{ID: e.FirstRole + i, ApplicationID: e.ID, Name: clean(r.Name), Description: clean(r.Description)})
	}
	for i := range c.Workflows {
		w, err := b.workflow(e, e.FirstWorkflow+i, &c.Workflows[i])
		if err != nil {
			return nil, err
		}
		b.workflows = append(b.workflows, w)
		b.application.WorkflowIDs = append(b.application.WorkflowIDs, w.ID)
	}
	return b, nil
}

func (b *built) workflow(e *ApplicationAdded, id int, c *workflow.Workflow) (Workflow, error) {
	w := Workflow{ID: id, ApplicationID: e.ID, Name: clean(c.Name), DisplayName: clean(c.DisplayName),
		Description: clean(c.Description), Initiators: c.Initiators}
	function := func(f workflow.Function, constructor bool) (Function, error) {
		out := Function{ID: e.FirstFunction + b.functions, WorkflowID: id, Constructor: constructor, Name: clean(f.Name),
			DisplayName: clean(f.DisplayName), Description: clean(f.Description), Signature: f.Signature, ReadOnly: f.ReadOnly, Returns: f.Returns}
		b.functions++
		for _, p := range f.Parameters {
			kind, err := b.kind(e, p.Type)
			if err != nil {
				return out, err
			}
			out.Parameters = append(out.Parameters, Parameter{ID: e.FirstParameter + b.parameters, FunctionID: out.ID,
				Name: clean(p.Name), DisplayName: clean(p.DisplayName), Description: clean(p.Description), Type: kind})
			b.parameters++
		}
		return out, nil
	}
	var err error
	if w.Constructor, err = function(workflow.Function{Parameters: c.Constructor.Parameters}, true); err != nil {
		return w, err
	}
	for _, f := range c.Functions {
		made, err := function(f, false)
		if err != nil {
			return w, err
		}
		w.Functions = append(w.Functions, made)
	}
	for _, p := range c.Properties {
		kind, err := b.kind(e, p.Type)
		if err != nil {
			return w, err
		}
		w.Properties = append(w.Properties, Property{ID: e.FirstProperty + b.properties, WorkflowID: id, Name: clean(p.Name),
			DisplayName: clean(p.DisplayName), Description: clean(p.Description), Type: kind})
		b.properties++
	}
	for i, s := range c.States {
		b.state(e, &w, i, s)
		if s.Name == c.StartState {
			w.StartStateID = w.States[i].ID
		}
	}
	return w, nil
}

func (b *built) state(e *ApplicationAdded, w *Workflow, position int, s workflow.State) {
	out := State{ID: e.FirstState + b.states, WorkflowID: w.ID, Name: clean(s.Name), DisplayName: clean(s.DisplayName),
		Description: clean(s.Description), PercentComplete: s.PercentComplete, Value: position, Style: clean(s.Style)}
	b.states++
	if s.Value != nil {
		out.Value = *s.Value
	}
	for _, t := range s.Transitions {
		made := Transition{ID: e.FirstTransition + b.transitions, StateID: out.ID, Function: clean(t.Function),
			AllowedRoles: t.AllowedRoles, AllowedInstanceRoles: t.AllowedInstanceRoles,
			DisplayName: clean(t.DisplayName), Description: clean(t.Description), NextStates: t.NextStates}
		b.transitions++
		for _, f := range w.Functions {
			if f.Name == made.Function {
				made.FunctionID = f.ID
				break
			}
		}
		out.Transitions = append(out.Transitions, made)
	}
	w.States = append(w.States, out)
}

// kind gives a type its id: that of a base type, or one of the application's own.
func (b *built) kind(e *ApplicationAdded, t workflow.Type) (DataType, error) {
	if id := BaseTypes[t.Name]; id != 0 && t.ElementType == nil && len(t.EnumValues) == 0 && len(t.Fields) == 0 {
		return DataType{ID: id, Type: t}, nil
	}
	text, err := json.Marshal(t)
	if err != nil {
		return DataType{}, errConfiguration.From(err)
	}
	for _, known := range b.types {
		if other, _ := json.Marshal(known.Type); string(other) == string(text) {
			return known, nil
		}
	}
	out := DataType{ApplicationID: e.ID, Type: t}
	if t.ElementType != nil {
		element, err := b.kind(e, *t.ElementType)
		if err != nil {
			return DataType{}, err
		}
		out.ElementTypeID = element.ID
	}
	out.ID = e.FirstType + len(b.types)
	b.types = append(b.types, out)
	return out, nil
}
