package history

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/coco-consortium/coco/internal/kv"
)

// Ledger is what a Past is compared with.
type Ledger interface {
	// Head is the height of its last block.
	Head() uint64
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
		x.confirm(height, hash)
	}
}

func (x *Index) confirm(height uint64, hash [32]byte) {
	x.SetNote(append(binary.BigEndian.AppendUint64(make([]byte, 0, confirmationBytes), height), hash[:]...))
}

// compare finds out whether the images are of the ledger: that may be an older copy,
// or one that went another way since. The problem is ErrForeign when they are not.
//
// They name the block before their last one, so that the state from which that was
// executed is the ledger's; an image of that state is right whichever block it was
// made for, so only one that is missing tells that the ledger's block is another.
func (p *Past) compare(x *Index) error {
	l := p.opts.Ledger
	last, ok := x.Height()
	if !ok || l == nil {
		return nil
	}
	if head := l.Head(); last > head {
		return foreign("it knows block %d, the ledger ends at %d", last, head)
	}
	if err := p.compareNote(x, last); err != nil {
		return err
	}
	writes, err := l.Writes(p.ctx, last)
	if err != nil {
		return err
	}
	for _, w := range writes {
		name := p.names[w.Table]
		if name == nil {
			continue
		}
		found, err := x.Find(append(name[:len(name):len(name)], w.Key...), last, last, 1, false)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return foreign("block %d wrote other keys", last)
		}
	}
	hash, err := l.Hash(p.ctx, last)
	if err == nil {
		x.confirm(last, hash) // the next block may be the first that this process hands over
	}
	return err
}

// compareNote finds out whether the block before the last one is the ledger's. There
// is none before block 0.
func (p *Past) compareNote(x *Index, last uint64) error {
	if last == 0 {
		return nil
	}
	note := x.Note()
	if len(note) != confirmationBytes || binary.BigEndian.Uint64(note)+1 != last {
		return foreign("it does not name the block before %d", last)
	}
	hash, err := p.opts.Ledger.Hash(p.ctx, last-1)
	if err == nil && hash != [32]byte(note[8:]) {
		err = foreign("block %d has another hash", last-1)
	}
	return err
}

// foreign is the problem of images that are another ledger's.
func foreign(format string, args ...any) error { return ErrForeign.From(fmt.Errorf(format, args...)) }
