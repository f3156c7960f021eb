package membership

import (
	"time"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// Silence is for how long nothing is heard of a learner before the primary retires
// it: far longer than a machine takes to restart or a network to be mended.
const Silence = 5 * time.Minute

// Tidy retires the learners of which nothing was heard for the keeper's Silence: their
// processes ended before they became voters, and a process that ended never comes
// back. Voters it never touches. It is called again and again; the time counts from
// the first call in a view that found the node silent, so that a primary that just
// began, or whose clock was set back, waits the whole time. It gives the raft ids of
// those that it retired, sequencer.ErrNotPrimary on a node that does not lead.
func (k *Keeper) Tidy() ([]uint64, error) {
	view, err := k.begin()
	if err != nil {
		return nil, err
	}
	defer k.mu.Unlock()
	if k.silentIn != view {
		k.silentIn, k.silent = view, map[uint64]time.Time{}
	}
	now, limit := k.Clock(), k.Silence
	if limit == 0 {
		limit = Silence
	}
	silent := make(map[uint64]time.Time)
	var ids []uint64
	var gone []*format.NodeInfo
	for _, n := range k.Network.Members().All() {
		id := n.Node.RaftID
		if n.Status != format.NodeLearner || id == k.ID {
			continue
		}
		if _, active := k.Network.Match(id); active {
			continue
		}
		since, known := k.silent[id]
		if !known || now.Before(since) {
			since = now
		}
		silent[id] = since
		if now.Sub(since) >= limit {
			ids, gone = append(ids, id), append(gone, with(n, format.NodeRetired))
		}
	}
	k.silent = silent
	if len(gone) == 0 {
		return nil, nil
	}
	return ids, k.record(view, gone...)
}
