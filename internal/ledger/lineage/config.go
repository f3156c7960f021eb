package lineage

import (
	"errors"
	"fmt"
	"slices"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// Config is Raft's configuration as the entries of the ledger make it (Raft
// dissertation, chapter 4.3). It takes effect where an entry is committed, not
// where it is appended. Lists are in order of raft id. A value is never changed.
type Config struct {
	_        struct{} `cbor:",toarray"`
	Voters   []uint64
	Outgoing []uint64 // of a joint configuration: the voters before it, who count too; nil otherwise
	Learners []uint64
	Asked    TxID // of a joint configuration: the record that asks for it, which the entry that leaves it names too; zero otherwise
}

// Alone is the configuration of one voter, which genesis and recovery set.
func Alone(raftID uint64) Config { return Config{Voters: []uint64{raftID}} }

// Joint reports whether two majorities are asked.
func (c Config) Joint() bool { return len(c.Outgoing) > 0 }

// Equal reports whether two configurations are the same.
func (c Config) Equal(d Config) bool {
	return slices.Equal(c.Voters, d.Voters) && slices.Equal(c.Outgoing, d.Outgoing) && slices.Equal(c.Learners, d.Learners) && c.Asked == d.Asked
}

// Has reports whether a node has any part in the configuration.
func (c Config) Has(raftID uint64) bool {
	return slices.Contains(c.Voters, raftID) || slices.Contains(c.Outgoing, raftID) || slices.Contains(c.Learners, raftID)
}

// Check checks what can be checked of a configuration alone: lists in order, no
// node twice, a learner no voter, a voter at least.
func (c Config) Check() error {
	for _, list := range [][]uint64{c.Voters, c.Outgoing, c.Learners} {
		if list != nil && len(list) == 0 {
			return errors.New("an empty list that is not absent")
		}
		for i, id := range list {
			if id == 0 || i > 0 && id <= list[i-1] {
				return fmt.Errorf("node %d is out of order", id)
			}
		}
	}
	for _, id := range c.Learners {
		if slices.Contains(c.Voters, id) || slices.Contains(c.Outgoing, id) {
			return fmt.Errorf("learner %d is a voter", id)
		}
	}
	if len(c.Voters) == 0 || c.Joint() != (c.Asked != TxID{}) {
		return errors.New("no voter, or a joint configuration that nobody asked for")
	}
	return nil
}

// Apply is the configuration after a committed raft-config entry.
func (c Config) Apply(change *format.RaftConfig) (Config, error) {
	if len(change.Changes) == 0 {
		if !c.Joint() {
			return c, errors.New("it leaves a joint configuration, and there is none")
		}
		return Config{Voters: c.Voters, Learners: c.Learners}, nil
	}
	if c.Joint() {
		return c, errors.New("it enters a joint configuration out of another")
	}
	if change.Transition != format.EnterJoint {
		return c, fmt.Errorf("its transition is %d, %d was expected", change.Transition, format.EnterJoint)
	}
	next := Config{Voters: slices.Clone(c.Voters), Outgoing: c.Voters, Learners: slices.Clone(c.Learners),
		Asked: TxID{View: change.View, Seqno: change.Seqno}}
	for _, x := range change.Changes {
		next.Voters = without(next.Voters, x.RaftID)
		next.Learners = without(next.Learners, x.RaftID)
		switch x.Type {
		case format.ChangeVoter:
			next.Voters = append(next.Voters, x.RaftID)
		case format.ChangeLearner:
			if slices.Contains(c.Voters, x.RaftID) {
				return c, fmt.Errorf("it makes voter %d a learner", x.RaftID)
			}
			next.Learners = append(next.Learners, x.RaftID)
		case format.ChangeRemove:
		default:
			return c, fmt.Errorf("a change of type %d", x.Type)
		}
	}
	if len(next.Voters) == 0 {
		return c, errors.New("it leaves no voter")
	}
	slices.Sort(next.Voters)
	slices.Sort(next.Learners)
	if len(next.Learners) == 0 {
		next.Learners = nil
	}
	return next, nil
}

// Next is the one change that brings a configuration to what the table of nodes
// says: voters and learners of the table are added or promoted, retired nodes are
// removed, in order of raft id. It is nil when nothing differs, while a joint
// configuration is not left, and when no voter would stay.
func Next(m Members, c Config) []format.ConfigChange {
	if c.Joint() {
		return nil
	}
	var changes []format.ConfigChange
	voters := len(c.Voters)
	for _, n := range m.All() {
		id := n.Node.RaftID
		change := format.ConfigChange{RaftID: id}
		switch voter := slices.Contains(c.Voters, id); {
		case n.Status == format.NodeVoter && !voter:
			change.Type = format.ChangeVoter
			voters++
		case n.Status == format.NodeLearner && !c.Has(id):
			change.Type = format.ChangeLearner
		case n.Status == format.NodeRetired && c.Has(id):
			change.Type = format.ChangeRemove
			if voter {
				voters--
			}
		default:
			continue
		}
		changes = append(changes, change)
	}
	if voters == 0 {
		return nil
	}
	return changes
}

// configure takes a raft-config entry: one that enters a joint configuration
// names the last record that changed the table of nodes and does what the table
// says; one that leaves it names the same record.
func (l *Lineage) configure(e *format.Entry) error {
	var change format.RaftConfig
	if err := format.Decode(e.Body, &change); err != nil {
		return err
	}
	refuse := func(f string, args ...any) error {
		return ErrChain.From(fmt.Errorf("entry %d, a change of Raft's configuration: %s", e.Index, fmt.Sprintf(f, args...)))
	}
	id, asked := &l.Identity, TxID{View: change.View, Seqno: change.Seqno}
	next, err := id.Config.Apply(&change)
	switch {
	case err != nil:
		return refuse("%v", err)
	case len(change.Changes) == 0:
		if asked != id.Config.Asked || change.Transition != 0 || change.Changes == nil {
			return refuse("it leaves what %v asked for, %v is due", asked, id.Config.Asked)
		}
	case asked != id.Changed:
		return refuse("it names record %v, the nodes were changed by %v", asked, id.Changed)
	}
	seen := map[uint64]bool{}
	for _, x := range change.Changes {
		if seen[x.RaftID] {
			return refuse("it names node %d twice", x.RaftID)
		}
		seen[x.RaftID] = true
		n := id.Nodes.Get(x.RaftID)
		if n == nil {
			return refuse("there is no node %d", x.RaftID)
		}
		voter, member := slices.Contains(id.Config.Voters, x.RaftID), id.Config.Has(x.RaftID)
		ok := false
		switch x.Type {
		case format.ChangeVoter:
			ok = n.Status == format.NodeVoter && !voter
		case format.ChangeLearner:
			ok = (n.Status == format.NodeLearner || n.Status == format.NodeVoter) && !member
		case format.ChangeRemove:
			ok = n.Status == format.NodeRetired && member
		}
		if !ok {
			return refuse("a change of type %d for node %d, a %v", x.Type, x.RaftID, n.Status)
		}
	}
	id.Config = next
	return nil
}

func without(ids []uint64, id uint64) []uint64 {
	return slices.DeleteFunc(ids, func(x uint64) bool { return x == id })
}
