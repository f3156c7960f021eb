package consensus

import (
	"sync"

	"go.etcd.io/raft/v3/raftpb"
)

// What may wait to be given to Raft, of one node. What comes beyond is dropped,
// which Raft expects; a node that floods this one displaces nobody else's.
const (
	maxSmall     = 1024     // messages other than MsgApp
	maxBulk      = 512      // MsgApp
	maxBulkBytes = 24 << 20 // and their bytes; one larger message may wait alone
)

// inbox holds messages of other nodes. Small ones, such as heartbeats and votes,
// pass by MsgApp. Those keep their order, also the ones without entries: one that
// overtook entries would be refused, and the leader would probe.
type inbox struct {
	mu    sync.Mutex
	small []*raftpb.Message
	bulk  []*raftpb.Message
	from  map[uint64]*share
	wake  chan struct{} // holds something while there is a message
}

// share is what waits of one node.
type share struct{ small, bulk, bytes int }

func newInbox() *inbox { return &inbox{from: make(map[uint64]*share), wake: make(chan struct{}, 1)} }

// put reports whether there was room for the message.
func (b *inbox) put(m *raftpb.Message) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	of := b.from[m.GetFrom()]
	if of == nil {
		of = new(share)
		b.from[m.GetFrom()] = of
	}
	if m.GetType() != raftpb.MsgApp {
		if of.small >= maxSmall {
			return false
		}
		of.small++
		b.small = append(b.small, m)
	} else {
		size := bytesOf(m)
		if of.bulk >= maxBulk || of.bytes+size > maxBulkBytes && of.bulk > 0 {
			return false
		}
		of.bulk++
		of.bytes += size
		b.bulk = append(b.bulk, m)
	}
	b.signal()
	return true
}

// take gives all small messages and one MsgApp, and wakes again when there is
// more.
func (b *inbox) take() []*raftpb.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	batch := b.small
	b.small = nil
	for _, of := range b.from {
		of.small = 0
	}
	if len(b.bulk) > 0 {
		m := b.bulk[0]
		b.bulk[0] = nil
		b.bulk = b.bulk[1:]
		of := b.from[m.GetFrom()]
		of.bulk--
		of.bytes -= bytesOf(m)
		batch = append(batch, m)
	}
	if len(b.bulk) > 0 {
		b.signal()
	} else {
		clear(b.from)
	}
	return batch
}

func (b *inbox) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func bytesOf(m *raftpb.Message) int {
	size := 64
	for _, e := range m.GetEntries() {
		size += len(e.GetData()) + 64
	}
	return size
}
