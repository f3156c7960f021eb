package node

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/membership"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// members are the nodes of the committed ledger, for whoever asks.
type members struct {
	current atomic.Pointer[lineage.Members]

	mu      sync.Mutex
	changed chan struct{} // closed at the next change
}

func (m *members) get() lineage.Members {
	if now := m.current.Load(); now != nil {
		return *now
	}
	return lineage.Members{}
}

func (m *members) set(now lineage.Members) {
	m.current.Store(&now)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.changed != nil {
		close(m.changed)
		m.changed = nil
	}
}

// next is closed when the members change.
func (m *members) next() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.changed == nil {
		m.changed = make(chan struct{})
	}
	return m.changed
}

// Committed takes what a block says of nodes.
func (m *members) Committed(c *sequencer.Committed) {
	for i := range c.Records {
		r := &c.Records[i]
		if !lineage.Changes(r.Prelude.Kind) {
			continue
		}
		// Verified before it was committed, so it can be read.
		if nodes, err := lineage.ReadNodes(r.Public); err == nil && len(nodes) > 0 {
			m.set(m.get().With(nodes...))
		}
	}
}

// formerly is the file with the raft ids that processes on this directory had
// since the network last had a voter here: the next voter replaces them.
type formerly struct {
	RaftIDs []uint64 `json:"raftIds"`
}

func readFormerly(f disk.FS) ([]uint64, error) {
	data, err := disk.ReadFile(f, fileFormerly, 64<<10)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var was formerly
	if err := json.Unmarshal(data, &was); err != nil {
		return nil, ErrForeign.From(fmt.Errorf("%s: %w", fileFormerly, err))
	}
	return was.RaftIDs, nil
}

func writeFormerly(f disk.FS, ids ...uint64) error {
	data, err := json.Marshal(formerly{ids})
	if err != nil {
		return err
	}
	return disk.WriteFile(f, fileFormerly, data)
}

// view is the network as membership sees it from this node.
type view struct{ *Node }

func (v view) Leader() uint64           { return v.consensus.Status().Leader }
func (v view) Members() lineage.Members { return v.members.get() }

func (v view) View() uint64 {
	serving, _ := v.sequencer.Serving()
	return serving
}

func (v view) Record(view uint64, d *envelope.Draft) error {
	ticket, err := v.sequencer.Submit(&sequencer.Request{Decoded: d, View: view})
	if err == nil {
		<-ticket.Done()
		err = ticket.Err()
	}
	if errors.Is(err, sequencer.ErrNotCommitted) {
		return sequencer.ErrNotPrimary.From(err) // nothing of it remains: another node may be asked
	}
	return err
}

func (v view) Head() (height, index uint64) {
	return v.sequencer.Head().Height, v.sequencer.Index()
}

func (v view) Match(raftID uint64) (index uint64, active bool) {
	p := v.consensus.Status().Peers[raftID]
	heard := v.peers.traffic()[raftID].LastHeard
	return p.Match, v.active(p.Active, heard)
}

// active is whether a node was heard of within patience: by Raft, which forgets it
// at every check of its quorum and never hears of who still catches up, or by the
// transport.
func (n *Node) active(raft bool, heard time.Time) bool {
	return raft || !heard.IsZero() && n.config.Clock().Sub(heard) < n.patience()
}

// newKeeper makes the primary's part in membership.
func (n *Node) newKeeper() *membership.Keeper {
	return &membership.Keeper{ID: n.id, Bundle: n.bundle, Export: n.bundle.Export, Network: view{n}, Clock: n.config.Clock, Lag: promotionLag, Silence: n.config.Timing.Silence,
		Rule: membership.EvidenceRule{Genesis: n.genesis, Authorities: authorities()}}
}

// tidy lets the keeper retire learners that went silent, as long as this node leads.
func (n *Node) tidy(ctx context.Context) {
	pace := time.NewTicker(min(time.Minute, cmp.Or(n.config.Timing.Silence, membership.Silence)) / 4)
	defer pace.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pace.C:
		}
		switch gone, err := n.keeper.Tidy(); {
		case err == nil && len(gone) > 0:
			n.config.Logger.Warn("nodes that never became voters and are silent are retired", "nodes", gone)
		case err != nil && !errors.Is(err, sequencer.ErrNotPrimary):
			n.config.Logger.Warn("silent nodes are not retired", "nodes", gone, "err", err)
		}
	}
}

// promotionLag is how many entries a learner may lack when it becomes a voter: so
// few that commits do not wait for it.
const promotionLag = 256
