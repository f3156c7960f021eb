package gateway

import (
	"encoding/csv"
	"os"
	"strings"
	"testing"
)

// rows reads one of Workbench's tables: what its Swagger document declares.
func rows(t *testing.T, name string) []map[string]string {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var list []map[string]string
	for _, line := range all[1:] {
		row := map[string]string{}
		for i, v := range line {
			row[all[0][i]] = v
		}
		list = append(list, row)
	}
	return list
}

// TestOperationsAreWorkbenchs wants each operation of Workbench, with each of its
// parameters, under both versions; and whatever is more marked as an addition.
func TestOperationsAreWorkbenchs(t *testing.T) {
	known := rows(t, "rest-operations.csv")
	if len(known) != 41 {
		t.Fatalf("Workbench has %d operations", len(known))
	}
	ours := map[string]*route{}
	for i := range table {
		r := &table[i]
		if r.serve == nil || r.text == "" || r.answer == "" || r.id == "" {
			t.Errorf("%s %s is not whole", r.method, r.path)
		}
		for _, path := range r.paths() {
			ours[r.method+" "+path] = r
		}
	}
	seen := map[*route]bool{}
	for _, row := range known {
		paths := []string{row["path"]}
		if strings.HasPrefix(row["path"], "/api/v1") {
			paths = append(paths, strings.Replace(row["path"], "/v1", "/v2", 1))
		}
		for _, path := range paths {
			r := ours[row["method"]+" "+path]
			if r == nil {
				t.Errorf("%s %s is missing", row["method"], path)
				continue
			}
			seen[r] = true
			if r.id != row["operation_id"] || r.extra {
				t.Errorf("%s %s is called %s", r.method, path, r.id)
			}
			query := map[string]bool{}
			for name := range strings.FieldsSeq(r.query) {
				query[name] = true
			}
			for parameter := range strings.FieldsSeq(row["query"]) {
				name, kind, _ := strings.Cut(parameter, ":")
				if !query[name] || parameters[name][0] != kind {
					t.Errorf("%s %s has no parameter %s", r.method, path, parameter)
				}
				delete(query, name)
			}
			for name := range query {
				if !strings.HasPrefix(name, "+") && !strings.HasPrefix(name, "$") {
					t.Errorf("%s %s: the parameter %s is an addition and not marked so", r.method, path, name)
				}
			}
		}
	}
	for i := range table {
		if !seen[&table[i]] && !table[i].extra {
			t.Errorf("%s %s is an addition and not marked so", table[i].method, table[i].path)
		}
	}
}

// otherwise are the members where Workbench's Swagger document is known to be
// wrong, and what we have instead.
var otherwise = map[string]string{
	"LedgerActionOutput.transactionID":                     "the post answers with the bare id of the action",
	"WorkflowStateTransitionList.nextLink":                 "WorkflowFunctionList",
	"WorkflowStateTransitionList.workflowStateTransitions": "WorkflowFunctionList",
	"WorkflowActionInput.workflowActionParameters":         "WorkflowActionParameter has the names of requests",
	"Block.blockNumber":                                    "",
}

// TestModelsAreWorkbenchs wants each member of each model, with its type and
// letter case.
func TestModelsAreWorkbenchs(t *testing.T) {
	ours := map[string]member{}
	for i := range models {
		for _, f := range models[i].members() {
			ours[models[i].name+"."+f.name] = f
		}
	}
	for _, row := range rows(t, "rest-models.csv") {
		name := row["model"] + "." + row["field"]
		if otherwise[name] != "" {
			continue
		}
		f, ok := ours[name]
		if !ok || f.extra {
			t.Errorf("%s is missing", name)
			continue
		}
		kind := row["type"]
		switch {
		case kind == "array":
			kind = row["items"]
		case row["format"] == "date-time":
			kind = "time"
		}
		if f.kind != kind || f.list != (row["type"] == "array") {
			t.Errorf("%s is %q (list: %v), not %s", name, f.kind, f.list, row["type"]+" "+row["items"])
		}
	}
}

func TestRoutesAreFound(t *testing.T) {
	root := tree(table)
	for path, want := range map[string]string{
		"api/v1/applications/7/workflows":             "WorkflowsGet",
		"api/v2/applications/workflows/7":             "WorkflowGet",
		"api/v1/APPLICATIONS/workflows/workflows":     "WorkflowGet",
		"api/v1/applications/contractcode/3":          "ContractCodeGet",
		"api/v1/applications/3/contractCode":          "ContractCodesGet",
		"api/v1/users/me":                             "MeGet",
		"api/v1/users/5":                              "UserGet",
		"api/v1/graphProxy/v1.0/users":                "GraphProxy-UsersGet",
		"api/health":                                  "Health",
		"api/v2/ledgers/connections/1/transactions/9": "TransactionGet",
		"api/v1/applications/1/roleAssignments/2":     "RoleAssignmentGet",
		"api/v1/contracts/1/actions/2/proof":          "ContractActionProofGet",
	} {
		end, _ := root.find(strings.Split(path, "/"), nil)
		if end == nil || end.methods[get] == nil || end.methods[get].id != want {
			t.Errorf("%s does not lead to %s", path, want)
		}
	}
	for _, path := range []string{"", "api", "api/v3/users", "api/v1", "api/v1/users/5/x", "api/v1/contracts/1/2/3/4"} {
		if end, _ := root.find(strings.Split(path, "/"), nil); end != nil {
			t.Errorf("%s leads somewhere", path)
		}
	}
}
