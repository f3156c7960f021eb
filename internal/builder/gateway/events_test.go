package gateway

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// listen opens an event stream and gives its lines; they end with the stream.
func (w *world) listen(who, path, last string) <-chan string {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	w.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, get, w.server.URL+path, nil)
	w.must(err)
	r.Header.Set("Authorization", "Bearer "+w.tokens[who])
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	answer, err := http.DefaultClient.Do(r)
	w.must(err)
	if answer.StatusCode != http.StatusOK || !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/event-stream") {
		w.t.Fatalf("%s as %s: %d", path, who, answer.StatusCode)
	}
	lines := make(chan string, 1000)
	go func() {
		defer answer.Body.Close()
		defer close(lines)
		for s := bufio.NewScanner(answer.Body); s.Scan(); {
			lines <- s.Text()
		}
	}()
	return lines
}

// heard reads lines until one is as wanted, and gives all of them.
func (w *world) heard(lines <-chan string, want string) (all []string) {
	w.t.Helper()
	for line := range lines {
		if all = append(all, line); line == want {
			return all
		}
	}
	w.t.Fatalf("%q was not heard, but %q", want, all)
	return nil
}

func TestEvents(t *testing.T) {
	w := newWorld(t)
	app := w.apps["Purchase"].ID
	member := w.listen("member", fmt.Sprintf("/api/v2/events?applicationId=%d", app), "")
	stranger, other := w.listen("stranger", "/api/v2/events", ""), w.listen("other", "/api/v1/events", "")
	w.heard(member, "retry: 1000")
	id := w.purchase("a lathe")
	told := w.heard(member, fmt.Sprintf(`data: {"applicationId":%d,"contractId":%d}`, app, id))
	if told[len(told)-2] != "event: contract" || !strings.HasPrefix(told[len(told)-3], "id: ") {
		t.Errorf("the event is %q", told[len(told)-3:])
	}
	mark := w.mark("stranger")
	for who, lines := range map[string]<-chan string{"stranger": stranger, "other": other} {
		for _, line := range w.heard(lines, mark) {
			if strings.HasPrefix(line, "data:") && line != mark {
				t.Errorf("the %s hears %q", who, line)
			}
		}
	}
	for _, path := range []string{fmt.Sprintf("/api/v2/events?applicationId=%d", app), fmt.Sprintf("/api/v2/events?contractId=%d", id)} {
		if status, _, _ := w.ask("stranger", get, path, nil); status != http.StatusNotFound {
			t.Errorf("%s as stranger is %d", path, status)
		}
		for _, who := range []string{"anonymous", "expired", "forger"} {
			if status, _, _ := w.ask(who, get, path, nil); status != http.StatusUnauthorized {
				t.Errorf("%s as %s is %d", path, who, status)
			}
		}
	}
	again := w.heard(w.listen("member", fmt.Sprintf("/api/v2/events?contractId=%d", id), "41"), "event: reset")
	if again[len(again)-2] != "id: 42" {
		t.Errorf("after 41 comes %q", again)
	}
}

// TestEventsAreForThoseWhoSee opens streams of a contract, of its application and of
// everything as every kind of people, under both versions.
func TestEventsAreForThoseWhoSee(t *testing.T) {
	s := newScene(t)
	for _, version := range []string{"v1", "v2"} {
		for _, who := range kinds {
			for query, mine := range map[string]bool{"": false, fmt.Sprintf("?applicationId=%d", s.app): true, fmt.Sprintf("?contractId=%d", s.contract): true,
				fmt.Sprintf("?applicationId=%d", s.apps["Freight"].ID): false} {
				path, want := "/api/"+version+"/events"+query, http.StatusOK
				switch freight := !mine && query != ""; {
				case slices.Contains([]string{"anonymous", "expired", "forger"}, who):
					want = http.StatusUnauthorized
				case mine && slices.Contains(outside, who), freight && who != "other" && who != "administrator":
					want = http.StatusNotFound
				}
				if want == http.StatusOK {
					s.heard(s.listen(who, path, ""), "retry: 1000")
				} else if status, text, _ := s.ask(who, get, path, nil); status != want {
					t.Errorf("%s as %s is %d, not %d: %s", path, who, status, want, text)
				}
			}
		}
	}
}

// mark makes something happen that everybody in the application Freight hears,
// somebody new among them, and gives what they hear. Events come in order, so
// what was not heard before it is not heard any more.
func (w *world) mark(who string) string {
	w.t.Helper()
	app := w.apps["Freight"]
	w.number("administrator", post, fmt.Sprintf("/api/v1/applications/%d/roleAssignments", app.ID),
		strings.NewReader(fmt.Sprintf(`{"userId":%d,"applicationRoleId":%d}`, w.people[who], app.Roles[2].ID)))
	if status, text, _ := w.ask("administrator", patch, fmt.Sprintf("/api/v1/applications/%d/disable", app.ID), nil); status != http.StatusOK {
		w.t.Fatalf("disabling: %d %s", status, text)
	}
	return fmt.Sprintf(`data: {"applicationId":%d,"contractId":null}`, app.ID)
}

// TestEventsEndWithTheRight wants silence from the moment on in which a role is
// taken away.
func TestEventsEndWithTheRight(t *testing.T) {
	s := newScene(t)
	lines := s.listen("member", "/api/v2/events", "")
	s.heard(lines, "retry: 1000")
	s.dismiss("member")
	id := s.purchase("a mill")
	for _, line := range s.heard(lines, s.mark("member")) {
		if strings.Contains(line, fmt.Sprintf(`"contractId":%d`, id)) {
			t.Errorf("without a role the member hears %q", line)
		}
	}
	s.heard(lines, ": alive")
	if status, _, _ := s.ask("member", get, fmt.Sprintf("/api/v1/contracts/%d", id), nil); status != http.StatusNotFound {
		t.Errorf("without a role the member sees the contract: %d", status)
	}
}
