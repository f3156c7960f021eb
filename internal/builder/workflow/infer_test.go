package workflow

import (
	"slices"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/builder/solidity"
)

// TestInferFits infers a configuration of every sample's code: it is right by itself and beside the code.
func TestInferFits(t *testing.T) {
	for _, name := range samples {
		out := output(t, name)
		app, report := Infer(out)
		if !report.OK() {
			t.Errorf("%s: %v", name, report.Errors)
			continue
		}
		read, report := Parse(name+".json", app.Format())
		if !report.OK() {
			t.Errorf("%s: %v\n%s", name, report.Errors, app.Format())
			continue
		}
		if report := Check(read, out, false); !report.OK() {
			t.Errorf("%s: %v", name, report.Errors)
		}
		for _, w := range read.Workflows {
			for _, s := range w.States {
				actions := 0
				for _, f := range w.Functions {
					if !f.ReadOnly {
						actions++
					}
				}
				if len(s.Transitions) != actions {
					t.Errorf("%s: %d transitions of %d actions in %s", name, len(s.Transitions), actions, s.Name)
				}
			}
		}
	}
}

// TestInferred is what a person gets to begin with.
func TestInferred(t *testing.T) {
	app, report := Infer(output(t, "Sale"))
	if len(report.Warnings) != 0 {
		t.Errorf("%v", report.Warnings)
	}
	var roles []string
	for _, r := range app.Roles {
		roles = append(roles, r.Name)
	}
	if !slices.Equal(roles, []string{"Seller", "Buyer", "Notary"}) {
		t.Errorf("roles %v", roles)
	}
	w := &app.Workflows[0]
	types := map[string]string{}
	for _, p := range w.Properties {
		types[p.Name] = p.Type.Name
	}
	for name, want := range map[string]string{"State": "state", "Thing": "string", "AskingPrice": "money", "OfferPrice": "money", "InstanceSeller": "Seller"} {
		if types[name] != want {
			t.Errorf("%s is of type %q, not %q", name, types[name], want)
		}
	}
	if p := w.Constructor.Parameters; len(p) != 3 || p[2].Type.Name != "Notary" || p[1].Type.Name != "money" {
		t.Errorf("constructor %v", p)
	}
	if w.StartState != "Offered" || len(w.States) != 5 || w.States[4].Style != "Failure" || w.States[3].Style != "Success" || w.States[2].PercentComplete != 50 || w.States[2].DisplayName != "Both agree" {
		t.Errorf("states %+v", w.States)
	}
	if f := w.Function("MakeOffer"); f == nil || f.DisplayName != "Make offer" || f.Parameters[0].Type.Name != "money" {
		t.Errorf("functions %+v", w.Functions)
	}
	if n := w.States[1].Transitions[2]; n.Function != "Withdraw" || !slices.Equal(n.NextStates, []string{"Withdrawn"}) || !slices.Equal(n.AllowedRoles, roles) {
		t.Errorf("transition %+v", n)
	}

	app, report = Infer(output(t, "Survey"))
	w = &app.Workflows[0]
	if f := w.Function("Enter2"); f == nil || f.Signature != "Enter((string,address,(string,uint16,uint8))[])" {
		t.Errorf("overloads %+v", w.Functions)
	}
	if f := w.Function("Distance"); f == nil || !f.ReadOnly || f.Returns[0].Name != "Result" {
		t.Errorf("read-only functions %+v", f)
	}
	if office := w.Properties[2]; office.Name != "Office" || office.Type.Fields[2].Type.Name != "enum" {
		t.Errorf("structs %+v", w.Properties)
	}
	if len(app.Roles) != 1 || report.Has("STATE_NONE") {
		t.Errorf("%v %v", app.Roles, report.Warnings)
	}
	if app, _ := Infer(output(t, "Market")); len(app.Workflows) != 2 || app.Workflows[0].Properties[2].Type.Name != "contract" {
		t.Errorf("%+v", app.Workflows)
	}
}

// TestInferLeavesOut says what it could not take, and why.
func TestInferLeavesOut(t *testing.T) {
	out := &solidity.Output{Contracts: []solidity.Contract{
		{Name: "Base", Kind: "contract", Bytecode: []byte{1}, ABI: []byte(`[]`)},
		{Name: "Vault", Kind: "contract", Bases: []string{"Base"}, Bytecode: []byte{1}, File: "Vault.sol", Line: 3, ABI: []byte(`[
			{"type":"function","name":"Balances","inputs":[{"name":"","type":"address"}],"outputs":[{"name":"","type":"uint256"}],"stateMutability":"view"},
			{"type":"function","name":"Hash","inputs":[],"outputs":[{"name":"","type":"bytes32"}],"stateMutability":"view"},
			{"type":"function","name":"Names","inputs":[{"name":"","type":"uint256"}],"outputs":[{"name":"","type":"string"}],"stateMutability":"view"},
			{"type":"function","name":"Seal","inputs":[{"name":"hash","type":"bytes32"}],"outputs":[],"stateMutability":"nonpayable"},
			{"type":"function","name":"Unnamed","inputs":[{"name":"","type":"uint256"}],"outputs":[],"stateMutability":"nonpayable"},
			{"type":"function","name":"Put","inputs":[{"name":"amount","type":"uint256"}],"outputs":[{"name":"","type":"bool"}],"stateMutability":"payable"},
			{"type":"fallback","stateMutability":"payable"}]`),
			Variables: []solidity.Variable{{Name: "Balances", Type: "mapping(address => uint256)"}, {Name: "Hash", Type: "bytes32", Line: 7}, {Name: "Names", Type: "string[]"}, {Name: "Files", Type: "struct Vault.File[]"}}},
	}}
	app, report := Infer(out)
	if !report.OK() || len(app.Workflows) != 1 || len(app.Workflows[0].Functions) != 1 || len(app.Workflows[0].Properties) != 0 || app.Roles[0].Name != "Participant" {
		t.Fatalf("%v %s", report, app.Format())
	}
	all := ""
	for _, f := range report.Warnings {
		all += f.String() + "\n"
	}
	for _, want := range []string{"variable Balances is left out", "Vault.sol:7:1: LEFT_OUT: the variable Hash is left out: the type bytes32", "add function GetNames() public view returns (string[] memory)", "returns (Vault.File[] memory)", "function Seal is left out", "function Unnamed is left out: one of its parameters has no name", "STATE_NONE"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	read, report := Parse("vault.json", app.Format())
	if !report.OK() || !report.Has("STATE_PROPERTY") {
		t.Fatal(report)
	}
	if report := Check(read, out, true); !report.OK() {
		t.Error(report.Errors)
	}
	if _, report := Infer(&solidity.Output{}); report.OK() {
		t.Error("nothing is an application")
	}
	if _, report := Infer(&solidity.Output{Messages: []solidity.Message{{Severity: "error", Text: "no"}}}); !report.Has("CODE_ERROR") {
		t.Error(report)
	}
}

func TestWords(t *testing.T) {
	for name, want := range map[string]string{"RequestPrice": "Request price", "_owner": "Owner", "ReadAt": "Read at", "GetIDNumber": "Get IDNumber", "in_transit": "In transit", "__": "__", "X": "X"} {
		if got := words(name); got != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
	}
}

// A constructor that nobody can fill in is said as what it is: no contract can be made.
func TestInferConstructorLeftOut(t *testing.T) {
	_, report := Infer(&solidity.Output{Contracts: []solidity.Contract{{Name: "Ballot", Kind: "contract", Bytecode: []byte{1}, File: "Ballot.sol", Line: 2,
		ABI: []byte(`[{"type":"constructor","inputs":[{"name":"names","type":"bytes32[]"}],"stateMutability":"nonpayable"}]`)}}})
	for _, f := range report.Warnings {
		if f.Code == "LEFT_OUT" && strings.Contains(f.Message, "the constructor") && strings.Contains(f.Fix, "nobody can make such a contract") && f.Line == 2 {
			return
		}
	}
	t.Error(report.Warnings)
}
