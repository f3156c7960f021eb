package sequencertest

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// Protocol is the tally's name.
const Protocol = "tally"

// ErrOrder refuses a request whose turn has not come, or is over.
var ErrOrder = errors.New("it is not this request's turn")

// Tally is a protocol that counts. A request's ID is its native id. Its body is
// empty, or a sender and a number (Turn): then it is refused unless it is the
// sender's next one. State says how often each request was executed, so that one
// that was executed twice shows.
//
// Each block's section is the hash over the section before and the block's
// requests, so that a part that was opened on the wrong block shows too.
type Tally struct {
	Seen func(*sequencer.Request) // told of what is executed, when it is set before Run

	table  kv.TableID
	sealed map[uint64][sha256.Size]byte // by height, closed and not rolled back

	mu       sync.Mutex
	sections map[uint64][sha256.Size]byte // committed, by height
	found    map[string]sequencer.TxID    // committed, by native id
	wrong    error
}

// Turn is the body of a request whose order counts.
func Turn(sender byte, number uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{sender}, number)
}

// Effect implements sequencer.Protocol.
func (p *Tally) Effect() format.Effect { return format.Effect{Protocol: Protocol, Version: 1} }

// Room implements sequencer.Protocol.
func (p *Tally) Room() string { return Protocol }

// Rollback implements sequencer.Protocol.
func (p *Tally) Rollback(height uint64) {
	for h := range p.sealed {
		if h > height {
			delete(p.sealed, h)
		}
	}
}

// Open implements sequencer.Protocol.
func (p *Tally) Open(slot sequencer.Slot) sequencer.Part {
	parent, ok := p.sealed[slot.Height-1]
	if !ok {
		p.mu.Lock()
		parent, ok = p.sections[slot.Height-1]
		p.mu.Unlock()
		if !ok && slot.Height > 1 {
			panic(fmt.Sprintf("block %d opens on an unknown block", slot.Height))
		}
	}
	return &part{p: p, slot: slot, hash: parent}
}

type part struct {
	p    *Tally
	slot sequencer.Slot
	hash [sha256.Size]byte
	n    int
}

func chain(before [sha256.Size]byte, id []byte) [sha256.Size]byte {
	return sha256.Sum256(append(before[:], id...))
}

// Execute implements sequencer.Part.
func (t *part) Execute(tx *kv.Tx, r *sequencer.Request) (*sequencer.Result, error) {
	if t.p.Seen != nil {
		t.p.Seen(r)
	}
	if len(r.Bytes) > 0 {
		key := append([]byte("turn "), r.Bytes[0])
		if next, _ := tx.Get(t.p.table, key); number(next) != binary.BigEndian.Uint64(r.Bytes[1:]) {
			return nil, fmt.Errorf("%w: %d is next", ErrOrder, number(next))
		} else if err := tx.Put(t.p.table, key, count(number(next)+1)); err != nil {
			return nil, err
		}
	}
	key := append([]byte("id "), r.ID...)
	times, _ := tx.Get(t.p.table, key)
	if err := tx.Put(t.p.table, key, count(number(times)+1)); err != nil {
		return nil, err
	}
	t.hash = chain(t.hash, r.ID)
	t.n++
	return &sequencer.Result{NativeID: r.ID}, nil
}

func number(b []byte) uint64 {
	if b == nil {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

func count(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// Full implements sequencer.Part.
func (t *part) Full() bool { return t.n >= 16 }

// Close implements sequencer.Part.
func (t *part) Close() ([]byte, any) {
	t.p.sealed[t.slot.Height] = t.hash
	return t.hash[:], nil
}

// Committed implements sequencer.Follower: it checks the section.
func (p *Tally) Committed(c *sequencer.Committed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	hash := p.sections[c.Header.Height-1]
	for i := range c.Records {
		id := c.Records[i].Private.NativeID
		if len(id) == 0 {
			continue
		}
		hash = chain(hash, id)
		tx := sequencer.TxID{View: c.Header.View, Seqno: c.Header.FirstSeqno + uint64(i)}
		if before, twice := p.found[string(id)]; twice && p.wrong == nil {
			p.wrong = fmt.Errorf("request %x is committed as %v and as %v", id, before, tx)
		}
		p.found[string(id)] = tx
	}
	if p.wrong == nil && string(c.Section.Of(Protocol)) != string(hash[:]) {
		p.wrong = fmt.Errorf("block %d was built on another block than %d", c.Header.Height, c.Header.Height-1)
	}
	p.sections[c.Header.Height] = hash
}

// Find is the name of a committed request.
func (p *Tally) Find(id []byte) (sequencer.TxID, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	tx, ok := p.found[string(id)]
	return tx, ok
}

// Decode takes every request.
func (p *Tally) Decode(bytes, _ []byte) (any, error) { return bytes, nil }

// Wrong says what this node saw that must not be: a request committed twice, a
// block built on the wrong one.
func (p *Tally) Wrong() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.wrong
}
