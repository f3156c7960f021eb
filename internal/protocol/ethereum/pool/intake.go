package pool

import (
	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// Decode is what the primary makes of a transaction that another node forwards
// for a caller: form and signature are checked once more. That node is attested
// to run the same code, and whoever broke into it would hold the service's keys
// and need not forge a sender; but the check runs on all cores beside the single
// order, and so what is executed is always what the primary itself has checked.
// It is safe for concurrent use.
func (c *Checker) Decode(raw, caller []byte) (*sequencer.Request, error) {
	t, err := c.Check(raw)
	if err != nil {
		return nil, err
	}
	return t.Request(caller), nil
}

// RefusalOf makes a refusal again of the code and text with which it came from
// the primary: clients see geth's words and what to do whichever node they ask.
func RefusalOf(code, text string) error {
	e := problem.New(problem.Code(code), text, "ask for its status with coco_getTransactionStatus")
	for _, known := range known() {
		if known.Code == e.Code {
			e.Next = known.Next
		}
	}
	return e
}

// known is the problems that a refusal may be.
func known() []*problem.Error {
	list := []*problem.Error{ErrAlreadyKnown, ErrNonceTooLow, ErrNonceTooHigh, ErrUnderpriced, ErrFunds, ErrRoomFull,
		sequencer.ErrBusy, sequencer.ErrNotCommitted, sequencer.ErrOutcomeUnknown, sequencer.ErrExecution}
	for _, f := range forms {
		list = append(list, problem.New(f.code, f.err.Error(), f.next))
	}
	return list
}
