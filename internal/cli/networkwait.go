package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/coco-consortium/coco/internal/network"
	"github.com/coco-consortium/coco/internal/operations"
	"github.com/coco-consortium/coco/internal/problem"
)

// errRestless says that --wait waited in vain.
var errRestless = problem.New("NETWORK_RESTLESS", "the network did not come to rest in a minute",
	"see the table and what it warns of; more processor time or a mended network may be needed")

// restTime is how long --wait waits, and restAsk how often it asks meanwhile.
const (
	restTime = time.Minute
	restAsk  = 50 * time.Millisecond
)

// awaitRest waits until the network of a directory is at rest, see rest. A
// process that is only being started may not answer yet.
func awaitRest(ctx context.Context, client *operations.Client) error {
	ctx, cancel := context.WithTimeout(ctx, restTime)
	defer cancel()
	var r rest
	for {
		o, err := askNetwork(ctx, client)
		switch {
		case err != nil && !errors.Is(err, operations.ErrUnreachable):
			return err
		case err == nil:
			if err = r.missing(o); err == nil {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return errRestless.From(err)
		case <-time.After(restAsk):
		}
	}
}

// askNetwork gives the overview of a network. A single node is one of one seat,
// without a number.
func askNetwork(ctx context.Context, client *operations.Client) (network.Overview, error) {
	var o network.Overview
	err := client.Get(ctx, "/network", &o)
	if errors.Is(err, operations.ErrAnswer) {
		var s operations.Status
		if s, err = client.Status(ctx); err == nil {
			o.Nodes = []network.Seat{{Running: true, Status: &s}}
		}
	}
	return o, err
}

// rest is when everybody knows what there is to know. On a side of the network
// with a majority every node that runs is a voter, they agree who leads, and all
// have published what was committed when the wait began; on a side without one
// nobody knows a leader. Everywhere nodes hear exactly those that they can
// reach. A paused node knows nothing and a retired one has no part: they are not
// asked.
type rest struct {
	mark  uint64 // the commit when the wait began
	begun bool
}

// missing is what is not so yet, or nil.
func (r *rest) missing(o network.Overview) error {
	var newest *operations.Status
	sides := map[bool][]network.Seat{}
	for _, s := range o.Nodes {
		switch {
		case s.Phase != "":
			return fmt.Errorf("node %d begins", s.Number)
		case s.Status == nil || s.Status.Paused || s.Status.State == operations.StateRetired && s.Number > 0:
			continue
		case newest == nil || s.Status.Ledger.Applied > newest.Ledger.Applied:
			newest = s.Status
		}
		apart := slices.Contains(o.Apart, s.Number)
		sides[apart] = append(sides[apart], s)
	}
	if newest == nil {
		return nil // nothing runs, and nothing will happen
	}
	if !r.begun {
		r.mark, r.begun = newest.Ledger.Commit, true
	}
	if o.Nodes[0].Number == 0 {
		return r.alone(newest)
	}
	voters := 0
	for _, p := range newest.Nodes {
		if p.State == operations.StateVoter {
			voters++
		}
	}
	return errors.Join(r.side(sides[false], voters), r.side(sides[true], voters))
}

// alone asks one node, by whose word the network is known.
func (r *rest) alone(s *operations.Status) error {
	switch {
	case s.State == operations.StateRetired:
		return nil
	case s.State != operations.StateVoter:
		return fmt.Errorf("the node is %s", s.State)
	case s.Leader == nil:
		return errors.New("the node knows no primary")
	case s.Ledger.Applied < r.mark:
		return fmt.Errorf("the node has published up to %d of %d", s.Ledger.Applied, r.mark)
	}
	for _, p := range s.Nodes {
		if p.State == operations.StateLearner {
			return fmt.Errorf("the node with Raft id %d is catching up", p.RaftID)
		}
	}
	return nil
}

func (r *rest) side(seats []network.Seat, voters int) error {
	reached := map[uint64]bool{}
	for _, s := range seats {
		reached[s.Status.RaftID] = true
	}
	for _, s := range seats {
		if err := r.seat(s.Status, reached, len(seats) > voters/2, seats[0].Status.Leader); err != nil {
			return fmt.Errorf("node %d: %w", s.Number, err)
		}
	}
	return nil
}

// seat asks one node of a side: whom it can reach, whether they are a majority,
// and whom the first of them takes for the primary.
func (r *rest) seat(s *operations.Status, reached map[uint64]bool, majority bool, leader *operations.Place) error {
	switch {
	case majority && s.State != operations.StateVoter:
		return fmt.Errorf("it is %s", s.State)
	case majority && s.Role != operations.RoleLeader && s.Role != operations.RoleFollower: // the table says voter, Raft has yet to follow
		return fmt.Errorf("its role is %s", s.Role)
	case majority && s.Leader == nil:
		return errors.New("it knows no primary")
	case majority && (leader == nil || s.Leader.RaftID != leader.RaftID || !reached[leader.RaftID]):
		return errors.New("it takes another node for the primary")
	case majority && s.Ledger.Applied < r.mark:
		return fmt.Errorf("it has published up to %d of %d", s.Ledger.Applied, r.mark)
	case !majority && s.Leader != nil:
		return errors.New("it believes in a primary that has no majority")
	}
	for _, p := range s.Nodes {
		if p.State != operations.StateRetired && !p.Self && p.Active != reached[p.RaftID] {
			return fmt.Errorf("it has yet to notice whether the node with Raft id %d is there", p.RaftID)
		}
	}
	return nil
}
