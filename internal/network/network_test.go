package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/coco-consortium/coco/internal/node"
	"github.com/coco-consortium/coco/internal/operations"
	"github.com/coco-consortium/coco/internal/problem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestLife founds a network of three, ends it and starts it again: whoever has
// the most complete ledger recovers it, the others join.
func TestLife(t *testing.T) {
	w, data := newWorld(), t.TempDir()
	n := start(t, w, data, 3)
	o := n.Overview()
	if len(o.Nodes) != 3 || o.Nodes[2].Data != filepath.Join(data, "nodes", "3") || o.Nodes[1].Status.State != operations.StateVoter {
		t.Fatalf("%+v", o)
	}
	for i, s := range o.Nodes {
		if got := fetch(t, "http://"+s.RPC); got != fmt.Sprint(i+1) {
			t.Errorf("node %d answers %q", s.Number, got)
		}
		if got := fetch(t, "http://"+s.Operations+"/livez"); !strings.Contains(got, "ok") {
			t.Errorf("node %d's operations answer %q", s.Number, got)
		}
	}
	if err := n.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	setHead(t, o.Nodes[0].Data, Position{3, 10})
	setHead(t, o.Nodes[1].Data, Position{4, 9})
	setHead(t, o.Nodes[2].Data, Position{4, 8})
	w.history = nil
	if n = start(t, w, data, 0); len(n.Overview().Nodes) != 3 {
		t.Errorf("%+v", n.Overview())
	}
	if got := strings.Join(w.history, ", "); got != "recover 2, join 1, join 3" {
		t.Error(got)
	}
	if err := n.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), Config{Data: data, Nodes: 2}, w.launcher()); !errors.Is(err, ErrFewer) {
		t.Errorf("fewer nodes: %v", err)
	}
	if _, err := Start(t.Context(), Config{Data: data, Nodes: 99}, w.launcher()); problem.CodeOf(err) != "NODES_MANY" {
		t.Errorf("many nodes: %v", err)
	}
	w.history = nil
	if start(t, w, data, 4); strings.Join(w.history, ", ") != "recover 1, join 2, join 3, join 4" {
		t.Error(w.history)
	}
}

// TestOneGrows takes a network of one node to two.
func TestOneGrows(t *testing.T) {
	w, data := newWorld(), t.TempDir()
	n := start(t, w, data, 0)
	if _, err := os.Stat(filepath.Join(data, fileNetwork)); err == nil {
		t.Error("a network of one has a list of nodes")
	}
	if err := n.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	start(t, w, data, 2)
	if got := strings.Join(w.history, ", "); got != "found 1, recover 1, join 2" {
		t.Error(got)
	}
}

// TestCommands gives each command on the socket, as the command line does.
func TestCommands(t *testing.T) {
	w, data := newWorld(), t.TempDir()
	n := start(t, w, data, 3)
	c := operations.Dial(data)
	defer c.Close()
	say := func(want problem.Code, name, nodes string) {
		t.Helper()
		err := c.Post(t.Context(), "/network/"+name, url.Values{"node": {nodes}})
		if got := problem.CodeOf(err); (want == "") != (err == nil) || want != "" && got != want {
			t.Errorf("%s %s: %v, not %s", name, nodes, err, want)
		}
	}
	see := func() (o Overview) {
		t.Helper()
		if err := c.Get(t.Context(), "/network", &o); err != nil {
			t.Fatal(err)
		}
		return o
	}
	rpc := see().Nodes[1].RPC
	say("", "stop", "2")
	say("NETWORK_STOPPED", "stop", "2")
	say("NETWORK_STOPPED", "pause", "2")
	say("NETWORK_STOPPED", "partition", "2")
	say("NETWORK_NODE", "stop", "9")
	say("OPERATOR_COMMAND", "stop", "1,2")
	say("OPERATOR_COMMAND", "stop", "x")
	say("OPERATOR_COMMAND", "stop", "")
	if o := see(); o.Nodes[1].Running || o.Nodes[1].Status != nil || !o.Nodes[2].Running {
		t.Errorf("%+v", o)
	}
	say("NETWORK_RUNS", "start", "3")
	w.history = nil
	say("", "start", "2")
	if got := strings.Join(w.history, ", "); got != "join 2, retire 2" {
		t.Error(got)
	}
	if o := see(); o.Nodes[1].RPC != rpc || o.Nodes[1].Status.RaftID != 4 {
		t.Errorf("node 2 came back as %+v", o.Nodes[1])
	}
	say("", "pause", "3")
	if !see().Nodes[2].Status.Paused {
		t.Error("node 3 is not paused")
	}
	say("", "resume", "3")
	say("", "partition", "3")
	if o := see(); !slices.Equal(o.Apart, []int{3}) || !slices.Equal(w.live[3].apart, []uint64{1, 4}) || !slices.Equal(w.live[1].apart, []uint64{3}) {
		t.Errorf("%+v", o)
	}
	say("NETWORK_SIDES", "partition", "1,2,3")
	say("", "heal", "")
	if o := see(); o.Apart != nil || w.live[3].apart != nil {
		t.Errorf("%+v", o)
	}
	w.history = nil
	say("", "add", "")
	say("", "replace", "1")
	if got := strings.Join(w.history, ", "); got != "join 4, join 5, retire 1" {
		t.Error(got)
	}
	var have []int
	for _, s := range see().Nodes {
		have = append(have, s.Number)
	}
	if !slices.Equal(have, []int{2, 3, 4, 5}) {
		t.Errorf("the nodes are %v", have)
	}
	if err := n.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.history = nil
	n = start(t, w, data, 0)
	if got := strings.Join(w.history, ", "); got != "recover 2, join 3, join 4, join 5" {
		t.Error(got)
	}
	say("", "stop", "2")
	say("", "stop", "3")
	say("NETWORK_NO_MAJORITY", "start", "2")
	say("NETWORK_NO_MAJORITY", "add", "")
	if err := c.Post(t.Context(), "/stop", nil); err != nil {
		t.Error(err)
	}
	<-n.Stopped()
}

// TestAllDown starts nodes of a network none of whose nodes runs: only the most
// complete ledger begins.
func TestAllDown(t *testing.T) {
	w, data := newWorld(), t.TempDir()
	n := start(t, w, data, 2)
	for _, number := range []int{1, 2} {
		if err := n.StopNode(t.Context(), number); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.Pause(1); !errors.Is(err, ErrStopped) {
		t.Error(err)
	}
	setHead(t, dataOf(data, 1), Position{2, 5})
	setHead(t, dataOf(data, 2), Position{2, 6})
	if err := n.StartNode(t.Context(), 1); !errors.Is(err, ErrLonger) {
		t.Error(err)
	}
	w.history = nil
	for _, number := range []int{2, 1} {
		if err := n.StartNode(t.Context(), number); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(w.history, ", "); got != "recover 2, join 1" {
		t.Error(got)
	}
}

// TestTwice: a directory has one network at a time.
func TestTwice(t *testing.T) {
	w, data := newWorld(), t.TempDir()
	start(t, w, data, 1)
	_, err := Start(t.Context(), Config{Data: data, RPC: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler), Now: time.Now}, newWorld().launcher())
	if !errors.Is(err, node.ErrLocked) {
		t.Error(err)
	}
}

// TestFailedStart leaves nothing running when a node cannot begin.
func TestFailedStart(t *testing.T) {
	w, data := newWorld(), t.TempDir()
	l := w.launcher()
	full := errors.New("the disk is full")
	l.Launch = func(ctx context.Context, p Plan) (Member, error) {
		if p.Number == 3 {
			return nil, full
		}
		return w.launch(ctx, p)
	}
	_, err := Start(t.Context(), Config{Data: data, Nodes: 3, RPC: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler), Now: time.Now}, l)
	if !errors.Is(err, full) || len(w.live) != 0 {
		t.Errorf("%v, and %d nodes run", err, len(w.live))
	}
}

func TestRegister(t *testing.T) {
	for _, bad := range []string{"{", `{"nodes":[]}`, `{"nodes":[0]}`, `{"nodes":[1,1]}`, `{"nodes":[1],"retired":[1]}`} {
		data := t.TempDir()
		if err := os.WriteFile(filepath.Join(data, fileNetwork), []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readRegister(data); !errors.Is(err, ErrDirectory) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	r := register{Nodes: []int{2, 5}, Retired: []int{7}}
	if grown, err := r.want(3); err != nil || !slices.Equal(grown.Nodes, []int{2, 5, 8}) || len(r.Nodes) != 2 {
		t.Errorf("%+v, %v", grown, err)
	}
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
