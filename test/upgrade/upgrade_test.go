// Package upgrade runs two builds of coco in one network: the one under test, old,
// and the same with the test-only format level 1, new (go build -tags nextformat).
// Under load every node is replaced by one of the other build, up and down, and the
// format level is raised when nothing old is left. It asks what became of every
// acknowledged write, whether the ledgers' files are the same, and what each build
// says of what it does not read.
package upgrade

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/test/binary"
)

func TestMain(m *testing.M) { binary.Main(m) }

// program is a build of coco.
type program struct{ name, path string }

func builds(t *testing.T) (before, after program) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "coco-next")
	if err := binary.Build(path, "nextformat"); err != nil {
		t.Fatal(err)
	}
	return program{"old", binary.Path()}, program{"new", path}
}

func TestRollingUpgrade(t *testing.T) {
	before, after := builds(t)
	net := found(t, after, 3) // the new build founds what the old one reads
	load := net.load(t)
	load.goesOn(t)

	net.roll(t, load, before) // back
	net.roll(t, load, after)  // and up
	if said := net.status(t, net.nodes[0]); said.Format != 0 {
		t.Fatalf("level %d is in force, and nobody raised it", said.Format)
	}

	net.raises(t, net.nodes[1])
	load.goesOn(t)
	net.refusesToJoin(t, before, load)
	load.goesOn(t)

	load.settle(t)
	net.kill()
	net.identical(t)
	for _, n := range net.nodes {
		net.readsToTheEnd(t, after, n)
	}
	net.saysNewer(t, before, net.nodes[0])
	// What an old build left alone goes on under a new one.
	net.nodes[0].start(t, after, "recover")
	load.present(t, net.nodes[0])
	if said := net.status(t, net.nodes[0]); said.Format != 1 {
		t.Fatalf("recovered at level %d", said.Format)
	}
}

// roll replaces every node by one of another build, the primary last. While both
// are there each leads the other, and the level cannot be raised.
func (net *network) roll(t *testing.T, load *load, to program) {
	t.Helper()
	from := net.nodes[0].program
	for done := 0; done < len(net.nodes); done++ {
		leader := net.leader(t)
		i := slices.IndexFunc(net.nodes, func(n *node) bool { return n.program == from && n != leader })
		if i < 0 { // the last, and it leads
			i = slices.IndexFunc(net.nodes, func(n *node) bool { return n.program == from })
		}
		n := net.nodes[i]
		n.drain(t)
		n.stop(t)
		n.start(t, to, "join")
		n.isVoter(t)
		load.goesOn(t)
		if done == 0 {
			net.refusesToRaise(t)
		}
		if done == 1 {
			for _, p := range []program{from, to} {
				net.leads(t, p)
				load.goesOn(t)
			}
		}
	}
	t.Logf("three nodes are of the %s build now", to.name)
}

// leads drains the primary until it is of a build.
func (net *network) leads(t *testing.T, p program) {
	t.Helper()
	net.await(t, "a primary of the "+p.name+" build", func() bool {
		leader := net.leader(t)
		if leader.program == p {
			return true
		}
		leader.drain(t)
		return false
	})
}

// refusesToRaise asks a node to raise the level while an old one is there: the
// answer names it.
func (net *network) refusesToRaise(t *testing.T) {
	t.Helper()
	for _, n := range net.nodes {
		r := binary.RunProgram(t, n.path, net.dir, "node", "raise-format", "1", "--data", n.data)
		for _, old := range net.nodes {
			if named := strings.Contains(r.Stderr, old.peer); r.Code != 1 || !strings.Contains(r.Stderr, "FORMAT_REFUSED") || named != (old.name == "old") {
				t.Fatalf("raised beside node %s of the %s build: %d\n%s", old.peer, old.name, r.Code, r.Stderr)
			}
		}
	}
	shown := binary.RunProgram(t, net.nodes[0].path, net.dir, "network", "status", "--data", net.nodes[0].data).Stdout
	if !strings.Contains(shown, "format level 0 is in force") || !strings.Contains(shown, "reads up to 1") || strings.Contains(shown, "next: coco node raise-format") {
		t.Fatalf("the status of a mixed network:\n%s", shown)
	}
}

// raises raises the level through a node, and again, which changes nothing; there
// is no way back.
func (net *network) raises(t *testing.T, n *node) {
	t.Helper()
	for range 2 {
		if r := binary.RunProgram(t, n.path, net.dir, "node", "raise-format", "1", "--data", n.data); r.Code != 0 || !strings.Contains(r.Stdout, "format level 1 is in force") {
			t.Fatalf("raise-format: %d\n%s%s", r.Code, r.Stdout, r.Stderr)
		}
	}
	for _, level := range []string{"0", "2"} {
		if r := binary.RunProgram(t, n.path, net.dir, "node", "raise-format", level, "--data", n.data); r.Code != 1 || !strings.Contains(r.Stderr, "FORMAT_REFUSED") {
			t.Fatalf("raise-format %s: %d\n%s", level, r.Code, r.Stderr)
		}
	}
	net.await(t, "all nodes to know the level", func() bool {
		for _, n := range net.nodes {
			if net.status(t, n).Format != 1 {
				return false
			}
		}
		return true
	})
}

// refusesToJoin tries to put an old node in the place of one, on its directory,
// which an old build does not read, and on an empty one, which the network refuses;
// a new one comes back.
func (net *network) refusesToJoin(t *testing.T, before program, load *load) {
	t.Helper()
	n := net.nodes[2]
	after := n.program
	n.drain(t)
	n.stop(t)
	was := ledger(t, n)
	if code, said := n.fails(t, before, "join"); code != 1 || !strings.Contains(said, "LEDGER_FORMAT_NEWER") {
		t.Fatalf("an old node joins on a new ledger: %d\n%s", code, said)
	}
	same(t, n, was)
	fresh := &node{net: net, data: filepath.Join(net.dir, "fresh"), config: filepath.Join(net.dir, "fresh.yaml")}
	if code, said := fresh.fails(t, before, "join"); code != 1 || !strings.Contains(said, "JOIN_REFUSED") || !strings.Contains(said, "reads format levels up to 0, the network's level is 1") {
		t.Fatalf("an old node joins: %d\n%s", code, said)
	}
	load.goesOn(t)
	n.start(t, after, "join")
	n.isVoter(t)
}

// readsToTheEnd verifies a node's ledger with a build that reads it.
func (net *network) readsToTheEnd(t *testing.T, p program, n *node) {
	t.Helper()
	r := binary.RunProgram(t, p.path, net.dir, "ledger", "verify", n.data)
	if r.Code != 0 || !strings.Contains(r.Stdout, "VALID") || !strings.Contains(r.Stdout, "level 1") {
		t.Fatalf("the %s build on the ledger: %d\n%s%s", p.name, r.Code, r.Stdout, r.Stderr)
	}
}

// saysNewer asks a build that does not read a ledger to verify and to recover it:
// it says why not, and changes nothing.
func (net *network) saysNewer(t *testing.T, p program, n *node) {
	t.Helper()
	was := ledger(t, n)
	r := binary.RunProgram(t, p.path, net.dir, "ledger", "verify", n.data)
	if r.Code != 1 || !strings.Contains(r.Stderr, "LEDGER_FORMAT_NEWER") || !strings.Contains(r.Stdout, "FORMAT_NEWER") || strings.Contains(r.Stdout, "INVALID") {
		t.Errorf("the %s build verifies: %d\n%s%s", p.name, r.Code, r.Stdout, r.Stderr)
	}
	if code, said := n.fails(t, p, "recover"); code != 1 || !strings.Contains(said, "LEDGER_FORMAT_NEWER") {
		t.Errorf("the %s build recovers: %d\n%s", p.name, code, said)
	}
	same(t, n, was)
}

// same fails the test unless a node's ledger is what it was.
func same(t *testing.T, n *node, was map[string][]byte) {
	t.Helper()
	for name, data := range ledger(t, n) {
		if string(was[name]) != string(data) {
			t.Errorf("%s was changed", name)
		}
	}
}

// identical fails the test unless one ledger's files are the others'.
func (net *network) identical(t *testing.T) {
	t.Helper()
	first := ledger(t, net.nodes[0])
	for _, n := range net.nodes[1:] {
		files := ledger(t, n)
		if len(files) != len(first) {
			t.Errorf("node %s has %d files, node %s %d", n.peer, len(files), net.nodes[0].peer, len(first))
		}
		for name, data := range first {
			if string(files[name]) != string(data) {
				t.Errorf("%s differs between nodes %s and %s", name, n.peer, net.nodes[0].peer)
			}
		}
	}
	t.Logf("%d chunks are the same on all nodes", len(first))
}

// ledger is the chunks of a node that does not run, without room for more at their
// ends.
func ledger(t *testing.T, n *node) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(n.data, "node", "ledger", "chunk-*"))
	if err != nil || len(names) == 0 {
		t.Fatalf("%s has no ledger: %v", n.data, err)
	}
	files := map[string][]byte{}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(name)] = []byte(strings.TrimRight(string(data), "\x00"))
	}
	return files
}
