package verify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/proof"
)

// check is the state of a check: the chain of entries up to here.
type check struct {
	options Options
	anchors

	service  format.ServiceID
	network  *network // nil before genesis
	index    uint64   // of the last entry
	term     uint64
	prefix   format.Hash // after the last entry
	ended    bool        // the last entry ends its chunk
	last     *entry      // the last block
	blocks   uint64      // which is the height that is due
	unbound  uint64      // Raft entries behind the last block
	level    uint64      // format level in force
	tree     proof.Frontier
	era      era
	findings []Finding
	tail     *Tail
}

// era is the part of the log that has the last entry's term.
type era struct {
	before   uint64      // term of the entry before it
	prefix   format.Hash // prefix hash before it
	nonempty bool        // it has entries that are not raft-empty
}

// fail adds a finding, placed at the entry and the block that is due there.
func (c *check) fail(e *entry, code Code, reason string, args ...any) {
	c.findings = append(c.findings, Finding{
		Code: code, Chunk: e.chunk.name, Offset: e.offset, Entry: e.Index, Height: c.blocks, Reason: fmt.Sprintf(reason, args...),
	})
}

// step takes the next entry, or finds what is wrong with it.
func (c *check) step(e *entry) {
	c.order(e)
	if len(c.findings) > 0 {
		return
	}
	if e.fault == FormatNewer && c.index > 0 { // a raise to it was no end of the check
		e.fault = FormatLevel
	}
	if e.Term != c.term {
		c.era = era{before: c.term, prefix: c.prefix}
	}
	switch {
	case e.header != nil:
		c.block(e)
	case e.fault != "":
		c.fail(e, e.fault, "%s", e.reason)
	case e.config != nil:
		c.config(e)
	}
	if len(c.findings) > 0 {
		return
	}
	c.index, c.term, c.prefix = e.Index, e.Term, e.after
	c.era.nonempty = c.era.nonempty || e.Kind != format.EntryRaftEmpty
	c.ended, c.unbound = false, c.unbound+1
	if e.header != nil {
		c.ended, c.unbound = e.header.ChunkEnd, 0
		c.blocks++
		c.last = e
		e.leaves, e.genesis, e.recovery, e.nodes = nil, nil, nil, nil
	}
}

// order checks where the entry stands: chunk, index, prefix hash and term.
func (c *check) order(e *entry) {
	first := e.offset == 0
	switch {
	case first && e.Index != e.chunk.first:
		c.fail(e, ChunkName, "%s begins with entry %d", e.chunk.name, e.Index)
	case first && c.index > 0 && !c.ended:
		c.fail(e, ChunkEnd, "%s begins here, but entry %d does not end a chunk", e.chunk.name, c.index)
	case !first && c.ended:
		c.fail(e, ChunkEnd, "%s goes on behind entry %d, which ends a chunk", e.chunk.name, c.index)
	case e.Index != c.index+1 && first:
		c.fail(e, ChunkMissing, "%s begins with entry %d, entry %d is due", e.chunk.name, e.Index, c.index+1)
	case e.Index != c.index+1:
		c.fail(e, EntryIndex, "entry %d stands where entry %d is due", e.Index, c.index+1)
	case e.Previous != c.prefix:
		c.fail(e, EntryPrefix, "it does not follow the entry before it")
	case e.Index == 1 && (e.Kind != format.EntryBlock || e.Term != 1):
		c.fail(e, EntryTerm, "the log begins with an entry of kind %d and term %d, not with the genesis block in term 1", e.Kind, e.Term)
	case e.Term < c.term:
		c.fail(e, EntryTerm, "term %d follows term %d", e.Term, c.term)
	case e.Term > c.term && e.Index > 1 && e.Kind != format.EntryRaftEmpty:
		c.fail(e, EntryTerm, "term %d does not begin with a raft-empty entry", e.Term)
	case e.Index > 1 && e.Term < 2:
		c.fail(e, EntryTerm, "an entry of term 1 behind genesis")
	}
}

// block checks a block against the chain.
func (c *check) block(e *entry) {
	h := e.header
	var previous format.Hash
	var before format.Header
	if c.last != nil {
		previous, before = c.last.hash, *c.last.header
	}
	switch {
	case h.Height != c.blocks:
		c.fail(e, BlockHeight, "block %d stands where block %d is due", h.Height, c.blocks)
	case h.View != e.Term:
		c.fail(e, BlockView, "its view is %d, its entry's term %d", h.View, e.Term)
	case h.Prefix != c.prefix:
		c.fail(e, BlockPrefix, "it is bound to other entries before it")
	case h.Previous != previous:
		c.fail(e, BlockPrevious, "it names another block before it")
	case h.FirstSeqno != c.tree.Size()+1:
		c.fail(e, BlockSeqno, "its first record is %d, %d is due", h.FirstSeqno, c.tree.Size()+1)
	case h.Time < before.Time || h.Time > 1<<63-1:
		c.fail(e, BlockTime, "its time is %v, before %v of the block before", blockTime(h), blockTime(&before))
	case h.Committed < before.Committed || h.Height == 0 && h.Committed > 0:
		c.fail(e, BlockCommitted, "it names block %d as committed, the block before %d", h.Committed, before.Committed)
	}
	if len(c.findings) == 0 && e.fault != "" {
		c.fail(e, e.fault, "%s", e.reason)
	}
	if len(c.findings) > 0 {
		return
	}
	if c.root(e); len(c.findings) > 0 {
		return
	}
	for _, s := range e.snapshots {
		if s.Height >= h.Height {
			c.fail(e, ServiceDocument, "the snapshot of block %d cannot be known in block %d", s.Height, h.Height)
		}
	}
	c.introduce(e)
	if len(c.findings) > 0 {
		return
	}
	switch {
	case e.format > c.level:
		c.fail(e, FormatLevel, "it has format level %d, %d is in force", e.format, c.level)
	case c.network == nil || e.signer == nil || !c.network.members.votes(h.Writer):
		c.fail(e, BlockWriter, "its writer %x is no voter of the network", h.Writer[:8])
	case e.signed != nil:
		c.fail(e, BlockSignature, "%v", errors.Unwrap(e.signed))
	}
	if len(c.findings) > 0 {
		return
	}
	if c.change(e); len(c.findings) > 0 {
		return
	}
	c.network.members.writers[h.Writer].blocks++
	c.passed(e)
}

// root appends the leaves and compares the root.
func (c *check) root(e *entry) {
	for _, leaf := range e.leaves {
		c.tree.Append(leaf)
	}
	if !c.tree.Matches(e.header.TreeSize, e.header.Root) {
		root := c.tree.Root()
		c.fail(e, BlockRoot, "its records lead to root %x, its header says %x", root[:8], e.header.Root[:8])
	}
}

// end judges the end of the log.
func (c *check) end(ctx context.Context, r *reader) error {
	switch {
	case len(r.chunks) == 0 || r.stop == nil && c.index == 0:
		c.findings = append(c.findings, Finding{Code: LedgerEmpty, Reason: "there is no entry"})
	case r.stop != nil:
		return c.judge(ctx, r)
	default:
		// A last chunk without entries is the one that the next entry opens.
		if last := &r.chunks[len(r.chunks)-1]; r.offset == 0 || last.first > c.index {
			e := &entry{place: place{chunk: last}}
			e.Index = last.first
			if last.first != c.index+1 || !c.ended {
				c.fail(e, ChunkName, "%s has no entries; entry %d is due", last.name, c.index+1)
			}
		}
	}
	return nil
}

func blockTime(h *format.Header) time.Time { return time.Unix(0, int64(h.Time)).UTC() }
