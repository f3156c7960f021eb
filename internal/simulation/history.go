package simulation

import (
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// history is what clients were told, and what of it must stay true.
type history struct {
	check  *checker
	where  map[uint64]sequencer.TxID // request: where it is committed
	final  map[sequencer.TxID]sequencer.Status
	names  []sequencer.TxID // every TxID that a node gave to a request
	whose  map[sequencer.TxID]uint64
	refuse map[uint64]bool // requests that the protocol refuses
}

func newHistory(c *checker) history {
	return history{check: c, where: map[uint64]sequencer.TxID{}, final: map[sequencer.TxID]sequencer.Status{},
		whose: map[sequencer.TxID]uint64{}, refuse: map[uint64]bool{}}
}

// committed notes a record of the committed ledger.
func (h *history) committed(r *envelope.Record, tx sequencer.TxID) {
	if h.final[tx] == sequencer.StatusInvalid {
		h.check.failf("%v was called Invalid and is committed", tx)
	}
	h.final[tx] = sequencer.StatusCommitted
	whose, named := h.whose[tx]
	if r.Prelude.Kind != format.KindTransaction {
		if named {
			h.check.failf("%v was given to request %d and is committed as another record", tx, whose)
		}
		return
	}
	q, err := decodeRequest(r.Private.Request)
	if err != nil {
		h.check.failf("%v: %v", tx, err)
	}
	if named && whose != q.id {
		h.check.failf("%v was given to request %d and is committed for request %d", tx, whose, q.id)
	}
	if before, ok := h.where[q.id]; ok {
		h.check.failf("applied twice: request %d is committed as %v and as %v", q.id, before, tx)
	}
	if h.refuse[q.id] || q.op == opRefuse || q.op == opPanic {
		h.check.failf("request %d, which the protocol refuses, is committed as %v", q.id, tx)
	}
	h.where[q.id] = tx
	h.check.world.stats.Transactions++
}

// refused notes that the protocol refused a request.
func (h *history) refused(id uint64) {
	if tx, ok := h.where[id]; ok {
		h.check.failf("request %d is committed as %v, and its client is told that it was refused", id, tx)
	}
	h.refuse[id] = true
}

// named notes that a node gave a TxID to a request.
func (h *history) named(p *process, tx sequencer.TxID, id uint64) {
	if other, ok := h.whose[tx]; ok && other != id {
		h.check.failf("%v gives %v to request %d, which request %d has", p, tx, id, other)
	}
	if _, ok := h.whose[tx]; !ok {
		h.whose[tx] = id
		h.names = append(h.names, tx)
	}
}

// answered checks that a client is told that its request is committed.
func (h *history) answered(p *process, id uint64, tx sequencer.TxID) {
	if at, ok := h.where[id]; !ok || at != tx {
		h.check.failf("%v says that request %d is committed as %v; it is %v", p, id, tx, at)
	}
}

// status checks what a node says of a TxID: Committed and Invalid are for ever,
// and true.
func (h *history) status(p *process, tx sequencer.TxID, was, is sequencer.Status) {
	if was != is && (was == sequencer.StatusCommitted || was == sequencer.StatusInvalid || is == sequencer.StatusUnknown) {
		h.check.failf("%v said %v of %v and now says %v", p, was, tx, is)
	}
	if is != sequencer.StatusCommitted && is != sequencer.StatusInvalid {
		return
	}
	if other, ok := h.final[tx]; ok && other != is {
		h.check.failf("%v says %v of %v, which is %v", p, is, tx, other)
	}
	if is == sequencer.StatusCommitted {
		if v := h.check.views; tx.Seqno > uint64(len(v)) || v[tx.Seqno-1] != tx.View {
			h.check.failf("%v says Committed of %v, which is not in the committed ledger", p, tx)
		}
	}
	h.final[tx] = is
}
