package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// VerifyOlder verifies the chunks that Open did not, from the newest to the
// oldest, so that each is held to the prefix hash that the one behind it names.
// Damage is returned, and from then on its range is refused with ErrDamaged.
// progress, if not nil, is told how many chunks of how many are done. The error
// is ctx's or that of a disk that does not read.
func (l *Log) VerifyOlder(ctx context.Context, progress func(done, total int)) ([]*Damage, error) {
	l.mu.RLock()
	verified, total := l.verified, l.chunkOf(l.verified)
	chunks := l.chunks[:total+1]
	found := append([]*Damage(nil), l.damage...)
	l.mu.RUnlock()
	if total == 0 {
		return found, nil
	}
	anchor, err := l.Prefix(verified - 1)
	if err != nil {
		return found, err
	}
	bound := &anchor
	for done := range total {
		i := total - 1 - done
		var d *Damage
		if d, bound, err = l.verifyChunk(ctx, chunks[i], chunks[i+1].first, bound); err != nil {
			return found, err
		}
		if d != nil && l.addDamage(d) {
			found = append(found, d)
		}
		if progress != nil {
			progress(done+1, total)
		}
	}
	return found, nil
}

// verifyChunk verifies a closed chunk that ends before index next with the
// prefix hash bound, nil when that is not known. It gives the prefix hash with
// which the chunk before ends, nil when this one's first frame does not tell.
func (l *Log) verifyChunk(ctx context.Context, c *chunk, next uint64, bound *format.Hash) (*Damage, *format.Hash, error) {
	bad := func(w *walk, first uint64, why error) *Damage {
		d := &Damage{Chunk: c.base(), First: first, Last: next - 1, Reason: why.Error()}
		if w != nil {
			d.Offset = w.at
		}
		return d
	}
	file, err := l.fs.OpenRead(c.name)
	if errors.Is(err, fs.ErrNotExist) {
		return bad(nil, c.first, badFrame("the file is missing")), nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	size, err := file.Size()
	if err != nil {
		return nil, nil, err
	}
	w := newWalk(file, size)
	start, err := firstPrefix(w, c)
	var end chain
	if err == nil {
		end, err = walkTo(ctx, w, chain{position: position{c.first - 1, *start}, loose: c.first > 1}, next)
	}
	switch {
	case errors.Is(err, errFrame):
		return bad(w, max(end.index+1, c.first), err), start, nil
	case err != nil:
		return nil, nil, fmt.Errorf("%s: %w", c.name, err)
	case !end.ended || w.at != size:
		return bad(w, c.first, badFrame("the chunk does not end with its last entry")), start, nil
	case bound != nil && end.prefix != *bound:
		return bad(nil, c.first, badFrame("the chunk is not the one that the next one follows")), start, nil
	}
	return nil, start, nil
}

// firstPrefix is the prefix hash before a chunk, as its first frame says.
func firstPrefix(w *walk, c *chunk) (*format.Hash, error) {
	h, err := w.head()
	if err != nil {
		return nil, err
	}
	if c.first == 1 && h.Previous != (format.Hash{}) {
		return nil, badFrame("it is not the ledger's first entry")
	}
	return &h.Previous, nil
}

// walkTo verifies frames up to the one before index next.
func walkTo(ctx context.Context, w *walk, c chain, next uint64) (chain, error) {
	for c.index+1 < next {
		if err := ctx.Err(); err != nil {
			return c, err
		}
		if _, _, err := w.next(&c); err != nil {
			return c, err
		}
	}
	return c, nil
}

// Damage is what is known to be damaged now.
func (l *Log) Damage() []*Damage {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return slices.Clone(l.damage)
}

// addDamage notes damage unless it is known.
func (l *Log) addDamage(d *Damage) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, known := range l.damage {
		if known.First <= d.First && d.Last <= known.Last {
			return false
		}
	}
	l.damage = append(l.damage, d)
	return true
}
