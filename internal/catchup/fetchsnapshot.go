package catchup

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/snapshot"
)

// syncEvery is how many bytes of a snapshot are synced at a time.
const syncEvery = 16 << 20

// Snapshot fetches the newest snapshot that a source has, and gives it as it is
// stored then, so that snapshot.Store lists it. Before a single frame is fetched,
// the record that names it must be shown and lead to the trusted service key. What
// was fetched before a cut or restart is not fetched again, if a source still has
// that snapshot. A source whose newest one is damaged is asked for its older ones
// when no other source is left. It fails with ErrNoSnapshot when no source has one,
// at once if all of them say so, and after Silence rounds if what the others have is
// damaged or they cannot be reached. Nobody may use the directory meanwhile.
func (f *Fetcher) Snapshot(ctx context.Context) (*snapshot.Snapshot, error) {
	f.fill()
	defer f.status.begin("snapshot")()
	if begun := f.begun(); begun != nil {
		if s, err := f.anySnapshot(ctx, begun); !errors.Is(err, ErrNoSnapshot) {
			return s, err
		}
	}
	return f.anySnapshot(ctx, nil)
}

// SnapshotOf is Snapshot for one that a record of the ledger named.
func (f *Fetcher) SnapshotOf(ctx context.Context, named Snapshot) (*snapshot.Snapshot, error) {
	f.fill()
	defer f.status.begin("snapshot")()
	return f.anySnapshot(ctx, &named)
}

// anySnapshot fetches the wanted snapshot, or the newest of a source.
func (f *Fetcher) anySnapshot(ctx context.Context, wanted *Snapshot) (*snapshot.Snapshot, error) {
	if err := disk.MakeDir(f.FS, f.Snapshots); err != nil {
		return nil, err
	}
	var fetched Snapshot
	type offer struct {
		source string
		Snapshot
	}
	useless := map[offer]error{} // what is wrong with it, once it was tried
	err := f.without(ctx, f.Silence, func(ctx context.Context, s Source) error {
		var list []Snapshot
		if err := f.document(ctx, s, pathSnapshots, &list); err != nil {
			return err
		}
		said := errAbsent
		for _, offered := range list {
			if wanted != nil && offered != *wanted {
				continue
			}
			if err := useless[offer{s.Name, offered}]; err != nil {
				said = err
				continue
			}
			fetched = offered
			err := f.snapshot(ctx, s, offered)
			if errors.Is(err, errAbsent) { // it has a newer one by now, or a part of it is damaged
				err = fmt.Errorf("%w: a part of the snapshot of block %d is not there", errGone, offered.Height)
			}
			if errors.Is(err, errGone) || errors.Is(err, errLie) {
				useless[offer{s.Name, offered}] = err
			}
			return err
		}
		return said
	})
	if errors.Is(err, errAbsent) {
		for o, err := range useless {
			f.Logger.Warn("a snapshot is of no use", "node", o.source, "block", o.Height, "err", err)
		}
		return nil, ErrNoSnapshot
	}
	if err != nil {
		return nil, err
	}
	usable, damaged := snapshot.List(f.FS, f.Snapshots)
	for _, u := range usable {
		if u.Manifest.Meta.Height == fetched.Height && u.Digest == fetched.Digest {
			return u, nil
		}
	}
	return nil, errors.Join(append(damaged, fmt.Errorf("the snapshot of block %d is not there", fetched.Height))...)
}

// partial is the path of a part of a snapshot that is being fetched.
func (f *Fetcher) partial(height uint64, part string) string {
	return path.Join(f.Snapshots, fmt.Sprintf("%s%020d.%s", partialPrefix, height, part))
}

// begun is the snapshot whose manifest an earlier process fetched, nil when there
// is none.
func (f *Fetcher) begun() *Snapshot {
	names, err := f.FS.ReadDir(f.Snapshots)
	if err != nil {
		return nil
	}
	for _, name := range names {
		if !strings.HasPrefix(name, partialPrefix) || !strings.HasSuffix(name, "."+partManifest) {
			continue
		}
		data, err := disk.ReadFile(f.FS, path.Join(f.Snapshots, name), snapshot.MaxManifest)
		if err != nil {
			continue
		}
		if m, err := snapshot.DecodeManifest(data); err == nil {
			return &Snapshot{Height: m.Meta.Height, Digest: sha256.Sum256(data)}
		}
	}
	return nil
}

// snapshot fetches one snapshot from one source.
func (f *Fetcher) snapshot(ctx context.Context, s Source, offered Snapshot) error {
	if have, _ := snapshot.List(f.FS, f.Snapshots); len(have) > 0 {
		for _, h := range have {
			if h.Manifest.Meta.Height == offered.Height && h.Digest == offered.Digest {
				return nil
			}
		}
	}
	get := func(part string, limit int64) ([]byte, error) {
		return f.small(ctx, s, fmt.Sprintf(pathSnapshot, offered.Height, part), limit)
	}
	manifest, err := get(partManifest, snapshot.MaxManifest)
	if err != nil {
		return err
	}
	receipt, err := get(partReceipt, snapshot.MaxReceipt)
	if err != nil {
		return err
	}
	record, err := get(partRecord, maxRecord)
	if err != nil {
		return err
	}
	if err := Vouches(receipt, record, offered.Height, sha256.Sum256(manifest), f.Trust); err != nil {
		return lie("%w", err)
	}
	m, err := snapshot.DecodeManifest(manifest)
	switch {
	case err != nil:
		return lie("%w", err)
	case sha256.Sum256(manifest) != offered.Digest || m.Meta.Height != offered.Height:
		return lie("another manifest than the one that was offered")
	case m.Size() < 0 || m.Size() > f.MaxSnapshot:
		return lie("a snapshot of %d bytes", m.Size())
	}
	if err := f.prepare(offered, manifest); err != nil {
		return local(err)
	}
	if err := f.frames(ctx, s, m); err != nil {
		return err
	}
	if f.Placing != nil {
		if err := f.Placing(ctx); err != nil {
			return local(err)
		}
	}
	return local(f.place(offered.Height, receipt))
}

// prepare makes the manifest durable under its temporary name; frames of another
// snapshot are dropped before.
func (f *Fetcher) prepare(offered Snapshot, manifest []byte) error {
	if begun := f.begun(); begun != nil && *begun == offered {
		return nil
	}
	if err := f.clean(f.Snapshots, ""); err != nil {
		return err
	}
	if err := disk.SyncDir(f.FS, f.Snapshots); err != nil {
		return err
	}
	return disk.WriteFile(f.FS, f.partial(offered.Height, partManifest), manifest)
}

// frames fetches the frames that are not there yet, each held to its digest, in
// the memory of one.
func (f *Fetcher) frames(ctx context.Context, s Source, m *snapshot.Manifest) error {
	file, _, err := openPartial(f.FS, f.partial(m.Meta.Height, partFrames), m.Size())
	if err != nil {
		return local(err)
	}
	defer file.Close()
	list := framesOf(m)
	have, offset, err := intact(file, list)
	if err != nil {
		return local(err)
	}
	f.status.left(uint64(m.Size() - offset))
	if have < len(list) {
		a, err := f.get(ctx, s, fmt.Sprintf(pathSnapshot, m.Meta.Height, partFrames), offset)
		if errors.Is(err, errRange) {
			return lie("no frames behind byte %d of %d", offset, m.Size())
		}
		if err != nil {
			return err
		}
		defer a.Close()
		if a.total >= 0 && a.total != m.Size() {
			return lie("frames of %d bytes, %d in the manifest", a.total, m.Size())
		}
		if err := f.copyFrames(file, a, list[have:], offset, m.Size()); err != nil {
			return errors.Join(err, local(file.Sync()))
		}
	}
	if err := file.Truncate(m.Size()); err != nil {
		return local(err)
	}
	return local(file.Sync())
}

func (f *Fetcher) copyFrames(file disk.File, a *answer, list []snapshot.Frame, offset, size int64) error {
	var buffer []byte
	unsynced := int64(0)
	for i := range list {
		if uint64(cap(buffer)) < list[i].Size {
			buffer = make([]byte, list[i].Size)
		}
		frame := buffer[:list[i].Size]
		if _, err := io.ReadFull(a, frame); err != nil {
			return fmt.Errorf("after %d of %d bytes: %w", offset, size, err)
		}
		if sha256.Sum256(frame) != list[i].Digest {
			return lie("a frame at byte %d does not have its digest", offset)
		}
		if _, err := file.WriteAt(frame, offset); err != nil {
			return local(err)
		}
		offset += int64(len(frame))
		f.status.left(uint64(size - offset))
		if unsynced += int64(len(frame)); unsynced >= syncEvery {
			unsynced = 0
			if err := file.Sync(); err != nil {
				return local(err)
			}
		}
	}
	return nil
}

func framesOf(m *snapshot.Manifest) []snapshot.Frame {
	var list []snapshot.Frame
	for i := range m.Domains {
		list = append(list, m.Domains[i].Frames...)
	}
	return list
}

// intact is how many of the frames are in a file, in order, and where they end.
func intact(file disk.File, list []snapshot.Frame) (n int, offset int64, err error) {
	size, err := file.Size()
	if err != nil {
		return 0, 0, err
	}
	var buffer []byte
	for n < len(list) && offset+int64(list[n].Size) <= size {
		if uint64(cap(buffer)) < list[n].Size {
			buffer = make([]byte, list[n].Size)
		}
		frame := buffer[:list[n].Size]
		if got, err := file.ReadAt(frame, offset); got < len(frame) {
			return 0, 0, err
		}
		if format.Hash(sha256.Sum256(frame)) != list[n].Digest {
			break
		}
		offset += int64(len(frame))
		n++
	}
	return n, offset, nil
}

// place renames a fetched snapshot's files; the receipt comes last, since with it
// the snapshot counts. A power loss before leaves no snapshot: snapshot.Open
// removes files without a receipt, and it is fetched again.
func (f *Fetcher) place(height uint64, receipt []byte) error {
	for _, part := range []struct {
		from string
		to   snapshot.Part
	}{{partFrames, snapshot.Frames}, {partManifest, snapshot.Content}} {
		if err := f.FS.Rename(f.partial(height, part.from), path.Join(f.Snapshots, snapshot.FileName(height, part.to))); err != nil {
			return err
		}
	}
	if err := disk.SyncDir(f.FS, f.Snapshots); err != nil {
		return err
	}
	return disk.WriteFile(f.FS, path.Join(f.Snapshots, snapshot.FileName(height, snapshot.Evidence)), receipt)
}
