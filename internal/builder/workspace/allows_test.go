package workspace_test

import (
	"testing"

	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/workspace"
)

// TestAllowsIsWhatActSays asks of each function and each person whether the action
// would still be allowed: as whoever asks for it is told, but that those who do not
// see the contract are forbidden it, because nobody is told.
func TestAllowsIsWhatActSays(t *testing.T) {
	s := newStage(t)
	check := func(when string) {
		t.Helper()
		for _, name := range cast {
			p := s.people[name]
			all, err := p.Allowed(s.ctx, s.contract)
			listed := map[int]bool{}
			for _, f := range all {
				listed[f.ID] = true
			}
			for _, f := range append(s.f.Functions, s.f.Constructor) {
				if f.ReadOnly {
					continue
				}
				got := told(s.Workspace.Allows(s.ctx, offchain.Action{ContractID: s.contract, FunctionID: f.ID, PersonID: p.ID}))
				var want string
				switch in := (workspace.Input{WorkflowID: s.f.ID, FunctionID: f.ID, ConnectionID: 99}); {
				case f.Constructor: // refused for the connection, after the rule
					_, err := p.Create(s.ctx, in)
					if want = told(err); want == "CONNECTION_UNKNOWN" {
						want = ""
					}
				case err == nil && listed[f.ID]:
				default:
					_, err := p.Act(s.ctx, s.contract, in)
					want = told(err)
				}
				if want == "NOT_FOUND" && got != "" {
					continue
				}
				if got != want {
					t.Errorf("%s, %s as %s: %q, not %q", when, f.Name, name, got, want)
				}
			}
		}
	}
	check("in the first state")
	inspector, _ := s.people["inspector"].Address(s.Connection)
	offer := workspace.Input{FunctionID: function(s.f, "MakeOffer"), Arguments: arguments("inspector", inspector.Hex(), "offerPrice", "90")}
	if _, err := s.people["buyer"].Act(s.ctx, s.contract, offer); err != nil {
		t.Fatal(err)
	}
	s.settled(s.contract)
	check("in the next state")
	s.Must(s.administrator().SetEnabled(s.ctx, s.app.ID, false))
	check("disabled")
}

// TestAllowsForgetsNothing wants what changed since an action was asked for to
// count, at once.
func TestAllowsForgetsNothing(t *testing.T) {
	s := newStage(t)
	buyer := s.people["buyer"]
	offer := offchain.Action{ContractID: s.contract, FunctionID: function(s.f, "MakeOffer"), PersonID: buyer.ID}
	want := func(code string) {
		t.Helper()
		if got := told(s.Workspace.Allows(s.ctx, offer)); got != code {
			t.Errorf("%q, not %q", got, code)
		}
	}
	want("")
	s.Must(s.administrator().Unassign(s.ctx, s.app.ID, s.assignment))
	want("FORBIDDEN")
	s.assignment = s.assign(s.app, "buyer", "Buyer")
	want("")
	s.Must(s.administrator().SetEnabled(s.ctx, s.app.ID, false))
	want("APPLICATION_DISABLED")
	s.Must(s.administrator().SetEnabled(s.ctx, s.app.ID, true))
	want("")
	if _, err := s.people["owner"].Act(s.ctx, s.contract, workspace.Input{FunctionID: function(s.f, "Withdraw")}); err != nil {
		t.Fatal(err)
	}
	s.settled(s.contract)
	want("ACTION_NOT_ALLOWED")
	offer.ContractID = 999
	want("NOT_FOUND")
}

// TestNamedWithoutARole has a contract name people who have no role in its
// application: being named is no right of its own, neither to see nor to act.
func TestNamedWithoutARole(t *testing.T) {
	for who, want := range map[string]string{"stranger": "NOT_FOUND", "other": "NOT_FOUND", "removed": "NOT_FOUND", "administrator": "FORBIDDEN", "inspector": ""} {
		t.Run(who, func(t *testing.T) {
			s := newStage(t)
			named := s.people[who]
			address, _ := named.Address(s.Connection)
			inspect := function(s.f, "Inspect")
			for _, step := range []struct {
				who, function string
				values        []string
			}{{"buyer", "MakeOffer", []string{"inspector", address.Hex(), "offerPrice", "90"}}, {"owner", "AcceptOffer", nil}} {
				_, err := s.people[step.who].Act(s.ctx, s.contract, workspace.Input{FunctionID: function(s.f, step.function), Arguments: arguments(step.values...)})
				s.Must(err)
				s.settled(s.contract)
			}
			signing := "FORBIDDEN"
			if want == "" {
				signing = ""
			}
			if got := told(s.Workspace.Allows(s.ctx, offchain.Action{ContractID: s.contract, FunctionID: inspect, PersonID: named.ID})); got != signing {
				t.Errorf("signing: %q, not %q", got, signing)
			}
			if all, _ := named.Allowed(s.ctx, s.contract); want != "" && len(all) > 0 {
				t.Errorf("it may be done %v", all)
			}
			in := workspace.Input{FunctionID: inspect, Arguments: arguments("defects", "false", "report", "fine")}
			if got := only(named.Act(s.ctx, s.contract, in)); got != want {
				t.Errorf("inspecting: %q, not %q", got, want)
			}
		})
	}
}
