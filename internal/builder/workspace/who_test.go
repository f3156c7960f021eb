package workspace_test

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/builder/identity"
	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/sample"
	"github.com/coco-consortium/coco/internal/builder/workspace"
)

// cast are the kinds of people, in the order of the tables' columns: an
// administrator without a role; who made the contract, so that a property names
// them; others of its role, of a role that the state allows something and of one
// that it does not; a service; who had a role and lost it; who has one in another
// application; who has none; and who never came before.
var cast = []string{"administrator", "owner", "seller", "buyer", "inspector", "service", "removed", "other", "stranger", "unknown"}

// stage is a contract in an application, and others beside it.
type stage struct {
	*world
	app, beside                               *offchain.Application
	f                                         *offchain.Workflow
	contract, action, code, assignment, spare int
	transaction, block                        int
}

func newStage(t *testing.T) *stage {
	s := &stage{world: newWorld(t)}
	for _, name := range cast[1:9] {
		s.come(identity.Claims{ExternalID: name, Client: name == "service"})
	}
	s.app, s.beside = s.deploy("Purchase"), s.deploy("Beside")
	s.f = s.workflow(s.app)
	for who, role := range map[string]string{"owner": "Seller", "seller": "Seller", "service": "Seller", "removed": "Buyer", "inspector": "Inspector"} {
		id := s.assign(s.app, who, role)
		if who == "removed" {
			s.Must(s.administrator().Unassign(s.ctx, s.app.ID, id))
		}
	}
	s.assignment = s.assign(s.app, "buyer", "Buyer")
	s.assign(s.beside, "other", "Seller")
	s.create("other", s.beside, "another")
	s.contract = s.create("owner", s.app, "lathe")
	l, err := s.Store.Actions(s.ctx, s.contract, true, offchain.Page{})
	s.Must(err)
	s.action, s.transaction, s.block = l.Rows[0].ID, l.Rows[0].TransactionID, l.Rows[0].BlockID
	codes, err := s.Store.Codes(s.ctx, s.app.ID, 1)
	s.Must(err)
	s.code = codes[0].ID
	s.come(identity.Claims{ExternalID: "unknown"})
	return s
}

// yes, told that it is not for them, that there is no such thing, nothing in the
// list, false, or refused for what the state or version says.
var answers = map[byte]string{'y': "", '3': "FORBIDDEN", '4': "NOT_FOUND", '0': "nothing", 's': "ACTION_NOT_ALLOWED", 'd': "APPLICATION_DISABLED", 'c': "CODE_EXISTS", 'p': "LEDGER_NO_PROOF"}

// some is "nothing" for an empty list.
func some[T any](l workspace.List[T], err error) string {
	if err == nil && len(l.Items) == 0 {
		if l.Total != 0 || l.Next {
			return "a number"
		}
		return "nothing"
	}
	return told(err)
}

func only(_ any, err error) string { return told(err) }

// useCases are all that a person can ask, with the answer for each of the cast.
var useCases = []struct {
	method, who string
	ask         func(*stage, *workspace.Person) string
}{
	//                      a o s b i c r o s u
	{"Applications", "yyyyyy0000", func(s *stage, p *workspace.Person) string {
		return some(p.Applications(s.ctx, workspace.ApplicationQuery{Name: "Purchase"}))
	}},
	{"Application", "yyyyyy4444", func(s *stage, p *workspace.Person) string { return only(p.Application(s.ctx, s.app.ID)) }},
	{"Versions", "yyyyyy4444", func(s *stage, p *workspace.Person) string { return only(p.Versions(s.ctx, s.app.ID)) }},
	{"Roles", "0yyyyy0000", func(s *stage, p *workspace.Person) string {
		roles, err := p.Roles(s.ctx, s.app.ID)
		return some(workspace.List[string]{Items: roles}, err)
	}},
	{"SetEnabled", "y333334444", func(s *stage, p *workspace.Person) string { return told(p.SetEnabled(s.ctx, s.app.ID, true)) }},
	{"Archive", "y333334444", func(s *stage, p *workspace.Person) string { return told(p.Archive(s.ctx, s.app.ID, false)) }},
	{"CheckApplication", "y333333333", func(s *stage, p *workspace.Person) string {
		_, _, err := p.CheckApplication(s.ctx, "a.json", configuration("New"))
		return told(err)
	}},
	{"CheckCode", "y333333333", func(s *stage, p *workspace.Person) string {
		return only(p.CheckCode(s.ctx, "a.sol", sample.All[0].Code, "a.json", configuration("New")))
	}},
	{"AddApplication", "y333333333", func(s *stage, p *workspace.Person) string {
		_, _, err := p.AddApplication(s.ctx, "a.json", configuration("New"))
		return told(err)
	}},
	{"AddCode", "c333334444", func(s *stage, p *workspace.Person) string {
		_, _, err := p.AddCode(s.ctx, s.app.ID, 1, "a.sol", sample.All[0].Code)
		return told(err)
	}},
	{"Deploy", "y333333333", func(s *stage, p *workspace.Person) string {
		_, _, err := p.Deploy(s.ctx, "a.json", configuration("Newer"), "a.sol", sample.All[0].Code)
		return told(err)
	}},
	{"Codes", "yyyyyy4444", func(s *stage, p *workspace.Person) string {
		return some(p.Codes(s.ctx, s.app.ID, 0, workspace.Page{}))
	}},
	{"CodeFile", "yyyyyy4444", func(s *stage, p *workspace.Person) string {
		_, _, err := p.CodeFile(s.ctx, s.code)
		return told(err)
	}},
	{"Workflows", "yyyyyy4444", func(s *stage, p *workspace.Person) string {
		return some(p.Workflows(s.ctx, s.app.ID, workspace.Page{}))
	}},
	{"Workflow", "yyyyyy4444", func(s *stage, p *workspace.Person) string { return only(p.Workflow(s.ctx, s.f.ID)) }},
	{"Assignments", "yyyyyy4444", func(s *stage, p *workspace.Person) string {
		return some(p.Assignments(s.ctx, s.app.ID, 0, workspace.Page{}))
	}},
	{"Assignment", "yyyyyy4444", func(s *stage, p *workspace.Person) string {
		return only(p.Assignment(s.ctx, s.app.ID, s.assignment))
	}},
	{"Assign", "y333334444", func(s *stage, p *workspace.Person) string {
		id, err := p.Assign(s.ctx, s.app.ID, s.people["buyer"].ID, s.app.Roles[2].ID)
		if err == nil {
			s.spare = id
		}
		return told(err)
	}},
	{"Reassign", "y333334444", func(s *stage, p *workspace.Person) string {
		return only(p.Reassign(s.ctx, s.app.ID, s.spare, s.people["buyer"].ID, s.app.Roles[2].ID))
	}},
	{"Unassign", "y333334444", func(s *stage, p *workspace.Person) string {
		id := s.assignment
		if p.Administrator {
			id = s.spare
		}
		return told(p.Unassign(s.ctx, s.app.ID, id))
	}},
	{"CanCreate", "0yy00y4444", func(s *stage, p *workspace.Person) string {
		may, err := p.CanCreate(s.ctx, s.f.ID)
		if err == nil && !may {
			return "nothing"
		}
		return told(err)
	}},
	{"Contracts", "yyyyyy4444", func(s *stage, p *workspace.Person) string {
		return some(p.Contracts(s.ctx, workspace.ContractQuery{ApplicationID: s.app.ID}))
	}},
	{"Contracts", "yyyyyy4444", func(s *stage, p *workspace.Person) string {
		return some(p.Contracts(s.ctx, workspace.ContractQuery{WorkflowID: s.f.ID, State: "Offered"}))
	}},
	{"Contracts", "yyyyyy0000", func(s *stage, p *workspace.Person) string {
		return some(p.Contracts(s.ctx, workspace.ContractQuery{Search: "lathe"}))
	}},
	{"Contract", "yyyyyy4444", func(s *stage, p *workspace.Person) string { return only(p.Contract(s.ctx, s.contract)) }},
	{"Actions", "yyyyyy4444", func(s *stage, p *workspace.Person) string {
		return some(p.Actions(s.ctx, s.contract, workspace.Page{}))
	}},
	{"Action", "yyyyyy4444", func(s *stage, p *workspace.Person) string {
		return only(p.Action(s.ctx, s.contract, s.action))
	}},
	{"History", "yyyyyy4444", func(s *stage, p *workspace.Person) string {
		return some(p.History(s.ctx, s.contract, 0, workspace.Page{}))
	}},
	{"Proof", "pppppp4444", func(s *stage, p *workspace.Person) string { return only(p.Proof(s.ctx, s.action)) }},
	{"Call", "yyyyyy4444", func(s *stage, p *workspace.Person) string {
		return only(p.Call(s.ctx, s.contract, function(s.f, "Discount"), nil))
	}},
	{"Allowed", "0y0y004444", func(s *stage, p *workspace.Person) string {
		all, err := p.Allowed(s.ctx, s.contract)
		return some(workspace.List[offchain.Function]{Items: all}, err)
	}},
	{"Create", "3yy33y4444", func(s *stage, p *workspace.Person) string { return only(p.Create(s.ctx, purchase(s.f, "lathe"))) }},
	{"Act", "3y33334444", func(s *stage, p *workspace.Person) string { // by a property that names them
		in := workspace.Input{FunctionID: function(s.f, "ChangePrice"), Arguments: arguments("askingPrice", "7")}
		return only(p.Act(s.ctx, s.contract, in))
	}},
	{"Act", "ssssss4444", func(s *stage, p *workspace.Person) string { // of another state
		return only(p.Act(s.ctx, s.contract, workspace.Input{FunctionID: function(s.f, "AcceptOffer")}))
	}},
	{"Transactions", "yyyyyy0y00", func(s *stage, p *workspace.Person) string {
		return some(p.Transactions(s.ctx, s.Connection, workspace.Page{}))
	}},
	{"Transaction", "yyyyyy4444", func(s *stage, p *workspace.Person) string {
		return only(p.Transaction(s.ctx, s.Connection, s.transaction))
	}},
	{"Watch", "yyyyyy4444", func(s *stage, p *workspace.Person) string {
		ctx, cancel := context.WithCancel(s.ctx)
		defer cancel()
		return only(p.Watch(ctx, 0, s.contract))
	}},
	{"Watch", "yyyyyy4444", func(s *stage, p *workspace.Person) string {
		ctx, cancel := context.WithCancel(s.ctx)
		defer cancel()
		return only(p.Watch(ctx, s.app.ID, 0))
	}},
	{"Sees", "yyyyyy4444", func(s *stage, p *workspace.Person) string {
		return told(p.Sees(s.ctx, workspace.View{ContractID: s.contract}))
	}},
	{"Sees", "yyyyyy4444", func(s *stage, p *workspace.Person) string {
		return told(p.Sees(s.ctx, workspace.View{ApplicationID: s.app.ID}))
	}},
	{"Sees", "y333333333", func(s *stage, p *workspace.Person) string { return told(p.Sees(s.ctx, workspace.View{People: true})) }},
	{"Changes", "yyyyyy4444", func(s *stage, p *workspace.Person) string {
		ctx, cancel := context.WithCancel(s.ctx)
		defer cancel()
		return only(p.Changes(ctx, workspace.View{ContractID: s.contract}, 0))
	}},
	{"Ledgers", "yyyyyyyyyy", func(s *stage, p *workspace.Person) string { return only(p.Ledgers(s.ctx)) }},
	{"Connections", "yyyyyyyyyy", func(s *stage, p *workspace.Person) string { return only(p.Connections(s.ctx)) }},
	{"Connection", "yyyyyyyyyy", func(s *stage, p *workspace.Person) string { return only(p.Connection(s.ctx, s.Connection)) }},
	{"Blocks", "yyyyyyyyyy", func(s *stage, p *workspace.Person) string {
		return some(p.Blocks(s.ctx, s.Connection, workspace.Page{}))
	}},
	{"Block", "yyyyyyyyyy", func(s *stage, p *workspace.Person) string { return only(p.Block(s.ctx, s.Connection, s.block)) }},
	{"Users", "yyyyyyyyyy", func(s *stage, p *workspace.Person) string { return some(p.Users(s.ctx, workspace.UserQuery{})) }},
	{"User", "yyyyyyyyyy", func(s *stage, p *workspace.Person) string { return only(p.User(s.ctx, p.ID)) }},
	{"Held", "yyyyyy0000", func(s *stage, p *workspace.Person) string {
		held, err := p.Held(s.ctx, s.people["buyer"].ID)
		return some(workspace.List[offchain.Assignment]{Items: held}, err)
	}},
	{"NameOf", "yyyyyyyyyy", func(s *stage, p *workspace.Person) string {
		mine, _ := s.people["owner"].Address(s.Connection)
		if p.NameOf(s.ctx, s.Connection, mine) != "owner" || p.NameOf(s.ctx, s.Connection, common.Address{1}) != "" {
			return "another"
		}
		return ""
	}},
	{"AddUser", "y333333333", func(s *stage, p *workspace.Person) string {
		return only(p.AddUser(s.ctx, workspace.UserInput{ExternalID: "new"}))
	}},
	{"Capabilities", "y000000000", func(s *stage, p *workspace.Person) string {
		if p.Capabilities() == (workspace.Capabilities{}) {
			return "nothing"
		}
		return ""
	}},
}

// TestWhoMay asks everything as everybody.
func TestWhoMay(t *testing.T) {
	s := newStage(t)
	seen := map[string]bool{"Address": true} // a field of theirs
	for _, u := range useCases {
		seen[u.method] = true
		for i, name := range cast {
			if got := u.ask(s, s.people[name]); got != answers[u.who[i]] {
				t.Errorf("%s as %s: %q, not %q", u.method, name, got, answers[u.who[i]])
			}
		}
	}
	methods := reflect.TypeFor[*workspace.Person]()
	for i := range methods.NumMethod() {
		if name := methods.Method(i).Name; !seen[name] {
			t.Errorf("the table has no %s", name)
		}
	}
}

// TestReadOnlyVersions asks what may still be done in a version that is disabled,
// older or archived: it is seen as before, and nobody writes.
func TestReadOnlyVersions(t *testing.T) {
	for how, turn := range map[string]func(*stage){
		"disabled": func(s *stage) { s.Must(s.administrator().SetEnabled(s.ctx, s.app.ID, false)) },
		"older":    func(s *stage) { s.deploy("Purchase") },
		"archived": func(s *stage) { s.Must(s.administrator().Archive(s.ctx, s.app.ID, true)) },
	} {
		t.Run(how, func(t *testing.T) {
			s := newStage(t)
			turn(s)
			for _, u := range useCases {
				if !slices.Contains([]string{"Application", "Contracts", "Contract", "CanCreate", "Allowed", "Create", "Act", "Call", "Transaction"}, u.method) {
					continue
				}
				want := u.who
				switch u.method {
				case "CanCreate", "Allowed":
					want = "0000004444"
				case "Create":
					want = strings.ReplaceAll(want, "y", "d")
				case "Act":
					want = "dddddd4444"
				}
				for i, name := range cast {
					if got := u.ask(s, s.people[name]); got != answers[want[i]] {
						t.Errorf("%s as %s: %q, not %q", u.method, name, got, answers[want[i]])
					}
				}
			}
		})
	}
}

// TestNewVersionsKeepRoles wants those of an older version to see the newer one if
// its roles are the same.
func TestNewVersionsKeepRoles(t *testing.T) {
	s := newStage(t)
	next := s.deploy("Purchase")
	for i, name := range cast {
		_, err := s.people[name].Application(s.ctx, next.ID)
		if (err == nil) != ("yyyyyy4444"[i] == 'y') {
			t.Errorf("%s: %v", name, err)
		}
	}
}
