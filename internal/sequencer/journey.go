package sequencer

import "time"

// Journey is when a block that this node executed came how far. It serves
// metrics and traces; nothing is decided by it.
type Journey struct {
	View, Height uint64
	Records      int
	Bytes        int // of the sealed block, about

	Opened    time.Time // its first request was about to be executed
	Sealed    time.Time // it was signed and given to consensus
	Committed time.Time // consensus said so
	Published time.Time // clients see it
	Legs      []Leg
}

// Leg is the execution of a request that carries a trace context.
type Leg struct {
	Trace    string // of the request
	Seqno    uint64
	From, To time.Time
}

// time of day for a journey; none when nobody watches, so that a simulation's
// clock is read no more often than its nodes need.
func (s *Sequencer) moment() time.Time {
	if s.Watch == nil {
		return time.Time{}
	}
	return s.Clock()
}

// leg notes an execution that began at a time.
func (s *Sequencer) leg(b *block, r *Request, from time.Time) {
	if s.Watch == nil || r.Trace == "" {
		return
	}
	b.legs = append(b.legs, Leg{Trace: r.Trace, Seqno: b.slot.FirstSeqno + uint64(len(b.drafts)) - 1, From: from, To: s.Clock()})
}

// arrived tells who watches that a block was published that was committed at a
// time.
func (s *Sequencer) arrived(f *flight, committed time.Time) {
	if s.Watch == nil {
		return
	}
	h := f.block.Header
	s.Watch(&Journey{View: h.View, Height: h.Height, Records: len(f.block.Records), Bytes: f.size,
		Opened: f.opened, Sealed: f.sealed, Committed: committed, Published: s.Clock(), Legs: f.legs})
}
