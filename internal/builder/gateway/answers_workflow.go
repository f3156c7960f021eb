package gateway

import (
	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/workflow"
)

// writeWorkflow writes a workflow whole, or light as it is in lists: there what
// is nested is null.
func writeWorkflow(w *writer, f *offchain.Workflow, whole bool) {
	w.open()
	w.integer("id", f.ID)
	w.text("name", f.Name)
	w.text("description", f.Description)
	w.text("displayName", f.DisplayName)
	w.integer("applicationId", f.ApplicationID)
	w.integer("constructorId", f.Constructor.ID)
	w.integer("startStateId", f.StartStateID)
	if !whole {
		for _, name := range [...]string{"initiators", "properties", "constructor", "functions", "startState", "states"} {
			w.null(name)
		}
		w.close()
		return
	}
	w.strings("initiators", f.Initiators)
	w.key("properties").array()
	for i := range f.Properties {
		p := &f.Properties[i]
		writeIdentifier(w, p.ID, p.Name, p.Description, p.DisplayName, &p.Type)
	}
	w.end()
	w.key("constructor")
	writeFunction(w, &f.Constructor)
	w.key("functions").array()
	for i := range f.Functions {
		writeFunction(w, &f.Functions[i])
	}
	w.end()
	if s := f.State(f.StartStateID); s != nil {
		w.key("startState")
		writeState(w, s)
	} else {
		w.null("startState")
	}
	w.key("states").array()
	for i := range f.States {
		writeState(w, &f.States[i])
	}
	w.end()
	w.close()
}

// writeIdentifier writes a property or a parameter.
func writeIdentifier(w *writer, id int, name, description, displayName string, t *offchain.DataType) {
	w.open()
	w.integer("id", id)
	w.text("name", name)
	w.text("description", description)
	w.text("displayName", displayName)
	w.key("type")
	writeType(w, t.ID, t.ApplicationID, t.ElementTypeID, &t.Type)
	w.close()
}

func writeType(w *writer, id, applicationID, elementID int, t *workflow.Type) {
	w.open()
	w.integer("id", id)
	w.text("name", t.Name)
	if w.key("elementType"); t.ElementType != nil {
		writeType(w, elementID, 0, 0, t.ElementType)
	} else {
		w.b = append(w.b, "null"...)
	}
	w.integer("elementTypeId", elementID)
	w.identity("applicationId", applicationID)
	w.strings("enumValues", t.EnumValues)
	if len(t.Fields) > 0 {
		writeValueTypes(w, "fields", t.Fields)
	} else {
		w.null("fields")
	}
	w.close()
}

// writeValueTypes writes fields of a struct or returned values: they have no ids.
func writeValueTypes(w *writer, name string, list []workflow.Identifier) {
	w.key(name).array()
	for i := range list {
		f := &list[i]
		w.open()
		w.text("name", f.Name)
		w.text("description", f.Description)
		w.text("displayName", f.DisplayName)
		w.key("type")
		writeType(w, 0, 0, 0, &f.Type)
		w.close()
	}
	w.end()
}

func writeFunction(w *writer, f *offchain.Function) {
	w.open()
	w.integer("id", f.ID)
	w.text("name", f.Name)
	w.text("description", f.Description)
	w.text("displayName", f.DisplayName)
	w.key("parameters").array()
	for i := range f.Parameters {
		p := &f.Parameters[i]
		writeIdentifier(w, p.ID, p.Name, p.Description, p.DisplayName, &p.Type)
	}
	w.end()
	w.integer("workflowId", f.WorkflowID)
	w.boolean("readOnly", f.ReadOnly)
	w.optional("signature", f.Signature)
	if len(f.Returns) > 0 {
		writeValueTypes(w, "returns", f.Returns)
	} else {
		w.null("returns")
	}
	w.close()
}

func writeState(w *writer, s *offchain.State) {
	w.open()
	w.integer("id", s.ID)
	w.text("name", s.Name)
	w.text("description", s.Description)
	w.text("displayName", s.DisplayName)
	w.integer("percentComplete", s.PercentComplete)
	w.integer("value", s.Value)
	w.text("style", s.Style)
	w.key("workflowStateTransitions").array()
	for i := range s.Transitions {
		t := &s.Transitions[i]
		w.open()
		w.integer("id", t.ID)
		w.integer("workflowFunctionId", t.FunctionID)
		w.integer("currStateId", t.StateID)
		w.strings("allowedRoles", t.AllowedRoles)
		w.strings("allowedInstanceRoles", t.AllowedInstanceRoles)
		w.text("description", t.Description)
		w.text("function", t.Function)
		w.text("currentState", s.Name)
		w.text("displayName", t.DisplayName)
		w.strings("nextStates", t.NextStates)
		w.close()
	}
	w.end()
	w.close()
}
