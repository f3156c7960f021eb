package sequencer_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/sequencer"
	"github.com/coco-consortium/coco/internal/sequencer/sequencertest"
)

var seed = flag.Uint64("sequencer.seed", 0, "run this seed of TestNetworkHistories alone")

// history is one random run of a network, in one goroutine and without a clock.
type history struct {
	*sequencertest.Network
	t        *testing.T
	rng      *rand.Rand
	now      time.Time
	tickets  []*request
	statuses []map[sequencer.TxID]sequencer.Status // by node
	rafts    [][]lineage.Config                    // of every published block, by node
	id       uint64
}

// follower notes what a node is told of Raft's configuration.
type follower struct {
	h    *history
	node int
}

func (f follower) Committed(c *sequencer.Committed) {
	f.h.rafts[f.node] = append(f.h.rafts[f.node], c.Raft)
}

type request struct {
	*sequencer.Ticket
	id   []byte
	view uint64
}

// TestNetworkHistories lets leaders come and go in every way that Raft allows.
// Every ticket tells the truth, no status contradicts an earlier one on any node,
// and every node has the state that the ledger gives when it is replayed.
func TestNetworkHistories(t *testing.T) {
	seeds, first := uint64(80), uint64(1)
	if testing.Short() {
		seeds = 20
	}
	if *seed != 0 {
		seeds, first = 1, *seed
	}
	overwritten, adopted := 0, 0
	for s := first; s < first+seeds; s++ {
		lost, kept := run(t, s)
		overwritten, adopted = overwritten+lost, adopted+kept
		if t.Failed() {
			t.Fatalf("seed %d", s)
		}
	}
	if *seed == 0 && (overwritten == 0 || adopted == 0) {
		t.Fatalf("%d requests were overwritten, %d entries were committed by a later leader: the histories are too tame", overwritten, adopted)
	}
	t.Logf("%d requests overwritten after they were executed, %d entries committed by a later leader", overwritten, adopted)
}

func run(t *testing.T, s uint64) (lost, kept int) {
	h := &history{t: t, rng: rand.New(rand.NewPCG(s, 11)), now: time.Unix(1_700_000_000, 0)}
	nodes := 2 + h.rng.IntN(4)
	h.rafts = make([][]lineage.Config, nodes)
	h.Network = sequencertest.New(t, nodes, func(i int, c *sequencer.Config) {
		c.Followers = append(c.Followers, follower{h, i})
		c.Clock = func() time.Time { return h.now }
		c.Limits.InFlight, c.Limits.Queue, c.Limits.Records = 1+h.rng.IntN(4), 8, 5
	})
	for range nodes {
		h.statuses = append(h.statuses, map[sequencer.TxID]sequencer.Status{})
	}
	for range 1000 {
		h.event()
		if t.Failed() {
			return 0, 0
		}
	}
	if err := h.Settle(func(n *sequencertest.Node) {
		h.now = h.now.Add(n.Step())
	}); err != nil {
		t.Fatal(err)
	}
	return h.judge()
}

func (h *history) any() *sequencertest.Node { return h.Nodes[h.rng.IntN(len(h.Nodes))] }

func (h *history) leader() *sequencertest.Node {
	var leaders []*sequencertest.Node
	for _, n := range h.Nodes {
		if n.Leads() {
			leaders = append(leaders, n)
		}
	}
	if len(leaders) == 0 {
		return nil
	}
	return leaders[h.rng.IntN(len(leaders))]
}

func (h *history) event() {
	n := h.any()
	switch k := h.rng.IntN(40); {
	case k < 12:
		h.submit(n)
	case k < 22:
		h.now = h.now.Add(time.Duration(h.rng.IntN(int(2 * time.Millisecond))))
		n.Step()
	case k < 30:
		if l := h.leader(); l != nil {
			l.Replicate(n, 1+h.rng.IntN(3))
		}
	case k < 37:
		if err := n.Deliver(1 + h.rng.IntN(4)); err != nil {
			h.t.Fatal(err)
		}
	case k < 38 || h.leader() == nil:
		n.Elect(func(*sequencertest.Node) bool { return h.rng.IntN(4) > 0 })
	case k < 39:
		n.Configure(7)
	case h.rng.IntN(4) == 0:
		n.Resign()
	}
	h.watch()
}

func (h *history) submit(n *sequencertest.Node) {
	h.id++
	r := &sequencer.Request{Protocol: sequencertest.Protocol, ID: binary.BigEndian.AppendUint64(nil, h.id)}
	if view, _ := n.Serving(); h.rng.IntN(3) > 0 {
		if view == 0 {
			return
		}
		r.View = view
	}
	ticket, err := n.Submit(r)
	if err != nil {
		if !errors.Is(err, sequencer.ErrBusy) {
			h.t.Fatal(err)
		}
		return
	}
	h.tickets = append(h.tickets, &request{ticket, r.ID, r.View})
}

// watch asks every node for the status of recent TxIDs and holds it to what it
// said before, and to what others said for ever.
func (h *history) watch() {
	recent := h.tickets[max(0, len(h.tickets)-24):]
	for _, r := range recent {
		tx, ok := r.TxID()
		if !ok {
			continue
		}
		for _, tx := range []sequencer.TxID{tx, {View: tx.View + 1, Seqno: tx.Seqno}} {
			final := sequencer.StatusUnknown
			for i, n := range h.Nodes {
				before, now := h.statuses[i][tx], n.StatusOf(tx)
				h.statuses[i][tx] = now
				switch before {
				case sequencer.StatusCommitted, sequencer.StatusInvalid:
					if now != before {
						h.t.Errorf("node %d: %v was %v and is %v", n.ID, tx, before, now)
					}
				}
				if now == sequencer.StatusCommitted || now == sequencer.StatusInvalid {
					if final != sequencer.StatusUnknown && final != now {
						h.t.Errorf("%v is %v on one node and %v on node %d", tx, final, now, n.ID)
					}
					final = now
				}
			}
		}
		select {
		case <-r.Done():
			h.told(r, tx)
		default:
		}
	}
}

// told holds a ticket that ended to the ledger, on all nodes.
func (h *history) told(r *request, tx sequencer.TxID) {
	for _, n := range h.Nodes {
		status := n.StatusOf(tx)
		if err := r.Err(); err == nil && status == sequencer.StatusInvalid || errors.Is(err, sequencer.ErrNotCommitted) && status == sequencer.StatusCommitted {
			h.t.Errorf("%v ended with %v, node %d says %v", tx, err, n.ID, status)
		}
	}
}

// judge compares everything with the ledger at the end.
func (h *history) judge() (lost, kept int) {
	fresh := sequencertest.NewStore(h.t)
	names := map[string]sequencer.TxID{}
	last := format.Entry{}
	raft, blocks := lineage.Alone(1), 0
	for _, e := range h.Ledger() {
		last = e
		switch e.Kind {
		case format.EntryRaftConfig:
			var change format.RaftConfig
			if err := format.Decode(e.Body, &change); err != nil {
				h.t.Fatal(err)
			}
			var err error
			if raft, err = raft.Apply(&change); err != nil {
				h.t.Fatal(err)
			}
		case format.EntryBlock:
			b, err := envelope.Open(h.Ring, &e)
			if err == nil {
				err = sequencer.Apply(fresh, b)
			}
			if err != nil {
				h.t.Fatal(err)
			}
			for i := range b.Records {
				names[string(b.Records[i].Private.NativeID)] = sequencer.TxID{View: e.Term, Seqno: b.Header.FirstSeqno + uint64(i)}
			}
			for i, n := range h.Nodes {
				if got := h.rafts[i][blocks]; !got.Equal(raft) {
					h.t.Errorf("node %d: block %d has configuration %+v, want %+v", n.ID, b.Header.Height, got, raft)
				}
			}
			blocks++
		}
	}
	want := dump(fresh)
	for _, n := range h.Nodes {
		if got := dump(n.Store); !bytes.Equal(got, want) {
			h.t.Errorf("node %d has another state than the ledger gives", n.ID)
		}
		if got := speculative(n.Store); !bytes.Equal(got, want) {
			h.t.Errorf("node %d has something left in its speculative state", n.ID)
		}
		if n.Head().Hash != h.Nodes[0].Head().Hash || n.Index() != last.Index {
			h.t.Errorf("node %d ends elsewhere", n.ID)
		}
		if err := n.Tally.Wrong(); err != nil {
			h.t.Errorf("node %d: %v", n.ID, err)
		}
	}
	for _, r := range h.tickets {
		tx, executed := r.TxID()
		name, committed := names[string(r.id)]
		select {
		case <-r.Done():
		default:
			if executed || r.view != 0 || committed {
				h.t.Errorf("%x, TxID %v, has no outcome", r.id, tx)
			}
			continue // it waits in the queue of a node that does not lead
		}
		switch err := r.Err(); {
		case err == nil && (!committed || name != tx):
			h.t.Errorf("%x was called committed as %v; the ledger has it as %v (%v)", r.id, tx, name, committed)
		case errors.Is(err, sequencer.ErrNotCommitted) && committed:
			h.t.Errorf("%x was called not committed; the ledger has it as %v", r.id, name)
		case err != nil && !errors.Is(err, sequencer.ErrNotCommitted):
			h.t.Errorf("%x: %v", r.id, err)
		case err == nil && r.view != 0 && tx.View != r.view:
			h.t.Errorf("%x was bound to view %d and executed in %d", r.id, r.view, tx.View)
		case err != nil && executed:
			lost++
		}
	}
	return lost, h.Inherited()
}

func dump(s *kv.Store) []byte {
	v := s.Pin()
	defer v.Release()
	table, _ := s.Table("tally.counts")
	var out []byte
	_ = v.Range(table, nil, nil, func(k, v []byte) bool { out = fmt.Appendf(out, "%x=%x\n", k, v); return true })
	return out
}

func speculative(s *kv.Store) []byte {
	table, _ := s.Table("tally.counts")
	var out []byte
	_ = s.Speculative().Range(table, nil, nil, func(k, v []byte) bool { out = fmt.Appendf(out, "%x=%x\n", k, v); return true })
	return out
}
