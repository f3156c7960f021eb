package sequencer

import (
	"fmt"
	"runtime/debug"
	"time"

	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
)

// block is the block being built.
type block struct {
	slot    Slot
	format  uint64 // level in which it is written
	keys    *envelope.Keys
	state   *kv.Block
	parts   []opened
	drafts  []*envelope.Draft
	tickets []*Ticket // one for each draft, nil for the opening record
	bytes   int
	begun   time.Time // by the clock
	opened  time.Time // see Journey
	legs    []Leg
	hurried bool // somebody waits for it
}

// opened is a protocol's part of the open block.
type opened struct {
	Part
	room    string
	effects []format.Effect // its own alone: what its records have
}

// part is a protocol's part, nil when there is no such protocol.
func (b *block) part(protocol string) *opened {
	for i := range b.parts {
		if b.parts[i].effects[0].Protocol == protocol {
			return &b.parts[i]
		}
	}
	return nil
}

// begin opens a block on the tail. A protocol room that panics here leaves no
// block behind.
func (s *Sequencer) begin() (err error) {
	now := s.Clock()
	slot := Slot{
		Height: s.tail.Height + 1, View: s.view, FirstSeqno: s.tail.Seqno + 1,
		Time: max(uint64(now.UnixNano()), s.tail.Time), Previous: s.tail.Hash, Root: s.tail.Tree.Root(),
	}
	level, err := s.level()
	if err != nil {
		return err
	}
	place := envelope.Place{Format: level, View: slot.View, Height: slot.Height, Previous: slot.Previous, Writer: s.Writer}
	keys, err := envelope.KeysOf(s.Ring, 0, place)
	if err != nil {
		return err
	}
	if slot.Random, err = envelope.Random(s.Ring, slot.Height, slot.Previous); err != nil {
		return err
	}
	state, err := s.Store.Begin(slot.Height)
	if err != nil {
		return err
	}
	b := &block{slot: slot, format: level, keys: keys, state: state, begun: now, parts: make([]opened, 0, len(s.Protocols)), opened: s.moment()}
	defer func() {
		if p := recover(); p != nil {
			s.Logger.Error("a protocol room panicked when a block opened", "height", slot.Height, "panic", fmt.Sprint(p))
			state.Discard()
			err = ErrExecution
		}
	}()
	for _, p := range s.Protocols {
		b.parts = append(b.parts, opened{p.Open(slot), p.Room(), []format.Effect{p.Effect()}})
	}
	s.open = b
	return nil
}

// level is the format level in which the next block is written: the one that is in
// force in what is committed, so that no block depends on a raise that an election
// may undo.
func (s *Sequencer) level() (uint64, error) {
	view := s.Store.Pin()
	defer view.Release()
	return lineage.LevelOf(s.Store, view)
}

// execute runs one request in the open block.
func (s *Sequencer) execute(t *Ticket) {
	select {
	case <-s.failed:
		t.end(s.Fault())
		return
	default:
	}
	if s.open == nil {
		if err := s.begin(); err != nil {
			t.end(ErrExecution.From(err))
			return
		}
	}
	b := s.open
	var from time.Time
	if t.request.Trace != "" {
		from = s.moment()
	}
	draft, err := s.run(b, t.request)
	if err != nil {
		t.end(err)
		return
	}
	b.drafts = append(b.drafts, draft)
	b.tickets = append(b.tickets, t)
	b.hurried = b.hurried || !t.request.Patient
	s.leg(b, t.request, from)
	t.named(TxID{View: b.slot.View, Seqno: b.slot.FirstSeqno + uint64(len(b.drafts)) - 1})
}

// run executes a request as one transaction; an error or a panic leaves nothing.
func (s *Sequencer) run(b *block, r *Request) (draft *envelope.Draft, err error) {
	tx := b.state.Tx()
	defer tx.Discard()
	defer func() {
		if p := recover(); p != nil {
			s.Logger.Error("a protocol room panicked", "protocol", r.Protocol, "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			draft, err = nil, ErrExecution
		}
	}()
	if own, ok := r.Decoded.(*envelope.Draft); ok && r.Protocol == "" {
		draft, err = own, s.write(tx, own.Public)
	} else {
		draft, err = s.transact(tx, b, r)
	}
	if err != nil {
		return nil, err
	}
	b.bytes += len(draft.Private.Request) + len(draft.Private.Outcome) + len(draft.Private.Events) + 512
	return draft, tx.Commit()
}

func (s *Sequencer) transact(tx *kv.Tx, b *block, r *Request) (*envelope.Draft, error) {
	part := b.part(r.Protocol)
	if part == nil {
		return nil, ErrExecution.From(fmt.Errorf("no protocol %q", r.Protocol))
	}
	result, err := part.Execute(tx.Scope(part.room), r)
	if err != nil {
		return nil, err
	}
	d := &envelope.Draft{Kind: format.KindTransaction, Effects: part.effects, Claims: result.Claims,
		Private: format.Private{Request: r.Bytes, Caller: r.Caller, Outcome: result.Outcome, Events: result.Events, NativeID: result.NativeID}}
	writes := tx.Writes()
	for i := range writes {
		w := &writes[i]
		write := format.Write{Table: s.Store.Name(w.Table), Key: w.Key, Value: w.Value}
		if w.Delete {
			write.Value = nil
		} else if write.Value == nil {
			write.Value = []byte{}
		}
		b.bytes += len(w.Key) + len(w.Value)
		list := &d.Private.Writes
		if kv.Public(write.Table) {
			list = &d.Public
		}
		if *list == nil {
			*list = make([]format.Write, 0, len(writes)-i)
		}
		*list = append(*list, write)
	}
	return d, nil
}

// write puts a record's own writes into a transaction.
func (s *Sequencer) write(tx *kv.Tx, writes []format.Write) error {
	list, err := Writes(s.Store, writes)
	if err != nil {
		return err
	}
	for _, w := range list {
		if w.Delete {
			err = tx.Delete(w.Table, w.Key)
		} else {
			err = tx.Put(w.Table, w.Key, w.Value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Writes translates a record's writes to a store's.
func Writes(store *kv.Store, writes []format.Write) ([]kv.Write, error) {
	out := make([]kv.Write, len(writes))
	for i, w := range writes {
		table, ok := store.Table(w.Table)
		if !ok {
			return nil, fmt.Errorf("%w: %q", kv.ErrTable, w.Table)
		}
		out[i] = kv.Write{Table: table, Key: w.Key, Value: w.Value, Delete: w.Value == nil}
	}
	return out, nil
}

// full reports that the open block takes no more.
func (b *block) full(l *Limits) bool {
	if len(b.drafts) >= l.Records || b.bytes >= l.BlockBytes {
		return true
	}
	for i := range b.parts {
		if b.parts[i].Full() {
			return true
		}
	}
	return false
}
