package catchup

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/ledger"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// What is being fetched lies under names that neither the ledger nor the
// snapshots take for theirs.
const partialPrefix = "fetch-"

// copySize is how many bytes of a file are read at a time.
const copySize = 256 << 10

// Backfill fetches the chunks before the log's first one, the newest first, until
// the log begins with the ledger's first entry. Each is adopted by the log, which
// verifies every byte of it against what it has already. It may go on beside
// everything else that a node does, and goes on where it was after a restart.
func (f *Fetcher) Backfill(ctx context.Context, log *ledger.Log) error {
	f.fill()
	defer f.status.begin("chunks")()
	for {
		next := log.First()
		if next == 1 {
			return f.clean(path.Dir(log.ChunkName(1)), "")
		}
		f.status.left(next - 1)
		err := f.try(ctx, func(ctx context.Context, s Source) error { return f.older(ctx, s, log, next) })
		if err != nil {
			return f.absent(err)
		}
		if err := pause(ctx, f.Pause); err != nil {
			return err
		}
	}
}

// older fetches the chunk that ends before an entry, and lets the log adopt it.
func (f *Fetcher) older(ctx context.Context, s Source, log *ledger.Log, next uint64) error {
	var c Chunk
	if err := f.document(ctx, s, fmt.Sprintf(pathChunk, next-1), &c); err != nil {
		return err
	}
	switch {
	case !c.Closed && c.Last+1 <= next: // it has no more than that of it
		return errAbsent
	case !c.Closed || c.First == 0 || c.First > c.Last || c.Last != next-1:
		return lie("a chunk of entries %d to %d where one that ends with %d is due", c.First, c.Last, next-1)
	case c.Size == 0 || int64(c.Size) > f.MaxChunk || int64(c.Size) < 0:
		return lie("a chunk of %d bytes", c.Size)
	}
	name := log.ChunkName(c.First)
	// A process that ended may have left the whole file.
	err := log.Adopt(ctx, c.First)
	if !errors.Is(err, ledger.ErrDamaged) {
		return local(err)
	}
	resumed, err := f.download(ctx, s, c, name)
	if err != nil {
		return err
	}
	err = log.Adopt(ctx, c.First)
	if !errors.Is(err, ledger.ErrDamaged) {
		return local(err)
	}
	if rerr := remove(f.FS, name); rerr != nil {
		return local(rerr)
	}
	if resumed { // what was there already may be what is wrong
		return err
	}
	return lie("%w", err)
}

// download fetches a chunk file and puts it in place; resumed says that a part of
// it was there. What is there is only ever continued, never believed.
func (f *Fetcher) download(ctx context.Context, s Source, c Chunk, name string) (resumed bool, err error) {
	partial := path.Join(path.Dir(name), fmt.Sprintf("%s%020d", partialPrefix, c.First))
	if err := f.clean(path.Dir(name), path.Base(partial)); err != nil {
		return false, local(err)
	}
	file, have, err := openPartial(f.FS, partial, int64(c.Size))
	if err != nil {
		return false, local(err)
	}
	defer file.Close()
	sum := sha256.New()
	if err := copyTo(sum, file, have); err != nil {
		return false, local(err)
	}
	resumed = have > 0
	if have < int64(c.Size) {
		a, err := f.get(ctx, s, fmt.Sprintf(pathChunks, c.First), have)
		if err != nil {
			return resumed, err
		}
		defer a.Close()
		if err := fetchFile(file, a, sum, have, int64(c.Size)); err != nil {
			return resumed, err
		}
		if a.digest == nil || *a.digest != format.Hash(sum.Sum(nil)) {
			if err := file.Truncate(0); err != nil {
				return resumed, local(err)
			}
			if resumed {
				return resumed, errors.New("what was fetched before does not belong to it")
			}
			return resumed, lie("chunk %d does not have its digest", c.First)
		}
	}
	if err := file.Sync(); err != nil {
		return resumed, local(err)
	}
	if err := remove(f.FS, name); err != nil {
		return resumed, local(err)
	}
	if err := f.FS.Rename(partial, name); err != nil {
		return resumed, local(err)
	}
	return resumed, local(disk.SyncDir(f.FS, path.Dir(name)))
}

// openPartial opens what was fetched of a file, or begins it. More than the file
// can have is dropped.
func openPartial(f disk.FS, name string, limit int64) (file disk.File, have int64, err error) {
	file, err = f.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		file, err = f.Create(name)
	}
	if err != nil {
		return nil, 0, err
	}
	if have, err = file.Size(); err == nil && have > limit {
		have, err = 0, file.Truncate(0)
	}
	if err != nil {
		file.Close()
		return nil, 0, err
	}
	return file, have, nil
}

func copyTo(sum hash.Hash, file disk.File, size int64) error {
	_, err := io.CopyBuffer(sum, io.NewSectionReader(file, 0, size), make([]byte, copySize))
	return err
}

// fetchFile writes an answer behind what a file has, up to its size.
func fetchFile(file disk.File, a *answer, sum hash.Hash, have, size int64) error {
	if a.total >= 0 && a.total != size {
		return lie("a file of %d bytes, announced with %d", a.total, size)
	}
	buffer := make([]byte, copySize)
	for have < size {
		n, err := a.Read(buffer[:min(size-have, copySize)])
		if n > 0 {
			if _, err := file.WriteAt(buffer[:n], have); err != nil {
				return local(err)
			}
			sum.Write(buffer[:n])
			have += int64(n)
		}
		if err != nil && have < size {
			return fmt.Errorf("after %d of %d bytes: %w", have, size, err)
		}
	}
	if n, _ := io.ReadFull(a, buffer[:1]); n > 0 {
		return lie("more than the %d bytes announced", size)
	}
	return nil
}

// clean removes what was being fetched but for one name.
func (f *Fetcher) clean(dir, keep string) error {
	names, err := f.FS.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasPrefix(name, partialPrefix) && (keep == "" || !strings.HasPrefix(name, keep)) {
			if err := remove(f.FS, path.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func remove(f disk.FS, name string) error {
	if err := f.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
