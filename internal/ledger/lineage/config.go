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
}

// Alone is the configuration of one voter, which genesis and recovery set.
func Alone(raftID uint64) Config { return Config{Voters: []uint64{raftID}} }

// Joint reports whether two majorities are asked.
func (c Config) Joint() bool { return len(c.Outgoing) > 0 }

// Equal reports whether two configurations are the same.
func (c Config) Equal(d Config) bool {
	return slices.Equal(c.Voters, d.Voters) && slices.Equal(c.Outgoing, d.Outgoing) && slices.Equal(c.Learners, d.Learners)
}

// Has reports whether a node has any part in the configuration.
func (c Config) Has(raftID uint64) bool {
	return slices.Contains(c.Voters, raftID) || slices.Contains(c.Outgoing, raftID) || slices.Contains(c.Learners, raftID)
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
	next := Config{Voters: slices.Clone(c.Voters), Outgoing: c.Voters, Learners: slices.Clone(c.Learners)}
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
	return next, nil
}

func without(ids []uint64, id uint64) []uint64 {
	return slices.DeleteFunc(ids, func(x uint64) bool { return x == id })
}
