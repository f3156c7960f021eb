package history

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/coco-consortium/coco/internal/kv"
)

// Ledger is what a Past is compared with.
type Ledger interface {
	// Hash identifies the block of a height together with all before it.
	Hash(ctx context.Context, height uint64) ([32]byte, error)
	// Writes lists what the block of a height wrote.
	Writes(ctx context.Context, height uint64) ([]kv.Write, error)
}

// confirmation is the note of the index: a committed block and its hash.
const confirmationBytes = 8 + 32

// Confirm tells which block the images handed over before it belong to. It is
// kept with those of the next block.
func (p *Past) Confirm(height uint64, hash [32]byte) {
	if x := p.current(); x != nil {
		x.SetNote(append(binary.BigEndian.AppendUint64(make([]byte, 0, confirmationBytes), height), hash[:]...))
	}
}

// Compare finds out whether the images are of the ledger that ends at head, and
// begins the window anew when they are not: the ledger may be an older copy, or one
// that went another way since. It is asked before the first Observe.
func (p *Past) Compare(ctx context.Context, head uint64, l Ledger) error {
	last, ok := p.Height()
	if !ok {
		return nil
	}
	err := p.belongs(ctx, last, head, l)
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	p.opts.Log.Warn("old state is of another ledger and is kept anew", "err", err)
	_ = p.index.Close() // it is removed
	index, err := p.again()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.index = index
	return err
}

// belongs compares the images up to the height last. They name the block before
// it, so that the state from which the last one was executed is the ledger's; an
// image of that state is right whichever block it was made for, so only one that
// is missing tells that the ledger's block is another.
func (p *Past) belongs(ctx context.Context, last, head uint64, l Ledger) error {
	if last > head {
		return fmt.Errorf("it knows block %d, the ledger ends at %d", last, head)
	}
	note := p.index.Note()
	if len(note) != confirmationBytes || binary.BigEndian.Uint64(note)+1 != last {
		return fmt.Errorf("it does not name the block before %d", last)
	}
	hash, err := l.Hash(ctx, last-1)
	if err != nil {
		return err
	}
	if hash != [32]byte(note[8:]) {
		return fmt.Errorf("block %d has another hash", last-1)
	}
	writes, err := l.Writes(ctx, last)
	if err != nil {
		return err
	}
	for _, w := range writes {
		name := p.names[w.Table]
		if name == nil {
			continue
		}
		found, err := p.index.Find(append(name[:len(name):len(name)], w.Key...), last, last, 1, false)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return fmt.Errorf("block %d wrote other keys", last)
		}
	}
	if hash, err = l.Hash(ctx, last); err == nil {
		p.Confirm(last, hash) // the next block may be the first that this process hands over
	}
	return err
}
