package verify

import (
	"fmt"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/proof"
)

// anchors are what was given to compare the ledger with.
type anchors struct {
	checkpoint *proof.Checkpoint
	receipt    *proof.Receipt
	pinned     *proof.Key

	receiptHeader   *format.Header
	checkpointBlock *place // of the block at the checkpoint's height, when it was passed
	receiptBlock    *place
	rewritten       []Finding
}

func newCheck(o Options) (*check, error) {
	c := &check{options: o}
	var err error
	if o.Checkpoint != nil {
		if c.checkpoint, err = proof.ParseCheckpoint(o.Checkpoint); err != nil {
			return nil, err
		}
	}
	if o.Receipt != nil {
		if c.receipt, err = proof.DecodeReceipt(o.Receipt); err != nil {
			return nil, err
		}
		if c.receiptHeader, err = format.DecodeHeader(c.receipt.Header); err != nil {
			return nil, err
		}
	}
	if o.ServicePEM != nil {
		if c.pinned, err = proof.ParseService(o.ServicePEM); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// passed compares a block that verified with what was given.
func (c *check) passed(e *entry) {
	h := e.header
	rewritten := func(code Code, reason string, args ...any) {
		c.rewritten = append(c.rewritten, Finding{Code: code, Chunk: e.chunk.name, Offset: e.offset, Entry: e.Index,
			Height: h.Height, Reason: fmt.Sprintf(reason, args...)})
	}
	if p := c.checkpoint; p != nil && h.Height == p.Height {
		c.checkpointBlock = &e.place
		if !p.Matches(h) || p.Recoveries < c.network.recoveries {
			rewritten(CheckpointRewritten, "the checkpoint, of tree size %d, root %x and recovery %d, was made of another ledger, or this one was rewritten",
				p.Size, p.Root[:8], p.Recoveries)
		}
	}
	if r := c.receipt; r != nil && h.Height == c.receiptHeader.Height {
		c.receiptBlock = &e.place
		if hash := format.Sum(r.Header); hash != e.hash {
			rewritten(ReceiptRewritten, "the receipt is of block %x at this height, or the ledger was rewritten", hash[:8])
		}
	}
}

// compare adds what the anchors say of the ledger as a whole.
func (c *check) compare(out *Report) {
	if c.network == nil {
		return // nothing is known of the service
	}
	add := func(code Code, reason string, args ...any) {
		out.Findings = append(out.Findings, Finding{Code: code, Reason: fmt.Sprintf(reason, args...)})
	}
	if proof.CheckMode(c.network.genesis.Mode, c.options.AllowSimulated) != nil {
		add(SimulatedRefused, "the service is simulated, which protects nothing, and that was not allowed")
	}
	if c.pinned != nil && !c.trusts(func(k *proof.Key) error {
		if k.ID != c.pinned.ID {
			return proof.ErrService
		}
		return nil
	}) {
		add(ServiceKey, "no service key of this ledger is the one that was given")
	}
	if p := c.checkpoint; p != nil {
		switch {
		case p.Service == c.service && c.checkpointBlock == nil && out.newer(): // it may be of what was not read
		case p.Service != c.service || !c.trusts(func(k *proof.Key) error { return p.Verify(proof.Trust{Service: k, AllowSimulated: true}) }):
			add(CheckpointForeign, "the checkpoint of %s is not by this service", p.Origin())
		case c.checkpointBlock == nil:
			add(CheckpointTruncated, "the checkpoint is of block %d with tree size %d; what verifies ends before block %d",
				p.Height, p.Size, c.blocks)
		case p.Recoveries > c.network.recoveries:
			add(CheckpointTruncated, "the checkpoint was made after recovery %d, the ledger has %d", p.Recoveries, c.network.recoveries)
		}
	}
	if r := c.receipt; r != nil {
		switch {
		case r.Service == c.service && c.receiptBlock == nil && out.newer():
		case r.Service != c.service || !c.trusts(func(k *proof.Key) error {
			_, err := r.Verify(proof.Trust{Service: k, AllowSimulated: true})
			return err
		}):
			add(ReceiptForeign, "the receipt does not hold for this service")
		case c.receiptBlock == nil:
			add(ReceiptTruncated, "the receipt is of block %d; what verifies ends before block %d", c.receiptHeader.Height, c.blocks)
		}
	}
	out.Findings = append(out.Findings, c.rewritten...)
}

// trusts reports whether a check holds for one of the ledger's service keys.
func (c *check) trusts(holds func(*proof.Key) error) bool {
	for _, k := range c.network.services {
		if holds(k) == nil {
			return true
		}
	}
	return false
}

// unproven says what remains open.
func (c *check) unproven(out *Report) {
	say := func(reason string, args ...any) { out.Unproven = append(out.Unproven, fmt.Sprintf(reason, args...)) }
	out.Unproven = []string{}
	if out.Head == nil {
		say("no block verified; nothing is known of this ledger")
		return
	}
	known := uint64(0)
	if c.checkpointBlock != nil {
		known = c.checkpoint.Height
	}
	if c.receiptBlock != nil {
		known = max(known, c.receiptHeader.Height)
	}
	switch {
	case len(out.Findings) > 0:
		say("nothing behind block %d was checked", out.Head.Height)
	case out.Tail != nil:
		say("blocks behind block %d may have existed: the log ends there in a way that a crash or damage leaves", out.Head.Height)
	default:
		say("blocks behind block %d cannot be excluded: a ledger cut at a block looks complete; compare with a later checkpoint or receipt", out.Head.Height)
	}
	if known < out.Head.Height && out.Head.Committed < out.Head.Height {
		say("blocks above %d may not be committed by a majority", max(known, out.Head.Committed))
	}
	if out.Unbound > 0 {
		say("%d Raft entries behind block %d are bound by no signature", out.Unbound, out.Head.Height)
	}
	if c.pinned == nil {
		say("that this is the service you mean: compare the service key, or give its certificate")
	}
	if out.Mode == format.ModeSimulated {
		say("any protection by hardware: the platform is simulated")
	}
	say("what is inside sealed sections: only holders of the keys can compare it with what was done")
}
