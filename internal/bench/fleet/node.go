package fleet

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/coco-consortium/coco/internal/operations"
)

// Node is one node, running or not.
type Node struct {
	Number int
	Data   string
	// URL is where it serves JSON-RPC, and Peer where other nodes reach it; both are
	// those of the running process, or of the last.
	URL, Peer string
	// Stages is what the last start spent its time on, until it served.
	Stages  []Stage
	Entries string // where it serves entries, "" for nowhere

	fleet   *Fleet
	process *exec.Cmd // nil when it does not run
	client  *operations.Client
	view    uint64 // in which it was seen to lead
	raftID  uint64
}

// configuration is the node.yaml of a node; what it leaves out is the product's
// default.
const configuration = `data: %q
client: {listen: "127.0.0.1:0"}
peer: {listen: "127.0.0.1:0"}
log: {level: %s}
%s`

// start starts the process, which founds the network or joins the nodes that run,
// and gives how long it took until it served.
func (n *Node) start(ctx context.Context, joins bool) (time.Duration, error) {
	command, text := "start", fmt.Sprintf(configuration, n.Data, n.fleet.Level, n.fleet.Lines)
	if n.fleet.Clients != "" {
		text += fmt.Sprintf("keyvalue: {listen: \"127.0.0.1:0\", clients: %q}\n", n.fleet.Clients)
	}
	if joins {
		command = "join"
		var peers []string
		service := ""
		for _, o := range n.fleet.nodes {
			if o.Running() && o != n {
				peers, service = append(peers, fmt.Sprintf("%q", o.Peer)), o.Data+"/service.pem"
			}
		}
		text += fmt.Sprintf("join: {peers: [%s], service: %q}\n", strings.Join(peers, ", "), service)
	}
	if err := os.MkdirAll(n.fleet.Dir, 0o700); err != nil {
		return 0, ErrProcess.From(err)
	}
	file := n.Data + ".yaml"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return 0, ErrProcess.From(err)
	}
	log, err := os.OpenFile(n.Data+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, ErrProcess.From(err)
	}
	defer log.Close()
	c := exec.Command(n.fleet.Program, "node", command, "--config", file, "--json")
	c.Stderr = log
	c.Env = append(os.Environ(), n.fleet.Environment...)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := c.StdoutPipe()
	if err != nil {
		return 0, ErrProcess.From(err)
	}
	began := time.Now()
	if err := c.Start(); err != nil {
		return 0, ErrProcess.From(err)
	}
	n.process, n.client = c, operations.Dial(n.Data)
	end := context.AfterFunc(ctx, func() { c.Process.Kill() })
	following, served := context.WithCancel(ctx)
	stages := make(chan []Stage, 1)
	go func() { stages <- follow(following, n.client) }()
	line, err := bufio.NewReader(io.LimitReader(out, 64<<10)).ReadBytes('\n')
	took := time.Since(began)
	end()
	served()
	n.Stages = <-stages
	var ready struct {
		RPC      string `json:"rpc"`
		Peer     string `json:"peer"`
		KeyValue string `json:"keyvalue"`
		RaftID   uint64 `json:"raftId"`
	}
	if err == nil {
		err = json.Unmarshal(line, &ready)
	}
	if err != nil {
		n.signal(syscall.SIGKILL)
		return 0, ErrProcess.From(errors.Join(fmt.Errorf("node %d did not come to serve: %s", n.Number, lastLine(n.Data+".log")), err, ctx.Err()))
	}
	n.URL, n.Peer, n.Entries, n.raftID = ready.RPC, ready.Peer, ready.KeyValue, ready.RaftID
	return took, nil
}

// lastLine is what a log ends with.
func lastLine(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

// Running says that its process was started and not ended by this fleet.
func (n *Node) Running() bool { return n.process != nil }

// PID is the process's number, 0 when it does not run.
func (n *Node) PID() int {
	if n.process == nil {
		return 0
	}
	return n.process.Process.Pid
}

// RaftID is that of its last process.
func (n *Node) RaftID() uint64 { return n.raftID }

// View is the one in which it led when Place found it leading.
func (n *Node) View() uint64 { return n.view }

// Status asks the node.
func (n *Node) Status(ctx context.Context) (operations.Status, error) {
	if n.process == nil {
		return operations.Status{}, operations.ErrUnreachable
	}
	return n.client.Status(ctx)
}

// Kill ends the process without a word to it.
func (n *Node) Kill() error { return n.signal(syscall.SIGKILL) }

// stop ends the process as Ctrl+C does, which may take a few seconds.
func (n *Node) stop() error {
	kill := time.AfterFunc(10*time.Second, func() { n.process.Process.Kill() })
	defer kill.Stop()
	return n.signal(syscall.SIGTERM)
}

func (n *Node) signal(s syscall.Signal) error {
	if n.process == nil {
		return nil
	}
	err := n.process.Process.Signal(s)
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	n.process.Wait() // that it ended by the signal is no error
	n.client.Close()
	n.process = nil
	return err
}

// Restart ends the process of a network of one node, unless it was killed before, and
// starts it again with what it stored. It returns when the node serves, and how long
// that took from the start of the process.
func (n *Node) Restart(ctx context.Context) (time.Duration, error) {
	if n.Running() {
		kill := time.AfterFunc(patience, func() { n.process.Process.Kill() })
		err := n.signal(syscall.SIGTERM) // it may take a last snapshot first
		kill.Stop()
		if err != nil {
			return 0, ErrProcess.From(err)
		}
	}
	return n.start(ctx, false)
}

// Rejoin starts a node that ended: a new node for the others, with the files it
// left. It returns when the node serves, and how long that took.
func (n *Node) Rejoin(ctx context.Context) (time.Duration, error) { return n.start(ctx, true) }
