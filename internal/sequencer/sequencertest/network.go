// Package sequencertest is a network of sequencers over a Raft that a test
// decides for: who leads, what reaches whom, what is committed and when it is
// known. Logs, terms, elections and commitment follow Raft's rules (Ongaro and
// Ousterhout, figure 2) at once and without messages, so every history that a
// test makes is one that Raft allows, among them all that is rare: leaders who do
// not know that they are deposed, blocks overwritten after they were seen
// elsewhere, blocks of one leader committed by the next. Nothing of the product
// imports it.
package sequencertest

import (
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/consensus"
	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/proof"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// Network is the nodes and what they agreed on. Its methods may be called while
// sequencers run; those of one node that deliver, by one goroutine.
type Network struct {
	Nodes []*Node
	Ring  *keys.Ring

	mu   sync.Mutex
	term uint64 // highest given

	decided   int // entries that are committed
	inherited int
}

// Node is a sequencer with its state and its log.
type Node struct {
	*sequencer.Sequencer
	ID    uint64 // from 1
	Store *kv.Store
	Tally *Tally

	network *Network
	log     []place // the first is genesis
	known   int     // committed as far as this node knows: entries of log
	given   int     // given to the sequencer
	term    uint64
	leads   uint64 // term in which it believes to lead, 0 for none
	led     bool   // the sequencer was told so
	moved   chan struct{}
	leader  uint64 // who leads as far as it knows
}

type place struct {
	format.Entry
	at consensus.Position
}

// New makes a network. change may alter a node's configuration before it is made.
func New(t testing.TB, nodes int, change func(node int, c *sequencer.Config)) *Network {
	t.Helper()
	secrets := map[keys.Epoch]keys.Secret{{Domain: format.ServiceDomain, Number: 1}: keys.NewSecret()}
	n := &Network{Ring: keys.NewRing(keys.Service{ID: [16]byte{7}, Mode: format.ModeSimulated}, secrets), term: 1}
	for i := range nodes {
		n.Nodes = append(n.Nodes, n.node(t, i, change))
	}
	return n
}

func (n *Network) node(t testing.TB, i int, change func(int, *sequencer.Config)) *Node {
	t.Helper()
	store := NewStore(t)
	table, _ := store.Table("tally.counts")
	signer, err := keys.NewSigner()
	if err != nil {
		t.Fatal(err)
	}
	tree := &proof.Frontier{}
	tree.Append(format.Hash{1})
	d := &Node{ID: uint64(i + 1), Store: store, network: n, known: 1, given: 1, term: 1, moved: make(chan struct{}),
		Tally: &Tally{table: table, sealed: map[uint64][32]byte{}, sections: map[uint64][32]byte{}, found: map[string]sequencer.TxID{}}}
	d.log = []place{{at: consensus.Position{Index: 1, Term: 1}, Entry: format.Entry{Index: 1, Term: 1}}}
	c := sequencer.Config{Store: store, Ring: n.Ring, Signer: signer, Writer: format.Sum(keys.SPKI(&signer.PublicKey)),
		Head: lineage.Head{View: 1, Seqno: 1, Tree: tree}, ViewAt: func(uint64) uint64 { return 1 }, Protocols: []sequencer.Protocol{d.Tally},
		Followers: []sequencer.Follower{d.Tally}, Clock: time.Now, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Limits: sequencer.DefaultLimits, ChunkUsed: func() uint64 { return 0 }, Index: 1, Raft: lineage.Alone(1), Workers: 1}
	if change != nil {
		change(i, &c)
	}
	d.Sequencer = sequencer.New(c)
	d.Attach(d)
	return d
}

// NewStore is a state as the nodes have it at the start.
func NewStore(t testing.TB) *kv.Store {
	t.Helper()
	store, err := kv.New(kv.Table{Name: "tally.counts", Kind: kv.Ordered})
	if err == nil {
		err = store.Apply(0, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// Propose implements sequencer.Proposer as Raft's driver does.
func (d *Node) Propose(view uint64, seal func(consensus.Position) ([]byte, error)) (consensus.Position, error) {
	d.network.mu.Lock()
	defer d.network.mu.Unlock()
	if d.leads != view || !d.led {
		return consensus.Position{}, consensus.ErrNotLeader
	}
	at := d.log[len(d.log)-1].at
	body, err := seal(at)
	if err != nil {
		d.leads, d.led = 0, false
		d.Led(consensus.Lead{})
		return consensus.Position{}, err
	}
	return d.append(format.Entry{Index: at.Index + 1, Term: view, Kind: format.EntryBlock, Body: body}), nil
}

func (d *Node) append(e format.Entry) consensus.Position {
	before := d.log[len(d.log)-1].at
	at := consensus.Position{Index: e.Index, Term: e.Term, Prefix: format.NextPrefix(before.Prefix, &e)}
	d.log = append(d.log, place{Entry: e, at: at})
	return at
}

// Elect lets a node win an election, if a majority would vote for it: its log is
// at least as new as theirs. Those who vote know the new term; they are the node
// itself and the first others for which ok holds. Whoever led before does not
// know, unless it voted.
func (d *Node) Elect(ok func(*Node) bool) bool {
	n := d.network
	n.mu.Lock()
	defer n.mu.Unlock()
	own := d.log[len(d.log)-1].at
	var voters []*Node
	for _, v := range n.Nodes {
		last := v.log[len(v.log)-1].at
		if v == d || ok(v) && (last.Term < own.Term || last.Term == own.Term && last.Index <= own.Index) {
			voters = append(voters, v)
		}
	}
	if len(voters) <= len(n.Nodes)/2 {
		return false
	}
	n.term++
	for _, v := range voters {
		v.follow(n.term, 0)
	}
	d.leads = n.term
	d.know(d.ID)
	d.append(format.Entry{Index: own.Index + 1, Term: n.term, Kind: format.EntryRaftEmpty})
	return true
}

// follow takes note of a term and of who leads in it.
func (d *Node) follow(term, leader uint64) {
	if term > d.term || d.leads != 0 && d.leads < term {
		d.term = term
		d.resign()
	}
	if leader != d.leader {
		d.know(leader)
	}
}

func (d *Node) know(leader uint64) {
	d.leader = leader
	close(d.moved)
	d.moved = make(chan struct{})
}

func (d *Node) resign() {
	if d.led {
		d.Led(consensus.Lead{})
	}
	if d.leads != 0 {
		d.know(0)
	}
	d.leads, d.led = 0, false
}

// Resign makes a leader step down, as one does that hears no majority.
func (d *Node) Resign() {
	d.network.mu.Lock()
	defer d.network.mu.Unlock()
	d.resign()
}

// Leader is who leads as far as the node knows, and a channel that is closed when
// it knows otherwise.
func (d *Node) Leader() (id uint64, self bool, changed <-chan struct{}) {
	d.network.mu.Lock()
	defer d.network.mu.Unlock()
	return d.leader, d.leader == d.ID, d.moved
}

// Leads reports whether the node believes to lead.
func (d *Node) Leads() bool {
	d.network.mu.Lock()
	defer d.network.mu.Unlock()
	return d.leads != 0
}

// Replicate brings up to most entries of a leader's log to another node, over
// what differs there, if the other knows no later term. An entry that is in the
// logs of a majority is then committed, as soon as one of the leader's own term
// is.
func (d *Node) Replicate(to *Node, most int) {
	n := d.network
	n.mu.Lock()
	defer n.mu.Unlock()
	if d.leads == 0 || to == d || to.term > d.leads {
		if to.term > d.leads && to.term > d.term {
			d.follow(to.term, 0)
		}
		return
	}
	to.follow(d.leads, d.ID)
	same := min(d.known, to.known) // committed in both
	for same < len(to.log) && same < len(d.log) && to.log[same].Term == d.log[same].Term {
		same++
	}
	end := min(len(d.log), same+most)
	if end > same {
		to.log = append(to.log[:same], d.log[same:end]...)
	}
	to.known = max(to.known, min(d.known, same, len(to.log)))
	if end > same {
		to.known = max(to.known, min(d.known, end))
	}
	d.commit()
}

func (d *Node) commit() {
	for end := len(d.log); end > d.known && d.log[end-1].Term == d.leads; end-- {
		have := 0
		for _, v := range d.network.Nodes {
			if len(v.log) >= end && v.log[end-1].Term == d.leads {
				have++
			}
		}
		if have > len(d.network.Nodes)/2 {
			for _, p := range d.log[d.known:end] {
				if p.Term < d.leads && d.known >= d.network.decided {
					d.network.inherited++
				}
			}
			d.known, d.network.decided = end, max(end, d.network.decided)
			return
		}
	}
}

// Inherited is how many entries were committed by a leader of a later term.
func (n *Network) Inherited() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.inherited
}

// Configure makes a leader that may seal append a change of configuration: one
// that makes a raft id a learner in a joint configuration, or after such a one the
// leave.
func (d *Node) Configure(raftID uint64) {
	d.network.mu.Lock()
	defer d.network.mu.Unlock()
	if !d.led {
		return
	}
	joint := false
	for _, p := range d.log {
		joint = joint != (p.Kind == format.EntryRaftConfig)
	}
	change := format.RaftConfig{View: 1, Seqno: 1, Transition: format.EnterJoint, Changes: []format.ConfigChange{}}
	if !joint {
		change.Changes = append(change.Changes, format.ConfigChange{Type: format.ChangeLearner, RaftID: raftID})
	}
	d.append(format.Entry{Index: uint64(len(d.log)) + 1, Term: d.leads, Kind: format.EntryRaftConfig, Body: format.Encode(&change)})
}

// Deliver gives up to most committed entries to the node's sequencer, and tells
// it that it leads when its own first entry is among them.
func (d *Node) Deliver(most int) error {
	n := d.network
	n.mu.Lock()
	var entries []format.Entry
	for _, p := range d.log[d.given:min(d.known, d.given+most)] {
		entries = append(entries, p.Entry)
	}
	d.given += len(entries)
	n.mu.Unlock()
	if len(entries) == 0 {
		return nil
	}
	if err := d.Committed(entries); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if d.leads != 0 && !d.led && d.log[d.given-1].Term == d.leads {
		d.led = true
		d.Led(consensus.Lead{View: d.leads})
	}
	return nil
}

// Ledger is the committed entries of the node that knows most.
func (n *Network) Ledger() []format.Entry {
	n.mu.Lock()
	defer n.mu.Unlock()
	best := n.Nodes[0]
	for _, d := range n.Nodes {
		if d.known > best.known {
			best = d
		}
	}
	var entries []format.Entry
	for _, p := range best.log[1:best.known] {
		entries = append(entries, p.Entry)
	}
	return entries
}

// Settle elects a node that can be, brings all of its log everywhere and delivers
// everything, a few times, with a step of every node between.
func (n *Network) Settle(step func(*Node)) error {
	var leader *Node
	for _, d := range n.Nodes {
		if d.Elect(func(*Node) bool { return true }) {
			leader = d
			break
		}
	}
	for range 64 {
		if err := n.Round(leader); err != nil {
			return err
		}
		for _, d := range n.Nodes {
			step(d)
		}
	}
	return nil
}

// Round brings all of a leader's log everywhere and delivers what is committed.
func (n *Network) Round(leader *Node) error {
	for range 2 { // what is committed by the first is known by the second
		for _, d := range n.Nodes {
			leader.Replicate(d, 1<<20)
		}
	}
	for _, d := range n.Nodes {
		if err := d.Deliver(1 << 20); err != nil {
			return err
		}
	}
	return nil
}
