package offchain

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/coco-consortium/coco/internal/problem"
)

// The file DIR/journal:
//
//	header  "coco journal  1\n" | id (16) | HMAC-SHA-256 of both under the master key, 16 bytes
//	frame   length of the sealed part (4) | first sequence (8) | CRC-32C of both (4)
//	        sealed part: nonce (12), ciphertext, tag (16); zeros up to a multiple of 16
//
// A frame is what was made durable at once: one or more entries, each a 4 byte
// length and its bytes. It is sealed with AES-256-GCM under a key derived from
// master key and id; its associated data are the frame's head and the tag of
// the frame before it, so that frames cannot be changed, moved, dropped from
// the middle or taken from another journal. Integers are little endian.
//
// Frames begin at multiples of 16, so that no head straddles a sector: a head is
// there or it is not. A crash can therefore only leave an incomplete last frame
// or zeros, which are cut: nobody was answered for it. Anything else is damage.
const (
	journalMagic  = "coco journal  1\n"
	journalHeader = 48
	frameHead     = 16
	frameLimit    = 256 << 20 // bytes of the sealed part
	entryLimit    = 64 << 20  // bytes of one entry
	batchLimit    = 4 << 20   // bytes of entries after which a batch takes no more
)

// Problems of the journal.
var (
	errJournalKey = problem.New("JOURNAL_KEY", "the journal was written under another master key",
		"give the master key that this data directory was made with")
	errJournalDamaged = problem.New("JOURNAL_DAMAGED", "the journal is damaged",
		"restore the data directory's journal from a backup; it is never repaired by guessing")
	errJournalLocked = problem.New("JOURNAL_LOCKED", "another App Builder uses this data directory",
		"stop it, or use another data directory")
	errEntryTooLarge = problem.New("ENTRY_TOO_LARGE", "what should be kept is too large for the journal",
		"make the uploaded file smaller")
)

var crcTable = crc32.MakeTable(crc32.Castagnoli)

// mark is a place in the journal: after which entry, and the tag of its frame.
type mark struct {
	sequence uint64 // of the last entry; 0: none
	tag      [16]byte
	offset   int64 // where the next frame begins
}

// journal is the file. It is not safe for concurrent use.
type journal struct {
	file   *os.File
	id     [16]byte
	aead   cipher.AEAD
	start  [16]byte // tag before the first frame
	end    mark
	broken error // a write failed: what the file holds is unknown until it is opened again
	sync   func(*os.File) error
}

// openJournal opens or makes the journal in dir, verifies all of it, shows each
// entry to visit (which may be nil) and cuts an incomplete tail.
func openJournal(dir string, key [32]byte, visit func(at mark, entry []byte) error) (*journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make directory: %w", err)
	}
	name := filepath.Join(dir, "journal")
	if _, err := os.Stat(name); errors.Is(err, os.ErrNotExist) {
		if err := createJournal(dir, name, key); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j := &journal{file: f, sync: func(f *os.File) error { return unix.Fdatasync(int(f.Fd())) }}
	if err := j.open(key, visit); err != nil {
		f.Close()
		return nil, err
	}
	return j, nil
}

// createJournal makes the file whole or not at all.
func createJournal(dir, name string, key [32]byte) error {
	header := append([]byte(journalMagic), make([]byte, 16)...)
	rand.Read(header[16:]) // never fails (crypto/rand)
	header = append(header, headerCheck(key, header)...)
	f, err := os.OpenFile(name+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("create journal: %w", err)
	}
	defer f.Close()
	if _, err := f.Write(header); err != nil {
		return fmt.Errorf("create journal: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("create journal: %w", err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		return fmt.Errorf("create journal: %w", err)
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("create journal: %w", err)
	}
	defer d.Close()
	return d.Sync()
}

func headerCheck(key [32]byte, header []byte) []byte {
	m := hmac.New(sha256.New, key[:])
	m.Write([]byte("coco builder journal header"))
	m.Write(header[:32])
	return m.Sum(nil)[:16]
}

func (j *journal) open(key [32]byte, visit func(mark, []byte) error) error {
	if err := unix.Flock(int(j.file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return errJournalLocked.From(err)
	}
	header := make([]byte, journalHeader)
	if _, err := io.ReadFull(j.file, header); err != nil {
		return errJournalDamaged.From(fmt.Errorf("header: %w", err))
	}
	if string(header[:16]) != journalMagic {
		return errJournalDamaged.From(errors.New("this is no journal, or one of a newer version"))
	}
	if !hmac.Equal(header[32:], headerCheck(key, header)) {
		return errJournalKey
	}
	copy(j.id[:], header[16:32])
	secret, err := hkdf.Key(sha256.New, key[:], j.id[:], "coco builder journal", 32)
	if err != nil {
		return err
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return err
	}
	if j.aead, err = cipher.NewGCMWithRandomNonce(block); err != nil {
		return err
	}
	copy(j.start[:], header[32:])
	j.end.tag = j.start
	j.end.offset = journalHeader
	return j.scan(visit)
}

// name is the journal's id as text.
func (j *journal) name() string { return hex.EncodeToString(j.id[:]) }

// scan verifies every frame from j.end on and cuts what a crash left.
func (j *journal) scan(visit func(mark, []byte) error) error {
	info, err := j.file.Stat()
	if err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	size := info.Size()
	for j.end.offset < size {
		at, sealed, whole, err := j.frame(j.end, size)
		if err != nil {
			return err
		}
		if !whole {
			break
		}
		if err := entries(sealed, j.end.sequence, func(sequence uint64, entry []byte) error {
			at.sequence = sequence
			if visit == nil {
				return nil
			}
			return visit(at, entry)
		}); err != nil {
			return err
		}
		j.end = at
	}
	if j.end.offset != size { // also completes the padding of the last frame
		if err := j.file.Truncate(j.end.offset); err != nil {
			return fmt.Errorf("cut journal: %w", err)
		}
		if err := j.sync(j.file); err != nil {
			return fmt.Errorf("cut journal: %w", err)
		}
	}
	return nil
}

// frame reads and opens the frame at a place. It is not whole when a crash may
// have left it so.
func (j *journal) frame(at mark, size int64) (next mark, plain []byte, whole bool, err error) {
	damaged := func(why string) (mark, []byte, bool, error) {
		return at, nil, false, errJournalDamaged.From(fmt.Errorf("at byte %d: %s", at.offset, why))
	}
	rest := size - at.offset
	if rest < frameHead {
		return at, nil, false, nil
	}
	var head [frameHead]byte
	if _, err := j.file.ReadAt(head[:], at.offset); err != nil {
		return at, nil, false, fmt.Errorf("read journal: %w", err)
	}
	if head == [frameHead]byte{} {
		zero, err := j.zeros(at.offset, size)
		if err != nil {
			return at, nil, false, err
		}
		if !zero {
			return damaged("a frame is missing")
		}
		return at, nil, false, nil
	}
	if crc32.Checksum(head[:12], crcTable) != binary.LittleEndian.Uint32(head[12:]) {
		return damaged("a frame's head is wrong")
	}
	length := int64(binary.LittleEndian.Uint32(head[:]))
	if length > frameLimit || length < int64(j.aead.Overhead()) {
		return damaged("a frame's length is out of bounds")
	}
	if binary.LittleEndian.Uint64(head[4:]) != at.sequence+1 {
		return damaged("a frame is out of order")
	}
	if rest < frameHead+length {
		return at, nil, false, nil
	}
	sealed := make([]byte, length)
	if _, err := j.file.ReadAt(sealed, at.offset+frameHead); err != nil {
		return at, nil, false, fmt.Errorf("read journal: %w", err)
	}
	next = at
	next.offset = at.offset + padded(frameHead+length)
	copy(next.tag[:], sealed[length-16:])
	plain, err = j.aead.Open(nil, nil, sealed, append(head[:], at.tag[:]...))
	if err != nil {
		if next.offset >= size {
			return at, nil, false, nil // the last frame: its end was never written
		}
		return damaged("a frame does not verify")
	}
	next.sequence = at.sequence
	if err := entries(plain, at.sequence, func(s uint64, _ []byte) error { next.sequence = s; return nil }); err != nil {
		return at, nil, false, err
	}
	return next, plain, true, nil
}

// zeros reports that nothing but zeros follows.
func (j *journal) zeros(from, to int64) (bool, error) {
	r := io.NewSectionReader(j.file, from, to-from)
	buffer := make([]byte, 64<<10)
	for {
		n, err := r.Read(buffer)
		if len(bytes.Trim(buffer[:n], "\x00")) > 0 {
			return false, nil
		}
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, fmt.Errorf("read journal: %w", err)
		}
	}
}

// entries splits what a frame holds.
func entries(plain []byte, before uint64, each func(sequence uint64, entry []byte) error) error {
	for len(plain) > 0 {
		if len(plain) < 4 {
			return errJournalDamaged.From(errors.New("an entry is incomplete"))
		}
		n := uint64(binary.LittleEndian.Uint32(plain))
		if n > uint64(len(plain)-4) {
			return errJournalDamaged.From(errors.New("an entry is incomplete"))
		}
		before++
		if err := each(before, plain[4:4+n]); err != nil {
			return err
		}
		plain = plain[4+n:]
	}
	return nil
}

// append makes entries durable, all or none.
func (j *journal) append(batch [][]byte) error {
	if j.broken != nil {
		return j.broken
	}
	if len(batch) == 0 {
		return nil
	}
	var plain []byte
	for _, e := range batch {
		plain = binary.LittleEndian.AppendUint32(plain, uint32(len(e)))
		plain = append(plain, e...)
	}
	length := len(plain) + j.aead.Overhead()
	if length > frameLimit {
		return errEntryTooLarge
	}
	head := binary.LittleEndian.AppendUint32(nil, uint32(length))
	head = binary.LittleEndian.AppendUint64(head, j.end.sequence+1)
	head = binary.LittleEndian.AppendUint32(head, crc32.Checksum(head, crcTable))
	frame := j.aead.Seal(bytes.Clone(head), nil, plain, append(bytes.Clone(head), j.end.tag[:]...))
	next := mark{sequence: j.end.sequence + uint64(len(batch)), offset: j.end.offset + padded(int64(len(frame)))}
	copy(next.tag[:], frame[len(frame)-16:])
	frame = append(frame, make([]byte, next.offset-j.end.offset-int64(len(frame)))...)
	if _, err := j.file.WriteAt(frame, j.end.offset); err != nil {
		return j.fail(err)
	}
	if err := j.sync(j.file); err != nil {
		return j.fail(err) // after a failed sync nobody knows what is on the disk: never try again
	}
	j.end = next
	return nil
}

func (j *journal) fail(err error) error {
	j.broken = problem.New("JOURNAL_WRITE", "the journal could not be written, and nothing more is accepted",
		"see that the disk has space and is sound, then start again").From(err)
	return j.broken
}

// read shows the entries after a place, a frame at a time.
func (j *journal) read(from mark, visit func(at mark, entries [][]byte) error) error {
	for from.offset < j.end.offset {
		next, plain, whole, err := j.frame(from, j.end.offset)
		if err != nil {
			return err
		}
		if !whole {
			return errJournalDamaged.From(fmt.Errorf("at byte %d: a frame has changed since it was opened", from.offset))
		}
		var batch [][]byte
		if err := entries(plain, from.sequence, func(_ uint64, e []byte) error { batch = append(batch, e); return nil }); err != nil {
			return err
		}
		if err := visit(next, batch); err != nil {
			return err
		}
		from = next
	}
	return nil
}

func (j *journal) close() error { return j.file.Close() }

func padded(n int64) int64 { return (n + frameHead - 1) &^ (frameHead - 1) }
