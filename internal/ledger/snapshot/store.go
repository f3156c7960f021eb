// Package snapshot keeps the node's state on disk, sealed, so that a start need
// not replay the whole ledger.
//
// A snapshot of block H is three files named after H: frames of about 1 MiB of
// rows under AES-256-GCM, a manifest that binds the frames and the place in the
// ledger, and the receipt of the record that publishes the manifest's SHA-256.
// Without the receipt it does not count: whoever holds the disk could have made
// it up. Rows of public tables are sealed like all others; whoever wants them in
// clear reads them in the ledger.
//
// Writing streams from a pinned version, so that its memory is two frames and
// the manifest (Usage). The package does not decide when to write, does not put
// evidence into the ledger and does not judge receipts.
package snapshot

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/problem"
)

// The kinds of problem of this package.
var (
	ErrDamaged = problem.New("SNAPSHOT_DAMAGED", "a snapshot on disk is damaged",
		"nothing need be done: the node starts from an older snapshot or from the ledger; check the disk")
	ErrWrite = problem.New("SNAPSHOT_WRITE", "a snapshot cannot be written; the ledger is not affected",
		"check that the disk has space and is writable; the next snapshot is tried later")
)

// Keep is how many usable snapshots stay on disk.
const Keep = 2

// maxReceipt bounds a stored receipt, in bytes.
const maxReceipt = 1 << 20

const (
	prefix         = "snapshot-"
	framesSuffix   = ".frames"
	manifestSuffix = ".manifest"
	receiptSuffix  = ".receipt"
)

// Store is the snapshots of a node. One goroutine uses it.
type Store struct {
	fs    disk.FS
	dir   string
	newID func() [16]byte

	// Hurry has Write and Delete take no pauses. Without, they rest after each small
	// piece of work as long as it took: half of a processor and of a disk at most.
	Hurry bool
}

// Snapshot is a snapshot with a receipt. Whether the receipt is one for Digest,
// by this service, is for the caller to verify before loading it.
type Snapshot struct {
	Manifest *Manifest
	Digest   format.Hash // SHA-256 of the manifest as stored
	Receipt  []byte
}

// Open opens the snapshots of a directory, or makes it. What has no receipt is
// deleted.
func Open(f disk.FS, dir string) (*Store, error) {
	s := &Store{fs: f, dir: dir, newID: func() (id [16]byte) {
		rand.Read(id[:]) // never fails, see crypto/rand
		return id
	}}
	if err := disk.MakeDir(f, dir); err != nil {
		return nil, ErrWrite.From(err)
	}
	names, err := f.ReadDir(dir)
	if err != nil {
		return nil, ErrDamaged.From(err)
	}
	var gone []string
	for _, name := range names {
		height, suffix, ok := parseName(name)
		if !ok && strings.HasPrefix(name, prefix) || ok && suffix != receiptSuffix && !slices.Contains(names, fileName(height, receiptSuffix)) {
			gone = append(gone, path.Join(dir, name))
		}
	}
	return s, s.remove(gone...)
}

// List gives the usable snapshots, the newest first, and what is wrong with
// those that have a receipt but cannot be used.
func (s *Store) List() (usable []*Snapshot, damaged []error) {
	names, err := s.fs.ReadDir(s.dir)
	if err != nil {
		return nil, []error{ErrDamaged.From(err)}
	}
	for _, name := range slices.Backward(names) {
		height, suffix, ok := parseName(name)
		if !ok || suffix != receiptSuffix {
			continue
		}
		snapshot, err := s.read(height)
		if err != nil {
			damaged = append(damaged, ErrDamaged.From(fmt.Errorf("snapshot of block %d: %w", height, err)))
			continue
		}
		usable = append(usable, snapshot)
	}
	return usable, damaged
}

func (s *Store) read(height uint64) (*Snapshot, error) {
	receipt, err := disk.ReadFile(s.fs, s.name(height, receiptSuffix), maxReceipt)
	if err != nil {
		return nil, err
	}
	data, err := disk.ReadFile(s.fs, s.name(height, manifestSuffix), maxManifest)
	if err != nil {
		return nil, err
	}
	m, err := DecodeManifest(data)
	if err != nil {
		return nil, err
	}
	if m.Meta.Height != height {
		return nil, fmt.Errorf("its manifest is of block %d", m.Meta.Height)
	}
	file, err := s.fs.OpenRead(s.name(height, framesSuffix))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if size, err := file.Size(); err != nil || size != m.size() {
		return nil, errors.Join(err, fmt.Errorf("its frames have %d bytes, not %d", size, m.size()))
	}
	return &Snapshot{Manifest: m, Digest: sha256.Sum256(data), Receipt: receipt}, nil
}

// SetReceipt stores the receipt of the record that publishes a written
// snapshot's digest. From then on the snapshot counts, and older ones are deleted,
// see Prune.
func (s *Store) SetReceipt(height uint64, receipt []byte) error {
	if len(receipt) > maxReceipt {
		return ErrWrite.From(fmt.Errorf("a receipt of %d bytes", len(receipt)))
	}
	if err := disk.WriteFile(s.fs, s.name(height, receiptSuffix), receipt); err != nil {
		return ErrWrite.From(err)
	}
	return s.Prune()
}

// Prune deletes all snapshots that are older than the newest Keep usable ones. It
// is for whoever puts snapshots from elsewhere into the directory; SetReceipt does
// it by itself.
func (s *Store) Prune() error {
	usable, _ := s.List()
	if len(usable) < Keep {
		return nil
	}
	oldest := usable[Keep-1].Manifest.Meta.Height
	names, err := s.fs.ReadDir(s.dir)
	if err != nil {
		return ErrWrite.From(err)
	}
	for _, name := range names {
		if height, suffix, ok := parseName(name); ok && suffix == receiptSuffix && height < oldest {
			if err := s.Delete(height); err != nil {
				return err
			}
		}
	}
	return nil
}

// Delete deletes a snapshot; its receipt is gone for good before the rest goes,
// so that no power loss leaves a receipt of nothing.
func (s *Store) Delete(height uint64) error {
	if err := s.remove(s.name(height, receiptSuffix)); err != nil {
		return err
	}
	if !s.Hurry {
		s.shrink(s.name(height, framesSuffix))
	}
	return s.remove(s.name(height, manifestSuffix), s.name(height, framesSuffix))
}

// shrink gives the room of a file that is about to be removed back piece by piece:
// the file system frees that of a large one at once else, while syncs wait. What
// fails here is left to the removal.
func (s *Store) shrink(name string) {
	file, err := s.fs.Open(name)
	if err != nil {
		return
	}
	defer file.Close()
	size, err := file.Size()
	for p := (pace{began: time.Now()}); err == nil && size > goneSlice; {
		size -= goneSlice
		if err = file.Truncate(size); err == nil {
			err = p.rest(context.Background())
		}
	}
}

func (s *Store) remove(names ...string) error {
	if len(names) == 0 {
		return nil
	}
	for _, name := range names {
		if err := s.fs.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return ErrWrite.From(err)
		}
	}
	if err := disk.SyncDir(s.fs, s.dir); err != nil {
		return ErrWrite.From(err)
	}
	return nil
}

func (s *Store) name(height uint64, suffix string) string {
	return path.Join(s.dir, fileName(height, suffix))
}

func fileName(height uint64, suffix string) string {
	return fmt.Sprintf("%s%020d%s", prefix, height, suffix)
}

func parseName(name string) (height uint64, suffix string, ok bool) {
	suffix = path.Ext(name)
	digits := strings.TrimSuffix(strings.TrimPrefix(name, prefix), suffix)
	height, err := strconv.ParseUint(digits, 10, 64)
	known := suffix == framesSuffix || suffix == manifestSuffix || suffix == receiptSuffix
	return height, suffix, err == nil && known && name == fileName(height, suffix)
}
