package consortium

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/test/binary"
)

// end is where a ledger ends, as coco ledger verify says.
type end struct {
	Head struct{ Height, View, Seqno, Entry uint64 }
}

func (net *network) endOf(t *testing.T, n *node) (e end) {
	t.Helper()
	r := binary.Run(t, net.dir, "ledger", "verify", n.data, "--json")
	if err := json.Unmarshal([]byte(r.Stdout), &e); err != nil || r.Code != 0 && r.Code != 4 {
		t.Fatalf("coco ledger verify of node %d: %d %v\n%s%s", n.number, r.Code, err, r.Stdout, r.Stderr)
	}
	return e
}

// TestRecovery kills all nodes at once: one that was behind, one that was cut off
// with a transaction that nobody else has. The network is recovered from the most
// complete ledger; the others join, keep what they share with it and drop the rest.
func TestRecovery(t *testing.T) {
	t.Parallel()
	net := found(t, newProxies(t), 3)
	l := net.begin(t)
	for range 2 {
		l.more(t, 50)
		cut, _ := net.leader()
		net.isolate(cut)
		l.uncommitted(t, cut)
		net.leader(net.others(cut)...)
		l.more(t, 30)
		nodes := net.running()
		for _, n := range nodes {
			n.kill()
		}
		net.heal()
		var best *node
		var most end
		for _, n := range nodes {
			e := net.endOf(t, n)
			if h := e.Head; best == nil || h.View > most.Head.View || h.View == most.Head.View && h.Height > most.Head.Height {
				best, most = n, e
			}
			t.Logf("node %d ends with block %d of view %d", n.number, e.Head.Height, e.Head.View)
		}
		if best == cut {
			t.Fatal("the node that was cut off has the most complete ledger")
		}
		had := cut.chunks(t)
		net.note(func(c *counts) { c.recovered++ })
		best.start(t, "recover")
		for _, n := range nodes {
			if n != best {
				n.again(t)
			}
		}
		for name, b := range cut.chunks(t) {
			if dropped := equalUpTo(had[name], b) < len(had[name]); dropped != strings.Contains(cut.said(), "are dropped") {
				t.Errorf("node %d dropped what nobody else had: %v; it does not say the same", cut.number, dropped)
			}
		}
		l.more(t, 30)
	}
	l.settle(t)
}

// TestFork recovers a network from an old copy of a node's directory, which has
// lost what was committed since. A node that has it does not join, says why, and
// keeps what it has.
func TestFork(t *testing.T) {
	t.Parallel()
	net := found(t, newProxies(t), 3)
	l := net.begin(t)
	l.more(t, 30)
	old := net.others()[2]
	old.kill()
	l.more(t, 50)
	l.end()
	for _, n := range net.running() {
		n.kill()
	}
	keeper := net.all()[0]
	before := keeper.chunks(t)
	old.start(t, "recover")
	raw, hash := newAccount().sign(net.chain, nil, registers)
	l.must(t, raw, hash)

	keeper.launch(t, "join")
	if code := keeper.exits(t); code != 1 || !strings.Contains(keeper.said(), "LEDGER_FORK") {
		t.Errorf("the node with another ledger ended with %d:\n%s", code, keeper.said())
	}
	after := keeper.chunks(t)
	for name := range before {
		if string(before[name]) != string(after[name]) {
			t.Errorf("the refused node's %s was changed", name)
		}
	}
	// With an empty directory it is welcome.
	if err := os.RemoveAll(keeper.data); err != nil {
		t.Fatal(err)
	}
	keeper.again(t)
	nodes, _ := net.level(t)
	net.identical(t, nodes)
	net.verified(t, nodes)
}

// TestStartIsNoRejoin starts a killed node of a network as if it were alone, which
// must not make a second network.
func TestStartIsNoRejoin(t *testing.T) {
	t.Parallel()
	net := found(t, newProxies(t), 3)
	l := net.begin(t)
	l.more(t, 30)
	n := net.others()[1]
	n.kill()
	n.launch(t, "start")
	if code := n.exits(t); code != 1 {
		t.Errorf("coco node start in the directory of one of three nodes ended with %d:\n%s", code, n.said())
	}
	t.Log(tail(n.said(), 300))
	n.again(t)
	l.settle(t)
}

// TestWrongService joins with the certificate of another network, and with a
// directory of another network.
func TestWrongService(t *testing.T) {
	t.Parallel()
	net, other := found(t, newProxies(t), 1), found(t, newProxies(t), 1)
	stranger := net.node()
	right := net.service
	net.service = other.service
	stranger.launch(t, "join")
	if code := stranger.exits(t); code != 1 || !strings.Contains(stranger.said(), "JOIN_UNTRUSTED") {
		t.Errorf("a node that joins with another network's certificate ended with %d:\n%s", code, stranger.said())
	}
	t.Log(tail(stranger.said(), 600))
	net.service = right
	if out, err := exec.Command("cp", "-a", other.all()[0].data, stranger.data+"x").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	stranger.data += "x"
	stranger.launch(t, "join")
	if code := stranger.exits(t); code != 1 || !strings.Contains(stranger.said(), "DATA_FOREIGN") {
		t.Errorf("a node with another network's directory ended with %d:\n%s", code, stranger.said())
	}
	s, err := net.all()[0].status()
	if err != nil || len(s.Nodes) > 2 {
		t.Errorf("%d nodes are in the table: %v", len(s.Nodes), err)
	}
}
