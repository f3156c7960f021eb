package sequencer

import (
	"cmp"
	"errors"
	"runtime"
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

	opened, sealed time.Time // see Journey
	size           int
	legs           []Leg
}

func (f *flight) end(err error) { endAll(f.tickets, err) }

// endAll settles tickets, the last one first: who waits for many, one after the
// other, is then woken once.
func endAll(tickets []*Ticket, err error) {
	for i := len(tickets) - 1; i >= 0; i-- {
		if tickets[i] != nil {
			tickets[i].end(err)
		}
	}
}

// seal ends the open block, signs it on the very tail of the log and proposes
// it. A refusal ends the view: there is never a second block for its height.
func (s *Sequencer) seal() {
	b := s.open
	s.open = nil
	artefacts := make(map[string]any, len(s.Protocols))
	var section envelope.Section
	for i := range b.parts {
		name := b.parts[i].effects[0].Protocol
		data, artefact := b.parts[i].Close()
		artefacts[name] = artefact
		if data != nil {
			section = append(section, envelope.SectionPart{Protocol: name, Data: data})
		}
	}
	var sealed []byte
	if section != nil {
		sealed = b.keys.SealSection(section)
	}
	records, body := b.keys.SealAll(b.slot.FirstSeqno, b.drafts, len(sealed), cmp.Or(s.Workers, runtime.GOMAXPROCS(0)))
	f := &flight{artefacts: artefacts, tickets: b.tickets, opened: b.opened, legs: b.legs, head: lineage.Head{Tree: s.tail.Tree.Clone()},
		block: &envelope.Block{Section: section, Records: records}}
	size := 0
	for i := range records {
		size += len(records[i].Stored) + 5
		f.head.Tree.Append(records[i].Leaf)
	}
	h := &format.Header{
		Format: b.format, Height: b.slot.Height, View: b.slot.View, FirstSeqno: b.slot.FirstSeqno, Count: uint64(len(records)),
		TreeSize: f.head.Tree.Size(), Root: f.head.Tree.Root(), Previous: b.slot.Previous, Committed: s.committed.Load(),
		Time: b.slot.Time, Writer: s.Writer,
	}
	if section != nil {
		sum := format.Sum(sealed)
		h.Section = sum[:]
	}
	h.ChunkEnd = s.chunkUsed+uint64(format.FrameSize(size+len(sealed)+1024)) >= s.Limits.ChunkBytes
	if _, err := b.state.Seal(); err != nil {
		s.Fail(err) // a fault of the state's own: it takes nothing more
		s.refused(b, err)
		return
	}
	n, err := s.propose(h, f, body, sealed)
	if err != nil {
		s.refused(b, err)
		return
	}
	s.tail = f.head.Clone()
	s.chunkUsed += uint64(format.FrameSize(n))
	if h.ChunkEnd {
		s.chunkUsed = 0
	}
	s.sealed, s.company = s.Clock(), len(records)
	if planted.Is(planted.PublishBeforeCommit) {
		_ = s.publish(&format.Entry{Index: f.index, Term: f.term}, f)
	}
}

// propose signs and proposes on the goroutine that owns the log's tail, and
// enters the flight before anyone can see it committed.
func (s *Sequencer) propose(h *format.Header, f *flight, body *format.Body, section []byte) (size int, err error) {
	_, err = s.log.Propose(h.View, func(at consensus.Position) ([]byte, error) {
		h.Prefix = at.Prefix
		header := h.Encode()
		signature, err := proof.SignRoot(s.Signer, s.Writer, s.Ring.Service().ID, header, h.Root)
		if err != nil {
			return nil, err
		}
		hash := format.Sum(header)
		f.index, f.term = at.Index+1, h.View
		f.block.Index, f.block.Header, f.block.Hash, f.block.Encoded, f.block.Signature = f.index, h, hash, header, signature
		f.head = lineage.Head{Height: h.Height, Hash: hash, View: h.View, Seqno: h.LastSeqno(), Time: h.Time, Tree: f.head.Tree}
		whole := body.Finish(header, signature, section)
		size = len(whole)
		f.sealed, f.size = s.moment(), size
		s.inFlight.Add(1)
		s.mu.Lock()
		s.flying = append(s.flying, f)
		s.history = s.history.add(h.View, h.FirstSeqno)
		s.last = h.LastSeqno()
		s.mu.Unlock()
		return whole, nil
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
		if s.leading == b.slot.View { // it may lead a later one already
			s.leading = 0
		}
		s.mu.Unlock()
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
	s.rollback(head)
	s.leave()
	endAll(b.tickets, ErrNotCommitted)
	if s.begun && !s.serving() {
		s.Fail(errOpening)
	}
	s.signal()
}
