package membership

import (
	"fmt"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
)

// keepsMajority refuses a change after which the voters that are heard of would be
// no majority: nothing could be committed any more, not even what would undo it.
func (k *Keeper) keepsMajority(members lineage.Members, changed ...*format.NodeInfo) error {
	voters := members.With(changed...).IDs(format.NodeVoter)
	var silent []uint64
	for _, id := range voters {
		if id == k.ID {
			continue
		}
		if _, active := k.Network.Match(id); !active {
			silent = append(silent, id)
		}
	}
	if alive := len(voters) - len(silent); alive <= len(voters)/2 {
		return ErrNoMajorityLeft.From(fmt.Errorf("of the voters %v nothing is heard of %v", voters, silent))
	}
	return nil
}
