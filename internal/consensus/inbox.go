package consensus

import (
	"sync"

	"go.etcd.io/raft/v3/raftpb"
)

// What may wait to be given to Raft. What comes beyond is dropped, which Raft
// expects.
const (
	maxSmall     = 4096     // messages without entries
	maxBulk      = 1024     // messages with entries
	maxBulkBytes = 32 << 20 // and their bytes
)

// inbox holds messages of other nodes. Those without entries, such as heartbeats
// and votes, pass by those with entries.
type inbox struct {
	mu    sync.Mutex
	small []*raftpb.Message
	bulk  []*raftpb.Message
	bytes int
	wake  chan struct{} // holds something while there is a message
}

func newInbox() *inbox { return &inbox{wake: make(chan struct{}, 1)} }

// put reports whether there was room for the message.
func (b *inbox) put(m *raftpb.Message) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(m.GetEntries()) == 0 || m.GetType() != raftpb.MsgApp {
		if len(b.small) >= maxSmall {
			return false
		}
		b.small = append(b.small, m)
	} else {
		size := bytesOf(m)
		if len(b.bulk) >= maxBulk || b.bytes+size > maxBulkBytes && len(b.bulk) > 0 {
			return false
		}
		b.bulk = append(b.bulk, m)
		b.bytes += size
	}
	b.signal()
	return true
}

// take gives all small messages and one with entries, and wakes again when there
// is more.
func (b *inbox) take() []*raftpb.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	batch := b.small
	b.small = nil
	if len(b.bulk) > 0 {
		m := b.bulk[0]
		b.bulk[0] = nil
		b.bulk = b.bulk[1:]
		b.bytes -= bytesOf(m)
		batch = append(batch, m)
	}
	if len(b.bulk) > 0 {
		b.signal()
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
