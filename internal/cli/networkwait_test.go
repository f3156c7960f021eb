package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/network"
	"github.com/coco-consortium/coco/internal/operations"
)

// calm is a network of three nodes at rest, in which node 1 leads.
func calm() network.Overview {
	var o network.Overview
	for id := uint64(1); id <= 3; id++ {
		s := &operations.Status{RaftID: id, State: operations.StateVoter, Role: operations.RoleFollower, Leader: &operations.Place{RaftID: 1}, Ledger: operations.Ledger{Commit: 10, Applied: 10}}
		for other := uint64(1); other <= 3; other++ {
			s.Nodes = append(s.Nodes, operations.Peer{Place: operations.Place{RaftID: other}, State: operations.StateVoter, Self: other == id, Active: true})
		}
		o.Nodes = append(o.Nodes, network.Seat{Number: int(id), Running: true, Status: s})
	}
	return o
}

func TestRest(t *testing.T) {
	if err := new(rest).missing(calm()); err != nil {
		t.Fatal(err)
	}
	silent := func(o network.Overview, of ...int) { // the others do not hear of them
		for i := range o.Nodes {
			for _, j := range of {
				if o.Nodes[i].Status != nil && !slices.Contains(of, i) {
					o.Nodes[i].Status.Nodes[j].Active = false
				}
			}
		}
	}
	cases := []struct {
		name, missing string // "" is at rest
		change        func(o *network.Overview)
	}{
		{"stopped and noticed", "", func(o *network.Overview) { silent(*o, 2); o.Nodes[2].Status = nil }},
		{"stopped, not noticed", "there", func(o *network.Overview) { o.Nodes[2].Status = nil }},
		{"the leader stopped", "primary", func(o *network.Overview) { silent(*o, 0); o.Nodes[0].Status = nil }},
		{"starting", "node 2 begins", func(o *network.Overview) { o.Nodes[1].Phase = "join" }},
		{"learner", "learner", func(o *network.Overview) { o.Nodes[1].Status.State = operations.StateLearner }},
		{"voter in the table only", "role is learner", func(o *network.Overview) { o.Nodes[1].Status.Role = operations.RoleLearner }},
		{"retired", "", func(o *network.Overview) {
			for _, s := range o.Nodes {
				s.Status.Nodes[2].State = operations.StateRetired
			}
			o.Nodes[2].Status.State, o.Nodes[2].Status.Leader = operations.StateRetired, nil
		}},
		{"no leader", "no primary", func(o *network.Overview) { o.Nodes[1].Status.Leader = nil }},
		{"two leaders", "another", func(o *network.Overview) { o.Nodes[1].Status.Leader = &operations.Place{RaftID: 2} }},
		{"behind", "9 of 10", func(o *network.Overview) { o.Nodes[1].Status.Ledger.Applied = 9 }},
		{"paused", "", func(o *network.Overview) {
			silent(*o, 2)
			o.Nodes[2].Status.Paused, o.Nodes[2].Status.Leader = true, nil
		}},
		{"cut off", "", func(o *network.Overview) {
			silent(*o, 2)
			o.Apart, o.Nodes[2].Status.Leader = []int{3}, nil
			o.Nodes[2].Status.Nodes[0].Active, o.Nodes[2].Status.Nodes[1].Active = false, false
		}},
		{"cut off, not noticed", "no majority", func(o *network.Overview) { silent(*o, 2); o.Apart = []int{3} }},
		{"nothing runs", "", func(o *network.Overview) {
			for i := range o.Nodes {
				o.Nodes[i].Status = nil
			}
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o := calm()
			c.change(&o)
			err := new(rest).missing(o)
			if c.missing == "" && err != nil || c.missing != "" && (err == nil || !strings.Contains(err.Error(), c.missing)) {
				t.Errorf("got %v, want %q", err, c.missing)
			}
		})
	}
}

// TestRestOfOne: a single node speaks for the network.
func TestRestOfOne(t *testing.T) {
	o := calm()
	o.Nodes = o.Nodes[:1]
	o.Nodes[0].Number = 0
	if err := new(rest).missing(o); err != nil {
		t.Error(err)
	}
	o.Nodes[0].Status.Nodes[1].State = operations.StateLearner
	if err := new(rest).missing(o); err == nil {
		t.Error("a learner catches up")
	}
}
