// Package fleet runs the nodes of a network as processes of this machine, so that
// each can be killed, throttled and measured by itself.
//
// It promises that a node is what `coco node start` and `coco node join` make of a
// node.yaml, nothing else: own process, own directory, loopback between them, every
// default of the product. Addresses are free ports, new ones at every start. No
// process outlives the one that started it.
package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/coco-consortium/coco/internal/operations"
	"github.com/coco-consortium/coco/internal/problem"
)

// The kinds of problems.
var (
	ErrProcess = problem.New("BENCH_PROCESS", "a node's process did not do what it was started for",
		"see the cause and the node's log, which --keep leaves in the directory")
	ErrLate = problem.New("BENCH_LATE", "the network did not come to the state that was waited for",
		"see the nodes' logs, which --keep leaves in the directory; a busy machine can be the reason")
)

// patience is how long the network may take for anything: far longer than it
// needs, so that only a network that stands still gets there.
const patience = 10 * time.Minute

// Fleet is a network of processes. Its methods are for one goroutine, except
// Nodes of a slice that was taken.
type Fleet struct {
	// Program is coco.
	Program string
	// Dir is where the nodes' directories, node.yaml files and logs are.
	Dir string
	// Level is what the nodes log: debug, info, warn or error.
	Level string
	// Clients is a file with the authorities of clients of entries; "" serves none.
	Clients string
	// Lines are further lines of every node.yaml, and Environment further variables
	// (NAME=VALUE) of every process. Both count from a node's next start.
	Lines       string
	Environment []string

	nodes []*Node
}

// Found starts a network of n nodes and returns when all are voters.
func Found(ctx context.Context, program, dir string, n int) (*Fleet, error) {
	f := &Fleet{Program: program, Dir: dir, Level: "info"}
	return f, f.Found(ctx, n)
}

// Found starts n nodes and returns when all are voters.
func (f *Fleet) Found(ctx context.Context, n int) error {
	for i := range n {
		node := f.node(i + 1)
		if _, err := node.start(ctx, i > 0); err != nil {
			return errors.Join(err, f.Stop())
		}
		f.nodes = append(f.nodes, node)
	}
	if err := f.Settle(ctx); err != nil {
		return errors.Join(err, f.Stop())
	}
	return nil
}

func (f *Fleet) node(number int) *Node {
	name := strconv.Itoa(number)
	return &Node{Number: number, Data: filepath.Join(f.Dir, name), fleet: f}
}

// Nodes are the nodes, those that do not run too.
func (f *Fleet) Nodes() []*Node { return slices.Clone(f.nodes) }

// Add starts one more node, which joins. It returns when the node serves, and how
// long that took from the start of the process.
func (f *Fleet) Add(ctx context.Context) (*Node, time.Duration, error) {
	n := f.node(f.nodes[len(f.nodes)-1].Number + 1)
	took, err := n.start(ctx, true)
	if err != nil {
		return nil, 0, err
	}
	f.nodes = append(f.nodes, n)
	return n, took, nil
}

// Forget stops a node that the network is to go on without.
func (f *Fleet) Forget(n *Node) error {
	f.nodes = slices.DeleteFunc(f.Nodes(), func(o *Node) bool { return o == n })
	return n.stop()
}

// Stop ends all processes.
func (f *Fleet) Stop() error {
	var errs []error
	for _, n := range f.nodes {
		if n.Running() {
			errs = append(errs, n.stop())
		}
	}
	return errors.Join(errs...)
}

// Settle waits until every node runs as a voter, knows the same leader and lacks
// little of what it committed.
func (f *Fleet) Settle(ctx context.Context) error {
	const near = 64 // entries
	return Await(ctx, "all nodes are voters and know their leader", func() (bool, error) {
		var all []operations.Status
		for _, n := range f.nodes {
			s, err := n.Status(ctx)
			if err != nil || s.State != operations.StateVoter || s.Leader == nil {
				return false, nil
			}
			all = append(all, s)
		}
		behind := func(a, b operations.Status) bool {
			return a.Leader.RaftID != b.Leader.RaftID || a.Ledger.Commit > b.Ledger.Applied+near
		}
		for _, s := range all {
			if behind(all[0], s) || behind(s, all[0]) {
				return false, nil
			}
		}
		return true, nil
	})
}

// Place gives the primary and the other nodes that run.
func (f *Fleet) Place(ctx context.Context) (primary *Node, backups []*Node, err error) {
	err = Await(ctx, "there is a primary", func() (bool, error) {
		primary, backups = nil, nil
		for _, n := range f.nodes {
			if !n.Running() {
				continue
			}
			// A primary that was deposed and does not know yet has an older view.
			if s, err := n.Status(ctx); err == nil && s.Role == operations.RoleLeader && (primary == nil || s.View > primary.view) {
				n.view, n.raftID = s.View, s.RaftID
				if primary != nil {
					backups = append(backups, primary)
				}
				primary = n
				continue
			}
			backups = append(backups, n)
		}
		return primary != nil, nil
	})
	return primary, backups, err
}

// Await asks until the answer is yes.
func Await(ctx context.Context, what string, ask func() (bool, error)) error {
	yes, err := Until(ctx, patience, ask)
	if err == nil && !yes {
		err = ErrLate.From(fmt.Errorf("waiting until %s: %w", what, cmp.Or(ctx.Err(), context.DeadlineExceeded)))
	}
	return err
}

// Until asks until the answer is yes, and says whether it was within so much time.
func Until(ctx context.Context, within time.Duration, ask func() (bool, error)) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if yes, err := ask(); yes || err != nil {
			return yes, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false, nil
		}
	}
}

// Retire takes a node out of the network and ends its process.
func (f *Fleet) Retire(ctx context.Context, n *Node) error {
	primary, _, err := f.Place(ctx)
	if err != nil {
		return err
	}
	err = primary.client.Post(ctx, "/retire", url.Values{"node": {strconv.FormatUint(n.raftID, 10)}})
	if err != nil {
		return err
	}
	return f.Forget(n)
}
