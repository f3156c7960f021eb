package upgrade

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coco-consortium/coco/test/binary"
)

// hang is when what must happen by itself is taken to hang.
const hang = 3 * time.Minute

// network is nodes on one machine, each a process.
type network struct {
	dir, service string
	nodes        []*node
}

// node is a directory and the process that runs on it.
type node struct {
	net          *network
	data, config string
	program      // that it runs, or ran last
	cmd          *exec.Cmd
	ended        chan struct{}
	ready
}

// ready is the line that a node prints when it serves.
type ready struct {
	RPC        string `json:"rpc"`
	Peer       string `json:"peer"`
	Operations string `json:"operations"`
	ChainID    uint64 `json:"chainId"`
	RaftID     uint64 `json:"raftId"`
	peer       string // Peer, which does not change
}

// found founds a network of n nodes.
func found(t *testing.T, p program, n int) *network {
	t.Helper()
	dir, err := os.MkdirTemp("", "coco-upgrade-")
	if err != nil {
		t.Fatal(err)
	}
	net := &network{dir: dir}
	t.Cleanup(func() {
		net.kill()
		for _, n := range net.nodes {
			if t.Failed() {
				t.Logf("%s said:\n%s", n.data, n.said())
			}
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	for i := range n {
		n := &node{net: net, data: filepath.Join(dir, fmt.Sprint(i+1)), config: filepath.Join(dir, fmt.Sprintf("node%d.yaml", i+1))}
		net.nodes = append(net.nodes, n)
		if i == 0 {
			n.start(t, p, "start")
			net.service = filepath.Join(n.data, "service.pem")
			continue
		}
		n.start(t, p, "join")
		n.isVoter(t)
	}
	return net
}

// command prepares a life of the node.
func (n *node) command(t *testing.T, p program, how string) *exec.Cmd {
	t.Helper()
	listen := "127.0.0.1:0"
	if n.peer != "" {
		listen = n.peer // where the others know it
	}
	text := fmt.Sprintf("data: %s\nclient: {listen: \"127.0.0.1:0\"}\npeer: {listen: %q}\noperations: {listen: \"127.0.0.1:0\"}\nlog: {level: info}\nsnapshot: {records: 300, bytes: 64KiB}\n", n.data, listen)
	if how == "join" {
		var peers []string
		for _, o := range n.net.nodes {
			if o != n && o.running() {
				peers = append(peers, fmt.Sprintf("%q", o.peer))
			}
		}
		text += fmt.Sprintf("join: {peers: [%s], service: %q}\n", strings.Join(peers, ", "), n.net.service)
	}
	if err := os.WriteFile(n.config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return exec.Command(p.path, "node", how, "--config", n.config, "--json")
}

// start begins a life and waits until the node serves.
func (n *node) start(t *testing.T, p program, how string) {
	t.Helper()
	cmd := n.command(t, p, how)
	log, err := os.OpenFile(n.config+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	fmt.Fprintf(log, "---- %s, the %s build\n", how, p.name)
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n.program, n.cmd, n.ended = p, cmd, make(chan struct{})
	line := make(chan string, 1)
	go func() {
		stdout := bufio.NewReader(out)
		if text, err := stdout.ReadString('\n'); err == nil {
			line <- text
		}
		io.Copy(io.Discard, stdout)
		cmd.Wait()
		close(n.ended)
	}()
	select {
	case text := <-line:
		if err := json.Unmarshal([]byte(text), &n.ready); err != nil {
			t.Fatalf("%v: %q", err, text)
		}
		n.peer = n.Peer
	case <-n.ended:
		t.Fatalf("%s ended before it served:\n%s", n.data, n.said())
	case <-time.After(hang):
		t.Fatalf("%s does not serve:\n%s", n.data, n.said())
	}
}

// fails begins a life that is to end by itself, and gives its code and last words.
func (n *node) fails(t *testing.T, p program, how string) (code int, said string) {
	t.Helper()
	r := binary.RunProgram(t, p.path, n.net.dir, n.command(t, p, how).Args[1:]...)
	return r.Code, r.Stderr
}

func (n *node) running() bool {
	if n.ended == nil {
		return false
	}
	select {
	case <-n.ended:
		return false
	default:
		return true
	}
}

// drain lets the node hand leadership over.
func (n *node) drain(t *testing.T) {
	t.Helper()
	if r := binary.RunProgram(t, n.path, n.net.dir, "node", "drain", "--data", n.data); r.Code != 0 {
		t.Fatalf("drain: %d\n%s", r.Code, r.Stderr)
	}
}

// stop ends the process as Ctrl+C does.
func (n *node) stop(t *testing.T) {
	t.Helper()
	n.cmd.Process.Signal(syscall.SIGINT)
	select {
	case <-n.ended:
	case <-time.After(hang):
		t.Fatalf("%s does not end:\n%s", n.data, n.said())
	}
}

// kill ends all processes at once.
func (net *network) kill() {
	for _, n := range net.nodes {
		if n.running() {
			n.cmd.Process.Kill()
		}
	}
	for _, n := range net.nodes {
		if n.ended != nil {
			<-n.ended
		}
	}
}

func (n *node) said() string {
	text, _ := os.ReadFile(n.config + ".log")
	return string(text[max(0, len(text)-4000):])
}

// status is what these tests read of /status.
type status struct {
	Format uint64 `json:"format"`
	State  string `json:"state"`
	Role   string `json:"role"`
	Leader *struct {
		RaftID uint64 `json:"raftId"`
	} `json:"leader"`
	Ledger struct{ Height, Commit, Applied, Durable, Last, First uint64 } `json:"ledger"`
}

var operations = &http.Client{Timeout: 5 * time.Second}

func (n *node) ask() (s status, err error) {
	r, err := operations.Get(n.Operations + "/status")
	if err != nil {
		return s, err
	}
	defer r.Body.Close()
	return s, json.NewDecoder(r.Body).Decode(&s)
}

// status asks a node until it answers.
func (net *network) status(t *testing.T, n *node) (s status) {
	t.Helper()
	net.await(t, n.data+" to answer", func() bool {
		var err error
		s, err = n.ask()
		return err == nil
	})
	return s
}

func (n *node) isVoter(t *testing.T) {
	t.Helper()
	n.net.await(t, n.data+" to be a voter", func() bool {
		if !n.running() {
			t.Fatalf("%s ended:\n%s", n.data, n.said())
		}
		s, err := n.ask()
		return err == nil && s.State == "voter" && s.Leader != nil && s.Ledger.First == 1
	})
}

// leader is the node that all running nodes take for the primary.
func (net *network) leader(t *testing.T) (leader *node) {
	t.Helper()
	net.await(t, "a primary", func() bool {
		leader = nil
		for _, n := range net.nodes {
			if s, err := n.ask(); err == nil && s.Role == "leader" {
				leader = n
			}
		}
		for _, n := range net.nodes {
			if s, err := n.ask(); n.running() && (err != nil || leader == nil || s.Leader == nil || s.Leader.RaftID != leader.RaftID) {
				return false
			}
		}
		return leader != nil
	})
	return leader
}

func (net *network) await(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	defer cancel()
	for tick := time.NewTicker(30 * time.Millisecond); !done(); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waiting for %s: %v", what, ctx.Err())
		}
	}
}
