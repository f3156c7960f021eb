package format

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// EntryKind is the kind of a log entry.
type EntryKind uint8

// The kinds of entry.
const (
	EntryBlock      EntryKind = 1
	EntryRaftEmpty  EntryKind = 2 // a new leader's first entry; no body
	EntryRaftConfig EntryKind = 3 // body is a RaftConfig
)

// Entry is one entry of the ledger, which is the Raft log.
type Entry struct {
	Index uint64
	Term  uint64
	Kind  EntryKind
	Body  []byte

	sum Hash // of Body, zero while it is not known
}

// Hashed is the entry with its body's SHA-256 at hand, so that prefix hashes over
// the entry and its copies read the body no more. The body must not change.
func (e Entry) Hashed() Entry {
	e.sum = e.digest()
	return e
}

func (e *Entry) digest() Hash {
	if e.sum != (Hash{}) {
		return e.sum
	}
	return sha256.Sum256(e.Body)
}

// NextPrefix is P_i = SHA-256(P_(i-1) ‖ u64 index ‖ u64 term ‖ u8 kind ‖
// SHA-256(body)), integers big-endian, P_0 zero. It names everything up to and
// including entry e.
func NextPrefix(previous Hash, e *Entry) Hash {
	body := e.digest()
	var b [32 + 8 + 8 + 1 + 32]byte
	copy(b[:], previous[:])
	binary.BigEndian.PutUint64(b[32:], e.Index)
	binary.BigEndian.PutUint64(b[40:], e.Term)
	b[48] = byte(e.Kind)
	copy(b[49:], body[:])
	return sha256.Sum256(b[:])
}

// A frame is an entry on disk: a 64-byte head, the body, zeros to the next
// multiple of FrameAlign. The head is
//
//	0  magic "coC0"   4  kind u8, 3 zero bytes   8  body length u32
//	12 CRC-32C u32 of the head with this field zero, then the body
//	16 index u64      24 term u64                32 prefix hash before the entry
//
// with integers big-endian.
const (
	FrameAlign = 512
	FrameHead  = 64
)

var (
	frameMagic = [4]byte{'c', 'o', 'C', '0'}
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// FrameSize is the size on disk of a frame with a body of n bytes.
func FrameSize(n int) int64 {
	return (int64(FrameHead) + int64(n) + FrameAlign - 1) &^ (FrameAlign - 1)
}

// AppendFrame appends e's frame, padding included, to dst. previous is the
// prefix hash before e.
func AppendFrame(dst []byte, previous Hash, e *Entry) []byte {
	var head [FrameHead]byte
	copy(head[:], frameMagic[:])
	head[4] = byte(e.Kind)
	binary.BigEndian.PutUint32(head[8:], uint32(len(e.Body)))
	binary.BigEndian.PutUint64(head[16:], e.Index)
	binary.BigEndian.PutUint64(head[24:], e.Term)
	copy(head[32:], previous[:])
	crc := crc32.Update(crc32.Checksum(head[:], castagnoli), castagnoli, e.Body)
	binary.BigEndian.PutUint32(head[12:], crc)
	dst = append(append(dst, head[:]...), e.Body...)
	pad := FrameSize(len(e.Body)) - int64(FrameHead+len(e.Body))
	return append(dst, make([]byte, pad)...)
}

// FrameHeader is a decoded frame head.
type FrameHeader struct {
	Kind     EntryKind
	Length   int
	Index    uint64
	Term     uint64
	Previous Hash
	crc      uint32
	head     [FrameHead]byte
}

// ParseFrameHead decodes the first FrameHead bytes of a frame. It cannot tell
// whether the body is intact; Entry does.
func ParseFrameHead(b []byte) (FrameHeader, error) {
	var f FrameHeader
	if len(b) < FrameHead {
		return f, ErrFormat.From(fmt.Errorf("a frame head of %d bytes", len(b)))
	}
	copy(f.head[:], b)
	if [4]byte(f.head[:4]) != frameMagic {
		return f, ErrFormat.From(fmt.Errorf("no frame begins here"))
	}
	f.Kind = EntryKind(f.head[4])
	f.Length = int(binary.BigEndian.Uint32(f.head[8:]))
	f.crc = binary.BigEndian.Uint32(f.head[12:])
	f.Index = binary.BigEndian.Uint64(f.head[16:])
	f.Term = binary.BigEndian.Uint64(f.head[24:])
	copy(f.Previous[:], f.head[32:])
	clear(f.head[12:16])
	switch {
	case f.Kind < EntryBlock || f.Kind > EntryRaftConfig || f.head[5]|f.head[6]|f.head[7] != 0:
		return f, ErrFormat.From(fmt.Errorf("frame of unknown kind %d", f.Kind))
	case f.Length > MaxBody:
		return f, ErrFormat.From(fmt.Errorf("frame of %d bytes", f.Length))
	}
	return f, nil
}

// Entry checks the body (the bytes behind the head, without padding) against
// the checksum and gives the entry. The entry keeps body.
func (f *FrameHeader) Entry(body []byte) (*Entry, error) {
	if len(body) != f.Length {
		return nil, ErrFormat.From(fmt.Errorf("entry %d is cut short", f.Index))
	}
	crc := crc32.Update(crc32.Checksum(f.head[:], castagnoli), castagnoli, body)
	if crc != f.crc {
		return nil, ErrFormat.From(fmt.Errorf("entry %d does not match its checksum", f.Index))
	}
	return &Entry{Index: f.Index, Term: f.Term, Kind: f.Kind, Body: body}, nil
}
