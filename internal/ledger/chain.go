package ledger

import (
	"fmt"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// chain is the end of a run of entries: what the next entry must continue.
type chain struct {
	position
	term   uint64
	blocks uint64 // blocks up to here, which is the height of the next one
	ended  bool   // the last entry closes its chunk

	// loose is a chain of which only the position is known: the next entry may
	// have any term, and the next block any height.
	loose bool
}

// step is an entry that continues a chain.
type step struct {
	before    format.Hash // prefix hash before it
	block     bool
	committed uint64 // height that the block names as committed
	after     chain
}

// next checks that e continues c and gives the step.
func (c *chain) next(e *format.Entry) (step, error) {
	s := step{before: c.prefix, after: *c}
	switch {
	case e.Index != c.index+1:
		return s, fmt.Errorf("entry %d where entry %d is due", e.Index, c.index+1)
	case e.Term == 0 || e.Term < c.term:
		return s, fmt.Errorf("term %d after term %d", e.Term, c.term)
	case len(e.Body) > format.MaxBody:
		return s, fmt.Errorf("a body of %d bytes", len(e.Body))
	}
	s.after.index, s.after.term, s.after.ended = e.Index, e.Term, false
	switch e.Kind {
	case format.EntryBlock:
		if err := s.addBlock(c, e); err != nil {
			return s, err
		}
	case format.EntryRaftEmpty:
		if len(e.Body) != 0 {
			return s, fmt.Errorf("an empty entry with a body")
		}
	case format.EntryRaftConfig:
	default:
		return s, fmt.Errorf("an entry of unknown kind %d", e.Kind)
	}
	s.after.prefix = format.NextPrefix(c.prefix, e)
	return s, nil
}

func (s *step) addBlock(c *chain, e *format.Entry) error {
	h, err := format.PeekHeader(e.Body)
	switch {
	case err != nil:
		return err
	case h.Prefix != c.prefix:
		return fmt.Errorf("block %d is bound to another history", h.Height)
	case h.Height != c.blocks && !c.loose:
		return fmt.Errorf("block %d where block %d is due", h.Height, c.blocks)
	}
	s.block, s.committed = true, h.Committed
	s.after.blocks, s.after.ended, s.after.loose = h.Height+1, h.ChunkEnd, false
	return nil
}
