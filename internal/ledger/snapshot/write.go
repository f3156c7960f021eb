package snapshot

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
)

// A frame's plaintext is rows, each
//
//	uvarint table number, uvarint key length, key, uvarint value length, value
//
// none of which crosses to the next frame. It is sealed with AES-256-GCM under
// HKDF(secret of domain and epoch; "snapshot", snapshot id), with the frame's
// number as nonce (96 bits, big-endian; the key is of this snapshot alone) and
// the additional data of frameContext.
const (
	frameTarget  = 1 << 20
	frameFit     = frameTarget + kv.MaxKey + 64 // what a frame with a short row may have beyond its value
	sealOverhead = 16
	keyLabel     = "snapshot"
)

// Usage is what writing or loading a snapshot took.
type Usage struct {
	Rows   uint64
	Bytes  uint64 // on disk, manifest included
	Frames uint64
	Memory uint64 // bytes of buffers held at once; what the pinned version costs is kv's to say
}

// Written is a snapshot that has no receipt yet.
type Written struct {
	Height uint64
	Digest format.Hash // of the manifest, for the evidence record
	Usage  Usage
}

// Write writes the snapshot of a pinned version, which is the state after the
// block that meta names. It is durable when Write returns, and counts after
// SetReceipt. If it fails nothing is left.
func (s *Store) Write(ctx context.Context, state *kv.Store, view *kv.View, ring *keys.Ring, meta Meta) (*Written, error) {
	if view.Height() != meta.Height {
		return nil, fmt.Errorf("snapshot: a version of block %d for block %d", view.Height(), meta.Height)
	}
	if receipt, err := s.fs.OpenRead(s.name(meta.Height, receiptSuffix)); err == nil {
		return nil, errors.Join(fmt.Errorf("snapshot: there is one of block %d", meta.Height), receipt.Close())
	}
	if err := s.Delete(meta.Height); err != nil {
		return nil, err
	}
	w, err := s.write(ctx, state, view, ring, meta)
	if err != nil {
		s.Delete(meta.Height) // the first error is the one to tell
		return nil, err
	}
	return w, nil
}

func (s *Store) write(ctx context.Context, state *kv.Store, view *kv.View, ring *keys.Ring, meta Meta) (*Written, error) {
	level, err := lineage.LevelOf(state, view)
	if err != nil {
		return nil, err
	}
	m := &Manifest{Format: level, ID: s.newID(), Meta: meta}
	for _, t := range state.Tables() {
		m.Tables = append(m.Tables, t.Name)
	}
	file, err := s.fs.Create(s.name(meta.Height, framesSuffix))
	if err != nil {
		return nil, ErrWrite.From(err)
	}
	w := &frameWriter{file: file, id: m.ID, pace: pace{hurry: s.Hurry, began: time.Now()}}
	err = w.domain(ctx, m, format.ServiceDomain, state, view, ring)
	if cerr := file.Close(); err == nil && cerr != nil {
		err = ErrWrite.From(cerr)
	}
	if err != nil {
		return nil, err
	}
	manifest := m.Encode()
	if err := disk.WriteFile(s.fs, s.name(meta.Height, manifestSuffix), manifest); err != nil {
		return nil, ErrWrite.From(err)
	}
	w.usage.Bytes = uint64(w.offset) + uint64(len(manifest))
	w.usage.Memory += uint64(len(manifest))
	return &Written{Height: meta.Height, Digest: sha256.Sum256(manifest), Usage: w.usage}, nil
}

// frameWriter writes the frames of a snapshot.
type frameWriter struct {
	file   disk.File
	id     [16]byte
	offset int64
	plain  []byte
	sealed []byte
	aead   cipher.AEAD
	into   *Domain
	usage  Usage
	pace   pace
	paced  int // of plain, when there was a rest last
}

// domain writes the rows of all tables that belong to a key domain. For now all
// of them belong to the service's.
func (w *frameWriter) domain(ctx context.Context, m *Manifest, name string, state *kv.Store, view *kv.View, ring *keys.Ring) error {
	m.Domains = append(m.Domains, Domain{Name: name, Epoch: ring.Newest(name), Frames: []Frame{}})
	w.into = &m.Domains[len(m.Domains)-1]
	var err error
	if w.aead, err = cipherOf(ring, w.into, w.id); err != nil {
		return err
	}
	for number, table := range m.Tables {
		id, _ := state.Table(table)
		var failed error
		err := view.Each(id, func(key, value []byte) bool {
			failed = w.row(ctx, uint64(number), key, value)
			return failed == nil
		})
		if err == nil {
			err = failed
		}
		if err != nil {
			return err
		}
	}
	return w.flush(ctx, true)
}

func (w *frameWriter) row(ctx context.Context, table uint64, key, value []byte) error {
	if len(w.plain) > 0 && len(w.plain)+len(key)+len(value) > frameTarget {
		if err := w.flush(ctx, false); err != nil {
			return err
		}
	}
	w.plain = binary.AppendUvarint(w.plain, table)
	w.plain = append(binary.AppendUvarint(w.plain, uint64(len(key))), key...)
	w.plain = append(binary.AppendUvarint(w.plain, uint64(len(value))), value...)
	w.usage.Rows++
	if len(w.plain)-w.paced < workSlice {
		return nil
	}
	w.paced = len(w.plain)
	return w.pace.rest(ctx)
}

// flush seals and writes a frame. Each slice is synced at once, so that a large
// snapshot never makes a commit's sync wait for more than that.
func (w *frameWriter) flush(ctx context.Context, last bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	number := uint64(len(w.into.Frames))
	w.sealed = w.aead.Seal(w.sealed[:0], frameNonce(number), w.plain, frameContext(w.id, w.into.Name, number, last))
	w.into.Frames = append(w.into.Frames, Frame{Size: uint64(len(w.sealed)), Digest: sha256.Sum256(w.sealed)})
	for slice := range slices.Chunk(w.sealed, w.pace.slice(len(w.sealed))) {
		if err := w.pace.rest(ctx); err != nil {
			return err
		}
		if _, err := w.file.WriteAt(slice, w.offset); err != nil {
			return ErrWrite.From(err)
		}
		if err := w.file.Sync(); err != nil {
			return ErrWrite.From(err)
		}
		w.offset += int64(len(slice))
	}
	w.usage.Frames++
	w.usage.Memory = max(w.usage.Memory, uint64(cap(w.plain)+cap(w.sealed)))
	w.plain, w.paced = w.plain[:0], 0
	if last {
		return nil
	}
	return w.pace.rest(ctx)
}

func cipherOf(ring *keys.Ring, d *Domain, id [16]byte) (cipher.AEAD, error) {
	key, err := ring.Derive(keys.Epoch{Domain: d.Name, Number: d.Epoch}, keyLabel, id[:])
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func frameNonce(number uint64) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 4, 12), number)
}

// frameContext is a frame's additional data: snapshot id ‖ domain ‖ u64 frame
// number ‖ u8 last flag, integers big-endian.
func frameContext(id [16]byte, domain string, number uint64, last bool) []byte {
	context := append(append([]byte(nil), id[:]...), domain...)
	context = binary.BigEndian.AppendUint64(context, number)
	if last {
		return append(context, 1)
	}
	return append(context, 0)
}
