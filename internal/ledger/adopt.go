package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/coco-consortium/coco/internal/disk"
)

// Chunk is a chunk file as others may have it.
type Chunk struct {
	First  uint64 // index of its first entry
	Last   uint64 // index of its last entry, so far
	Closed bool   // a block ended it: it changes no more, unless the log is cut before it
	Name   string // its path
}

// Chunk is the chunk that holds an entry, or that the next entry goes into. It
// fails with ErrAbsent outside the log and with ErrDamaged where the log is known
// to be damaged.
func (l *Log) Chunk(index uint64) (Chunk, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	switch {
	case l.closed:
		return Chunk{}, ErrClosed
	case 0 < index && index < l.first:
		return Chunk{}, missing(index, l.first)
	case index == 0 || index > l.end.index+1:
		return Chunk{}, absent(index, l.end.index)
	}
	at := l.chunkOf(index)
	c := Chunk{First: l.chunks[at].first, Last: l.end.index, Name: l.chunks[at].name}
	if at+1 < len(l.chunks) {
		c.Last, c.Closed = l.chunks[at+1].first-1, true
	}
	for _, d := range l.damage {
		if d.First <= max(c.Last, index) && min(c.First, index) <= d.Last {
			return c, ErrDamaged.From(d)
		}
	}
	return c, nil
}

// ChunkName is the path of the chunk that begins at an entry, where a fetched one
// is put before it is adopted.
func (l *Log) ChunkName(first uint64) string { return newChunk(l.dir, first).name }

// Adopt takes an older chunk into the log, which then begins at first. Its file
// was put at ChunkName(first), in which nothing of the log lies. Every byte of it
// is verified: the chunk must end with the very prefix hash that the log's first
// entry follows, and so is what the ledger's other nodes have. Otherwise
// it fails with ErrDamaged and the file is not part of the log. Reads and appends go
// on meanwhile. A power loss leaves a log that begins at first or where it did.
func (l *Log) Adopt(ctx context.Context, first uint64) error {
	l.adopting.Lock()
	defer l.adopting.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	next := l.First()
	if first == 0 || first >= next {
		return orderProblem("chunk %d is no older one of a log that begins at %d", first, next)
	}
	before, err := l.Prefix(next - 1)
	if err != nil {
		return err
	}
	c := newChunk(l.dir, first)
	damage, _, err := l.verifyChunk(ctx, c, next, &before)
	switch {
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return readProblem(c.name, err)
	case damage != nil:
		return ErrDamaged.From(damage)
	}
	if err := l.adopt(c, next); err != nil {
		return l.fail(err)
	}
	return nil
}

// adopt makes a verified chunk durable and puts it in front.
func (l *Log) adopt(c *chunk, next uint64) error {
	file, err := l.fs.Open(c.name)
	if err != nil {
		return err
	}
	err = file.Sync()
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = disk.SyncDir(l.fs, l.dir)
	}
	if err == nil {
		err = l.vote.begin(c.first, nil)
	}
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.chunks = append([]*chunk{c}, l.chunks...)
	if l.verified == next {
		l.verified = c.first
	}
	l.first = c.first
	return nil
}

// OpenChunk opens the file of a closed chunk for reading. It stays readable if
// the chunk is removed meanwhile.
func (l *Log) OpenChunk(first uint64) (disk.File, Chunk, error) {
	c, err := l.Chunk(first)
	if err == nil && (c.First != first || !c.Closed) {
		err = ErrAbsent.From(fmt.Errorf("no closed chunk begins at entry %d", first))
	}
	if err != nil {
		return nil, c, err
	}
	file, err := l.fs.OpenRead(c.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, c, newChunk("", first).damaged(0, first, c.Last, "the file is missing")
	}
	if err != nil {
		return nil, c, readProblem(c.Name, err)
	}
	return file, c, nil
}
