package consortium

import (
	"bufio"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/test/contracts"
	"github.com/coco-consortium/coco/test/npm"
)

// TestFollow lets programs with unmodified clients follow events through one
// address, behind which the network's nodes stand, over elections and ends of the
// nodes that served them: they are told every event once, in order.
func TestFollow(t *testing.T) {
	t.Parallel()
	npm.Install(t, "../clients")
	network := found(t, newProxies(t), 3)
	l := network.begin(t)
	door := newDoor(t)
	primary, _ := network.leader()
	door.lead(primary)

	who := newAccount()
	raw, hash := who.signGas(network.chain, nil, contracts.Token.Deploy("Garden", "GDN", big.NewInt(1_000_000)), 5_000_000)
	token := *l.must(t, raw, hash).ContractAddress
	value := 0
	transfers := func(n int) {
		for range n {
			value++
			raw, hash := who.sign(network.chain, &token, contracts.Token.Call("transfer", common.Address{1}, big.NewInt(int64(value))))
			l.must(t, raw, hash)
		}
	}
	var followers []*follower
	for _, client := range []string{"ethers", "web3"} {
		f := follow(t, client, door.address, token)
		f.until(t, "listening")
		followers = append(followers, f)
	}
	transfers(5)
	for round := range 3 {
		primary, _ := network.leader()
		switch round {
		case 0: // the node that serves the clients stays, another leads
			network.drain(primary)
			network.leader()
			transfers(5)
			primary.interrupt(t)
		case 1:
			door.lead(primary)
			transfers(5)
			primary.kill()
		case 2:
			backup := network.others(primary)[0]
			door.lead(backup)
			primary.kill()
			transfers(5)
			network.leader()
			primary.again(t)
			transfers(5)
			continue
		}
		door.lead(network.others(primary)[0])
		transfers(5)
		primary.again(t)
	}
	for _, f := range followers {
		f.until(t, fmt.Sprintf("event %d", value))
		next := 0
		for _, line := range f.lines {
			if got, ok := strings.CutPrefix(line, "event "); ok && got != "1000000" {
				if next++; got != fmt.Sprint(next) {
					t.Fatalf("%s: event %s where %d was due:\n%s", f.client, got, next, strings.Join(f.lines, "\n"))
				}
			}
		}
		t.Logf("%s was told %d events, each once and in order", f.client, next)
	}
	l.settle(t)
}

// door is the address that clients know. It leads to one node at a time.
type door struct {
	address string
	mu      sync.Mutex
	to      string
	conns   []net.Conn
}

func newDoor(t *testing.T) *door {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &door{address: l.Addr().String()}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { d.carry(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		d.lead(nil)
		running.Wait()
	})
	return d
}

// lead lets the door lead to another node; who went through it before is cut off.
func (d *door) lead(n *node) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.to = ""
	if n != nil {
		d.to = n.place.client
	}
	for _, c := range d.conns {
		c.Close()
	}
	d.conns = nil
}

func (d *door) carry(c net.Conn) {
	defer c.Close()
	d.mu.Lock()
	to := d.to
	d.conns = append(d.conns, c)
	d.mu.Unlock()
	if to == "" {
		return
	}
	n, err := net.DialTimeout("tcp", to, time.Second)
	if err != nil {
		return
	}
	defer n.Close()
	var ways sync.WaitGroup
	for _, way := range [][2]net.Conn{{c, n}, {n, c}} {
		ways.Go(func() {
			io.Copy(way[0], way[1])
			c.Close()
			n.Close()
		})
	}
	ways.Wait()
}

// follower is a program of test/clients that prints what it sees.
type follower struct {
	client string
	out    chan string
	lines  []string
}

func follow(t *testing.T, client, address string, token common.Address) *follower {
	t.Helper()
	c := exec.CommandContext(t.Context(), "node", "follow.mjs", client, token.Hex())
	c.Dir = "../clients"
	c.Env = append(os.Environ(), "COCO_RPC=http://"+address, "COCO_WS=ws://"+address, "COCO_CHAIN_ID=0", "COCO_ACCOUNTS=[]")
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	f := &follower{client: client, out: make(chan string, 10_000)}
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(f.out)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			f.out <- lines.Text()
		}
	})
	t.Cleanup(func() {
		c.Process.Kill()
		reading.Wait()
		c.Wait()
	})
	return f
}

// until reads to a line.
func (f *follower) until(t *testing.T, want string) {
	t.Helper()
	late := time.After(hang)
	for {
		select {
		case line, ok := <-f.out:
			if !ok {
				t.Fatalf("%s ended:\n%s", f.client, strings.Join(f.lines, "\n"))
			}
			if f.lines = append(f.lines, line); line == want {
				return
			}
		case <-late:
			t.Fatalf("%s did not say %q:\n%s", f.client, want, strings.Join(f.lines, "\n"))
		}
	}
}
