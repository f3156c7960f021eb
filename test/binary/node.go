package binary

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/ethereum/go-ethereum/rpc"
)

// Ready is the line that `coco start --json` prints.
type Ready struct {
	RPC      string    `json:"rpc"` // http://HOST:PORT
	WS       string    `json:"ws"`  // ws://HOST:PORT
	Data     string    `json:"data"`
	ChainID  uint64    `json:"chainId"`
	Accounts []Account `json:"accounts"`
	Service  string    `json:"service"`
}

// Account is a funded account of the development network.
type Account struct {
	Address    string `json:"address"`
	PrivateKey string `json:"privateKey"`
}

// Node is a running `coco start --json`.
type Node struct {
	Ready
	Line string // the line as printed

	cmd     *exec.Cmd
	reading sync.WaitGroup
	rest    bytes.Buffer // stdout behind the first line
	stderr  bytes.Buffer
	ended   bool
}

// Start starts coco on a free port and waits for its line. args follow
// `start --json --rpc 127.0.0.1:0`. The node is stopped when the test ends.
func Start(t testing.TB, args ...string) *Node {
	t.Helper()
	return StartCommand(t, exec.Command(path, append([]string{"start", "--json", "--portal", "off", "--rpc", "127.0.0.1:0"}, args...)...))
}

// StartCommand is Start for a command that the caller made.
func StartCommand(t testing.TB, cmd *exec.Cmd) *Node {
	t.Helper()
	n, err := Launch(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !n.ended {
			n.Stop(t)
		}
		if t.Failed() && n.stderr.Len() > 0 {
			t.Logf("%s said:\n%s", strings.Join(cmd.Args[1:], " "), n.stderr.String())
		}
	})
	return n
}

// Launch starts a `coco start --json` whose end the caller sees to.
func Launch(cmd *exec.Cmd) (*Node, error) {
	n := &Node{cmd: cmd}
	cmd.Stderr = &n.stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stdout := bufio.NewReader(out)
	n.Line, err = stdout.ReadString('\n')
	n.reading.Go(func() { io.Copy(&n.rest, stdout) })
	if err != nil {
		return nil, fmt.Errorf("coco %v ended with %d before its line (%q):\n%s", cmd.Args[1:], n.wait(), n.Line, n.stderr.String())
	}
	if err := json.Unmarshal([]byte(n.Line), &n.Ready); err != nil {
		n.End(syscall.SIGKILL)
		return nil, fmt.Errorf("the line of --json: %w: %q", err, n.Line)
	}
	return n, nil
}

// Stop asks the node to stop, as Ctrl+C does, and gives its exit code.
func (n *Node) Stop(t testing.TB) int {
	t.Helper()
	return n.signal(t, syscall.SIGINT)
}

// Kill ends the process at once, without a word to it.
func (n *Node) Kill(t testing.TB) {
	t.Helper()
	n.signal(t, syscall.SIGKILL)
}

func (n *Node) signal(t testing.TB, s syscall.Signal) int {
	t.Helper()
	code, err := n.End(s)
	if err != nil {
		t.Errorf("signal %v: %v", s, err)
	}
	return code
}

// End sends a signal that ends the node, waits for its end and gives its exit
// code. A node that ended before has its code already.
func (n *Node) End(s syscall.Signal) (int, error) {
	if n.ended {
		return n.cmd.ProcessState.ExitCode(), nil
	}
	err := n.cmd.Process.Signal(s)
	return n.wait(), err
}

func (n *Node) wait() int {
	n.ended = true
	n.reading.Wait()
	n.cmd.Wait()
	return n.cmd.ProcessState.ExitCode()
}

// PID is the process's number.
func (n *Node) PID() int { return n.cmd.Process.Pid }

// Rest is what the node printed on stdout behind its line, and Stderr what it
// said besides; both are complete once it ended.
func (n *Node) Rest() string   { return n.rest.String() }
func (n *Node) Stderr() string { return n.stderr.String() }

// Dial connects a JSON-RPC client over HTTP that is closed with the test.
func (n *Node) Dial(t testing.TB) *rpc.Client {
	t.Helper()
	return dial(t, n.RPC)
}

// DialWebSocket connects a JSON-RPC client over WebSocket.
func (n *Node) DialWebSocket(t testing.TB) *rpc.Client {
	t.Helper()
	return dial(t, n.WS)
}

func dial(t testing.TB, url string) *rpc.Client {
	t.Helper()
	c, err := rpc.DialContext(t.Context(), url)
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	t.Cleanup(c.Close)
	return c
}
