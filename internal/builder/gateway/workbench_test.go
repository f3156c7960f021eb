package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// answersOf are, by operation, what we answer where Workbench's Swagger document
// declares something else or nothing; docs/reference/compatibility.md says why.
var answersOf = map[string]string{
	"ApplicationDelete": "501", "ContractCodeDelete": "501", "UserDelete": "501",
	"RoleAssignmentDelete": "204",
	"ApplicationEnable":    "empty", "ApplicationDisable": "empty", "Health": "empty",
	"ContractCodeGet": "file", "GraphProxy-UsersGet": "directory",
	"CheckApplicationPost": "check", "CheckContractCodePost": "check",
	"ContractPost": "integer", "ContractActionPost": "integer",
	"ContractActionsGet": "WorkflowFunctionList", "ContractActionGet": "ContractAction",
	"TransactionsGet": "TransactionList",
}

// nulls are the members that may be null, everywhere or in the lists that are light.
// Every other member that Workbench has is there with a value.
var nulls = []string{
	"*.nextLink", "Application.blobStorageURL", "ApplicationList.Application.applicationRoles",
	"WorkflowList.Workflow.initiators", "WorkflowList.Workflow.properties", "WorkflowList.Workflow.constructor",
	"WorkflowList.Workflow.functions", "WorkflowList.Workflow.startState", "WorkflowList.Workflow.states",
	"WorkflowDataType.elementType", "Connection.fundingAccount", "Transaction.to",
	"ContractList.Contract.transactions", "ContractList.Contract.contractActions",
}

// reader compares answers with the table of Workbench's models.
type reader struct {
	t      *testing.T
	models map[string][]map[string]string // fields by model
	seen   map[string]bool                // that had a value once
}

func newReader(t *testing.T) *reader {
	r := &reader{t: t, models: map[string][]map[string]string{}, seen: map[string]bool{}}
	for _, row := range rows(t, "rest-models.csv") {
		r.models[row["model"]] = append(r.models[row["model"]], row)
	}
	r.models["WorkflowFunctionList"] = []map[string]string{{"field": "nextLink", "type": "string"}, {"field": "workflowFunctions", "type": "array", "items": "WorkflowFunction"}}
	return r
}

var dateTime = regexp.MustCompile(timePattern)

// holds wants every member of a model in an answer, spelled so, of its type.
func (r *reader) holds(where, model string, v any) {
	r.t.Helper()
	o, ok := v.(map[string]any)
	if !ok {
		r.t.Errorf("%s is %v, not a %s", where, v, model)
		return
	}
	for _, f := range r.models[model] {
		name := where + "." + f["field"]
		v, ok := o[f["field"]]
		switch {
		case !ok:
			r.t.Errorf("%s has no %s", where, f["field"])
		case v != nil:
			r.seen[model+"."+f["field"]] = true
			r.value(name, f["type"], f, v)
		case !slices.ContainsFunc(nulls, func(n string) bool { return strings.HasSuffix("."+name, strings.TrimPrefix(n, "*")) }):
			r.t.Errorf("%s is null", name)
		}
	}
}

func (r *reader) value(name, kind string, f map[string]string, v any) {
	r.t.Helper()
	right := true
	switch kind {
	case "integer":
		n, ok := v.(json.Number)
		right = ok && !strings.ContainsAny(n.String(), ".eE")
	case "number":
		_, right = v.(json.Number)
	case "boolean":
		_, right = v.(bool)
	case "string":
		var s string
		s, right = v.(string)
		right = right && (f["format"] != "date-time" || dateTime.MatchString(s))
	case "array":
		var list []any
		list, right = v.([]any)
		for _, one := range list {
			if f["items"] == "string" {
				r.value(name, "string", map[string]string{}, one)
			} else {
				r.holds(strings.TrimSuffix(name, "."+f["field"])+"."+f["items"], f["items"], one)
			}
		}
	default:
		r.holds(strings.TrimSuffix(name, "."+f["field"])+"."+kind, kind, v)
	}
	if !right {
		r.t.Errorf("%s is %v, not %s %s", name, v, kind, f["format"])
	}
}

// TestAnswersAreWorkbenchs asks every operation of Workbench as somebody who may,
// under both versions, and reads the answer member by member.
func TestAnswersAreWorkbenchs(t *testing.T) {
	s := newScene(t)
	s.number("initiator", post, fmt.Sprintf("/api/v1/contracts/%d/actions", s.contract), action(s.change, "askingPrice", "8"))
	s.committed(s.contract)
	r := newReader(t)
	for i := range table {
		route := &table[i]
		if route.extra {
			continue
		}
		for _, template := range route.paths() {
			declared := ""
			for _, row := range rows(t, "rest-operations.csv") {
				if row["operation_id"] == route.id {
					declared = row["response_200_declared"]
				}
			}
			if ours, ok := answersOf[route.id]; ok {
				declared = ours
			}
			who, path := "administrator", s.path(route, template)
			switch route.id {
			case "ContractPost", "ContractActionPost", "ContractActionsGet":
				who = "initiator"
			case "RoleAssignmentDelete":
				path = fmt.Sprintf("%s/%d", path[:strings.LastIndex(path, "/")], s.spare())
			}
			status, body, h := s.ask(who, route.method, path, s.body(route))
			want := map[string]int{"501": 501, "204": 204}[declared]
			if want == 0 {
				want = http.StatusOK
			}
			if status != want {
				t.Errorf("%s %s: %d, not %d: %s", route.method, path, status, want, body)
				continue
			}
			s.form(r, route, path, declared, body, h)
			s.restore(route)
		}
	}
	for model, fields := range r.models {
		for _, f := range fields {
			name := model + "." + f["field"]
			if !r.seen[name] && otherwise[name] == "" && !strings.HasSuffix(model, "Input") &&
				!slices.Contains([]string{"*.nextLink", "Application.blobStorageURL", "Connection.fundingAccount", "WorkflowDataType.elementType"}, strings.Replace(name, model+".nextLink", "*.nextLink", 1)) {
				t.Errorf("%s had no value in any answer", name)
			}
		}
	}
}

// form reads a body of the declared form.
func (s *scene) form(r *reader, route *route, path, declared string, body []byte, h http.Header) {
	t := s.t
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if len(body) > 0 && declared != "file" && d.Decode(&v) != nil {
		t.Errorf("%s %s is no JSON: %s", route.method, path, body)
	}
	right := true
	switch declared {
	case "204", "empty":
		right = len(body) == 0
	case "501":
		right = h.Get("Content-Type") == problemKind
	case "file":
		right = strings.HasPrefix(h.Get("Content-Disposition"), "attachment") && len(body) > 0
	case "integer":
		right = regexp.MustCompile(`^[1-9]\d*$`).Match(body)
	case "boolean":
		right = string(body) == "true" || string(body) == "false"
	case "directory":
		o, _ := v.(map[string]any)
		list, ok := o["value"].([]any)
		right = ok && len(list) > 0
	case "check":
		o, _ := v.(map[string]any)
		_, truth := o["Result"].(bool)
		_, wrong := o["Errors"].([]any)
		_, doubts := o["Warnings"].([]any)
		_, app := o["Application"]
		right = truth && wrong && doubts && app
	default:
		r.holds(declared, declared, v)
	}
	if !right {
		t.Errorf("%s %s is %q, not %s", route.method, path, body, declared)
	}
}

// TestEmptyListsAreNoContent asks for each list that can be empty when it is.
func TestEmptyListsAreNoContent(t *testing.T) {
	s := newScene(t)
	for path, who := range map[string]string{
		"applications": "stranger", "applications?enabled=false&name=Purchase": "administrator", "contracts": "stranger",
		fmt.Sprintf("contracts?workflowId=%d&top=5&skip=100", s.workflow):                                          "member",
		fmt.Sprintf("contracts/%d/actions", s.contract):                                                            "administrator",
		fmt.Sprintf("applications/%d/roleAssignments?applicationRoleId=%d", s.app, s.apps["Purchase"].Roles[2].ID): "member",
		fmt.Sprintf("applications/%d/contractCode", s.fresh["v1"]):                                                 "administrator",
		fmt.Sprintf("applications/%d/workflows?skip=9", s.app):                                                     "member",
		"ledgers?skip=9":                           "member",
		"ledgers/connections?skip=9":               "member",
		"ledgers/connections/1/blocks?skip=100000": "member",
		"ledgers/connections/1/transactions":       "stranger",
		"users?externalId=nobody":                  "member",
		"users?userChainIdentifier=0x00000000000000000000000000000000000000aa": "member",
	} {
		for _, version := range []string{"v1", "v2"} {
			status, body, _ := s.ask(who, get, "/api/"+version+"/"+path, nil)
			if status != http.StatusNoContent || len(body) > 0 {
				s.t.Errorf("%s of %s as %s: %d %s", path, version, who, status, body)
			}
			status, body, _ = s.ask(who, get, "/api/"+version+"/"+path, nil, "Prefer", "return=representation")
			if status != http.StatusOK || !bytes.HasPrefix(body, []byte(`{"nextLink":null,`)) || !bytes.HasSuffix(body, []byte(`":[]}`)) {
				s.t.Errorf("%s of %s as %s, whole: %d %s", path, version, who, status, body)
			}
		}
	}
}
