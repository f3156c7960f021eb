package node

import (
	"context"

	"github.com/coco-consortium/coco/internal/consensus"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// watch follows who leads, for the log and the status, and finds out when the
// network has let this node go.
func (n *Node) watch(ctx context.Context) {
	var leader, view uint64
	for {
		changed, members := n.consensus.Changed(), n.members.next()
		n.peers.meet()
		s := n.consensus.Status()
		if s.Term != view {
			n.standing.elections.see(n.config.Clock())
		}
		if s.Leader != leader || s.Term != view {
			n.config.Logger.Info("consensus", "view", s.Term, "leader", s.Leader, "role", s.Role, "commit", s.Commit)
			leader, view = s.Leader, s.Term
		}
		if me := n.members.get().Get(n.id); s.Role == consensus.RoleRetired || me != nil && me.Status == format.NodeRetired && !s.Config.Has(n.id) {
			n.retired()
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-members:
		}
	}
}

// Ended is closed when the node takes no part any more although nobody stopped
// it: the network has retired it, or consensus failed. Live and Retired say which.
func (n *Node) Ended() <-chan struct{} { return n.consensus.Stopped() }
