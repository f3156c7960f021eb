package gateway

import "strings"

// member is one member of a model, as a line of its fields says.
type member struct {
	name, kind, text                      string
	list, nullable, extra, second, absent bool
}

// members reads the lines of a model.
func (m *model) members() []member {
	var list []member
	for line := range strings.Lines(m.fields) {
		name, rest, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			continue
		}
		kind, text, _ := strings.Cut(rest, " ")
		f := member{name: name, text: text}
		end := strings.LastIndexAny(kind, "]abcdefghijklmnopqrstuvwxyz") + 1
		marks := kind[end:]
		kind = kind[:end]
		f.nullable, f.extra = strings.Contains(marks, "?"), strings.Contains(marks, "+")
		f.second, f.absent = strings.Contains(marks, "2"), strings.Contains(marks, "~")
		if inner, ok := strings.CutPrefix(kind, "["); ok {
			f.list, kind = true, strings.TrimSuffix(inner, "]")
		}
		f.kind = kind
		list = append(list, f)
	}
	return list
}

// timePattern is timeForm.
const timePattern = `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?$`

// modelSet makes schemas of models. A model that has members of version 2 only,
// or models in it that do, has two schemas; the second one's name ends in V2.
type modelSet struct {
	models map[string]*model
	order  []string
	twice  map[string]bool
}

func newModelSet(models []model) *modelSet {
	m := &modelSet{models: map[string]*model{}, twice: map[string]bool{}}
	for i := range models {
		m.models[models[i].name] = &models[i]
		m.order = append(m.order, models[i].name)
	}
	for changed := true; changed; {
		changed = false
		for name, one := range m.models {
			for _, f := range one.members() {
				if !m.twice[name] && (f.second || m.twice[f.kind]) {
					m.twice[name], changed = true, true
				}
			}
		}
	}
	return m
}

// schema refers to a model, or describes a plain type.
func (m *modelSet) schema(kind string, version int) object {
	switch kind {
	case "integer", "number", "boolean", "string":
		return object{"type": kind}
	case "time":
		return object{"type": "string", "pattern": timePattern} // date-time would want a zone
	case "json":
		return object{"type": "object"}
	}
	if m.models[kind] == nil {
		panic("gateway: no model " + kind)
	}
	if version == 2 && m.twice[kind] {
		kind += "V2"
	}
	return object{"$ref": "#/components/schemas/" + kind}
}

// schemas are the schemas of all models.
func (m *modelSet) schemas() object {
	all := object{}
	for _, name := range m.order {
		all[name] = m.describe(name, 1)
		if m.twice[name] {
			all[name+"V2"] = m.describe(name, 2)
		}
	}
	return all
}

func (m *modelSet) describe(name string, version int) object {
	one := m.models[name]
	properties, required := object{}, []string{}
	for _, f := range one.members() {
		if f.second && version < 2 {
			continue
		}
		s := m.schema(f.kind, version)
		if f.list {
			s = object{"type": "array", "items": s}
		}
		if _, refers := s["$ref"]; refers && (f.nullable || f.extra || f.text != "") {
			s = object{"allOf": []object{s}} // beside $ref nothing else counts
		}
		if f.nullable {
			s["nullable"] = true
		}
		if f.text != "" {
			s["description"] = f.text
		}
		if f.extra {
			s["x-coco-extension"] = true
		}
		properties[f.name] = s
		if !f.absent {
			required = append(required, f.name)
		}
	}
	s := object{"type": "object", "description": one.text, "properties": properties}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}
