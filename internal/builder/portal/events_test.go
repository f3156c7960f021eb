package portal

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/builder/offchain"
)

// listening is an open event stream; its lines end with it.
func (b *browser) listening(query string) (lines <-chan string) {
	b.w.t.Helper()
	ctx, cancel := context.WithTimeout(b.w.t.Context(), patience)
	b.w.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.w.server.URL+"/events"+query, nil)
	b.w.must(err)
	answer, err := b.http.Do(r)
	b.w.must(err)
	if answer.StatusCode != http.StatusOK {
		b.w.t.Fatalf("%s listens to %s: %d", b.name, query, answer.StatusCode)
	}
	out := make(chan string, 10_000)
	go func() {
		defer close(out)
		defer answer.Body.Close()
		for s := bufio.NewScanner(answer.Body); s.Scan(); {
			if s.Text() != "" {
				out <- s.Text()
			}
		}
	}()
	if first := <-out; !strings.HasPrefix(first, "retry") {
		b.w.t.Fatalf("a stream begins with %q", first)
	}
	return out
}

// hears takes lines until there was word of a change, or until beats heartbeats.
func hears(lines <-chan string, beats int) bool {
	for line := range lines {
		if strings.HasPrefix(line, "data") {
			return true
		}
		if beats--; beats == 0 {
			return false
		}
	}
	return false
}

// makes lets Bob ask for a contract, and waits until the ledger has it.
func (w *world) makes(machine string) {
	w.t.Helper()
	list := workflowURL(w.purchase.ID, w.purchase.WorkflowIDs[0])
	before, err := w.store.Contracts(w.t.Context(), offchain.ContractFilter{})
	w.must(err)
	if status, page, _ := w.browsers["bob"].send(list+"/new", "a0", machine, "a1", "0", "a2", "1"); status != http.StatusOK {
		w.t.Fatalf("a new contract: %d: %s", status, page)
	}
	w.until("the contract is committed", func() bool {
		l, err := w.store.Contracts(w.t.Context(), offchain.ContractFilter{})
		w.must(err)
		return len(l.Rows) > len(before.Rows) && l.Rows[0].Status == offchain.StatusCommitted
	})
}

// After the end of a role, of a session or of its time no word leaves, and the
// stream ends though its browser holds on to it.
func TestStreamEnds(t *testing.T) {
	w := newWorld(t)
	at := w.offered(t, "A lathe")
	app := applicationURL(w.purchase.ID)
	contract := "?contract=" + strings.TrimPrefix(at, "/contracts/")
	dave, carol := w.browsers["dave"], w.browsers["carol"]

	streams := map[string]<-chan string{"contract": dave.listening(contract), "application": dave.listening(fmt.Sprint("?application=", w.purchase.ID))}
	person, err := w.store.PersonByExternalID(t.Context(), w.externalID("Dave Diallo"))
	w.must(err)
	mine, err := w.store.AssignmentsOf(t.Context(), person.ID)
	w.must(err)
	general := dave.listening("")
	if status, page, end := w.browsers["alice"].send(fmt.Sprintf("%s/members/%d/remove", app, mine[0].ID)); status != http.StatusOK || end.Path != app+"/members" {
		t.Fatalf("removing: %d at %s: %s", status, end, page)
	}
	w.makes("Another")
	for what, lines := range streams {
		for line := range lines {
			if strings.HasPrefix(line, "data") {
				t.Errorf("without a role one hears of the %s: %s", what, line)
			}
		}
	}
	if status, _ := dave.see(at); status != http.StatusNotFound {
		t.Errorf("without a role: %d", status)
	}
	if !hears(general, -1) {
		t.Error("the list of applications is not told that one is gone")
	}

	lines := carol.listening(contract)
	if status, _, end := carol.ask(http.MethodPost, "/sign-out", url.Values{"csrf": {carol.csrf()}}); status != http.StatusOK || end.Path != "/signed-out" {
		t.Fatalf("signing out: %d at %s", status, end)
	}
	w.makes("A third")
	if hears(lines, -1) {
		t.Error("who signed out hears of changes")
	}

	bob := w.browsers["bob"]
	lines = bob.listening(contract)
	w.ahead.Store(int64(24 * time.Hour))
	if hears(lines, -1) {
		t.Error("a session that is over hears of changes")
	}
}

// Whoever sees none of what happens is told nothing, not even that something did;
// who sees it is told, also of what came between their page and the stream.
func TestStreamTells(t *testing.T) {
	w := newWorld(t)
	since := func(b *browser) string {
		_, page := b.see("/applications")
		return regexp.MustCompile(`data-since="([^"]*)"`).FindStringSubmatch(page)[1]
	}
	eve, carol := w.browsers["eve"], w.browsers["carol"]
	if one, other := since(eve), since(eve); one == other {
		t.Error("two pages' marks can be compared")
	}
	first, second := since(eve), since(carol)
	stream, people, ledgers := eve.listening(""), w.browsers["alice"].listening("?people"), w.browsers["alice"].listening("?ledgers")
	application := carol.listening(fmt.Sprint("?application=", w.purchase.ID))
	w.makes("A lathe")
	if !hears(application, -1) || !hears(ledgers, -1) {
		t.Error("a contract is not told of")
	}
	if !hears(carol.listening("?since="+second), -1) {
		t.Error("what came between the page and its stream is not told")
	}
	if hears(stream, 4) || hears(eve.listening("?since="+first), 4) {
		t.Error("a contract that is not seen is told of")
	}
	if hears(people, 4) {
		t.Error("the people are told of a contract")
	}
	w.signIn("Eve Ekman")
	w.browsers["alice"].send("/people/new", "external", "somebody", "first", "Frank")
	if !hears(people, -1) {
		t.Error("a new person is not told of")
	}
	for _, query := range []string{"?people", "?contract=1", fmt.Sprint("?application=", w.purchase.ID), "?contract=99"} {
		if status, _ := eve.see("/events" + query); status < 400 {
			t.Errorf("eve listens to %s: %d", query, status)
		}
	}
}

// One person cannot take all streams.
func TestStreamsBounded(t *testing.T) {
	w := newWorld(t)
	for range mostOfPerson {
		w.browsers["eve"].listening("")
	}
	if status, _ := w.browsers["eve"].see("/events"); status != http.StatusServiceUnavailable {
		t.Errorf("one stream more: %d", status)
	}
	w.browsers["bob"].listening("")

	var s streams
	for i := range mostStreams {
		if !s.begin(&stream{person: i}) {
			t.Fatalf("stream %d is refused", i)
		}
	}
	last := &stream{person: 1}
	if s.begin(last) {
		t.Error("more streams than may be")
	}
	for one := range s.all {
		s.done(one)
	}
	if !s.begin(last) || len(s.of) != 1 {
		t.Error("what ended still counts")
	}
}

// stalled is a browser that reads nothing: writes wait for their deadline.
type stalled struct {
	*httptest.ResponseRecorder
	until time.Time
	wrote int
}

func (s *stalled) SetWriteDeadline(t time.Time) error { s.until = t; return nil }
func (s *stalled) SetReadDeadline(time.Time) error    { return nil }

func (s *stalled) Write(b []byte) (int, error) {
	if s.wrote++; s.wrote == 1 {
		return len(b), nil
	}
	if s.until.IsZero() {
		select {} // for ever, as a socket would
	}
	time.Sleep(time.Until(s.until))
	return 0, os.ErrDeadlineExceeded
}

// A browser that does not read is let go.
func TestStreamStalled(t *testing.T) {
	w := newWorld(t)
	r := httptest.NewRequest(http.MethodGet, w.server.URL+"/events", nil)
	base, err := url.Parse(w.server.URL)
	w.must(err)
	for _, c := range w.browsers["bob"].http.Jar.Cookies(base) {
		r.AddCookie(c)
	}
	ended := make(chan *stalled)
	go func() {
		s := &stalled{ResponseRecorder: httptest.NewRecorder()}
		w.pages.ServeHTTP(s, r)
		ended <- s
	}()
	select {
	case s := <-ended:
		if s.wrote != 2 {
			t.Errorf("%d writes", s.wrote)
		}
	case <-time.After(patience):
		t.Error("a stream waits for a browser that does not read")
	}
}
