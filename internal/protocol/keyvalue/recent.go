package keyvalue

import (
	"crypto/rand"
	"encoding/binary"
	"sync"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// A request's ID is the height that was published where it came in, and random
// bytes: whoever knows the requests of all later blocks knows whether it is in the
// ledger, without an index of all requests that ever were.
const idBytes = 8 + 16

// ID names a new request at a node that published a height.
func ID(published uint64) []byte {
	id := binary.BigEndian.AppendUint64(make([]byte, 0, idBytes), published)
	id = id[:idBytes]
	rand.Read(id[8:])
	return id
}

// What Recent keeps at most: more than comes in while a network elects a primary.
const (
	recentRequests = 1 << 17
	recentBlocks   = 1 << 16
)

// Recent knows the requests of the newest blocks by ID. It is a
// sequencer.Follower, and a forward.Decoder for requests that other nodes forward.
type Recent struct {
	mu     sync.RWMutex
	known  map[[idBytes]byte]sequencer.TxID
	blocks [][][idBytes]byte // IDs by block, without gaps, oldest first
	first  uint64            // from this height on all requests are known
}

// NewRecent makes one that is told of all blocks behind a height.
func NewRecent(height uint64) *Recent {
	return &Recent{known: make(map[[idBytes]byte]sequencer.TxID), first: height + 1}
}

// Committed implements sequencer.Follower.
func (r *Recent) Committed(c *sequencer.Committed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ids [][idBytes]byte
	for i := range c.Records {
		p := c.Records[i].Private
		if c.Records[i].Prelude.Kind != format.KindTransaction || p == nil || len(p.NativeID) != idBytes {
			continue
		}
		id := [idBytes]byte(p.NativeID)
		r.known[id] = sequencer.TxID{View: c.Header.View, Seqno: c.Header.FirstSeqno + uint64(i)}
		ids = append(ids, id)
	}
	r.blocks = append(r.blocks, ids)
	for len(r.known) > recentRequests || len(r.blocks) > recentBlocks {
		for _, id := range r.blocks[0] {
			delete(r.known, id)
		}
		r.blocks = r.blocks[1:]
		r.first++
	}
}

// Find implements forward.Decoder.
func (r *Recent) Find(id []byte) (sequencer.TxID, bool) {
	if len(id) != idBytes {
		return sequencer.TxID{}, false
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	tx, ok := r.known[[idBytes]byte(id)]
	return tx, ok
}

// Decode implements forward.Decoder. The node that forwards has established who
// the client is, and is attested to run the same code.
func (r *Recent) Decode(data, caller []byte) (any, error) {
	if len(caller) != clientBytes {
		return nil, ErrClient
	}
	return Decode(data)
}

// vouch refuses a request that may be in a block which is not known here.
func (r *Recent) vouch(id []byte) error {
	if len(id) != idBytes {
		return ErrRequest
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if binary.BigEndian.Uint64(id)+1 < r.first {
		return sequencer.ErrOutcomeUnknown
	}
	return nil
}
