package membership

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// world is a network that commits every record at once.
type world struct {
	members lineage.Members
	silent  []uint64
	leads   bool
	level   uint64
}

func (w *world) Leader() uint64           { return 1 }
func (w *world) Members() lineage.Members { return w.members }
func (w *world) Head() (uint64, uint64)   { return 10, 10 }
func (w *world) Level() uint64            { return w.level }
func (w *world) View() uint64 {
	if w.leads {
		return 1
	}
	return 0
}
func (w *world) Match(id uint64) (uint64, bool) { return 10, !slices.Contains(w.silent, id) }
func (w *world) Transfer(context.Context) error { w.leads = false; return nil }
func (w *world) Record(_ uint64, d *envelope.Draft) error {
	nodes, err := lineage.ReadNodes(d.Public)
	w.members = w.members.With(nodes...)
	return err
}

// newWorld has node 1, which leads, and others, each with a status.
func newWorld(others ...format.NodeStatus) (*world, *Keeper) {
	w := &world{leads: true}
	for i, status := range append([]format.NodeStatus{format.NodeVoter}, others...) {
		w.members = w.members.With(&format.NodeInfo{Node: format.Node{RaftID: uint64(i + 1), Key: []byte{byte(i)}}, Status: status, Address: "a"})
	}
	return w, &Keeper{ID: 1, Network: w}
}

const (
	voter   = format.NodeVoter
	learner = format.NodeLearner
)

func TestRetireKeepsAMajority(t *testing.T) {
	w, k := newWorld(voter, voter)
	w.silent = []uint64{3}
	for _, id := range []uint64{2, 1} {
		if err := k.Retire(t.Context(), id); !errors.Is(err, ErrNoMajorityLeft) || !w.leads {
			t.Errorf("node %d: %v", id, err)
		}
	}
	if err := errors.Join(k.Retire(t.Context(), 3), k.Retire(t.Context(), 2)); err != nil {
		t.Error("first the one that is gone:", err)
	}
	if err := k.Retire(t.Context(), 1); !errors.Is(err, ErrLastVoter) {
		t.Error(err)
	}
	if w, k = newWorld(voter); k.Retire(t.Context(), 1) != sequencer.ErrNotPrimary || w.leads {
		t.Error("a primary with a live voter hands over")
	}
}

func TestPromoteKeepsAMajority(t *testing.T) {
	w, k := newWorld(voter, voter, learner)
	w.silent = []uint64{2, 3}
	if err := k.Promote(4, &Promotion{}); !errors.Is(err, ErrNoMajorityLeft) {
		t.Error(err)
	}
	if err := k.Promote(4, &Promotion{Replaces: []uint64{3}}); err != nil {
		t.Error(err)
	}
	if got := w.members.IDs(voter); !slices.Equal(got, []uint64{1, 2, 4}) {
		t.Error(got)
	}
}
