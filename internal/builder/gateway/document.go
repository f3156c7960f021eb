package gateway

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/coco-consortium/coco/internal/builder/workflow"
)

// object is a part of the OpenAPI document.
type object map[string]any

// parameters are the parameters that queries may have: type and meaning.
var parameters = map[string][2]string{
	"top":                 {"integer", "how many; 20 if missing or below 1, at most 100"},
	"skip":                {"integer", "how many to pass over"},
	"sortBy":              {"string", "what to sort by; a leading - turns it round"},
	"enabled":             {"boolean", "only those that are enabled, or only those that are not"},
	"archived":            {"boolean", "with archived ones"},
	"name":                {"string", "exactly this name"},
	"search":              {"string", "only what has this text in it"},
	"applicationRoleId":   {"integer", "only this role"},
	"ledgerId":            {"integer", "kind of ledger; 1 is Ethereum"},
	"workflowId":          {"integer", "of this workflow"},
	"applicationId":       {"integer", "of this application"},
	"contractId":          {"integer", "of this contract"},
	"connectionId":        {"integer", "on this connection"},
	"contractCodeId":      {"integer", "made from this code; the application's only one if missing"},
	"ledgerIdentifier":    {"string", "at this address"},
	"state":               {"string", "in the state of this name; wants workflowId"},
	"expand":              {"string", "actions, transactions, or both with a comma: no longer null"},
	"workflowPropertyId":  {"integer", "only this property"},
	"externalId":          {"string", "whom the issuer calls so"},
	"userChainIdentifier": {"string", "whose account this is"},
	"$filter":             {"string", "startswith(PROPERTY,'TEXT') and PROPERTY eq 'TEXT', joined by or and and"},
	"$top":                {"integer", "how many; 100 if missing, at most 999"},
}

// document makes the OpenAPI document of a table of routes and one of models.
func document(routes []route, models []model) []byte {
	m := newModelSet(models)
	paths := object{}
	for i := range routes {
		for _, path := range routes[i].paths() {
			at, ok := paths[path].(object)
			if !ok {
				at = object{}
				paths[path] = at
			}
			at[strings.ToLower(routes[i].method)] = operation(m, &routes[i], path)
		}
	}
	doc, err := json.Marshal(object{
		"openapi": "3.0.3",
		"info": object{
			"title":       "coco App Builder",
			"version":     "2.0",
			"description": "The REST API of Azure Blockchain Workbench as coco answers it. Members and operations marked x-coco-extension are additions. Times are UTC without a zone. An empty list is 204, or 200 with Prefer: return=representation.",
		},
		"paths":    paths,
		"security": []object{{"bearer": []string{}}},
		"components": object{
			"schemas":         m.schemas(),
			"securitySchemes": object{"bearer": object{"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
		},
	})
	if err != nil {
		panic(err) // it is made of constants
	}
	return doc
}

// operation describes one route under one of its paths.
func operation(m *modelSet, r *route, path string) object {
	version, id := 1, r.id
	if strings.HasPrefix(path, "/api/v2/") {
		version, id = 2, r.id+"V2"
	}
	op := object{"operationId": id, "summary": r.text, "tags": []string{tag(r.path)}, "responses": responses(m, r, version)}
	if r.extra {
		op["x-coco-extension"] = true
	}
	if r.who == anyone {
		op["security"] = []object{}
	}
	if list := r.inputs(); len(list) > 0 {
		op["parameters"] = list
	}
	if r.body != "" {
		op["requestBody"] = requestBody(m, r.body, version)
	}
	return op
}

// tag groups operations by the first part of their path.
func tag(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(path, "/api"), "/"), "/")
	return first
}

// inputs are the parameters of a route's path and query.
func (r *route) inputs() []object {
	var list []object
	for part := range strings.SplitSeq(r.path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			name = strings.TrimSuffix(name, "}")
			kind := "integer"
			if name == "version" {
				kind = "string"
			}
			list = append(list, object{"name": name, "in": "path", "required": true, "schema": object{"type": kind}})
		}
	}
	for name := range strings.FieldsSeq(r.query) {
		name, added := strings.CutPrefix(name, "+")
		p := object{"name": name, "in": "query", "description": parameters[name][1], "schema": object{"type": parameters[name][0]}}
		if added {
			p["x-coco-extension"] = true
		}
		list = append(list, p)
	}
	return list
}

func requestBody(m *modelSet, body string, version int) object {
	names, files := strings.CutPrefix(body, "files ")
	if !files {
		return object{"required": true, "content": object{"application/json": object{"schema": m.schema(body, version)}}}
	}
	properties, required := object{}, []string{}
	for name := range strings.FieldsSeq(names) {
		name, optional := strings.CutPrefix(name, "+")
		properties[name] = object{"type": "string", "format": "binary"}
		if !optional {
			required = append(required, name)
		}
	}
	return object{"required": true, "content": object{"multipart/form-data": object{
		"schema": object{"type": "object", "properties": properties, "required": required},
	}}}
}

// responses describes what a route answers.
func responses(m *modelSet, r *route, version int) object {
	problem := func(text string) object {
		return object{"description": text, "content": object{problemKind: object{"schema": m.schema("Problem", version)}}}
	}
	all := object{"default": problem("what went wrong")}
	if r.who != anyone {
		all["401"] = problem("no token, or one that is not accepted")
	}
	if r.who == administrator {
		all["403"] = problem("the caller is no administrator")
	}
	ok := object{"description": "done"}
	switch r.answer {
	case "never":
		all["501"] = problem("never implemented")
		return all
	case "none":
		all["204"] = ok
		return all
	case "nothing":
	case "file":
		ok["content"] = object{"application/octet-stream": object{"schema": object{"type": "string", "format": "binary"}}}
	case "events":
		ok["content"] = object{"text/event-stream": object{"schema": object{"type": "string"}}}
	case "schema":
		ok["content"] = object{"application/schema+json": object{"schema": object{"type": "object"}}}
	case "json":
		ok["content"] = object{"application/json": object{"schema": object{"type": "object"}}}
	case "integer", "boolean":
		ok["content"] = object{"application/json": object{"schema": object{"type": r.answer}}}
	default:
		var either []object
		for name := range strings.SplitSeq(r.answer, "|") {
			either = append(either, m.schema(name, version))
		}
		schema := either[0]
		if len(either) > 1 {
			schema = object{"anyOf": either}
		}
		ok["content"] = object{"application/json": object{"schema": schema}}
	}
	all["200"] = ok
	if strings.HasSuffix(r.answer, "List") && r.answer != "DirectoryList" {
		all["204"] = object{"description": "an empty list"}
	}
	return all
}

func documentGet(c *call) error {
	c.w.Header().Set("Cache-Control", "no-cache")
	c.send(http.StatusOK, jsonKind, c.g.document)
	return nil
}

func schemaGet(c *call) error {
	c.w.Header().Set("Cache-Control", "no-cache")
	c.send(http.StatusOK, "application/schema+json", workflow.Schema())
	return nil
}
