package gateway

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var digits = regexp.MustCompile(`\d+`)

// TestHiddenIsAsMissing asks, as those outside, for what they may not see and for
// what is not there: the answers are the same but for the ids in the paths.
func TestHiddenIsAsMissing(t *testing.T) {
	s := newScene(t)
	missing := *s
	missing.app, missing.workflow, missing.code, missing.contract = 999_001, 999_002, 999_003, 999_004
	missing.action, missing.assignment, missing.transaction = 999_005, 999_006, 999_007
	missing.fresh = map[string]int{"v1": 999_008, "v2": 999_009}
	for i := range table {
		r := &table[i]
		for _, template := range r.paths() {
			there, gone := s.path(r, template), missing.path(r, template)
			if there == gone || r.answer == "never" {
				continue
			}
			for _, who := range outside {
				status, body, h := s.ask(who, r.method, there, s.body(r))
				status2, body2, h2 := s.ask(who, r.method, gone, missing.body(r))
				same := bytes.Equal(digits.ReplaceAll(body, nil), digits.ReplaceAll(body2, nil))
				h.Del("Date")
				h2.Del("Date")
				h.Del("Content-Length")
				h2.Del("Content-Length")
				if status != http.StatusNotFound || status2 != status || !same || fmt.Sprint(h) != fmt.Sprint(h2) {
					t.Errorf("%s %s as %s is %d %s %v, and of nothing %d %s %v", r.method, there, who, status, body, h, status2, body2, h2)
				}
			}
		}
	}
}

// TestNothingIsCountedOrFoundOutside looks for a contract in every way a list has,
// under both versions: those outside find nothing, and are told no number.
func TestNothingIsCountedOrFoundOutside(t *testing.T) {
	s := newScene(t)
	address := s.committed(s.contract).LedgerIdentifier
	inside := []string{"member", "initiator", "client", "administrator"}
	queries := []string{
		"contracts?search=" + machine, "contracts?search=" + machine[:3], fmt.Sprint("contracts?search=", s.contract), "contracts?search=" + address,
		"contracts?ledgerIdentifier=" + address, "contracts?connectionId=1", "contracts?sortBy=Id&top=100", "contracts?expand=actions,transactions",
		"applications?name=Purchase", "applications?search=machine", "applications?enabled=true&search=purch", "ledgers/connections/1/transactions",
	}
	told := []string{ // 404 outside
		fmt.Sprintf("contracts?workflowId=%d&state=Offered", s.workflow), fmt.Sprintf("contracts?applicationId=%d&search=%s", s.app, machine),
		fmt.Sprintf("contracts?workflowId=%d&property.Machine=%s", s.workflow, machine), fmt.Sprintf("contracts?applicationId=%d&property.Machine=%s", s.app, machine),
		fmt.Sprintf("events?contractId=%d", s.contract), fmt.Sprintf("events?applicationId=%d", s.app), fmt.Sprintf("events?applicationId=%d&contractId=%d", s.app, s.contract),
		fmt.Sprintf("contracts/%d/values", s.contract), fmt.Sprintf("contracts/%d/history", s.contract), fmt.Sprintf("contracts/%d/actions/%d/proof", s.contract, s.action),
	}
	for _, version := range []string{"v1", "v2"} {
		for _, query := range slices.Concat(queries, told) {
			path := "/api/" + version + "/" + query
			if !strings.HasPrefix(query, "events") && !strings.HasSuffix(query, "proof") {
				for _, who := range inside {
					if status, text, h := s.ask(who, get, path, nil); status != http.StatusOK || h.Get("X-Total-Count") == "" || !bytes.Contains(text, []byte(`"id":`)) && !bytes.Contains(text, []byte(`"workflowPropertyId":`)) {
						t.Errorf("%s as %s: %d %s %s", path, who, status, text, h.Get("X-Total-Count"))
					}
				}
			}
			want := http.StatusNoContent
			if slices.Contains(told, query) {
				want = http.StatusNotFound
			}
			for _, who := range outside {
				status, text, h := s.ask(who, get, path, nil)
				if status != want || h.Get("X-Total-Count") != "" || bytes.Contains(text, []byte(machine)) {
					t.Errorf("%s as %s: %d %s %q", path, who, status, text, h.Get("X-Total-Count"))
				}
			}
		}
		for path, body := range map[string]func() io.Reader{
			fmt.Sprintf("contracts/%d/calls", s.contract):   func() io.Reader { return action(s.discount) },
			fmt.Sprintf("contracts/%d/actions", s.contract): func() io.Reader { return action(s.change, "askingPrice", "x") },
			fmt.Sprintf("contracts?workflowId=%d", s.workflow): func() io.Reader {
				return action(s.constructor, "machine", machine)
			},
		} {
			for _, who := range outside { // whatever is wrong with the request besides
				if status, text, _ := s.ask(who, post, "/api/"+version+"/"+path, body()); status != http.StatusNotFound {
					t.Errorf("%s as %s: %d %s", path, who, status, text)
				}
			}
		}
	}
}
