package operations

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/problem"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var then = time.Date(2030, 5, 17, 12, 0, 0, 0, time.UTC)

// fake is a node that says what it was told and remembers commands.
type fake struct {
	status      Status
	live, ready error
	refuse      error
	told        []string
}

func (f *fake) Status() Status { return f.status }
func (f *fake) Live() error    { return f.live }
func (f *fake) Ready() error   { return f.ready }

func (f *fake) Drain(context.Context) error {
	f.told = append(f.told, "drain")
	return f.refuse
}

func (f *fake) Retire(_ context.Context, id uint64) error {
	f.told = append(f.told, fmt.Sprint("retire ", id))
	return f.refuse
}
func (f *fake) RaiseFormat(_ context.Context, level uint64) error {
	f.told = append(f.told, fmt.Sprint("raise-format ", level))
	return f.refuse
}
func (f *fake) Pause()               { f.told = append(f.told, "pause") }
func (f *fake) Resume()              { f.told = append(f.told, "resume") }
func (f *fake) Isolate(ids []uint64) { f.told = append(f.told, fmt.Sprint("isolate ", ids)) }
func (f *fake) Heal()                { f.told = append(f.told, "heal") }

// three is the status of the leader of three nodes, one of which lags.
func three() Status {
	return Status{
		Service: strings.Repeat("ab", 32), Platform: "simulated", Version: "coco/test", Started: then.Add(-time.Hour), Uptime: 3600,
		RaftID: 1, State: StateVoter, Role: RoleLeader, View: 3, Leader: &Place{1, "127.0.0.1:7001", "127.0.0.1:8545"},
		Ledger: Ledger{Height: 100, Seqno: 900, Commit: 110, Applied: 110, Durable: 110, Last: 111, First: 1, Index: 100, Chunks: 2},
		Nodes: []Peer{
			{Place: Place{3, "127.0.0.1:7003", "127.0.0.1:8547"}, State: StateVoter, Match: 2, Lag: 5000, Heard: 0.2, RTT: 0.001, Active: true},
			{Place: Place{1, "127.0.0.1:7001", "127.0.0.1:8545"}, State: StateVoter, Self: true, Match: 111, Active: true},
			{Place: Place{2, "127.0.0.1:7002", "127.0.0.1:8546"}, State: StateVoter, Match: 111, Heard: 0.1, RTT: 0.001, Active: true},
		},
		Snapshot: Snapshot{Height: 80, Taken: then.Add(-time.Minute), Bytes: 4096, Took: 0.5, Pending: 20},
		Queues:   Queues{RequestsLimit: 16384}, Elections: Elections{Total: 2, Recent: 1, Last: then.Add(-time.Hour)},
		Disk: Disk{Free: 50 << 30, Total: 100 << 30, Ledger: 1 << 20},
	}
}

func get(t *testing.T, h http.Handler, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w.Code, w.Body.String()
}

// TestStatusIsStable compares the JSON of a status with testdata: scripts read it.
func TestStatusIsStable(t *testing.T) {
	n := &fake{status: three()}
	code, body := get(t, Observe(n, nil), "/status")
	if code != 200 {
		t.Fatal(code, body)
	}
	var value any
	if err := json.Unmarshal([]byte(body), &value); err != nil {
		t.Fatal(err)
	}
	var shown strings.Builder
	e := json.NewEncoder(&shown)
	e.SetIndent("", "  ")
	if err := e.Encode(value); err != nil {
		t.Fatal(err)
	}
	const name = "testdata/status.json"
	if *update {
		if err := os.WriteFile(name, []byte(shown.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if shown.String() != string(want) {
		t.Errorf("the status changed:\n%s", shown.String())
	}
	if n.status.Nodes[0].RaftID != 3 {
		t.Error("the node's own list was sorted")
	}
}

// TestEmptyStatus has lists that are lists, whatever the node filled in.
func TestEmptyStatus(t *testing.T) {
	_, body := get(t, Observe(&fake{}, nil), "/status")
	for _, part := range []string{`"nodes":[]`, `"damaged":[]`, `"warnings":[]`} {
		if !strings.Contains(body, part) {
			t.Errorf("%s has no %s", body, part)
		}
	}
}

func TestProbes(t *testing.T) {
	n := &fake{ready: problem.New("NODE_BEHIND", "the node catches up", "wait")}
	h := Observe(n, nil)
	if code, body := get(t, h, "/livez"); code != 200 || !strings.Contains(body, "ok") {
		t.Error(code, body)
	}
	if code, body := get(t, h, "/readyz"); code != 503 || !strings.Contains(body, `"code":"NODE_BEHIND"`) || !strings.Contains(body, `"next":"wait"`) {
		t.Error(code, body)
	}
	n.live, n.ready = errors.New("consensus has ended"), nil
	if code, _ := get(t, h, "/livez"); code != 503 {
		t.Error(code)
	}
	if code, _ := get(t, h, "/readyz"); code != 200 {
		t.Error(code)
	}
}

func TestCommands(t *testing.T) {
	stopped := false
	for _, c := range []struct {
		path        string
		development bool
		code        int
		told        string
	}{
		{"/drain", false, 204, "drain"},
		{"/retire?node=3", false, 204, "retire 3"},
		{"/retire?node=0", false, 400, ""},
		{"/retire?node=1,2", false, 400, ""},
		{"/retire", false, 400, ""},
		{"/raise-format?level=1", false, 204, "raise-format 1"},
		{"/raise-format?level=x", false, 400, ""},
		{"/raise-format", false, 400, ""},
		{"/pause", false, 409, ""},
		{"/isolate?nodes=2", false, 409, ""},
		{"/pause", true, 204, "pause"},
		{"/resume", true, 204, "resume"},
		{"/isolate?nodes=2,3", true, 204, "isolate [2 3]"},
		{"/isolate?nodes=x", true, 400, ""},
		{"/heal", true, 204, "heal"},
		{"/stop", false, 204, ""},
		{"/nonsense", true, 404, ""},
	} {
		n := &fake{}
		w := httptest.NewRecorder()
		Control(n, Options{Development: c.development, Stop: func() { stopped = true }}).ServeHTTP(w, httptest.NewRequest("POST", c.path, nil))
		if told := strings.Join(n.told, ";"); w.Code != c.code || told != c.told {
			t.Errorf("POST %s: %d, told %q\n%s", c.path, w.Code, told, w.Body)
		}
	}
	if !stopped {
		t.Error("stop did not stop")
	}
}

// TestWebOnlyReads keeps commands and foreign names from a TCP address.
func TestWebOnlyReads(t *testing.T) {
	n := &fake{}
	h := Web(Local(Observe(n, nil), Control(n, Options{Development: true})), []string{"node1.example"})
	for _, c := range []struct {
		method, host, path string
		code               int
	}{
		{"GET", "127.0.0.1:9000", "/livez", 200},
		{"GET", "[::1]:9000", "/livez", 200},
		{"GET", "localhost", "/livez", 200},
		{"GET", "Node1.example:9000", "/livez", 200},
		{"GET", "evil.example", "/livez", 403},
		{"GET", "127.0.0.1", "/drain", 404},
		{"POST", "127.0.0.1", "/drain", 405},
	} {
		r := httptest.NewRequest(c.method, c.path, nil)
		r.Host = c.host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.code {
			t.Errorf("%s %s of %s: %d, not %d", c.method, c.path, c.host, w.Code, c.code)
		}
	}
	if len(n.told) > 0 {
		t.Errorf("told %v", n.told)
	}
}
