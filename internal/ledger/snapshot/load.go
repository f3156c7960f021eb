package snapshot

import (
	"context"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// put is how a store is filled, see kv.Store.Load.
type put = func(table kv.TableID, key, value []byte) error

// Load fills an unused store with a snapshot, frame by frame, each held to the
// manifest's digest and to its place. It fails with ErrDamaged, or with
// keys.ErrNoEpoch when the ring lacks the secret; the store is then empty.
func (s *Store) Load(ctx context.Context, snapshot *Snapshot, ring *keys.Ring, into *kv.Store) (Usage, error) {
	m := snapshot.Manifest
	tables := make([]kv.TableID, len(m.Tables))
	for i, name := range m.Tables {
		id, ok := into.Table(name)
		if !ok {
			return Usage{}, damaged(m, fmt.Errorf("table %q is not known to this build", name))
		}
		tables[i] = id
	}
	file, err := s.fs.OpenRead(s.name(m.Meta.Height, framesSuffix))
	if err != nil {
		return Usage{}, damaged(m, err)
	}
	defer file.Close()
	r := &frameReader{file: file, id: m.ID, tables: tables}
	err = into.Load(m.Meta.Height, func(put put) error {
		for i := range m.Domains {
			if err := r.domain(ctx, &m.Domains[i], ring, put); err != nil {
				return err
			}
		}
		return nil
	})
	r.usage.Memory *= ahead + 1
	if errors.Is(err, errFrame) {
		err = damaged(m, err)
	}
	return r.usage, err
}

var errFrame = errors.New("bad frame")

// frameReader reads the frames of a snapshot.
type frameReader struct {
	file   disk.File
	id     [16]byte
	tables []kv.TableID
	offset int64
	usage  Usage
}

// ahead is how many frames are opened while the rows of one are taken.
const ahead = 2

// opened is a frame in clear, or why there is none. Its memory goes back when its
// rows are taken.
type opened struct {
	plain, buffer []byte
	err           error
}

func (r *frameReader) domain(ctx context.Context, d *Domain, ring *keys.Ring, put put) error {
	aead, err := cipherOf(ring, d, r.id)
	if err != nil {
		return err
	}
	frames, free, stop := make(chan opened, ahead-1), make(chan []byte, ahead+1), make(chan struct{})
	var reader sync.WaitGroup
	defer reader.Wait()
	defer close(stop)
	for range ahead + 1 {
		free <- nil
	}
	reader.Go(func() {
		for number := range d.Frames {
			var o opened
			select {
			case o.buffer = <-free:
			case <-stop:
				return
			}
			o.plain, o.buffer, o.err = r.open(aead, d, number, o.buffer)
			select {
			case frames <- o:
			case <-stop:
				return
			}
			if o.err != nil {
				return
			}
		}
	})
	for number := range d.Frames {
		if err := ctx.Err(); err != nil {
			return err
		}
		o := <-frames
		err := o.err
		if err == nil {
			err = r.rows(o.plain, put)
		}
		if err != nil {
			return fmt.Errorf("%w %d of domain %q: %w", errFrame, number, d.Name, err)
		}
		free <- o.buffer
	}
	return nil
}

// open reads a frame and opens it in place, in a buffer that it makes larger when it
// has to.
func (r *frameReader) open(aead cipher.AEAD, d *Domain, number int, buffer []byte) (plain, used []byte, err error) {
	frame := &d.Frames[number]
	if uint64(cap(buffer)) < frame.Size {
		buffer = make([]byte, frame.Size)
	}
	sealed := buffer[:frame.Size]
	if n, err := r.file.ReadAt(sealed, r.offset); n < len(sealed) {
		return nil, nil, err
	}
	r.offset += int64(len(sealed))
	if sha256.Sum256(sealed) != frame.Digest {
		return nil, nil, errors.New("it does not match its digest")
	}
	r.usage.Frames++
	r.usage.Bytes += frame.Size
	r.usage.Memory = max(r.usage.Memory, uint64(cap(buffer)))
	last := number == len(d.Frames)-1
	plain, err = aead.Open(sealed[:0], frameNonce(uint64(number)), sealed, frameContext(r.id, d.Name, uint64(number), last))
	return plain, buffer, err
}

func (r *frameReader) rows(plain []byte, put put) error {
	for len(plain) > 0 {
		table, n := binary.Uvarint(plain)
		if n <= 0 || table >= uint64(len(r.tables)) {
			return errors.New("a row of an unknown table")
		}
		key, rest, ok := take(plain[n:])
		value, rest, also := take(rest)
		if !ok || !also {
			return errors.New("a row is cut short")
		}
		if err := put(r.tables[table], key, value); err != nil {
			return err
		}
		r.usage.Rows++
		plain = rest
	}
	return nil
}

// take splits off a length and that many bytes.
func take(b []byte) (item, rest []byte, ok bool) {
	length, n := binary.Uvarint(b)
	if n <= 0 || length > uint64(len(b)-n) {
		return nil, nil, false
	}
	end := n + int(length)
	return b[n:end:end], b[end:], true
}

func damaged(m *Manifest, why error) error {
	return ErrDamaged.From(fmt.Errorf("snapshot of block %d: %w", m.Meta.Height, why))
}

// Evidence is the public document that records a written snapshot.
func (w *Written) Evidence() format.SnapshotEvidence {
	return format.SnapshotEvidence{Height: w.Height, Manifest: w.Digest}
}
