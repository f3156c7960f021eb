package sequencer

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coco-consortium/coco/internal/consensus"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/planted"
	"github.com/coco-consortium/coco/internal/proof"
)

// flight is a block that was proposed and is not yet committed.
type flight struct {
	index     uint64
	term      uint64
	head      lineage.Head // the head with this block
	block     *envelope.Block
	artefacts map[string]any
	tickets   []*Ticket
}

func (f *flight) end(err error) {
	for _, t := range f.tickets {
		if t != nil {
			t.end(err)
		}
	}
}

// turn follows changes of leadership: it leaves a view that ended and begins the
// view that this node may seal in.
func (s *Sequencer) turn() {
	s.mu.Lock()
	view := s.leading
	if view != s.opened {
		view = 0 // its first entry is not committed yet
	}
	if view == s.view {
		s.mu.Unlock()
		return
	}
	head := s.head.Clone()
	s.mu.Unlock()
	s.abandon(ErrNotCommitted)
	s.view = 0
	if view == 0 {
		return
	}
	s.overtake(head)
	s.view = view
	if s.Opening == nil || s.serving() {
		s.serve()
		return
	}
	if s.begun {
		s.Fail(errOpening)
		return
	}
	s.begun = true
	if err := s.begin(); err != nil {
		s.Fail(err)
		return
	}
	draft, err := s.run(s.open, &Request{Decoded: s.Opening})
	if err != nil {
		s.Fail(err)
		return
	}
	s.open.drafts, s.open.tickets = append(s.open.drafts, draft), append(s.open.tickets, nil)
	s.seal()
}

// overtake starts from the committed head: the first entry of the new view is
// committed behind it, so blocks sealed before and not committed never will be.
func (s *Sequencer) overtake(head lineage.Head) {
	s.mu.Lock()
	lost := s.flying
	s.flying = nil
	s.history = s.history.truncate(head.Seqno)
	s.last = head.Seqno
	s.mu.Unlock()
	s.inFlight.Store(0)
	s.Store.Rollback(head.Height)
	for _, p := range s.Protocols {
		p.Rollback(head.Height)
	}
	for _, f := range lost {
		f.end(ErrNotCommitted)
	}
	s.tail = head
	s.chunkUsed = s.ChunkUsed()
}

// abandon drops the open block. Its requests were never proposed.
func (s *Sequencer) abandon(reason error) {
	b := s.open
	if b == nil {
		return
	}
	s.open = nil
	b.state.Discard()
	for _, p := range s.Protocols {
		p.Rollback(b.slot.Height - 1)
	}
	for _, t := range b.tickets {
		if t != nil {
			t.end(reason)
		}
	}
}

func (s *Sequencer) serving() bool {
	select {
	case <-s.ready:
		return true
	default:
		return false
	}
}

// executing reports whether requests may be executed now.
func (s *Sequencer) executing() bool {
	return s.view != 0 && s.serving() && (s.open == nil || !s.open.full(&s.Limits))
}

// due reports whether the open block is to be sealed now: when the log writer is
// free, though under load not more often than the pace; when it is full, as long
// as few enough blocks are in flight.
func (s *Sequencer) due() bool {
	if s.open == nil || len(s.open.drafts) == 0 {
		return false
	}
	if s.open.full(&s.Limits) {
		return int(s.inFlight.Load()) < s.Limits.InFlight
	}
	return s.inFlight.Load() == 0 && s.untilPace() <= 0
}

func (s *Sequencer) untilPace() time.Duration {
	if !s.crowded {
		return 0
	}
	return s.Limits.Pace - time.Since(s.sealed)
}

// sealWhenDue seals the open block if it is due, or says how long to wait for
// the pace; zero means that an event will come.
func (s *Sequencer) sealWhenDue() time.Duration {
	if s.due() {
		s.seal()
		return 0
	}
	if s.open != nil && len(s.open.drafts) > 0 && s.inFlight.Load() == 0 {
		return max(s.untilPace(), time.Microsecond)
	}
	return 0
}

// seal ends the open block, signs it on the very tail of the log and proposes
// it. A refusal ends the view: there is never a second block for its height.
func (s *Sequencer) seal() {
	b := s.open
	s.open = nil
	artefacts := make(map[string]any, len(b.parts))
	var section envelope.Section
	for _, p := range s.Protocols {
		name := p.Effect().Protocol
		data, artefact := b.parts[name].Close()
		artefacts[name] = artefact
		if data != nil {
			section = append(section, envelope.SectionPart{Protocol: name, Data: data})
		}
	}
	records := sealRecords(b)
	f := &flight{artefacts: artefacts, tickets: b.tickets, head: lineage.Head{Tree: s.tail.Tree.Clone()},
		block: &envelope.Block{Section: section, Records: records}}
	stored := make([][]byte, len(records))
	size := 0
	for i := range records {
		stored[i] = records[i].Stored
		size += len(stored[i]) + 5
		f.head.Tree.Append(records[i].Leaf)
	}
	h := &format.Header{
		Format: format.Level, Height: b.slot.Height, View: b.slot.View, FirstSeqno: b.slot.FirstSeqno, Count: uint64(len(records)),
		TreeSize: f.head.Tree.Size(), Root: f.head.Tree.Root(), Previous: b.slot.Previous, Committed: s.committed.Load(),
		Time: b.slot.Time, Writer: s.Writer,
	}
	var sealed []byte
	if section != nil {
		sealed = b.keys.SealSection(section)
		sum := format.Sum(sealed)
		h.Section = sum[:]
	}
	h.ChunkEnd = s.chunkUsed+uint64(format.FrameSize(size+len(sealed)+1024)) >= s.Limits.ChunkBytes
	if _, err := b.state.Seal(); err != nil {
		s.Fail(err) // a fault of the state's own: it takes nothing more
		s.refused(b, err)
		return
	}
	body, err := s.propose(h, f, &format.Block{Section: sealed, Records: stored})
	if err != nil {
		s.refused(b, err)
		return
	}
	s.tail = f.head.Clone()
	s.chunkUsed += uint64(format.FrameSize(body))
	if h.ChunkEnd {
		s.chunkUsed = 0
	}
	s.sealed, s.crowded = time.Now(), len(records) > 1
	if planted.Is(planted.PublishBeforeCommit) {
		_ = s.publish(&format.Entry{Index: f.index, Term: f.term})
	}
}

// propose signs and proposes on the goroutine that owns the log's tail, and
// enters the flight before anyone can see it committed.
func (s *Sequencer) propose(h *format.Header, f *flight, raw *format.Block) (size int, err error) {
	_, err = s.log.Propose(h.View, func(at consensus.Position) ([]byte, error) {
		h.Prefix = at.Prefix
		raw.Header = h.Encode()
		if raw.Signature, err = proof.SignRoot(s.Signer, s.Writer, s.Ring.Service().ID, raw.Header, h.Root); err != nil {
			return nil, err
		}
		hash := format.Sum(raw.Header)
		f.index, f.term = at.Index+1, h.View
		f.block.Index, f.block.Header, f.block.Hash, f.block.Encoded, f.block.Signature = f.index, h, hash, raw.Header, raw.Signature
		f.head = lineage.Head{Height: h.Height, Hash: hash, View: h.View, Seqno: h.LastSeqno(), Time: h.Time, Tree: f.head.Tree}
		body := raw.Encode()
		size = len(body)
		s.inFlight.Add(1)
		s.mu.Lock()
		s.flying = append(s.flying, f)
		s.history = s.history.add(h.View, h.FirstSeqno)
		s.last = h.LastSeqno()
		s.mu.Unlock()
		return body, nil
	})
	return size, err
}

// refused drops a block that consensus did not take, whether it was signed or
// not: it is in no log, and its view is over, so its requests may be sent again.
func (s *Sequencer) refused(b *block, err error) {
	stopped := s.Fault()
	if stopped == nil && !errors.Is(err, consensus.ErrNotLeader) && !errors.Is(err, consensus.ErrRefused) {
		s.Logger.Error("a block could not be sealed", "height", b.slot.Height, "err", err)
	}
	if !planted.Is(planted.ResealInOneView) {
		s.mu.Lock()
		s.leading = 0
		s.mu.Unlock()
	}
	for _, t := range b.tickets {
		if t != nil {
			t.end(ErrNotCommitted)
		}
	}
	s.mu.Lock()
	head := s.head.Clone()
	for len(s.flying) > 0 && s.flying[len(s.flying)-1].head.Height >= b.slot.Height {
		s.flying = s.flying[:len(s.flying)-1]
		s.inFlight.Add(-1)
	}
	if n := len(s.flying); n > 0 {
		head = s.flying[n-1].head.Clone()
	}
	s.history, s.last = s.history.truncate(head.Seqno), head.Seqno
	s.mu.Unlock()
	s.Store.Rollback(head.Height)
	for _, p := range s.Protocols {
		p.Rollback(head.Height)
	}
	s.tail = head
	s.view = 0
	s.signal()
}

// sealRecords seals a block's drafts, on all processors when there are many.
func sealRecords(b *block) []envelope.Record {
	records := make([]envelope.Record, len(b.drafts))
	one := func(i int) { records[i] = *b.keys.Seal(b.slot.FirstSeqno+uint64(i), b.drafts[i]) }
	workers := min(runtime.GOMAXPROCS(0), len(records)/8)
	if workers < 2 {
		for i := range records {
			one(i)
		}
		return records
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(records)); i = next.Add(1) - 1 {
				one(int(i))
			}
		})
	}
	wait.Wait()
	return records
}
