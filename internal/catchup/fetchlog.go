package catchup

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/coco-consortium/coco/internal/ledger"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/snapshot"
)

// batch is about how many bytes of entries are appended at a time.
const batch = 1 << 20

// Check judges entries before they are appended: lineage.Tail's Verify and Commit,
// say. It must not keep them.
type Check func([]format.Entry) error

// Begin lets the log of a node that joins for the first time begin with the chunk
// that holds a verified snapshot's entry, and fills it up to that entry. The
// entries have the snapshot's prefix hash, so that they are the ledger's. A log
// that has the snapshot's entry already stays as it is; any other is emptied first,
// for what an earlier Begin left may be of another chunk. Callers whose directory
// holds a ledger of its own use Agree instead.
func (f *Fetcher) Begin(ctx context.Context, log *ledger.Log, m *snapshot.Meta) error {
	f.fill()
	defer f.status.begin("entries")()
	if done, err := reached(log, m); done || err != nil {
		return err
	}
	if err := Empty(log); err != nil {
		return err
	}
	began := "" // the source that said where the chunk begins
	return f.absent(f.try(ctx, func(ctx context.Context, s Source) error {
		if log.Head().LastIndex+1 == log.First() {
			began = s.Name
		}
		err := f.fillFrom(ctx, s, log, m)
		if !errors.Is(err, errLie) && !errors.Is(err, ErrDiverges) {
			return err
		}
		if cerr := Empty(log); cerr != nil {
			return local(cerr)
		}
		if began != s.Name { // it may be the other that lied
			err = fmt.Errorf("%s and %s differ: %v", began, s.Name, err)
		}
		return err
	}))
}

// fillFrom fills the log up to the snapshot's entry from one source.
func (f *Fetcher) fillFrom(ctx context.Context, s Source, log *ledger.Log, m *snapshot.Meta) error {
	if log.Head().LastIndex+1 == log.First() {
		if err := f.beginAt(ctx, s, log, m.Index); err != nil {
			return err
		}
	}
	inOneChunk := func(entries []format.Entry) error {
		size := log.ChunkUsed()
		for i := range entries {
			size += format.FrameSize(len(entries[i].Body))
			if h, err := format.PeekHeader(entries[i].Body); entries[i].Kind == format.EntryBlock && (err != nil || h.ChunkEnd && entries[i].Index < m.Index) {
				return fmt.Errorf("entry %d is not in the chunk that begins at %d", m.Index, log.First())
			}
		}
		if size > f.MaxChunk {
			return fmt.Errorf("a chunk of more than %d bytes", f.MaxChunk)
		}
		return nil
	}
	for log.Head().LastIndex < m.Index {
		if n, err := f.append(ctx, s, log, m.Index, inOneChunk); err != nil {
			return err
		} else if n == 0 {
			return lie("it has a snapshot of entry %d, but not the entry", m.Index)
		}
	}
	done, err := reached(log, m)
	if err == nil && !done {
		return lie("its entries up to %d are not those of the snapshot", m.Index)
	}
	return local(err)
}

// reached reports whether the log holds the snapshot's entry.
func reached(log *ledger.Log, m *snapshot.Meta) (bool, error) {
	if m.Index < log.First() || m.Index > log.Head().LastIndex {
		return false, nil
	}
	prefix, err := log.Prefix(m.Index)
	return err == nil && prefix == m.Prefix, err
}

// Empty drops everything that a log has, so that it can begin anew.
func Empty(log *ledger.Log) error {
	if log.First() == 1 && log.Head().LastIndex == 0 {
		return nil
	}
	if err := log.Cut(log.First() - 1); err != nil {
		return err
	}
	return log.Begin(1, format.Hash{})
}

// beginAt begins an empty log with the chunk that holds an entry. The entry before
// the chunk must be a block that ends one: that the source cannot make up, because
// it is bound by the prefix hash that the snapshot's entry must have.
func (f *Fetcher) beginAt(ctx context.Context, s Source, log *ledger.Log, index uint64) error {
	var c Chunk
	if err := f.document(ctx, s, fmt.Sprintf(pathChunk, index), &c); err != nil {
		return err
	}
	if c.First == 0 || c.First > index {
		return lie("entry %d lies in a chunk that begins at %d", index, c.First)
	}
	if c.First == 1 {
		return local(log.Begin(1, format.Hash{}))
	}
	a, err := f.get(ctx, s, fmt.Sprintf(pathEntries, c.First-1), 0)
	if err != nil {
		return err
	}
	defer a.Close()
	r := &frames{from: a, index: c.First - 1, loose: true}
	e, _, err := r.next()
	if err != nil {
		return err
	}
	if h, err := format.PeekHeader(e.Body); e.Kind != format.EntryBlock || err != nil || !h.ChunkEnd {
		return lie("no chunk ends with entry %d", e.Index)
	}
	return local(log.Begin(c.First, r.prefix))
}

// Entries appends what the network has committed behind the log's end. check, if
// not nil, judges the entries before they are appended, and may refuse them; a
// source whose entries it refuses is left. Entries that no later block binds are
// left to Raft, and so are those that were committed while the last few were
// fetched: a network that never rests never has no more. It fails with ErrDiverges
// when no source continues the log.
func (f *Fetcher) Entries(ctx context.Context, log *ledger.Log, check Check) error {
	f.fill()
	defer f.status.begin("entries")()
	return f.absent(f.try(ctx, func(ctx context.Context, s Source) error {
		for {
			var p Position
			if err := f.document(ctx, s, pathPosition, &p); err != nil {
				return err
			}
			last := log.Head().LastIndex
			if p.Index <= last {
				return nil
			}
			f.status.left(p.Index - last)
			n, err := f.append(ctx, s, log, p.Index, check)
			if err != nil {
				return err
			}
			if n == 0 || p.Index-last <= few && log.Head().LastIndex >= p.Index {
				return nil
			}
		}
	}))
}

// few is how many entries Raft brings as fast as a source would.
const few = 256

// append appends what a source has in one answer, up to an entry, and makes it
// durable. It gives the number of entries.
func (f *Fetcher) append(ctx context.Context, s Source, log *ledger.Log, to uint64, check Check) (count int, err error) {
	head := log.Head()
	a, err := f.get(ctx, s, fmt.Sprintf(pathEntries, head.LastIndex+1), 0)
	if err != nil {
		return 0, err
	}
	defer a.Close()
	defer func() {
		if serr := log.Sync(); serr != nil && err == nil {
			err = local(serr)
		}
	}()
	r := &frames{from: a, index: head.LastIndex + 1, prefix: head.Prefix}
	var entries []format.Entry    // up to bound of them are bound by a block
	size, loose, bound := 0, 0, 0 // bytes of all, and of those behind the last block
	flush := func() error {
		if bound == 0 {
			return nil
		}
		ready := entries[:bound]
		if check != nil {
			if err := check(ready); err != nil {
				return lie("%w", err)
			}
		}
		if err := log.Append(ready); errors.Is(err, ledger.ErrOrder) {
			return lie("%w", err)
		} else if err != nil {
			return local(err)
		}
		count += bound
		entries, size, bound = append([]format.Entry(nil), entries[bound:]...), 0, 0
		f.status.left(to - min(to, log.Head().LastIndex))
		return nil
	}
	for r.index <= to {
		e, _, err := r.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return count, errors.Join(err, flush())
		}
		entries, size, loose = append(entries, *e), size+len(e.Body)+format.FrameHead, loose+len(e.Body)+format.FrameHead
		if e.Kind == format.EntryBlock {
			bound, loose = len(entries), 0
		}
		if loose > maxLoose {
			return count, lie("%d bytes of entries without a block", loose)
		}
		if size >= batch {
			if err := flush(); err != nil {
				return count, err
			}
		}
	}
	return count, flush()
}

// maxLoose is how many bytes of entries may follow each other without a block
// among them: elections and changes of configuration while nothing is written.
const maxLoose = 4 << 20

// absent makes errAbsent one of the package's problems.
func (f *Fetcher) absent(err error) error {
	if errors.Is(err, errAbsent) {
		return ErrSources.From(err)
	}
	return err
}
