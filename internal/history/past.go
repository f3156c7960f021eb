package history

import (
	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/problem"
)

// ErrPast says that the state after a block is no longer there.
var ErrPast = problem.New("STATE_UNAVAILABLE", "historical state is not available",
	"ask for the latest state; blocks, transactions, receipts and logs are available for the whole chain")

// Past gives the state as it was after a block that is not the newest.
type Past struct{ store *kv.Store }

// Moment is the state after one block. It is a kv.Reader; what it could not read
// shows in Err.
type Moment struct {
	*kv.View
}

// NewPast makes a Past.
func NewPast(store *kv.Store) *Past { return &Past{store} }

// At gives the state after the block of a height.
func (p *Past) At(height uint64) (*Moment, error) {
	v := p.store.Pin()
	if v.Height() != height {
		defer v.Release()
		return nil, problem.Newf(ErrPast.Code, ErrPast.Next, "%s: block %d was asked for, the latest is %d", ErrPast.What, height, v.Height())
	}
	return &Moment{v}, nil
}

// Err is why something read could not be had.
func (m *Moment) Err() error { return nil }
