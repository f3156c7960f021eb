package format

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
)

// RecordKind says what a record is about.
type RecordKind uint64

// The kinds of record.
const (
	KindGenesis     RecordKind = 1 // record of seqno 1 only
	KindTransaction RecordKind = 2 // one executed transaction of one or several protocols
	KindRecovery    RecordKind = 3 // the only record of a network's first block after all its nodes ended
	KindSnapshot    RecordKind = 4 // evidence of a snapshot
	KindMembership  RecordKind = 5 // nodes join, are promoted, retire; writes TableNodes and nothing else
	KindFormat      RecordKind = 6 // raises the format level; writes KeyLevel of TableFormat and nothing else
)

// Record is one transaction as stored: a clear prelude, a public section, and
// sealed sections, one for each key domain that holds a part of it.
type Record struct {
	_       struct{} `cbor:",toarray"`
	Prelude []byte   // encoded Prelude
	Public  []byte   // encoded []Write: writes to tables whose name begins public:
	Sealed  []Sealed
}

// Prelude is the clear head of a record.
type Prelude struct {
	_        struct{} `cbor:",toarray"`
	Format   uint64
	View     uint64
	Seqno    uint64 // counts records from 1 without gaps; leaf index is Seqno-1
	Kind     RecordKind
	Effects  []Effect
	Claims   Hash // digest of the record's claims, 32 zero bytes when it has none
	Evidence Hash // SHA-256 of the commit evidence
}

// Effect names a protocol that took part in a transaction.
type Effect struct {
	_        struct{} `cbor:",toarray"`
	Protocol string
	Version  uint64
}

// Sealed is one section under AES-256-GCM. Additional data is SectionContext.
type Sealed struct {
	_          struct{} `cbor:",toarray"`
	Domain     string
	Epoch      uint64
	Nonce      [12]byte
	Ciphertext []byte
}

// Write is one change of state. A nil Value deletes the key; an empty value is
// not nil.
type Write struct {
	_     struct{} `cbor:",toarray"`
	Table string
	Key   []byte
	Value []byte
}

// Private is the plaintext of a sealed section. Zero padding follows it, to
// PaddedSize.
type Private struct {
	_          struct{} `cbor:",toarray"`
	Request    []byte   // the client's bytes, such as a signed Ethereum transaction
	Caller     []byte   // who asked, as the server established it
	Outcome    []byte   // the protocol's own encoding of what happened
	Events     []byte   // the protocol's own encoding of what it announced
	NativeID   []byte   // the protocol's own name of the transaction
	Writes     []Write
	ClaimsSeed []byte // 32 random bytes when this section owns claims, else empty
}

// Encode is the record as stored, whose SHA-256 enters the leaf.
func (r *Record) Encode() []byte { return Encode(r) }

// DecodeRecord decodes a stored record and its prelude. Their byte strings are parts
// of data.
func DecodeRecord(data []byte) (*Record, *Prelude, error) {
	var r Record
	if err := Decode(data, &r); err != nil {
		return nil, nil, err
	}
	var p Prelude
	if err := DecodeLevelled(r.Prelude, &p); err != nil {
		return nil, nil, err
	}
	if r.Sealed == nil || p.Effects == nil {
		return nil, nil, ErrFormat.From(fmt.Errorf("record %d has null for a list", p.Seqno))
	}
	return &r, &p, nil
}

// PeekRecord reads prelude and public section of a record that this node encoded
// itself. It is several times cheaper than DecodeRecord, and checks no more than
// it needs to read them.
func PeekRecord(data []byte) (*Prelude, []byte, error) {
	var p Prelude
	if len(data) > 0 && data[0] == 0x83 { // an array of three
		if prelude, rest, ok := byteString(data[1:]); ok {
			if public, _, ok := byteString(rest); ok {
				if err := Decode(prelude, &p); err != nil {
					return nil, nil, err
				}
				return &p, public, nil
			}
		}
	}
	return nil, nil, ErrFormat.From(fmt.Errorf("not a record"))
}

// byteString splits off a CBOR byte string of definite length (RFC 8949 3.1).
func byteString(data []byte) (item, rest []byte, ok bool) {
	if len(data) == 0 || data[0]>>5 != 2 {
		return nil, nil, false
	}
	short, data := uint64(data[0]&31), data[1:]
	length, size := short, 0
	if short >= 24 {
		if size = 1 << (short - 24); size > 8 || len(data) < size {
			return nil, nil, false
		}
		length = 0
		for _, b := range data[:size] {
			length = length<<8 | uint64(b)
		}
	}
	data = data[size:]
	if length > uint64(len(data)) {
		return nil, nil, false
	}
	return data[:length:length], data[length:], true
}

// PublicWrites decodes the public section and demands that it writes public
// tables only.
func (r *Record) PublicWrites() ([]Write, error) {
	var w writes
	if err := Decode(r.Public, &w); err != nil {
		return nil, err
	}
	if w == nil {
		return nil, ErrFormat.From(fmt.Errorf("null for the list of public writes"))
	}
	for i := range w {
		if !IsPublic(w[i].Table) {
			return nil, ErrFormat.From(fmt.Errorf("table %q is written in the public section", w[i].Table))
		}
	}
	return w, nil
}

// IsPublic reports whether a table is readable by whoever holds the files.
func IsPublic(table string) bool { return len(table) > 7 && table[:7] == "public:" }

// SectionContext is the additional data of a sealed section: prelude ‖
// SHA-256(public section) ‖ section index ‖ section count, the last two as
// 32-bit big-endian integers.
func (r *Record) SectionContext(index, count int) []byte {
	return r.AppendContext(make([]byte, 0, len(r.Prelude)+len(Hash{})+8), index, count)
}

// Most records write nothing in public.
var (
	emptyList = []byte{majorArray << 5}
	noWrites  = Sum(emptyList)
)

// AppendContext appends the SectionContext.
func (r *Record) AppendContext(b []byte, index, count int) []byte {
	public := noWrites
	if !bytes.Equal(r.Public, emptyList) {
		public = Sum(r.Public)
	}
	b = append(append(b, r.Prelude...), public[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(index))
	return binary.BigEndian.AppendUint32(b, uint32(count))
}

// EncodePadded is the plaintext to seal: the encoding, then zeros.
func (p *Private) EncodePadded() []byte {
	return p.AppendPadded(make([]byte, 0, p.PaddedSize()))
}

// DecodePrivate decodes an opened section. Its byte strings are parts of data.
func DecodePrivate(data []byte) (*Private, error) {
	var p Private
	if err := decodePadded(data, &p); err != nil {
		return nil, err
	}
	return &p, nil
}

// PaddedSize is the size to which a plaintext of n bytes is padded: at least
// 256 bytes, above that the PADMÉ bucket, which reveals only O(log log n) bits
// of the length at a cost of at most 12 percent (Nikitin et al., "Reducing
// Metadata Leakage from Encrypted Files and Communication with PURBs", 2019).
func PaddedSize(n int) int {
	if n <= 256 {
		return 256
	}
	e := bits.Len(uint(n)) - 1
	last := e - bits.Len(uint(e))
	mask := 1<<last - 1
	return (n + mask) &^ mask
}
