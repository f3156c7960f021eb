package membership

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/keys"
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
	view    uint64 // before the present one
}

func (w *world) Leader() uint64           { return 1 }
func (w *world) Members() lineage.Members { return w.members }
func (w *world) Head() (uint64, uint64)   { return 10, 10 }
func (w *world) Level() uint64            { return w.level }
func (w *world) View() uint64 {
	if w.leads {
		return w.view + 1
	}
	return 0
}
func (w *world) Match(id uint64) (uint64, bool) { return 10, !slices.Contains(w.silent, id) }
func (w *world) Transfer(context.Context) error { w.leads = false; return nil }
func (w *world) Record(_ uint64, d *envelope.Draft) error {
	if d.Kind == format.KindFormat {
		return format.Decode(d.Public[0].Value, &w.level)
	}
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

// reads lets a node read format levels up to one.
func (w *world) reads(raftID, level uint64) {
	n := *w.members.Get(raftID)
	n.Node.Reads = level
	w.members = w.members.With(&n)
}

func TestRaise(t *testing.T) {
	w, k := newWorld(voter, learner, format.NodePending, format.NodeRetired)
	for id := range uint64(4) {
		w.reads(id+1, 3)
	}
	for _, id := range []uint64{1, 2, 3, 4} { // whatever it is, unless it is retired
		w.reads(id, 2)
		err := k.Raise(3)
		if !errors.Is(err, ErrFormat) || w.level != 0 || !strings.Contains(err.Error(), fmt.Sprintf("node %d at a reads up to 2", id)) {
			t.Errorf("node %d does not read it: %v", id, err)
		}
		w.reads(id, 3)
	}
	if err := k.Raise(3); err != nil || w.level != 3 {
		t.Fatalf("level %d: %v", w.level, err)
	}
	if err := k.Raise(3); err != nil {
		t.Errorf("what is in force: %v", err)
	}
	if err := k.Raise(2); !errors.Is(err, ErrFormat) || w.level != 3 {
		t.Errorf("lowered to %d: %v", w.level, err)
	}
	w.leads = false
	if err := k.Raise(4); !errors.Is(err, sequencer.ErrNotPrimary) {
		t.Error(err)
	}
}

// anyone admits everybody.
type anyone struct{}

func (anyone) Judge(*Request, format.Hash, time.Time) (format.NodeStatus, error) {
	return format.NodePending, nil
}

func TestWhoReadsLessDoesNotJoin(t *testing.T) {
	w, k := newWorld(voter)
	service, err := keys.NewSigner()
	if err != nil {
		t.Fatal(err)
	}
	w.level, k.Rule, k.Clock, k.Bundle = 2, anyone{}, time.Now, &keys.Bundle{ServiceKey: service}
	q := &Request{Key: keys.SPKI(&service.PublicKey), HPKEKey: make([]byte, 32), Address: "a", Reads: 1}
	_, err = k.Admit(q, format.Sum(q.Key), format.Hash{})
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "up to 1, the network's level is 2") {
		t.Error(err)
	}
	q.Reads = 2
	if a, err := k.Admit(q, format.Sum(q.Key), format.Hash{}); err != nil || a.RaftID != 3 || w.members.Get(3).Node.Reads != 2 {
		t.Errorf("%+v %v", a, err)
	}
}
