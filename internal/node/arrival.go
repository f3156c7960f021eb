package node

import (
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coco-consortium/coco/internal/catchup"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/membership"
	"github.com/coco-consortium/coco/internal/operations"
)

// arrival is a node on its way: what it can be asked from the moment it holds its
// directory until it serves. Start writes it, stage by stage, and anybody reads it.
// It is an operations.Node.
type arrival struct {
	config Config
	height atomic.Uint64 // of the last block that was applied

	mu    sync.Mutex
	known operations.Status         // what holds from stage to stage
	stage string                    // the present one
	far   func(*operations.CatchUp) // says how far that has come; nil when nothing counts it
}

// arrives lets the node be asked while it is on its way.
func (n *Node) arrives() error {
	n.arrival.enters(operations.StageLedger, nil)
	n.arrival.learns(func(s *operations.Status) {
		s.Started, s.Version, s.Platform = n.standing.began.UTC(), n.config.Version, format.ModeSimulated
		s.Reads, s.State, s.Role = format.Highest, operations.StatePending, operations.RoleNone
	})
	if n.config.Arriving == nil {
		return nil
	}
	return n.config.Arriving(&n.arrival)
}

// admitted notes what the network's answer says.
func (a *arrival) admitted(answer *membership.Answer) {
	a.learns(func(s *operations.Status) {
		s.RaftID, s.State = answer.RaftID, operations.StateLearner
		for _, p := range answer.Peers {
			s.Nodes = append(s.Nodes, operations.Peer{Place: operations.Place{RaftID: p.RaftID, Address: p.Address}, State: operations.StateVoter})
		}
	})
}

// enters begins a stage, one of operations.Stage*. far, if not nil, fills in how
// far it has come; it is called at any time, from anywhere.
func (a *arrival) enters(stage string, far func(*operations.CatchUp)) {
	a.mu.Lock()
	entered := a.stage != stage
	a.stage, a.far = stage, far
	a.mu.Unlock()
	if entered && a.config.Logger != nil {
		a.config.Logger.Info("the node is on its way", "stage", stage)
	}
}

// asks is the stage of asking to be let in, or of waiting for the members' word,
// and why that is not over.
func (a *arrival) asks(stage string, why error) {
	a.enters(stage, func(c *operations.CatchUp) {
		if why != nil {
			c.Problem = why.Error()
		}
	})
}

// fetches is a stage of fetching.
func (a *arrival) fetches(stage string, f *catchup.Fetcher) {
	a.enters(stage, func(c *operations.CatchUp) { fetched(f, c) })
}

// replays is the stage of applying the blocks up to a height.
func (a *arrival) replays(to uint64) {
	from, began := a.height.Load(), time.Now()
	a.enters(operations.StageReplay, func(c *operations.CatchUp) {
		c.Done, c.Total = a.height.Load(), to
		c.Rate = float64(c.Done-min(from, c.Done)) / max(time.Since(began).Seconds(), 1e-3)
	})
}

// last is the last stage: the node takes part already, and waits until it serves.
func (a *arrival) last(n *Node, joins bool) {
	s, to := n.sequencer, n.target
	if !joins {
		a.enters(operations.StageOpening, nil)
		return
	}
	a.enters(operations.StageTail, func(c *operations.CatchUp) {
		c.Done = s.Head().Height
		c.Total = max(to, c.Done)
	})
}

// learns notes what is known from now on.
func (a *arrival) learns(note func(*operations.Status)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	note(&a.known)
}

// fetched is how far a fetcher is.
func fetched(f *catchup.Fetcher, c *operations.CatchUp) {
	s := f.Status()
	c.Done, c.Total, c.Rate = s.Whole-s.Left, s.Whole, s.Rate
	if s.Problem != nil {
		c.Problem = s.Problem.Error()
	}
}

// Status implements operations.Node.
func (a *arrival) Status() operations.Status {
	a.mu.Lock()
	s, c, far := a.known, operations.CatchUp{Stage: a.stage}, a.far
	a.mu.Unlock()
	if far != nil {
		far(&c)
	}
	s.CatchUp, s.Ledger.Height = &c, a.height.Load()
	s.Uptime = a.config.Clock().Sub(s.Started).Seconds()
	s.Disk.Free, s.Disk.Total = space(a.config.Data)
	s.Warnings = operations.Judge(&s)
	return s
}

// Live implements operations.Node: whoever is on its way should be left to it.
func (a *arrival) Live() error { return nil }

// Ready implements operations.Node.
func (a *arrival) Ready() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return ErrNotReady.From(fmt.Errorf("it is on its way into the network, in the stage %s", a.stage))
}

// space is what is free and what there is on a directory's file system, in bytes;
// zeros when it is not known.
func space(data string) (free, total uint64) {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(data, &disk); err != nil {
		return 0, 0
	}
	return disk.Bavail * uint64(disk.Bsize), disk.Blocks * uint64(disk.Bsize)
}
