package gateway

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/problem"
)

// TestLargeBodiesWaitTheirTurn has as many large bodies underway as there is room
// for: the next is told to come again, what is small goes on, and when they are gone
// there is room again.
func TestLargeBodiesWaitTheirTurn(t *testing.T) {
	w := newWorld(t)
	path := fmt.Sprintf("/api/v2/contracts?workflowId=%d", w.workflow("Purchase", "Purchase").ID)
	large := func() io.Reader {
		return strings.NewReader(`{"workflowFunctionID":1,"x":"` + strings.Repeat("x", smallBody) + `"}`)
	}
	type end struct {
		status int
		err    error
	}
	ended, finish := make(chan end, mostBodies), make([]*io.PipeWriter, mostBodies)
	for i := range finish {
		body, writer := io.Pipe()
		finish[i] = writer
		go func() {
			r, err := http.NewRequestWithContext(t.Context(), post, w.server.URL+path, body)
			if err != nil {
				panic(err)
			}
			r.Header.Set("Authorization", "Bearer "+w.tokens["member"])
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				ended <- end{err: err}
				return
			}
			answer.Body.Close()
			ended <- end{status: answer.StatusCode}
		}()
		if _, err := io.Copy(writer, large()); err != nil { // all but its end
			t.Fatal(err)
		}
	}
	for len(w.gateway.bodies) < mostBodies { // what was written is being read
		runtime.Gosched()
	}
	if status, text, _ := w.ask("member", get, "/api/v1/applications/contractCode/1", nil); status != http.StatusServiceUnavailable {
		t.Errorf("a file beside them is %d %s", status, text)
	}
	status, text, h := w.ask("member", post, path, large())
	if status != http.StatusServiceUnavailable || h.Get("Retry-After") == "" || !strings.Contains(string(text), `"code":"UPLOADS_BUSY"`) {
		t.Errorf("one too many is %d %s", status, text)
	}
	if status, text, _ := w.ask("member", post, path, strings.NewReader(`{"workflowFunctionID":1}`)); status != http.StatusForbidden {
		t.Errorf("a small one beside them is %d %s", status, text)
	}
	for _, writer := range finish {
		writer.Close()
	}
	for range finish {
		if e := <-ended; e.err != nil || e.status != http.StatusForbidden {
			t.Errorf("a large one is %d, %v", e.status, e.err)
		}
	}
	if status, text, _ := w.ask("member", post, path, large()); status != http.StatusForbidden {
		t.Errorf("when they are gone the next is %d %s", status, text)
	}
	if len(w.gateway.bodies) != 0 {
		t.Errorf("%d places were not given back", len(w.gateway.bodies))
	}
}

// TestUploadsWaitTheirTurn wants the same of uploads, whatever becomes of them.
func TestUploadsWaitTheirTurn(t *testing.T) {
	w := newWorld(t)
	ask := func() (int, http.Header) {
		status, _, h := w.ask("administrator", post, "/api/v1/checkers/checkApplication", w.files([3]string{"appFile", "a.json", "{}"}))
		return status, h
	}
	for range mostUploads {
		w.gateway.uploads <- struct{}{}
	}
	if status, h := ask(); status != http.StatusServiceUnavailable || h.Get("Retry-After") == "" {
		t.Errorf("one too many is %d", status)
	}
	<-w.gateway.uploads
	for range 3 {
		if status, _ := ask(); status != http.StatusOK {
			t.Errorf("with a place free it is %d", status)
		}
	}
	if status, _, _ := w.ask("administrator", post, "/api/v1/applications", w.files([3]string{"other", "a.json", "{}"})); status != http.StatusBadRequest {
		t.Errorf("a wrong one is %d", status)
	}
	if status, _ := ask(); status != http.StatusOK {
		t.Error("a wrong one kept its place")
	}
}

// TestListsWithHistoriesWait has all places for lists with histories taken: another
// one waits, and what is light does not.
func TestListsWithHistoriesWait(t *testing.T) {
	w := newWorld(t)
	w.purchase("a lathe")
	for range mostWide {
		w.gateway.wide <- struct{}{}
	}
	answered := make(chan int)
	go func() {
		status, _, _ := w.ask("member", get, "/api/v2/contracts?expand=actions", nil)
		answered <- status
	}()
	for range 20 {
		if status, _, _ := w.ask("member", get, "/api/v2/contracts", nil); status != http.StatusOK {
			t.Fatalf("a light one is %d", status)
		}
		select {
		case status := <-answered:
			t.Fatalf("without a place it is %d", status)
		default:
		}
	}
	<-w.gateway.wide
	if status := <-answered; status != http.StatusOK {
		t.Errorf("with a place it is %d", status)
	}
	ctx, cancel := context.WithCancel(t.Context())
	w.gateway.wide <- struct{}{}
	r := httptest.NewRequest(get, "/api/v2/contracts?expand=actions", nil).WithContext(ctx)
	r.Header.Set("Authorization", "Bearer "+w.tokens["member"])
	cancel()
	if w.gateway.ServeHTTP(httptest.NewRecorder(), r); len(w.gateway.wide) != mostWide {
		t.Error("who left has a place")
	}
}

// hurried is a writer that knows by when it must be done.
type hurried struct {
	*httptest.ResponseRecorder
	by time.Time
}

func (h *hurried) SetWriteDeadline(t time.Time) error { h.by = t; return nil }

// TestAnswersAreNotKeptForEver wants an end to the time in which a client may read.
func TestAnswersAreNotKeptForEver(t *testing.T) {
	for _, path := range []string{"/api/openapi.json", "/api/v1/users/me"} {
		w := &hurried{ResponseRecorder: httptest.NewRecorder()}
		edge(Options{}).ServeHTTP(w, httptest.NewRequest(get, path, nil))
		if left := time.Until(w.by); left <= 0 || left > patientFor {
			t.Errorf("%s may be read for %v", path, left)
		}
	}
}

// TestFaultsBelowAreNotTheClients wants what the rooms below cannot do answered as
// such, not as a bad request.
func TestFaultsBelowAreNotTheClients(t *testing.T) {
	for _, code := range []string{"DATABASE_UNAVAILABLE", "DATABASE_BEHIND", "JOURNAL_WRITE", "LEDGER_UNAVAILABLE", "LEDGER_ANSWER", "LEDGER_STATE_GONE",
		"LEDGER_FOREIGN", "VAULT_DOWN", "VAULT_DAMAGED", "VAULT_MISSING", "STORE_CLOSED"} {
		if got := statusOf(problem.Code(code)); got != http.StatusServiceUnavailable {
			t.Errorf("%s is %d", code, got)
		}
	}
	for code, want := range map[string]int{"TOKEN_EXPIRED": 401, "TOKEN_EARLY": 401, "LEDGER_UNKNOWN": 400, "VALUE_RANGE": 400, "LEDGER_NO_PROOF": 404, "LEDGER_CALL_FAILED": 422, "INTERNAL": 500} {
		if got := statusOf(problem.Code(code)); got != want {
			t.Errorf("%s is %d, not %d", code, got, want)
		}
	}
}
