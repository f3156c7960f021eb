package network

import (
	"slices"
	"testing"

	"github.com/coco-consortium/coco/internal/problem"
)

// TestPartitions: who starts while the network is cut is cut too, and is taken in
// by a majority on its own side only.
func TestPartitions(t *testing.T) {
	w := newWorld()
	n := start(t, w, t.TempDir(), 3)
	want := func(code problem.Code, err error) {
		t.Helper()
		if (code == "") != (err == nil) || code != "" && problem.CodeOf(err) != code {
			t.Fatalf("%v, not %q", err, code)
		}
	}
	add := func() error { _, err := n.Add(t.Context()); return err }
	want("", n.Partition([]int{3}))
	want("NETWORK_SIDES", n.Partition(nil))
	want("NETWORK_SIDES", n.Partition([]int{1, 2, 3}))
	if o := n.Overview(); !slices.Equal(o.Apart, []int{3}) {
		t.Errorf("a refused partition changed the one that is: %v", o.Apart)
	}
	want("", n.StopNode(t.Context(), 3))
	want("NETWORK_NO_MAJORITY", n.StartNode(t.Context(), 3)) // it reaches nobody
	want("", add())                                          // 4, beside 1 and 2
	want("", n.StopNode(t.Context(), 2))
	want("NETWORK_NO_MAJORITY", add()) // 1 and 4 are two of four
	n.Heal()
	want("NETWORK_NO_MAJORITY", add())
	want("", n.StopNode(t.Context(), 1))
	want("", n.StopNode(t.Context(), 4))
	want("", n.StartNode(t.Context(), 4)) // has the most complete ledger and recovers
	for _, number := range []int{1, 2, 3} {
		want("", n.StartNode(t.Context(), number))
	}
	want("", n.Partition([]int{1}))
	want("", add())
	o := n.Overview()
	one, five := o.Nodes[0].Status.RaftID, o.Nodes[4].Status.RaftID
	if !slices.Contains(w.live[five].apart, one) || !slices.Contains(w.live[one].apart, five) {
		t.Errorf("the new node reaches both sides: %v, %v", w.live[one].apart, w.live[five].apart)
	}
}
