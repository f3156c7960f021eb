package consortium

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coco-consortium/coco/test/binary"
)

// node is a place for processes, one after the other: a directory, addresses and
// a log.
type node struct {
	net          *network
	number       int
	place        place
	data, config string
	more         string // further lines of its node.yaml

	mu      sync.Mutex
	process *process
	ready   ready
	paused  bool
}

// process is one life of a node.
type process struct {
	cmd   *exec.Cmd
	lives int // which life of the node this is
	line  chan string
	ended chan struct{}
	code  int // once it ended
}

// ready is the line that a node prints when it serves.
type ready struct {
	RPC        string `json:"rpc"`
	WS         string `json:"ws"`
	Peer       string `json:"peer"`
	Operations string `json:"operations"`
	ChainID    uint64 `json:"chainId"`
	Service    string `json:"service"`
	RaftID     uint64 `json:"raftId"`
}

// status is what these tests read of /status (docs/reference/operations.md).
type status struct {
	RaftID uint64 `json:"raftId"`
	State  string `json:"state"`
	Role   string `json:"role"`
	View   uint64 `json:"view"`
	Leader *struct {
		RaftID uint64 `json:"raftId"`
	} `json:"leader"`
	Ledger struct {
		Height, Seqno, Commit, Applied, Durable, Last, First, Index uint64
	} `json:"ledger"`
	Nodes []struct {
		RaftID uint64  `json:"raftId"`
		State  string  `json:"state"`
		Match  uint64  `json:"match"`
		Lag    uint64  `json:"lag"`
		Heard  float64 `json:"heard"`
		Self   bool    `json:"self"`
	} `json:"nodes"`
	Snapshot struct {
		Height uint64 `json:"height"`
	} `json:"snapshot"`
	Elections struct {
		Total uint64 `json:"total"`
	} `json:"elections"`
	Counters struct {
		BlocksRefused uint64 `json:"blocksRefused"`
	} `json:"counters"`
	Recoveries uint64 `json:"recoveries"`
	Warnings   []struct {
		Code string `json:"code"`
	} `json:"warnings"`
}

func (n *node) logFile() string { return n.config + ".log" }

// write writes node.yaml for the next life.
func (n *node) write(t *testing.T, join string) {
	t.Helper()
	text := fmt.Sprintf("data: %s\nclient: {listen: %q}\npeer: {listen: %q, advertise: %q}\noperations: {listen: %q}\nlog: {level: info}\n%s\n%s\n",
		n.data, n.place.client, n.place.peer, n.place.advertise, n.place.operations, n.net.more, n.more)
	if join != "" {
		text += fmt.Sprintf("join: {peers: [%s], service: %q}\n", join, n.net.service)
	}
	if err := os.WriteFile(n.config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// launch begins a life: coco node start, join or recover. It does not wait.
func (n *node) launch(t *testing.T, how string) {
	t.Helper()
	join := ""
	if how == "join" {
		join = n.net.joins(n)
	}
	n.write(t, join)
	n.run(t, how)
}

// run is launch with the node.yaml that is there.
func (n *node) run(t *testing.T, how string) {
	t.Helper()
	log, err := os.OpenFile(n.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	n.mu.Lock()
	defer n.mu.Unlock()
	p := &process{cmd: n.net.wire.command(n.number, binary.Path(), "node", how, "--config", n.config, "--json"), line: make(chan string, 1), ended: make(chan struct{})}
	if n.process != nil {
		p.lives = n.process.lives + 1
	}
	fmt.Fprintf(log, "---- %s, life %d\n", how, p.lives)
	p.cmd.Stderr = log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n.net.wire.began(n.number, p.cmd.Process.Pid)
	n.process, n.ready, n.paused = p, ready{}, false
	go func() {
		stdout := bufio.NewReader(out)
		if line, err := stdout.ReadString('\n'); err == nil {
			p.line <- line
		}
		io.Copy(io.Discard, stdout)
		p.cmd.Wait()
		p.code = p.cmd.ProcessState.ExitCode()
		close(p.ended)
	}()
}

// serves waits for the node's line.
func (n *node) serves(t *testing.T) {
	t.Helper()
	p := n.life()
	var line string
	select {
	case line = <-p.line:
	case <-p.ended:
		t.Fatalf("node %d ended with %d before it served:\n%s", n.number, p.code, n.said())
	case <-time.After(hang):
		t.Fatalf("node %d does not serve:\n%s", n.number, n.said())
	}
	var r ready
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		t.Fatalf("the line of --json: %v: %q", err, line)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ready = r
}

// start is launch and serves.
func (n *node) start(t *testing.T, how string) {
	t.Helper()
	n.launch(t, how)
	n.serves(t)
}

func (n *node) life() *process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.process
}

// said is the end of the node's log.
func (n *node) said() string {
	text, err := os.ReadFile(n.logFile())
	if err != nil {
		return err.Error()
	}
	return tail(string(text), 4000)
}

// serving is whether a process is there and has said its line.
func (n *node) serving() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.process != nil && n.ready.RPC != "" && !n.process.gone()
}

func (p *process) gone() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// id is the Raft id of the node's process.
func (n *node) id() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ready.RaftID
}

// kill ends the process at once, without a word to it.
func (n *node) kill() {
	n.net.note(func(c *counts) { c.kills++ })
	n.end()
}

func (n *node) end() {
	if p := n.life(); p != nil && !p.gone() {
		p.cmd.Process.Signal(syscall.SIGKILL)
		<-p.ended
	}
}

// exits waits until the process has ended by itself and gives its code.
func (n *node) exits(t *testing.T) int {
	t.Helper()
	p := n.life()
	select {
	case <-p.ended:
	case <-time.After(hang):
		t.Fatalf("node %d does not end:\n%s", n.number, n.said())
	}
	return p.code
}

// interrupt ends the process as Ctrl+C does.
func (n *node) interrupt(t *testing.T) int {
	t.Helper()
	n.life().cmd.Process.Signal(syscall.SIGINT)
	return n.exits(t)
}

// pause takes all processor time from the node, resume gives it back.
func (n *node) pause() {
	n.net.note(func(c *counts) { c.pauses++ })
	n.mu.Lock()
	defer n.mu.Unlock()
	n.paused = true
	n.process.cmd.Process.Signal(syscall.SIGSTOP)
}

func (n *node) resume() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.paused && n.process != nil {
		n.process.cmd.Process.Signal(syscall.SIGCONT)
	}
	n.paused = false
}

var operations = &http.Client{Timeout: 2 * time.Second}

// status asks the node how it is.
func (n *node) status() (s status, err error) {
	n.mu.Lock()
	url, paused := n.ready.Operations, n.paused
	n.mu.Unlock()
	if url == "" || paused {
		return s, fmt.Errorf("node %d does not answer", n.number)
	}
	r, err := operations.Get(url + "/status")
	if err != nil {
		return s, err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return s, fmt.Errorf("status %d", r.StatusCode)
	}
	return s, json.NewDecoder(r.Body).Decode(&s)
}

// isVoter waits until the node takes part with a vote.
func (n *node) isVoter(t *testing.T) {
	t.Helper()
	await(t, fmt.Sprintf("node %d to be a voter", n.number), func() bool {
		s, err := n.status()
		if p := n.life(); p.gone() {
			t.Fatalf("node %d ended with %d:\n%s", n.number, p.code, n.said())
		}
		return err == nil && s.State == "voter"
	})
}

// again starts a killed node: it joins as a new one and takes the old one's place.
func (n *node) again(t *testing.T) {
	t.Helper()
	n.start(t, "join")
	n.isVoter(t)
}
