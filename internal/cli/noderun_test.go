package cli

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/cli/terminal"
	"github.com/coco-consortium/coco/internal/operations"
	"github.com/coco-consortium/coco/internal/problem"
)

// command runs coco to its end.
func command(ctx context.Context, args ...string) (code int, out, errOut string) {
	var o, e bytes.Buffer
	code = Main(ctx, args, nil, &o, &e)
	return code, o.String(), e.String()
}

// nodeRun is coco node in the background.
type nodeRun struct {
	config, data string
	client       *operations.Client
	cancel       context.CancelFunc
	ended        sync.WaitGroup
	code         int
	errOut       string
}

func runsNode(t *testing.T, name, how, more string) *nodeRun {
	t.Helper()
	r := &nodeRun{config: filepath.Join(t.TempDir(), name+".yaml")}
	r.data = strings.TrimSuffix(r.config, ".yaml")
	text := fmt.Sprintf("data: %s\nclient: {listen: \"127.0.0.1:0\"}\npeer: {listen: \"127.0.0.1:0\"}\n%s\n", r.data, more)
	if err := os.WriteFile(r.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r.client = operations.Dial(r.data)
	ctx, cancel := context.WithCancel(t.Context())
	r.cancel = cancel
	r.ended.Go(func() { r.code, _, r.errOut = command(ctx, "node", how, "--config", r.config, "--json") })
	t.Cleanup(func() { cancel(); r.ended.Wait(); r.client.Close() })
	return r
}

// until waits until the node's status is as it should be.
func (r *nodeRun) until(t *testing.T, what string, holds func(operations.Status) bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		s, err := r.client.Status(t.Context())
		if err == nil && holds(s) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not in time: %s: %v %+v", what, err, s.CatchUp)
		}
	}
}

// ends waits for the end of the process, which has to be a good one.
func (r *nodeRun) ends(t *testing.T) {
	t.Helper()
	r.ended.Wait()
	if r.code != terminal.OK || strings.Contains(r.errOut, "coco: ") {
		t.Errorf("exit code %d: %s", r.code, r.errOut)
	}
	if _, err := os.Stat(filepath.Join(r.data, operations.Socket)); !os.IsNotExist(err) {
		t.Errorf("its socket is left: %v", err)
	}
}

// TestJoiningNodeAnswers asks a node that nobody lets in, on its socket, over the
// web and with the commands, and ends it in both ways that there are.
func TestJoiningNodeAnswers(t *testing.T) {
	first := runsNode(t, "first", "start", "")
	first.until(t, "it serves", func(s operations.Status) bool { return s.Role == operations.RoleLeader })
	away, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer away.Close() // it never answers
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	web.Close()
	gone := away.Addr().String()
	away.Close()
	more := fmt.Sprintf("join: {peers: [%q], service: %s/service.pem}\noperations: {listen: %q}", gone, first.data, web.Addr())
	joining := func() *nodeRun {
		n := runsNode(t, "second", "join", more)
		n.until(t, "it asks in vain", func(s operations.Status) bool {
			return s.CatchUp != nil && s.CatchUp.Stage == operations.StageAdmission && s.CatchUp.Problem != ""
		})
		return n
	}
	n := joining()
	for path, want := range map[string]int{"livez": http.StatusOK, "readyz": http.StatusServiceUnavailable, "status": http.StatusOK, "metrics": http.StatusOK} {
		res, err := http.Get("http://" + web.Addr().String() + "/" + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("/%s answers %d, not %d", path, res.StatusCode, want)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	if code, out, _ := command(t.Context(), "node", "status", "--config", n.config); code != terminal.OK || !strings.Contains(out, "it asks to be let in") || !strings.Contains(out, "PEER_UNREACHABLE") {
		t.Errorf("%d: %s", code, out)
	}
	if code, out, _ := command(t.Context(), "node", "status", "--data", n.data, "--json"); code != terminal.OK || !strings.Contains(out, `"catchUp":{"stage":"admission"`) {
		t.Errorf("%d: %s", code, out)
	}
	for _, path := range []string{"/drain", "/retire?node=1", "/pause", "/raise-format?level=1"} {
		if err := n.client.Post(t.Context(), path, nil); problem.CodeOf(err) != "NOT_READY" {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := n.client.Post(t.Context(), "/stop", nil); err != nil {
		t.Error(err)
	}
	n.ends(t)
	n = joining()
	n.cancel() // Ctrl+C
	n.ends(t)
	first.cancel()
	first.ends(t)
}

// TestArrivalText is what people read of a node on its way.
func TestArrivalText(t *testing.T) {
	s := operations.Status{RaftID: 4, State: operations.StateLearner, Role: operations.RoleNone,
		CatchUp: &operations.CatchUp{Stage: operations.StageReplay, Done: 45, Total: 60, Problem: "a \x1b[31m"}}
	var b strings.Builder
	nodeTable(&b, s)
	want := "node 4 does not serve yet, learner: it verifies and applies the ledger\n  45 of 60 blocks, 75%\n  last answer: a \\x1b[31m\n"
	if b.String() != want {
		t.Errorf("%q, not %q", b.String(), want)
	}
}
