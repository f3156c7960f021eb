package node

import (
	"encoding/hex"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/coco-consortium/coco/internal/consensus"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/operations"
	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// ErrNotReady says that clients should go to another node.
var ErrNotReady = problem.New("NOT_READY", "the node does not serve clients now",
	"use another node; coco network status says what this one waits for")

// standing is what an operator did to this node and what became of it.
type standing struct {
	began     time.Time
	paused    atomic.Bool
	draining  atomic.Bool
	retired   atomic.Bool
	stopping  atomic.Bool
	elections elections
	counters  counters
}

// counters count since the process began.
type counters struct{ transactions, blocks atomic.Uint64 }

// Committed counts.
func (c *counters) Committed(b *sequencer.Committed) {
	c.blocks.Add(1)
	for i := range b.Records {
		if b.Records[i].Prelude.Kind == format.KindTransaction {
			c.transactions.Add(1)
		}
	}
}

// elections notes the views that begin.
type elections struct {
	total atomic.Uint64
	last  atomic.Int64 // nanoseconds since 1970 UTC
	ring  [16]atomic.Int64
}

// see takes note of a view that this node had not seen.
func (e *elections) see(now time.Time) {
	n := e.total.Add(1)
	e.last.Store(now.UnixNano())
	e.ring[n%uint64(len(e.ring))].Store(now.UnixNano())
}

func (e *elections) recent(now time.Time) (count uint64) {
	for i := range e.ring {
		if at := e.ring[i].Load(); at != 0 && now.Sub(time.Unix(0, at)) < 10*time.Minute {
			count++
		}
	}
	return count
}

// Status is what the node says of itself and of the network as it sees it.
func (n *Node) Status() operations.Status {
	now := n.config.Clock()
	c, head := n.consensus.Status(), n.sequencer.Head()
	s := operations.Status{
		Service: hex.EncodeToString(n.genesis.Service[:]), Platform: n.genesis.Mode, Version: n.config.Version, Format: n.level(), Reads: format.Highest,
		Started: n.standing.began.UTC(), Uptime: now.Sub(n.standing.began).Seconds(),
		RaftID: n.id, State: state(n.members.get().Get(n.id)), Role: role(c.Role), View: c.Term,
		Paused: n.standing.paused.Load(), Drained: n.standing.draining.Load(), Recoveries: n.recoveries,
		Ledger: operations.Ledger{Height: head.Height, Seqno: head.Seqno, Commit: max(c.Commit, n.sequencer.Index()), Applied: n.sequencer.Index(), Durable: c.Durable,
			Last: c.Last, First: n.log.First()},
		Elections: operations.Elections{Total: n.standing.elections.total.Load(), Recent: n.standing.elections.recent(now)},
		Counters:  operations.Counters{Committed: n.standing.counters.transactions.Load(), Blocks: n.standing.counters.blocks.Load(), BlocksRefused: c.Refused},
		Snapshot:  n.snapshots.status(),
		CatchUp:   n.catchingUp(),
	}
	if n.standing.retired.Load() {
		s.State = operations.StateRetired
	}
	if last := n.standing.elections.last.Load(); last != 0 {
		s.Elections.Last = time.Unix(0, last).UTC()
	}
	if height, ok := n.index.Height(); ok {
		s.Ledger.Index = height
	} else if n.index.off {
		s.Ledger.Index = s.Ledger.Height // it lacks nothing
	}
	s.Disk.Free, s.Disk.Total = space(n.config.Data)
	f := n.forwarder.Counts()
	s.Queues.RequestsLimit, s.Queues.Forwarded = n.config.Limits.Queue, f.Kept
	s.Counters.Forwarded = f.Sent - f.Again
	n.describePeers(&s, &c, now)
	for _, d := range n.log.Damage() {
		s.Ledger.Damaged = append(s.Ledger.Damaged, d.Chunk)
	}
	// As much of the ledger as a restart would read again, ten times over.
	s.Snapshot.Overdue = s.Snapshot.Pending > 10*n.config.Snapshot.Records && s.Snapshot.Pending > 0 && !s.Snapshot.Taking
	s.Warnings = operations.Judge(&s)
	return s
}

// describePeers fills what is known of the other nodes.
func (n *Node) describePeers(s *operations.Status, c *consensus.Status, now time.Time) {
	traffic := n.peers.traffic()
	for _, m := range n.members.get().All() {
		id := m.Node.RaftID
		p := operations.Peer{Place: operations.Place{RaftID: id, Address: m.Address, Client: m.Client}, State: state(m), Reads: m.Node.Reads, Self: id == n.id, Heard: -1}
		if id == c.Leader {
			place := p.Place
			s.Leader = &place
		}
		if t, ok := traffic[id]; ok && id != n.id {
			if !t.LastHeard.IsZero() {
				p.Heard = now.Sub(t.LastHeard).Seconds()
			}
			p.Active = n.active(false, t.LastHeard)
			p.RTT, p.Skew, p.Queued, p.Dropped = t.RTT.Seconds(), t.Skew.Seconds(), uint64(t.Queued), t.Dropped
			s.Counters.Dropped += t.Dropped
		}
		if q, ok := c.Peers[id]; ok {
			p.Match, p.Active = q.Match, p.Active || q.Active
			p.Lag = c.Commit - min(q.Match, c.Commit)
		}
		if p.Self {
			p.Heard, p.Active = 0, true
		}
		s.Nodes = append(s.Nodes, p)
	}
}

// patience is how long the others wait for a leader, at most.
func (n *Node) patience() time.Duration {
	return 2 * time.Duration(n.config.Timing.Election) * n.config.Timing.Tick
}

func state(m *format.NodeInfo) operations.State {
	if m == nil {
		return operations.StatePending
	}
	return operations.State(m.Status.String())
}

func role(r consensus.Role) operations.Role {
	switch r {
	case consensus.RoleOutsider, consensus.RoleRetired:
		return operations.RoleNone
	}
	return operations.Role(r)
}

func (s *snapshots) status() operations.Snapshot {
	out := operations.Snapshot{Height: s.height.Load(), Bytes: s.size.Load(), Taking: s.taking.Load(),
		Took: time.Duration(s.took.Load()).Seconds(), Pending: s.pending.Load()}
	if at := s.taken.Load(); at != 0 {
		out.Taken = time.Unix(0, at).UTC()
	}
	return out
}

// Live is why the process should be ended: consensus or the sequencer has failed.
func (n *Node) Live() error {
	if n.standing.retired.Load() || n.standing.stopping.Load() {
		return nil
	}
	return errors.Join(n.consensus.Fault(), n.sequencer.Fault())
}

// Ready is why clients should be sent elsewhere.
func (n *Node) Ready() error {
	switch {
	case n.standing.retired.Load():
		return ErrNotReady.From(errors.New("it is retired"))
	case n.standing.stopping.Load() || n.standing.draining.Load():
		return ErrNotReady.From(errors.New("it is being stopped"))
	case n.standing.paused.Load():
		return ErrNotReady.From(errors.New("it stands still by command"))
	}
	if err := n.Live(); err != nil {
		return ErrNotReady.From(err)
	}
	select {
	case <-n.sequencer.Ready():
	default:
		return ErrNotReady.From(errors.New("it is catching up"))
	}
	if n.consensus.Status().Leader == 0 {
		return ErrNotReady.From(fmt.Errorf("it knows no primary"))
	}
	return nil
}

// Pause makes the node stand still as a process does that gets no time, and
// Resume lets it go on. For development.
func (n *Node) Pause() {
	n.standing.paused.Store(true)
	n.consensus.Pause()
	n.peers.isolate(true)
}

// Resume ends Pause.
func (n *Node) Resume() {
	n.peers.isolate(false)
	n.consensus.Resume()
	n.standing.paused.Store(false)
}

// Isolate cuts the node off from some others, as a broken network does, until
// Heal. For development.
func (n *Node) Isolate(ids []uint64) { n.peers.transport.Isolate(ids...) }

// Heal ends every Isolate.
func (n *Node) Heal() { n.peers.transport.Heal() }

// ErrRetired says that the network let this node go before it served.
var ErrRetired = problem.New("NODE_RETIRED", "the network has retired this node",
	"start it again with coco node join: it joins as a new node")

// retired takes note that the network has let this node go, at whatever point of
// its life: it ends Start, or consensus once that runs.
func (n *Node) retired() {
	if n.standing.retired.Swap(true) {
		return
	}
	n.config.Logger.Warn("this node is retired: it takes no part in the network any more")
	n.dismiss()
}

// Retired is whether the network has let this node go.
func (n *Node) Retired() bool { return n.standing.retired.Load() }
