package forward

import "github.com/coco-consortium/coco/internal/sequencer"

// Take takes one request in, as a stream or the Forwarder beside does: for whoever
// brings requests another way, such as a simulation without goroutines. executed
// is called when the request has a name, or had one before, ended when its fate
// here is known; each may be called while the other runs. An error, ErrBusy or
// ErrNotPrimary, leaves nothing of the request.
func (i *Intake) Take(view uint64, r *sequencer.Request, executed func(sequencer.TxID), ended func(error)) error {
	_, err := i.submit(view, string(r.ID), r, hooks{executed, ended})
	return err
}

type hooks struct {
	onExecuted func(sequencer.TxID)
	onEnded    func(error)
}

func (h hooks) executed(tx sequencer.TxID) { h.onExecuted(tx) }
func (h hooks) ended(err error)            { h.onEnded(err) }
