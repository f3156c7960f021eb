package lineage

import (
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

func info(raftID uint64, status format.NodeStatus) *format.NodeInfo {
	return &format.NodeInfo{Node: format.Node{RaftID: raftID, Key: []byte{byte(raftID)}}, Status: status}
}

// TestNext walks random lives of nodes and lets the configuration follow: after
// one joint change it is what the table says, and no voter is ever lost.
func TestNext(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, c := NewMembers(info(1, format.NodeVoter)), Alone(1)
		for range rapid.IntRange(1, 20).Draw(t, "rounds") {
			for range rapid.IntRange(0, 4).Draw(t, "records") {
				id := rapid.Uint64Range(1, m.Highest()+1).Draw(t, "node")
				n := m.Get(id)
				if n == nil {
					m = m.With(info(id, format.NodePending))
				} else if status := n.Status + 1; status <= format.NodeRetired {
					if next := m.With(as(n, status)); len(next.IDs(format.NodeVoter)) > 0 {
						m = next
					}
				}
			}
			changes := Next(m, c)
			if !reflect.DeepEqual(changes, Next(m, c)) {
				t.Fatal("two answers")
			}
			if len(changes) > 0 {
				asked := TxID{View: 2, Seqno: m.Highest()}
				joint, err := c.Apply(&format.RaftConfig{View: asked.View, Seqno: asked.Seqno, Transition: format.EnterJoint, Changes: changes})
				if err != nil || !joint.Joint() || joint.Check() != nil || joint.Asked != asked || !slices.Equal(joint.Outgoing, c.Voters) {
					t.Fatalf("%+v then %+v: %+v, %v, %v", c, changes, joint, err, joint.Check())
				}
				if Next(m, joint) != nil {
					t.Fatal("a second change while the first is joint")
				}
				if c, err = joint.Apply(&format.RaftConfig{}); err != nil {
					t.Fatal(err)
				}
			}
			if c.Check() != nil || Next(m, c) != nil || !slices.Equal(c.Voters, m.IDs(format.NodeVoter)) || !slices.Equal(c.Learners, m.IDs(format.NodeLearner)) {
				t.Fatalf("%+v does not follow %v and %v", c, m.IDs(format.NodeVoter), m.IDs(format.NodeLearner))
			}
		}
	})
}

func TestNextNeverLeavesNoVoter(t *testing.T) {
	m := NewMembers(info(1, format.NodeRetired), info(2, format.NodeLearner))
	if changes := Next(m, Alone(1)); changes != nil {
		t.Fatalf("%+v", changes)
	}
}

func TestApplyAndCheckRefuse(t *testing.T) {
	c := Config{Voters: []uint64{1, 2}, Learners: []uint64{3}}
	joint := Config{Voters: []uint64{1}, Outgoing: []uint64{1, 2}, Asked: TxID{View: 2, Seqno: 1}}
	enter := func(changes ...format.ConfigChange) *format.RaftConfig {
		return &format.RaftConfig{Transition: format.EnterJoint, Changes: changes}
	}
	for name, x := range map[string]struct {
		from   Config
		change *format.RaftConfig
	}{
		"leaves nothing":     {c, &format.RaftConfig{}},
		"joint out of joint": {joint, enter(format.ConfigChange{RaftID: 3})},
		"not explicit":       {c, &format.RaftConfig{Changes: []format.ConfigChange{{RaftID: 3}}}},
		"a voter learns":     {c, enter(format.ConfigChange{Type: format.ChangeLearner, RaftID: 2})},
		"unknown type":       {c, enter(format.ConfigChange{Type: 2, RaftID: 2})},
		"no voter stays":     {Alone(1), enter(format.ConfigChange{Type: format.ChangeRemove, RaftID: 1})},
	} {
		if got, err := x.from.Apply(x.change); err == nil || !got.Equal(x.from) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, wrong := range map[string]Config{
		"no voter":          {},
		"out of order":      {Voters: []uint64{2, 1}},
		"twice":             {Voters: []uint64{1, 1}},
		"node 0":            {Voters: []uint64{0}},
		"voter and learner": {Voters: []uint64{1}, Learners: []uint64{1}},
		"outgoing learner":  {Voters: []uint64{1}, Outgoing: []uint64{2}, Learners: []uint64{2}, Asked: TxID{View: 1}},
		"empty list":        {Voters: []uint64{1}, Learners: []uint64{}},
		"nobody asked":      {Voters: []uint64{1}, Outgoing: []uint64{1}},
		"asked, not joint":  {Voters: []uint64{1}, Asked: TxID{View: 1}},
	} {
		if wrong.Check() == nil {
			t.Errorf("%s: %+v", name, wrong)
		}
	}
	if err := joint.Check(); err != nil {
		t.Error(err)
	}
}

func TestMembersAreValues(t *testing.T) {
	a := NewMembers(info(1, format.NodeVoter))
	b := a.With(info(2, format.NodeLearner), info(1, format.NodeRetired))
	if a.Highest() != 1 || a.Get(1).Status != format.NodeVoter || a.Get(2) != nil || len(a.All()) != 1 {
		t.Fatal("With changed what it was given")
	}
	if b.Highest() != 2 || b.Writer(format.Sum([]byte{2})).Node.RaftID != 2 || a.Writer(format.Sum([]byte{2})) != nil {
		t.Fatal("With lost a node")
	}
	if (Members{}).Highest() != 0 || (Members{}).Writer(format.Hash{}) != nil || len((Members{}).All()) != 0 {
		t.Fatal("the members of nothing")
	}
}
