package consortium

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coco-consortium/coco/test/binary"
)

// hang is when what must happen by itself is taken to hang. No test judges a time
// otherwise.
const hang = 90 * time.Second

// network is a consortium of nodes.
type network struct {
	t       *testing.T
	dir     string
	wire    wire
	more    string // lines of every node.yaml
	service string // the service's certificate, as its members got it
	chain   uint64

	mu     sync.Mutex
	nodes  []*node
	away   map[[2]int]bool // what is cut
	counts counts
	began  time.Time
}

// counts are what was done to the network, for the report.
type counts struct{ kills, pauses, cuts, drains, retired, recovered int }

// found founds a network and lets n-1 nodes join it. more are lines of node.yaml.
func found(t *testing.T, w wire, n int, more ...string) *network {
	t.Helper()
	dir, err := os.MkdirTemp("", "coco-consortium-")
	if err != nil {
		t.Fatal(err)
	}
	net := &network{t: t, dir: dir, wire: w, more: strings.Join(more, "\n"), away: map[[2]int]bool{}, began: time.Now()}
	t.Cleanup(net.close)
	first := net.node()
	first.start(t, "start")
	pem, err := os.ReadFile(filepath.Join(first.data, "service.pem"))
	if err != nil {
		t.Fatal(err)
	}
	net.service = filepath.Join(dir, "service.pem")
	if err := os.WriteFile(net.service, pem, 0o644); err != nil {
		t.Fatal(err)
	}
	net.chain = first.ready.ChainID
	var joining []*node
	for range n - 1 {
		next := net.node()
		next.launch(t, "join")
		joining = append(joining, next)
	}
	for _, next := range joining {
		next.serves(t)
		next.isVoter(t)
	}
	return net
}

// node adds a node that does not run yet.
func (net *network) node() *node {
	net.mu.Lock()
	number := len(net.nodes) + 1
	net.mu.Unlock()
	n := &node{net: net, number: number, place: net.wire.place(number), data: filepath.Join(net.dir, fmt.Sprint(number)),
		config: filepath.Join(net.dir, fmt.Sprintf("node%d.yaml", number))}
	net.mu.Lock()
	defer net.mu.Unlock()
	net.nodes = append(net.nodes, n)
	return n
}

// running are the nodes that have a process, stopped ones included.
func (net *network) running() []*node {
	net.mu.Lock()
	defer net.mu.Unlock()
	var all []*node
	for _, n := range net.nodes {
		if n.serving() {
			all = append(all, n)
		}
	}
	return all
}

// joins are addresses of nodes to ask, all but one.
func (net *network) joins(but *node) string {
	var list []string
	for _, n := range net.running() {
		if n != but {
			list = append(list, fmt.Sprintf("%q", n.place.advertise))
		}
	}
	return strings.Join(list, ", ")
}

// note counts what was done.
func (net *network) note(count func(*counts)) {
	net.mu.Lock()
	defer net.mu.Unlock()
	count(&net.counts)
}

// cut lets nothing pass from one node to the other; both does it both ways.
func (net *network) cut(from, to *node) { net.change(from, to, true) }

func (net *network) both(a, b *node) {
	net.cut(a, b)
	net.cut(b, a)
}

func (net *network) change(from, to *node, away bool) {
	net.mu.Lock()
	key := [2]int{from.number, to.number}
	was := net.away[key]
	net.away[key] = away
	if away && !was {
		net.counts.cuts++
	}
	net.mu.Unlock()
	switch {
	case away && !was:
		net.wire.cut(from.number, to.number)
	case was && !away:
		net.wire.mend(from.number, to.number)
	}
}

// isolate cuts a node off from all others.
func (net *network) isolate(n *node) {
	for _, o := range net.all() {
		if o != n {
			net.both(n, o)
		}
	}
}

func (net *network) all() []*node {
	net.mu.Lock()
	defer net.mu.Unlock()
	return slices.Clone(net.nodes)
}

// heal mends every cut and lets every stopped node go on.
func (net *network) heal() {
	for _, a := range net.all() {
		for _, b := range net.all() {
			net.change(a, b, false)
		}
		a.resume()
	}
}

// leader waits until a majority of the given nodes, all running ones if none are,
// say that one of them leads, it among them.
func (net *network) leader(among ...*node) (*node, uint64) {
	net.t.Helper()
	if len(among) == 0 {
		among = net.running()
	}
	var leader *node
	var view uint64
	net.await("a primary", func() bool {
		votes := map[uint64]int{}
		views := map[uint64]uint64{}
		var leads []*node
		for _, n := range among {
			s, err := n.status()
			if err != nil {
				continue
			}
			if s.Role == "leader" {
				leads = append(leads, n)
				views[s.RaftID] = s.View
			}
			if s.Leader != nil {
				votes[s.Leader.RaftID]++
			}
		}
		for _, n := range leads {
			if id := n.id(); votes[id] > len(among)/2 {
				leader, view = n, views[id]
				return true
			}
		}
		return false
	})
	return leader, view
}

// await waits for what must come by itself.
func (net *network) await(what string, done func() bool) {
	net.t.Helper()
	await(net.t, what, done)
}

func await(t *testing.T, what string, done func() bool) {
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

// close ends all processes. Of a failed test the directory stays when
// COCO_KEEP is set, and the ends of all logs are shown.
func (net *network) close() {
	for _, n := range net.all() {
		n.resume()
		n.end()
		if net.t.Failed() {
			text, _ := os.ReadFile(n.logFile())
			net.t.Logf("node %d said:\n%s", n.number, tail(string(text), 4000))
		}
	}
	c := net.counts
	net.t.Logf("%d kills, %d pauses, %d cuts, %d drains, %d retired, %d recovered, in %s", c.kills, c.pauses, c.cuts, c.drains, c.retired, c.recovered,
		time.Since(net.began).Round(time.Second))
	if net.t.Failed() && os.Getenv("COCO_KEEP") != "" {
		net.t.Logf("kept: %s", net.dir)
		return
	}
	if err := os.RemoveAll(net.dir); err != nil {
		net.t.Error(err)
	}
}

func tail(s string, most int) string {
	if len(s) > most {
		return "[...]\n" + s[len(s)-most:]
	}
	return s
}

// coco runs a command of the binary that must succeed.
func (net *network) coco(args ...string) string {
	net.t.Helper()
	r := binary.Run(net.t, net.dir, args...)
	if r.Code != 0 {
		net.t.Fatalf("coco %s: %d\n%s%s", strings.Join(args, " "), r.Code, r.Stdout, r.Stderr)
	}
	return r.Stdout
}

// others are all running nodes but some.
func (net *network) others(but ...*node) []*node {
	var rest []*node
	for _, n := range net.running() {
		if !slices.Contains(but, n) {
			rest = append(rest, n)
		}
	}
	return rest
}
