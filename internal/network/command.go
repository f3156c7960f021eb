package network

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/coco-consortium/coco/internal/operations"
	"github.com/coco-consortium/coco/internal/problem"
)

// Problems of commands to a network.
var (
	ErrNumber = problem.New("NETWORK_NODE", "the network has no such node",
		"see coco network status for the numbers of its nodes")
	ErrRuns = problem.New("NETWORK_RUNS", "that node runs already",
		"see coco network status")
	ErrStopped = problem.New("NETWORK_STOPPED", "that node does not run",
		"start it with coco network start")
	ErrNoMajority = problem.New("NETWORK_NO_MAJORITY", "too few voters run and reach each other to take a node in",
		"resume paused nodes and heal what was cut; otherwise stop coco start and start it again: the network is then recovered from the most complete ledger")
	ErrSides = problem.New("NETWORK_SIDES", "a partition needs running nodes on both sides",
		"cut off some of the nodes that run, and not all; see coco network status")
	ErrLonger = problem.New("NETWORK_LONGER", "another node's ledger is more complete",
		"start that node first: it recovers the network and the others join it")
)

// find gives a node by its number.
func (n *Network) find(number int) (*member, error) {
	for _, m := range n.members {
		if m.number == number {
			return m, nil
		}
	}
	return nil, ErrNumber.From(fmt.Errorf("there is no node %d", number))
}

// live gives a running node by its number.
func (n *Network) live(number int) (*member, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	m, err := n.find(number)
	if err == nil && m.node == nil {
		err = ErrStopped.From(fmt.Errorf("node %d", number))
	}
	if err != nil {
		return nil, err
	}
	return m.snapshot(), nil
}

// StopNode ends a node as Ctrl+C ends a process. If it led, the others elect
// another; if too few are left, writes wait.
func (n *Network) StopNode(ctx context.Context, number int) error {
	n.work.Lock()
	defer n.work.Unlock()
	return n.stopNode(ctx, number)
}

func (n *Network) stopNode(ctx context.Context, number int) error {
	m, err := n.live(number)
	if err != nil {
		return err
	}
	err = errors.Join(m.shutdown(ctx), m.stop(ctx))
	n.change(func() {
		m, _ := n.find(number)
		m.node, m.operations, m.metrics = nil, nil, ""
	})
	return err
}

// StartNode starts a stopped node. It is a new node for the others and takes the
// place of the one that ended, with the files it left. When no node runs, the
// one with the most complete ledger recovers the network.
func (n *Network) StartNode(ctx context.Context, number int) error {
	n.work.Lock()
	defer n.work.Unlock()
	if n.over {
		return context.Canceled
	}
	m, err := n.find(number)
	switch {
	case err != nil:
		return err
	case m.node != nil:
		return ErrRuns.From(fmt.Errorf("node %d", number))
	}
	if len(n.running()) == 0 {
		best, founding, err := n.first(n.register, m)
		if err == nil && best != m {
			err = ErrLonger.From(fmt.Errorf("node %d has the most complete ledger", best.number))
		}
		if err != nil {
			return err
		}
		return n.launch(ctx, m, founding)
	}
	if err := n.majority(number); err != nil {
		return err
	}
	before := m.raftID
	if err := n.launch(ctx, m, Join); err != nil {
		return n.unjoin(ctx, m, err)
	}
	return n.retire(ctx, before)
}

// majority says whether the voters that run and that a node can reach are enough
// to take it in.
func (n *Network) majority(number int) error {
	var best operations.Status // of whoever knows the newest table
	reached := map[uint64]bool{}
	for _, m := range n.running() {
		s := m.node.Status()
		reached[s.RaftID] = !s.Paused && n.together(m.number, number)
		if s.Ledger.Applied >= best.Ledger.Applied {
			best = s
		}
	}
	voters, have := 0, 0
	for _, p := range best.Nodes {
		if p.State == operations.StateVoter {
			voters++
			if reached[p.RaftID] {
				have++
			}
		}
	}
	if have <= voters/2 {
		return ErrNoMajority.From(fmt.Errorf("%d of %d voters", have, voters))
	}
	return nil
}

// together says that no partition is between two nodes.
func (n *Network) together(a, b int) bool {
	return slices.Contains(n.apart, a) == slices.Contains(n.apart, b)
}

// retire takes a node that ended out of the table of nodes, if it is still in it.
func (n *Network) retire(ctx context.Context, raftID uint64) error {
	if raftID == 0 {
		return nil
	}
	for _, m := range n.running() {
		s := m.node.Status()
		i := slices.IndexFunc(s.Nodes, func(p operations.Peer) bool { return p.RaftID == raftID })
		if s.Role == operations.RoleLeader && (i < 0 || s.Nodes[i].State == operations.StateRetired) {
			return nil
		}
	}
	m, ok := n.Node()
	if !ok {
		return ErrStopped
	}
	return m.Retire(ctx, raftID)
}

// Pause makes a node stand still as a stopped process would; Resume lets it go on.
func (n *Network) Pause(number int) error {
	m, err := n.live(number)
	if err == nil {
		m.node.Pause()
	}
	return err
}

// Resume lets a paused node go on.
func (n *Network) Resume(number int) error {
	m, err := n.live(number)
	if err == nil {
		m.node.Resume()
	}
	return err
}

// Partition cuts the network in two: the given nodes, and all others. What was
// cut before is healed first.
func (n *Network) Partition(numbers []int) error {
	n.work.Lock()
	defer n.work.Unlock()
	for _, number := range numbers {
		if _, err := n.live(number); err != nil {
			return err
		}
	}
	in := 0
	for _, m := range n.running() {
		if slices.Contains(numbers, m.number) {
			in++
		}
	}
	if in == 0 || in == len(n.running()) {
		return ErrSides
	}
	n.heal()
	n.change(func() { n.apart = slices.Clone(numbers) })
	n.cut()
	return nil
}

// cut isolates the nodes that run from those on the other side of the partition.
func (n *Network) cut() {
	running := n.running()
	for _, m := range running {
		var ids []uint64
		for _, o := range running {
			if !n.together(m.number, o.number) {
				ids = append(ids, o.node.Status().RaftID)
			}
		}
		if len(ids) > 0 {
			m.node.Isolate(ids)
		}
	}
}

// Heal joins what Partition cut.
func (n *Network) Heal() {
	n.work.Lock()
	defer n.work.Unlock()
	n.heal()
}

func (n *Network) heal() {
	for _, m := range n.running() {
		m.node.Heal()
	}
	n.change(func() { n.apart = nil })
}

// Add starts one more node, which joins, and gives its number.
func (n *Network) Add(ctx context.Context) (int, error) {
	n.work.Lock()
	defer n.work.Unlock()
	return n.add(ctx)
}

func (n *Network) add(ctx context.Context) (int, error) {
	if n.over {
		return 0, context.Canceled
	}
	r, err := n.register.want(len(n.register.Nodes) + 1)
	if err != nil {
		return 0, err
	}
	number := r.Nodes[len(r.Nodes)-1]
	if err := n.majority(number); err != nil {
		return 0, err
	}
	m := &member{number: number, data: dataOf(n.config.Data, number)}
	n.change(func() { n.members = append(n.members, m) })
	if err := n.launch(ctx, m, Join); err != nil {
		return 0, n.remove(ctx, m, err)
	}
	n.change(func() { n.register = r })
	return number, r.write(n.config.Data)
}

func (n *Network) forget(m *member) {
	n.change(func() {
		n.members = slices.DeleteFunc(slices.Clone(n.members), func(o *member) bool { return o == m })
	})
}

// Replace puts a new node in the place of another: the new one joins, and when it
// is a voter the old one is retired and stopped. It gives the new one's number.
// Until the new one is a voter, the end of the context takes everything back; from
// then on it is carried through. One that failed there is gone on with.
func (n *Network) Replace(ctx context.Context, number int) (int, error) {
	n.work.Lock()
	defer n.work.Unlock()
	old, err := n.find(number)
	if err != nil {
		return 0, err
	}
	added := old.successor
	if _, err := n.live(added); err != nil {
		if added, err = n.add(ctx); err != nil {
			return 0, err
		}
		if err := n.await(ctx, added, operations.StateVoter); err != nil {
			m, _ := n.find(added)
			return 0, n.remove(ctx, m, err)
		}
		n.change(func() { old.successor = added })
	}
	ctx = context.WithoutCancel(ctx)
	if err := n.retire(ctx, old.raftID); err != nil {
		return added, err
	}
	if old.node != nil {
		err = n.stopNode(ctx, number)
	}
	n.change(func() {
		n.register = n.register.without(number)
		n.register.Retired = append(n.register.Retired, number)
	})
	n.forget(old)
	return added, errors.Join(err, n.register.write(n.config.Data))
}

// await waits until a node is in a state.
func (n *Network) await(ctx context.Context, number int, s operations.State) error {
	for {
		m, err := n.live(number)
		if err != nil {
			return err
		}
		if m.node.Status().State == s {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}
