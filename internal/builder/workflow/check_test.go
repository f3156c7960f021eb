package workflow

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/builder/solidity"
)

// edited is a sample with one thing of its configuration changed.
func edited(t *testing.T, name, old, new string) *Application {
	t.Helper()
	text := string(configuration(t, name))
	if !strings.Contains(text, old) {
		t.Fatalf("%s has no %q", name, old)
	}
	app, report := Parse(name+".json", []byte(strings.Replace(text, old, new, 1)))
	if !report.OK() {
		t.Fatalf("%q: %v", new, report.Errors)
	}
	return app
}

// TestCodeFindings changes one thing of a configuration that fits its code.
func TestCodeFindings(t *testing.T) {
	for _, c := range []struct {
		sample, old, new string
		code             string
		line             int    // in the configuration
		says             string // in message or fix
	}{
		{"Greeting", `"Name": "Greeting",`, `"Name": "Greetings",`, "CONTRACT_MISSING", 11, `"Greeting"`},
		{"Greeting", `"Name": "question", "DisplayName": "Question", "Description": "What`, `"Name": "ask", "DisplayName": "Question", "Description": "What`, "CONSTRUCTOR_MISMATCH", 24, `called "ask" in the configuration and "question" in the code`},
		{"Greeting", `"Name": "answer", "DisplayName": "Answer", "Description": "", "Type": { "Name": "string" }`, `"Name": "answer", "DisplayName": "Answer", "Description": "", "Type": { "Name": "int" }`,
			"FUNCTION_MISSING", 37, "Add the Reply function to the Greeting contract for the Greeting workflow. It currently doesn't exist or has a different function signature with different parameter names, or without public/external visibility"},
		{"Greeting", `"Name": "Question", "DisplayName": "Question"`, `"Name": "question", "DisplayName": "Question"`, "PROPERTY_MISSING", 20, `write "Question"`},
		{"Greeting", `"Name": "Question", "DisplayName": "Question", "Description": "", "Type": { "Name": "string" }`, `"Name": "Question", "DisplayName": "Question", "Description": "", "Type": { "Name": "bool" }`, "PROPERTY_TYPE", 20, "bool in the configuration and string in the code"},
		{"Greeting", `"Value": 1,`, `"Value": 3,`, "STATE_MEMBER", 74, `"Value": 1`},
		{"Greenhouse", `"EnumValues": ["Off", "Cool", "Heat", "Auto"]`, `"EnumValues": ["Cool", "Off", "Heat", "Auto"]`, "ENUM_MEMBERS", 25, `write ["Off", "Cool", "Heat", "Auto"]`},
		{"Counts", `"Name": "Miles", "DisplayName": "Miles"`, `"Name": "Mile", "DisplayName": "Miles"`, "GETTER_MISSING", 15, "function GetMile() public view returns"},
		{"Counts", `"ElementType": { "Name": "bool" }`, `"ElementType": { "Name": "int" }`, "PROPERTY_TYPE", 16, "of which each is int in the configuration and bool in the code"},
		{"Survey", `"Name": "Number", "DisplayName": "Number"`, `"Name": "No", "DisplayName": "Number"`, "PROPERTY_TYPE", 17, "has No as field 2 in the configuration and Number in the code"},
		{"Survey", ` "Signature": "Enter((string,address,(string,uint16,uint8)))",`, ``, "", 0, ""}, // names and types are enough here
		{"Survey", `"Signature": "Enter((string,address,(string,uint16,uint8)))"`, `"Signature": "Enter(string)"`, "FUNCTION_MISSING", 72, "add it to Survey (Survey.sol:4)"},
		{"Survey", `, "Returns": [{ "Name": "count", "DisplayName": "Count", "Type": { "Name": "int" } }]`, ``, "FUNCTION_RETURNS", 128, "remove the return value"},
		{"Survey", `"Returns": [{ "Name": "count", "DisplayName": "Count", "Type": { "Name": "int" } }]`, `"ReadOnly": true, "Returns": [{ "Name": "count", "DisplayName": "Count", "Type": { "Name": "int" } }]`, "FUNCTION_CHANGES", 128, "neither view nor pure"},
		{"Survey", `"Name": "Distance", "DisplayName": "Distance", "ReadOnly": true,`, `"Name": "Distance", "DisplayName": "Distance",`, "FUNCTION_VIEW", 157, `"ReadOnly": true`},
		{"Survey", `"Returns": [{ "Name": "Distance", "DisplayName": "Distance", "Type": { "Name": "int" } }]`, `"Returns": []`, "RETURNS_MISMATCH", 163, "the code 1"},
	} {
		report := Check(edited(t, c.sample, c.old, c.new), output(t, c.sample), false)
		if c.code == "" {
			if !report.OK() {
				t.Errorf("%q: %v", c.new, report.Errors)
			}
			continue
		}
		i := slices.IndexFunc(report.Errors, func(f Finding) bool { return f.Code == c.code })
		if i < 0 {
			t.Errorf("%s: %v", c.code, report.Errors)
			continue
		}
		f := report.Errors[i]
		if f.Line != c.line || f.File != c.sample+".json" || f.Rule != ruleCode || !strings.Contains(f.Message+" "+f.Fix, c.says) {
			t.Errorf("%s in line %d: %+v", c.code, c.line, f)
		}
	}
}

// TestOtherCode changes what was compiled.
func TestOtherCode(t *testing.T) {
	app := parsed(t, "Greeting")
	for _, c := range []struct {
		code   string
		change func(*solidity.Output)
	}{
		{"CODE_ERROR", func(o *solidity.Output) {
			o.Contracts, o.Messages = nil, []solidity.Message{{Severity: "error", File: "Greeting.sol", Line: 7, Column: 3, Text: "ParserError: no"}}
		}},
		{"CONTRACT_TWICE", func(o *solidity.Output) { o.Contracts = append(o.Contracts, o.Contracts[0]) }},
		{"CONTRACT_ABSTRACT", func(o *solidity.Output) { o.Contracts[0].Abstract = true }},
		{"CONTRACT_LIBRARY", func(o *solidity.Output) { o.Contracts[0].Bytecode, o.Contracts[0].Unlinked = nil, []string{"Sets"} }},
		{"CONTRACT_MISSING", func(o *solidity.Output) { o.Contracts = nil }},
		{"ABI_UNREADABLE", func(o *solidity.Output) { o.Contracts[0].ABI = json.RawMessage(`{}`) }},
		{"FUNCTION_AMBIGUOUS", func(o *solidity.Output) {
			o.Contracts[0].ABI = json.RawMessage(strings.Replace(string(o.Contracts[0].ABI), "[", `[{"type":"function","name":"Close","inputs":[]},`, 1))
		}},
	} {
		out := output(t, "Greeting")
		c.change(out)
		if report := Check(app, out, false); report.OK() || report.Errors[0].Code != c.code {
			t.Errorf("%s: %v", c.code, report.Errors)
		}
	}
	out := output(t, "Greeting")
	out.Contracts[0].Runtime = make([]byte, mostRuntime+1)
	if report := Check(app, out, false); !report.OK() || !report.Has("CODE_LARGE") {
		t.Errorf("large code: %v", report)
	}
	out = output(t, "Greeting")
	out.Contracts[0].Enums = nil // an artifact without a syntax tree
	if report := Check(app, out, false); !report.OK() || !report.Has("ENUM_UNCHECKED") {
		t.Errorf("unknown members: %v", report)
	}
	out = output(t, "Greeting")
	for key, members := range out.Contracts[0].Enums {
		out.Contracts[0].Enums[key] = append(members, "Reopened")
	}
	if report := Check(app, out, false); !report.OK() || !report.Has("STATE_UNCONFIGURED") {
		t.Errorf("a member that is no state: %v", report)
	}
}

// TestObsoleteBase is tolerated, or refused in Workbench's words.
func TestObsoleteBase(t *testing.T) {
	report := Check(parsed(t, "Notebook"), output(t, "Notebook"), true)
	if len(report.Errors) != 1 {
		t.Fatal(report.Errors)
	}
	f := report.Errors[0]
	if f.Code != "BASE_OBSOLETE" || f.Rule != ruleBase || f.File != "Notebook.sol" || f.Line != 18 ||
		!strings.HasPrefix(f.Message, "Workflow contract Notebook should not derive from WorkbenchBase base contract.") ||
		!strings.HasSuffix(f.Message, `Update the Notebook contract to remove WorkbenchBase and calls to "ContractCreated" and "ContractUpdated" functions.`) {
		t.Errorf("%+v", f)
	}
}

// TestStatesHaveTheEnumsNames also where their number is right.
func TestStatesHaveTheEnumsNames(t *testing.T) {
	text := strings.ReplaceAll(string(configuration(t, "Greenhouse")), `"Abandoned"`, `"Left"`)
	app, report := Parse("Greenhouse.json", []byte(text))
	if !report.OK() {
		t.Fatal(report.Errors)
	}
	report = Check(app, output(t, "Greenhouse"), false)
	if len(report.Errors) != 1 || report.Errors[0].Code != "STATE_MEMBER" || report.Errors[0].Pointer != "/Workflows/0/States/2" {
		t.Errorf("%+v", report.Errors)
	}
}

// TestHiddenFunctions are named as what they are.
func TestHiddenFunctions(t *testing.T) {
	text := strings.ReplaceAll(string(configuration(t, "Notebook")), `"Close"`, `"ContractCreated"`)
	app, report := Parse("Notebook.json", []byte(text))
	if !report.OK() {
		t.Fatal(report.Errors)
	}
	report = Check(app, output(t, "Notebook"), false)
	if len(report.Errors) != 1 || report.Errors[0].Code != "FUNCTION_MISSING" || !strings.Contains(report.Errors[0].Fix, "the function is internal; make it public") {
		t.Errorf("%+v", report.Errors)
	}
}
