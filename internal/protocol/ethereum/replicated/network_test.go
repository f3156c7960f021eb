package replicated

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/coco-consortium/coco/internal/consensus"
	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/ethereumtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// network is nodes over one log. What it does it does when a test says so.
type network struct {
	t         *testing.T
	nodes     []*node
	leader    *node // nil for none
	term      uint64
	log       []format.Entry // from index 2 on: genesis is entry 1
	ends      []consensus.Position
	committed int // of log
	now       time.Time

	ring    *keys.Ring
	genesis *envelope.Block
	head    lineage.Head
}

func newNetwork(t *testing.T, nodes int) *network {
	l := ethereumtest.New(t)
	genesis, err := l.Block(t.Context(), 0)
	must(t, err)
	w := &network{t: t, term: 1, now: time.Unix(1_700_000_100, 0), ring: l.Ring(), genesis: genesis, head: l.Head(),
		ends: []consensus.Position{{Index: 1, Term: 1}}}
	for i := range nodes {
		w.nodes = append(w.nodes, newNode(w, i))
	}
	return w
}

// append puts an entry at the log's end.
func (w *network) append(e format.Entry) {
	last := w.ends[len(w.ends)-1]
	e.Index = last.Index + 1
	w.log = append(w.log, e)
	w.ends = append(w.ends, consensus.Position{Index: e.Index, Term: e.Term, Prefix: format.NextPrefix(last.Prefix, &e)})
}

// elect makes a node the leader, in whose log are so many of the entries that are
// not committed; the others are lost. Its first entry is committed, and everything
// before it, when decide has come so far.
func (w *network) elect(n *node, kept int) {
	w.depose()
	at := w.committed + min(kept, len(w.log)-w.committed)
	w.log, w.ends = w.log[:at], w.ends[:at+1]
	w.term++
	w.leader = n
	w.append(format.Entry{Term: w.term, Kind: format.EntryRaftEmpty})
	n.sequencer.Led(consensus.Lead{View: w.term})
	n.sequencer.Step()
}

// depose leaves the network without a leader.
func (w *network) depose() {
	if w.leader != nil {
		w.leader.sequencer.Led(consensus.Lead{})
		w.leader.sequencer.Step()
		w.leader = nil
	}
}

// decide commits so many entries more. Nobody hears of it before deliver.
func (w *network) decide(entries int) { w.committed = min(w.committed+entries, len(w.log)) }

// deliver tells a node of so many committed entries more, in one burst.
func (n *node) deliver(entries int) {
	to := min(n.told+entries, n.network.committed)
	if to > n.told {
		must(n.network.t, n.sequencer.Committed(n.network.log[n.told:to]))
		n.told = to
	}
	n.sequencer.Step()
}

// step lets everything happen that can without loss: requests reach the leader,
// what it seals is committed, all nodes hear of it.
func (w *network) step() {
	for _, n := range w.nodes {
		n.forwarder.pump(nil)
	}
	for _, n := range w.nodes {
		n.sequencer.Step()
	}
	w.decide(len(w.log))
	for _, n := range w.nodes {
		n.deliver(len(w.log))
	}
	for _, n := range w.nodes {
		n.forwarder.hear(nil)
	}
}

// settle steps until nothing changes any more.
func (w *network) settle() {
	for range 8 {
		w.step()
	}
}

// Propose implements sequencer.Proposer for a node.
func (n *node) Propose(view uint64, seal func(consensus.Position) ([]byte, error)) (consensus.Position, error) {
	w := n.network
	if w.leader != n || view != w.term {
		return consensus.Position{}, consensus.ErrNotLeader
	}
	body, err := seal(w.ends[len(w.ends)-1])
	if err != nil {
		return consensus.Position{}, err
	}
	w.append(format.Entry{Term: view, Kind: format.EntryBlock, Body: body})
	return w.ends[len(w.ends)-1], nil
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
