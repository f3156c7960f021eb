package ledger

import (
	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// writeSize is about how many bytes are written in one call, at most.
const writeSize = 4 << 20

// Append writes entries behind the log's end; an index that the log has already
// is overwritten, and everything behind it dropped. The entries are durable
// after Sync, with three exceptions that are synced on the way: a chunk that a
// block closes; what is written before a block that names it as committed, so
// that no crash can leave the name without the thing; and the zeroing of what is
// overwritten. Entries that do not continue the log are refused with ErrOrder
// before anything is written.
func (l *Log) Append(entries []format.Entry) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.usable(); err != nil || len(entries) == 0 {
		return err
	}
	from := entries[0].Index
	end, err := l.endBefore(from)
	if err != nil {
		return err
	}
	if err := l.plan(end, entries); err != nil {
		return err
	}
	if from <= l.end.index { // only the appender changes it
		if err := l.cut(end); err != nil {
			return l.fail(err)
		}
	}
	if err := l.write(entries); err != nil {
		return l.fail(err)
	}
	switch {
	case l.options.Ahead <= 0 || l.space.left() >= l.options.Ahead/2:
	case l.options.Inline:
		l.extend(false)
	default:
		select {
		case l.wake <- struct{}{}:
		default: // it is awake
		}
	}
	return l.usable()
}

// endBefore is the log's end as it is or will be when it ends before index.
func (l *Log) endBefore(index uint64) (chain, error) {
	end := l.end
	first := l.First()
	switch {
	case index == 0 || index > end.index+1:
		return end, orderProblem("entry %d is appended after entry %d", index, end.index)
	case index < first:
		return end, orderProblem("entry %d is appended to a log that begins at %d", index, first)
	}
	if index == end.index+1 {
		return end, nil
	}
	h, err := l.find(index)
	if err != nil {
		return end, err
	}
	defer h.release()
	before := chain{blocks: end.blocks, loose: end.loose}
	if height, ok := h.heightFrom(index); ok {
		before.blocks = height
	}
	before.index = index - 1
	if index > first { // the term before the beginning is not known; any may follow
		if before.term, err = l.Term(index - 1); err != nil {
			return end, err
		}
	}
	if before.prefix, err = l.Prefix(index - 1); err != nil {
		return end, err
	}
	return before, nil
}

// plan checks that the entries continue end and fills l.steps.
func (l *Log) plan(end chain, entries []format.Entry) error {
	l.steps = l.steps[:0]
	for i := range entries {
		s, err := end.next(&entries[i])
		if err != nil {
			return orderProblem("%w", err)
		}
		l.steps = append(l.steps, s)
		end = s.after
	}
	return nil
}

// write writes planned entries, in as few calls as their chunks allow.
func (l *Log) write(entries []format.Entry) error {
	l.frames = l.frames[:0]
	start := 0 // of what is in frames and not written
	flush := func(end int) error {
		if start == end {
			return nil
		}
		if err := l.space.write(l.frames); err != nil {
			return err
		}
		l.note(entries[start:end], l.steps[start:end])
		start, l.frames = end, l.frames[:0]
		return nil
	}
	for i := range entries {
		s := &l.steps[i]
		if s.block && s.after.blocks > 1 && s.committed >= l.syncedBlocks() {
			if err := flush(i); err != nil {
				return err
			}
			if err := l.Sync(); err != nil {
				return err
			}
		}
		l.frames = format.AppendFrame(l.frames, s.before, &entries[i])
		if s.after.ended || len(l.frames) >= writeSize {
			if err := flush(i + 1); err != nil {
				return err
			}
		}
		if s.after.ended {
			if err := l.roll(); err != nil {
				return err
			}
		}
	}
	err := flush(len(entries))
	if cap(l.frames) > 2*writeSize {
		l.frames = nil
	}
	return err
}

func (l *Log) syncedBlocks() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.synced.blocks
}

// note takes written entries into the log.
func (l *Log) note(entries []format.Entry, steps []step) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range entries {
		s := &steps[i]
		if s.block {
			l.chunks[len(l.chunks)-1].blocks.CompareAndSwap(0, s.after.blocks)
		}
		l.open.add(format.FrameSize(len(entries[i].Body)), entries[i].Term, s.block, s.after.blocks-1)
	}
	l.end = steps[len(steps)-1].after
}

// Sync makes everything that was appended durable.
func (l *Log) Sync() error {
	if err := l.usable(); err != nil {
		return err
	}
	return l.sync(false)
}

// sync is Sync; the vote file notes it when forced or when it is time.
func (l *Log) sync(force bool) error {
	l.flushing.Lock()
	defer l.flushing.Unlock()
	l.mu.RLock()
	end, synced, file := l.end, l.synced.index, l.open.file
	l.mu.RUnlock()
	if end.index != synced {
		if err := file.Sync(); err != nil {
			return l.fail(err)
		}
		l.mu.Lock()
		l.synced = end
		l.mu.Unlock()
	}
	if err := l.vote.refresh(end.position, force); err != nil {
		return l.fail(err)
	}
	return nil
}

// roll closes the open chunk behind the block that ends it, and opens the next.
func (l *Log) roll() error {
	l.flushing.Lock()
	defer l.flushing.Unlock()
	l.space.close()
	if err := l.open.file.Truncate(l.open.end); err != nil {
		return err
	}
	if err := l.open.file.Sync(); err != nil {
		return err
	}
	l.mu.Lock()
	l.synced = l.end
	l.mu.Unlock()
	if err := l.vote.refresh(l.end.position, true); err != nil {
		return err
	}
	return l.addChunk()
}

// addChunk makes the chunk of the next entry durable and opens it; the one
// before goes to the shelf.
func (l *Log) addChunk() error {
	c, file, err := l.createChunk(l.end.index + 1)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open != nil {
		l.shelf.put(l.chunks[len(l.chunks)-1], l.open)
	}
	l.chunks = append(l.chunks, c)
	l.open, l.space = &handle{file: file, table: &table{first: c.first}}, newSpace(file, 0, 0)
	return nil
}

// createChunk makes an empty chunk file, durably.
func (l *Log) createChunk(first uint64) (*chunk, disk.File, error) {
	c := newChunk(l.dir, first)
	file, err := l.fs.Create(c.name)
	if err != nil {
		return nil, nil, err
	}
	if err := disk.SyncDir(l.fs, l.dir); err != nil {
		file.Close()
		return nil, nil, err
	}
	return c, file, nil
}

// cut makes the log end at end: later chunks are removed, and the chunk in which
// it ends is zeroed behind it and open again. Readers see the entries no more
// before the first byte changes.
func (l *Log) cut(end chain) error {
	l.flushing.Lock()
	defer l.flushing.Unlock()
	index := end.index + 1
	h, err := l.find(index)
	if err != nil {
		return err
	}
	table := h.upTo(index)
	h.release()
	l.space.close()
	if l.synced.index >= index {
		if err := l.vote.lower(end.position); err != nil {
			return err
		}
	}
	gone, file, err := l.shorten(end, table)
	if err != nil {
		return err
	}
	if err := l.remove(gone); err != nil {
		return err
	}
	if err := zeroFrom(file, table.end); err != nil {
		return err
	}
	return file.Sync()
}

// shorten takes entries out of the log for its readers and gives the chunks to
// remove and the file that is open now.
func (l *Log) shorten(end chain, t *table) (gone []*chunk, file disk.File, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.chunkOf(t.first)
	old := l.chunks[at]
	if file, err = l.fs.Open(old.name); err != nil {
		return nil, nil, err
	}
	size, err := file.Size()
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	gone = append(gone, l.chunks[at+1:]...)
	reopened := newChunk(l.dir, old.first)
	if len(t.blocks) > 0 {
		reopened.blocks.Store(t.height + 1)
	}
	l.shelf.take(l.chunks[at:]...)
	l.open.drop()
	l.chunks = append(append([]*chunk(nil), l.chunks[:at]...), reopened)
	l.open, l.space = &handle{file: file, table: t}, newSpace(file, t.end, size)
	l.end = end
	if l.synced.index > end.index {
		l.synced = end
	}
	l.cuts.Add(1)
	return gone, file, nil
}

// remove removes later chunks, the last one first.
func (l *Log) remove(gone []*chunk) error {
	for i := len(gone) - 1; i >= 0; i-- {
		if err := l.fs.Remove(gone[i].name); err != nil {
			return err
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return disk.SyncDir(l.fs, l.dir)
}
