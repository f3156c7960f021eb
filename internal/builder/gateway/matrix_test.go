package gateway

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/builder/sample"
)

// kinds are who may come, from nobody to everybody's administrator.
var kinds = []string{"anonymous", "expired", "forger", "stranger", "other", "member", "client", "initiator", "administrator"}

// outside are those who may not see the application Purchase.
var outside = []string{"stranger", "other"}

// scene is what the matrix asks about.
type scene struct {
	*world
	app, workflow, code, contract, action, assignment, block, transaction, constructor, change, discount int
	fresh                                                                                                map[string]int // applications without code, by version
}

const machine = "lathe-4711" // a value that nobody outside may ever read

func newScene(t *testing.T) *scene {
	s := &scene{world: newWorld(t), fresh: map[string]int{}}
	f := s.world.workflow("Purchase", "Purchase")
	s.app, s.workflow, s.constructor = f.ApplicationID, f.ID, f.Constructor.ID
	s.change, s.discount = function(f, "ChangePrice"), function(f, "Discount")
	s.contract = s.purchase(machine)
	c := s.committed(s.contract)
	s.action, s.transaction, s.block = c.ContractActions[0].ID, c.Transactions[0].ID, c.Transactions[0].BlockID
	var codes struct {
		ContractCodes []struct{ ContractCodeID int }
	}
	s.read("administrator", fmt.Sprintf("/api/v1/applications/%d/contractCode", s.app), &codes)
	s.code = codes.ContractCodes[0].ContractCodeID
	var roles struct{ RoleAssignments []struct{ ID int } }
	s.read("administrator", fmt.Sprintf("/api/v1/applications/%d/roleAssignments?applicationRoleId=%d", s.app, s.apps["Purchase"].Roles[1].ID), &roles)
	s.assignment = roles.RoleAssignments[0].ID // the member's
	for _, version := range []string{"v1", "v2"} {
		s.fresh[version] = s.number("administrator", post, "/api/v1/applications", s.configuration("Fresh"+version))
	}
	return s
}

// configuration is Purchase's under another name.
func (s *scene) configuration(name string) io.Reader {
	text := bytes.Replace(sample.All[0].Configuration, []byte(`"ApplicationName": "Purchase"`), fmt.Appendf(nil, `"ApplicationName": %q`, name), 1)
	return s.files([3]string{"appFile", "a.json", string(text)})
}

// path puts the scene's ids into a route's path.
func (s *scene) path(r *route, path string) string {
	app := s.app
	if r.id == "ContractCodePost" { // an application has one code
		app = s.fresh[strings.Split(path, "/")[2]]
	}
	ids := strings.NewReplacer("{applicationId}", fmt.Sprint(app), "{workflowId}", fmt.Sprint(s.workflow), "{contractCodeId}", fmt.Sprint(s.code),
		"{contractId}", fmt.Sprint(s.contract), "{actionId}", fmt.Sprint(s.action), "{roleAssignmentId}", fmt.Sprint(s.assignment), "{connectionId}", "1",
		"{blockId}", fmt.Sprint(s.block), "{transactionId}", fmt.Sprint(s.transaction), "{userId}", fmt.Sprint(s.people["member"]), "{version}", "v1.0")
	path = ids.Replace(path)
	switch r.id {
	case "ContractPost":
		path += fmt.Sprintf("?workflowId=%d", s.workflow)
	case "EventsGet":
		path += fmt.Sprintf("?applicationId=%d", s.app)
	}
	return path
}

// body is a right body for a route.
func (s *scene) body(r *route) io.Reader {
	code := [3]string{"contractFile", sample.All[0].CodeName, string(sample.All[0].Code)}
	app := [3]string{"appFile", "a.json", string(sample.All[0].Configuration)}
	switch r.id {
	case "ApplicationsPost":
		return s.configuration("Another")
	case "ContractCodePost":
		return s.files(code)
	case "CheckApplicationPost":
		return s.files(app)
	case "CheckContractCodePost":
		return s.files(app, code)
	case "RoleAssignmentsPost", "RoleAssignmentPut":
		return strings.NewReader(fmt.Sprintf(`{"userId":%d,"applicationRoleId":%d}`, s.people["administrator"], s.apps["Purchase"].Roles[2].ID))
	case "UsersPost":
		s.people["new"]++
		return strings.NewReader(fmt.Sprintf(`{"externalID":"new %d"}`, s.people["new"]))
	case "ContractPost":
		return action(s.constructor, "machine", machine, "condition", "0", "askingPrice", "1")
	case "ContractActionPost":
		return action(s.change, "askingPrice", "7")
	case "ContractCallPost":
		return action(s.discount)
	}
	return nil
}

// want is the status that a route answers to somebody: the rule who may do what,
// once more and in other words.
func (s *scene) want(r *route, who string) []int {
	hidden := slices.Contains(outside, who)
	admin := who == "administrator"
	app := strings.Contains(r.path, "{applicationId}") || strings.Contains(r.path, "{workflowId}") || strings.Contains(r.path, "{contractCodeId}") ||
		strings.Contains(r.path, "{contractId}") || strings.Contains(r.path, "{transactionId}") || r.id == "ContractPost" || r.id == "EventsGet"
	switch {
	case r.who == anyone:
		return []int{200}
	case slices.Contains([]string{"anonymous", "expired", "forger"}, who):
		return []int{401}
	case app && hidden, r.id == "ContractCodePost" && !admin: // of an application where only administrators are
		return []int{404}
	case r.who == administrator && !admin:
		return []int{403}
	case r.answer == "never":
		return []int{501}
	case r.id == "ContractPost" && who != "initiator" && who != "client", r.id == "ContractActionPost" && who != "initiator":
		return []int{403}
	case r.id == "ContractActionProofGet": // the ledger in memory proves nothing
		return []int{404}
	case r.answer == "none":
		return []int{204}
	case strings.HasSuffix(r.answer, "List"):
		return []int{200, 204} // what is in lists is tested below
	}
	return []int{200}
}

// TestMatrix asks every route as every kind of people, under both versions, and
// reads whatever is answered to those outside.
func TestMatrix(t *testing.T) {
	s := newScene(t)
	for i := range table {
		r := &table[i]
		if r.answer == "events" {
			continue // TestEvents
		}
		for _, template := range r.paths() {
			path := s.path(r, template)
			for _, who := range kinds {
				if r.id == "RoleAssignmentDelete" && who == "administrator" {
					path = fmt.Sprintf("%s/%d", path[:strings.LastIndex(path, "/")], s.spare())
				}
				status, body, h := s.ask(who, r.method, path, s.body(r))
				if want := s.want(r, who); !slices.Contains(want, status) {
					t.Errorf("%s %s as %s is %d, not %v: %s", r.method, path, who, status, want, body)
				}
				if slices.Contains(outside, who) {
					s.silent(r, path, who, body, h)
				}
			}
			s.restore(r)
		}
	}
}

// silent wants nothing of Purchase in an answer.
func (s *scene) silent(r *route, path, who string, body []byte, h http.Header) {
	s.t.Helper()
	if r.who == anyone {
		return
	}
	for _, secret := range []string{machine, "Purchase", "Seller"} {
		if bytes.Contains(body, []byte(secret)) {
			s.t.Errorf("%s %s tells %s of %s: %s", r.method, path, who, secret, body)
		}
	}
	if r.answer == "TransactionList" && len(body) > 0 || r.answer == "ContractList" && h.Get("X-Total-Count") != "" {
		s.t.Errorf("%s %s tells %s that there is something: %s %s", r.method, path, who, h.Get("X-Total-Count"), body)
	}
}

// spare is an assignment that may be taken away.
func (s *scene) spare() int {
	return s.number("administrator", post, fmt.Sprintf("/api/v1/applications/%d/roleAssignments", s.app),
		strings.NewReader(fmt.Sprintf(`{"userId":%d,"applicationRoleId":%d}`, s.number("administrator", post, "/api/v1/users", s.body(&route{id: "UsersPost"})), s.apps["Purchase"].Roles[0].ID)))
}

// restore undoes what the administrator was allowed to do.
func (s *scene) restore(r *route) {
	s.t.Helper()
	again := func(what string) {
		if status, text, _ := s.ask("administrator", patch, fmt.Sprintf("/api/v1/applications/%d/%s", s.app, what), nil); status != http.StatusOK {
			s.t.Fatalf("%s: %d %s", what, status, text)
		}
	}
	switch r.id {
	case "ApplicationDisable":
		again("enable")
	case "ApplicationArchive":
		again("unarchive")
		again("enable")
	case "RoleAssignmentPut":
		s.dismiss("administrator")
		s.assignment = s.number("administrator", post, fmt.Sprintf("/api/v1/applications/%d/roleAssignments", s.app),
			strings.NewReader(fmt.Sprintf(`{"userId":%d,"applicationRoleId":%d}`, s.people["member"], s.apps["Purchase"].Roles[1].ID)))
	case "RoleAssignmentsPost":
		s.dismiss("administrator")
	}
}

// dismiss takes every role in Purchase away from somebody.
func (s *scene) dismiss(who string) {
	s.t.Helper()
	var l struct {
		RoleAssignments []struct {
			ID   int
			User struct{ UserID int }
		}
	}
	s.read("administrator", fmt.Sprintf("/api/v1/applications/%d/roleAssignments?top=100", s.app), &l)
	for _, a := range l.RoleAssignments {
		if a.User.UserID != s.people[who] {
			continue
		}
		if status, text, _ := s.ask("administrator", remove, fmt.Sprintf("/api/v1/applications/%d/roleAssignments/%d", s.app, a.ID), nil); status != http.StatusNoContent {
			s.t.Fatalf("taking a role away: %d %s", status, text)
		}
	}
}
