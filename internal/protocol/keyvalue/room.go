package keyvalue

import (
	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// Protocol is the id of this protocol in effects.
const Protocol = "keyvalue"

// tableEntries has the entries of all clients: the key is the client and its key.
const tableEntries = "keyvalue.entries"

// Tables are this room's.
func Tables() []kv.Table { return []kv.Table{{Name: tableEntries, Kind: kv.Point}} }

// Room executes writes for the sequencer, and reads.
type Room struct {
	entries kv.TableID
	recent  func() *Recent
}

var _ sequencer.Protocol = (*Room)(nil)

// NewRoom makes the room of a store with Tables. recent is asked when something executes.
func NewRoom(store *kv.Store, recent func() *Recent) (*Room, error) {
	id, ok := store.Table(tableEntries)
	if !ok {
		return nil, kv.ErrTable
	}
	return &Room{entries: id, recent: recent}, nil
}

// Effect implements sequencer.Protocol.
func (r *Room) Effect() format.Effect { return format.Effect{Protocol: Protocol, Version: 1} }

// Room implements sequencer.Protocol.
func (r *Room) Room() string { return kv.Room(tableEntries) }

// Open implements sequencer.Protocol.
func (r *Room) Open(sequencer.Slot) sequencer.Part { return &part{room: r} }

// Rollback implements sequencer.Protocol: nothing is kept between blocks.
func (r *Room) Rollback(uint64) {}

// Get appends a client's entry to dst, as a state has it.
func (r *Room) Get(dst []byte, state kv.Reader, c Client, key []byte) (value []byte, ok bool) {
	return state.GetInto(dst, r.entries, entryKey(make([]byte, 0, clientBytes+len(key)), c[:], key))
}

// entryKey appends the key of a client's entry in the table.
func entryKey(dst, client, key []byte) []byte { return append(append(dst, client...), key...) }

// part is this protocol's part of one block.
type part struct {
	room     *Room
	key, old []byte // of the write before: memory
}

// Outcomes of a write.
var (
	outcomeNew = []byte{0} // there was no entry before
	outcomeOld = []byte{1}
)

// Execute implements sequencer.Part.
func (p *part) Execute(tx *kv.Tx, r *sequencer.Request) (*sequencer.Result, error) {
	q, ok := r.Decoded.(*Request)
	if !ok {
		var err error
		if q, err = Decode(r.Bytes); err != nil {
			return nil, err
		}
	}
	if len(r.Caller) != clientBytes {
		return nil, ErrClient
	}
	if err := p.room.recent().vouch(r.ID); err != nil {
		return nil, err
	}
	table := p.room.entries
	p.key = entryKey(p.key[:0], r.Caller, q.Key)
	p.old, ok = tx.GetInto(p.old[:0], table, p.key)
	var err error
	switch {
	case q.Op == Put:
		err = tx.Put(table, p.key, q.Value)
	case ok:
		err = tx.Delete(table, p.key)
	}
	if err != nil {
		return nil, err
	}
	w := &written{Result: sequencer.Result{Outcome: outcomeNew, NativeID: r.ID}}
	if ok {
		w.Outcome = outcomeOld
	}
	w.claim(r.Caller, q)
	return &w.Result, nil
}

// Full implements sequencer.Part: the sequencer's own limits suffice.
func (p *part) Full() bool { return false }

// Close implements sequencer.Part.
func (p *part) Close() (section []byte, artefact any) { return nil, nil }
