package consensus

import (
	"encoding/binary"

	"go.etcd.io/raft/v3"

	"github.com/coco-consortium/coco/internal/planted"
)

// ReadIndex asks up to where a linearizable read has to see (Raft dissertation,
// 6.4): a majority confirms that the leader still leads. The answer comes as a
// Read of this context, on followers too, or never when there is no leader or
// messages are lost: ask again. The same context may be asked again.
func (d *Driver) ReadIndex(context uint64) {
	if planted.Is(planted.StaleLinearizable) {
		d.effects.Reads = append(d.effects.Reads, Read{Context: context, Index: d.base.Index})
		return
	}
	d.raft.ReadIndex(binary.LittleEndian.AppendUint64(nil, context))
	d.pump()
}

func (d *Driver) read(states []raft.ReadState) {
	for _, s := range states {
		d.effects.Reads = append(d.effects.Reads, Read{Context: position(s.RequestCtx), Index: s.Index})
	}
}

// position is the number in a message's context, 0 for none.
func position(context []byte) uint64 {
	if len(context) != 8 {
		return 0
	}
	return binary.LittleEndian.Uint64(context)
}
