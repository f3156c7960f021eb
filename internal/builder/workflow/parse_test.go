package workflow

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// shop is a configuration in which each test changes one thing. Its lines are
// counted from 1.
const shop = `{
  "ApplicationName": "Shop", "DisplayName": "Shop",
  "ApplicationRoles": [{ "Name": "Owner" }, { "Name": "Buyer" }],
  "Workflows": [{
    "Name": "Shop", "DisplayName": "Shop",
    "Initiators": ["Owner"],
    "StartState": "Open",
    "Properties": [
      { "Name": "State", "DisplayName": "State", "Type": { "Name": "state" } },
      { "Name": "Keeper", "DisplayName": "Keeper", "Type": { "Name": "Owner" } },
      { "Name": "Sizes", "DisplayName": "Sizes", "Type": { "Name": "array", "ElementType": { "Name": "int" } } }
    ],
    "Constructor": { "Parameters": [{ "Name": "size", "DisplayName": "Size", "Type": { "Name": "int" } }] },
    "Functions": [
      { "Name": "Close", "DisplayName": "Close", "Parameters": [
        { "Name": "how", "DisplayName": "How", "Type": { "Name": "enum", "EnumValues": ["Soft", "Hard"] } }
      ] }
    ],
    "States": [
      { "Name": "Open", "DisplayName": "Open", "PercentComplete": 10, "Style": "Success", "Transitions": [
        { "AllowedRoles": ["Buyer"], "AllowedInstanceRoles": ["Keeper"], "DisplayName": "Close",
          "Function": "Close", "NextStates": ["Shut"] }
      ] },
      { "Name": "Shut", "DisplayName": "Shut", "PercentComplete": 100, "Style": "Failure" }
    ]
  }]
}`

// findings are changes of shop, and the one finding at its line:column that each makes.
var findings = []struct{ old, new, code, rule, at string }{
	{`"DisplayName": "Shop",` + "\n  \"App", "\"App", "FIELD_MISSING", "a.7.1", "1:1"},
	{`"ApplicationName": "Shop"`, `"ApplicationName": null`, "FIELD_MISSING", "a.7.1", "1:1"},
	{`"ApplicationName": "Shop"`, `"ApplicationName": ""`, "TEXT_EMPTY", "a.7.1", "2:22"},
	{`"ApplicationName": "Shop"`, `"ApplicationName": 7`, "FIELD_TYPE", "a.7.1", "2:22"},
	{`"ApplicationName": "Shop"`, `"ApplicationName": "a\u0000b"`, "TEXT_CONTROL", "a.7.1", "2:22"},
	{`"ApplicationName": "Shop"`, `"ApplicationName": "` + strings.Repeat("ä", 51) + `"`, "TEXT_LONG", "a.7.1", "2:22"},
	{`"ApplicationName": "Shop"`, `"ApplicationName": "Shop", "ApplicationName": "Shop"`, "KEY_TWICE", "a.7.1", "2:30"},
	{`"PercentComplete": 10,`, `"PercentComplete": 101,`, "NUMBER_RANGE", "a.7.1", "20:67"},
	{`"PercentComplete": 10,`, `"PercentComplete": 1.5,`, "NUMBER_RANGE", "a.7.1", "20:67"},
	{`"PercentComplete": 10,`, `"PercentComplete": 10, "Value": -1,`, "NUMBER_RANGE", "a.7.1", "20:80"},
	{`"Style": "Success"`, `"Style": "success"`, "STYLE_UNKNOWN", "a.7.1", "20:80"},
	{`"NextStates": ["Shut"]`, `"NextStates": []`, "LIST_EMPTY", "a.7.1", "22:46"},
	{`"Workflows": [{`, `"Workflows": {"a":[{`, "JSON_SYNTAX", "a.7.1", "27:2"},
	{`"Name": "Close",`, `"Name": "Close", "Signature": "Close (uint8)",`, "SIGNATURE_FORM", "a.7.1", "15:39"},
	{`{ "Name": "Buyer" }`, `{ "Name": "Buyer" }, { "Name": "Owner" }`, "NAME_TWICE", "a.7.2", "3:76"},
	{`"Name": "Sizes",`, `"Name": "Keeper",`, "NAME_TWICE", "a.7.2", "11:17"},
	{`"Style": "Failure" }`, `"Style": "Failure" }, { "Name": "Open", "DisplayName": "", "PercentComplete": 1e2, "Style": "Failure" }`, "NAME_TWICE", "a.7.2", "24:104"},
	{`["Soft", "Hard"]`, `["Soft", "Soft"]`, "NAME_TWICE", "a.7.2", "16:97"},
	{`"Initiators": ["Owner"]`, `"Initiators": ["owner"]`, "ROLE_UNKNOWN", "a.7.3", "6:20"},
	{`"AllowedRoles": ["Buyer"]`, `"AllowedRoles": ["Byer"]`, "ROLE_UNKNOWN", "a.7.3", "21:28"},
	{`["Keeper"]`, `["Owner"]`, "PROPERTY_UNKNOWN", "a.7.3", "21:63"},
	{`"StartState": "Open"`, `"StartState": "Opened"`, "STATE_UNKNOWN", "a.7.3", "7:19"},
	{`"NextStates": ["Shut"]`, `"NextStates": ["Open", "Gone"]`, "STATE_UNKNOWN", "a.7.3", "22:55"},
	{`"Function": "Close"`, `"Function": "close"`, "FUNCTION_UNKNOWN", "a.7.3", "22:23"},
	{`"Type": { "Name": "Owner" }`, `"Type": { "Name": "float" }`, "TYPE_UNKNOWN", "a.7.3", "10:70"},
	{`{ "Name": "Buyer" }`, `{ "Name": "Buyer" }, { "Name": "user" }`, "ROLE_RESERVED", "a.7.4", "3:76"},
	{`"ElementType": { "Name": "int" }`, `"ElementType": null`, "ELEMENT_MISSING", "a.7.5", "11:58"},
	{`"ElementType": { "Name": "int" }`, `"ElementType": { "Name": "float" }`, "ELEMENT_UNKNOWN", "a.7.5", "11:102"},
	{`"ElementType": { "Name": "int" }`, `"ElementType": { "Name": "array", "ElementType": { "Name": "int" } }`, "ELEMENT_UNKNOWN", "a.7.5", "11:102"},
	{`["Soft", "Hard"]`, `["Soft", "Very Hard"]`, "ENUM_VALUE_FORM", "a.7.5", "16:97"},
	{`["Soft", "Hard"]`, `[]`, "ENUM_VALUES", "a.7.5", "16:56"},
	{`"Name": "size", "DisplayName": "Size", "Type": { "Name": "int" }`, `"Name": "size", "DisplayName": "Size", "Type": { "Name": "state" }`, "STATE_PARAMETER", "a.7.5", "13:96"},
	{`"Name": "size", "DisplayName": "Size", "Type": { "Name": "int" }`, `"Name": "size", "DisplayName": "Size", "Type": { "Name": "struct" }`, "STRUCT_FIELDS", "a.7.5", "13:86"},
}

func TestFindings(t *testing.T) {
	for _, c := range findings {
		text := strings.Replace(shop, c.old, c.new, 1)
		if text == shop {
			t.Fatalf("%q is not there", c.old)
		}
		app, report := Parse("shop.json", []byte(text))
		if app != nil || len(report.Errors) != 1 {
			t.Errorf("%s: %v", c.code, report.Errors)
			continue
		}
		f := report.Errors[0]
		if at := fmt.Sprintf("%d:%d", f.Line, f.Column); f.Code != c.code || f.Rule != c.rule || at != c.at || f.Message == "" || f.Fix == "" || f.File != "shop.json" {
			t.Errorf("%s at %s: %+v", c.code, c.at, f)
		}
	}
}

// TestWarnings accepts what looks wrong, and says so.
func TestWarnings(t *testing.T) {
	for _, c := range []struct{ old, new, code, at, fix string }{
		{`"Name": "Shop", "DisplayName": "Shop",`, `"Name": "Shop", "DisplayName": "Shop", "description": "x",`, "KEY_UNKNOWN", "5:44", `write "Description", as upper and lower case matter`},
		{`"Name": "Shop", "DisplayName": "Shop",`, `"Name": "Shop", "DisplayName": "Shop", "Colour": "x",`, "KEY_UNKNOWN", "5:44", "leave it out"},
		{`"Type": { "Name": "Owner" }`, `"Type": { "Name": "string" }`, "INSTANCE_ROLE_ADDRESS", "21:63", ""},
		{`"Type": { "Name": "state" }`, `"Type": { "Name": "int" }`, "STATE_PROPERTY", "8:19", ""},
		{`"Type": { "Name": "Owner" }`, `"Type": { "Name": "state" }`, "STATE_PROPERTY", "8:19", ""},
		{`"AllowedRoles": ["Buyer"]`, `"AllowedRoles": ["Buyer", "Buyer"]`, "NAME_REPEATED", "21:37", ""},
		{`"Name": "Close",`, `"Name": "Close", "ReadOnly": true,`, "TRANSITION_READ_ONLY", "22:23", ""},
		{`["Keeper"]`, `[]`, "", "", ""},
		{`"AllowedRoles": ["Buyer"], "AllowedInstanceRoles": ["Keeper"], `, ``, "TRANSITION_CLOSED", "21:9", ""},
		{`"NextStates": ["Shut"]`, `"NextStates": ["Open"]`, "STATE_UNREACHABLE", "24:7", ""},
		{`"PercentComplete": 100,`, `"PercentComplete": 100, "Value": 0,`, "STATE_VALUE_TWICE", "24:81", ""},
		{`"Functions": [`, `"Functions": [{ "Name": "Ask", "DisplayName": "", "Parameters": [], "ReadOnly": true },`, "", "", ""},
		{`"Functions": [`, `"Functions": [{ "Name": "Open", "DisplayName": "", "Parameters": [] },`, "FUNCTION_UNUSED", "14:19", ""},
	} {
		app, report := Parse("shop.json", []byte(strings.Replace(shop, c.old, c.new, 1)))
		if app == nil || len(report.Warnings) > 0 != (c.code != "") || c.code != "" && !report.Has(c.code) {
			t.Errorf("%s: %v %v", c.code, report.Errors, report.Warnings)
			continue
		}
		if c.code == "" {
			continue
		}
		f := report.Warnings[0]
		if at := fmt.Sprintf("%d:%d", f.Line, f.Column); at != c.at || c.fix != "" && f.Fix != c.fix {
			t.Errorf("%s at %s: %+v", c.code, c.at, f)
		}
	}
}

// TestOddFiles refuses what is no configuration at all.
func TestOddFiles(t *testing.T) {
	for text, code := range map[string]string{
		"":                                  "JSON_SYNTAX",
		"[]":                                "FIELD_TYPE",
		"\xff\xfe{\x00}\x00":                "FILE_ENCODING",
		strings.Repeat(" ", 1<<20) + "{}":   "FILE_LARGE",
		strings.Repeat(`{"Workflows":`, 99): "JSON_SYNTAX",
		`{"Workflows":[` + strings.Repeat(`{},`, 1000) + `{}]}`: "LIST_LONG",
	} {
		app, report := Parse("x", []byte(text))
		if app != nil || !report.Has(code) {
			t.Errorf("%.40q: %v", text, report.Errors)
		}
	}
	if _, report := Parse("x", []byte(`{"Workflows":[`+strings.Repeat(`{},`, 900)+`{}]}`)); len(report.Errors) != mostFindings {
		t.Errorf("%d findings", len(report.Errors))
	}
}

// TestStates is which state a value means, also where it is odd.
func TestStates(t *testing.T) {
	w := &parsed(t, "Greeting").Workflows[0]
	for value, want := range map[string]string{"0": "Asked", "1": "Answered", "2": "Closed", "3": "", "": "", "x": "", "99999999999999999999": ""} {
		got := ""
		if s := w.StateOf(value); s != nil {
			got = s.Name
		}
		if got != want {
			t.Errorf("%q is %q, not %q", value, got, want)
		}
	}
	if w.ValueOf("Closed") != "2" || w.ValueOf("Gone") != "" {
		t.Error("values of states")
	}
	w.Properties = w.Properties[1:]
	if s := w.StateOf(""); s == nil || s.Name != "Asked" {
		t.Error("without a property of type state, the state is StartState")
	}
	if w.Function("close") == nil || w.Function("Close") == nil || w.Function("cl") != nil {
		t.Error("functions are found without regard to case")
	}
}

// TestReportsAreLists also where nothing was found, as clients expect.
func TestReportsAreLists(t *testing.T) {
	_, report := Parse("shop.json", []byte(shop))
	if text, err := json.Marshal(report); err != nil || string(text) != `{"errors":[],"warnings":[]}` {
		t.Errorf("%s %v", text, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range samples {
		f.Add(configuration(f, name))
	}
	f.Add([]byte(shop))
	f.Fuzz(func(t *testing.T, data []byte) {
		app, report := Parse("x", data)
		if (app == nil) == report.OK() {
			t.Fatal("an application if and only if there are no errors")
		}
		if app == nil {
			return
		}
		again, second := Parse("x", app.Format())
		if again == nil || len(second.Errors) > 0 {
			t.Fatalf("what was read is not written as it was: %v", second.Errors)
		}
	})
}
