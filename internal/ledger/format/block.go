package format

import (
	"fmt"
)

// Header is the head of a block. Its SHA-256 is the block hash.
type Header struct {
	_          struct{} `cbor:",toarray"`
	Format     uint64
	Height     uint64 // counts blocks from 0, the genesis block
	View       uint64 // the Raft term it was sealed in
	FirstSeqno uint64 // of its first record
	Count      uint64 // records in it, at least 1
	TreeSize   uint64 // leaves of the ledger's tree with this block
	Root       Hash   // root of that tree
	Previous   Hash   // block hash of the block before, zeros at genesis
	Prefix     Hash   // prefix hash of the entry before this one (see NextPrefix)
	Committed  uint64 // height known committed when the block was sealed
	Time       uint64 // nanoseconds since 1970 UTC, never running back
	Writer     Hash   // SHA-256 of the writing node's public key (SPKI)
	Section    []byte // SHA-256 of the block section as stored, nil when there is none
	ChunkEnd   bool   // this block is the last entry of its chunk
}

// Encode is the header as hashed and stored.
func (h *Header) Encode() []byte { return extend(h.Format, Encode(h)) }

// LastSeqno is the seqno of the block's last record.
func (h *Header) LastSeqno() uint64 { return h.FirstSeqno + h.Count - 1 }

// DecodeHeader decodes a header and checks what can be checked of it alone. One of
// a level that this build does not read is ErrNewer.
func DecodeHeader(data []byte) (*Header, error) {
	var h Header
	fields, err := reduce(data)
	if err != nil {
		return nil, err
	}
	if err := Decode(fields, &h); err != nil {
		return nil, err
	}
	bad := func(what string) (*Header, error) {
		return nil, ErrFormat.From(fmt.Errorf("header of block %d: %s", h.Height, what))
	}
	switch {
	case h.Count < 1 || h.Count > MaxRecords:
		return bad(fmt.Sprintf("%d records", h.Count))
	case h.FirstSeqno < 1 || h.FirstSeqno > 1<<62:
		return bad("first seqno out of range")
	case h.TreeSize != h.LastSeqno():
		return bad("tree size is not its last seqno")
	case h.Section != nil && len(h.Section) != 32:
		return bad("section digest is not 32 bytes")
	case h.Height > 0 && h.Committed >= h.Height:
		return bad("committed height is not below its own")
	}
	return &h, nil
}

// Block is the body of a block entry. Header, section and records stay encoded:
// their bytes are what is hashed.
type Block struct {
	_         struct{} `cbor:",toarray"`
	Header    []byte   // encoded Header
	Signature []byte   // COSE_Sign1 over the root, see package proof
	Section   []byte   // encoded Sealed, the block section, or nil
	Records   [][]byte // encoded Records
}

// Encode is the body of the entry.
func (b *Block) Encode() []byte { return Encode(b) }

// DecodeBlock decodes a body and its header, and checks the count of records
// and the section's digest. Records are left encoded, as parts of body.
func DecodeBlock(body []byte) (*Block, *Header, error) {
	if len(body) > MaxBody {
		return nil, nil, ErrFormat.From(fmt.Errorf("a block of %d bytes", len(body)))
	}
	var b Block
	if err := Decode(body, &b); err != nil {
		return nil, nil, err
	}
	h, err := DecodeHeader(b.Header)
	if err != nil {
		return nil, nil, err
	}
	if uint64(len(b.Records)) != h.Count {
		return nil, nil, ErrFormat.From(fmt.Errorf("block %d has %d records, its header says %d", h.Height, len(b.Records), h.Count))
	}
	if (b.Section == nil) != (h.Section == nil) {
		return nil, nil, ErrFormat.From(fmt.Errorf("block %d: section and its digest disagree", h.Height))
	}
	if b.Section != nil {
		if sum := Sum(b.Section); string(sum[:]) != string(h.Section) {
			return nil, nil, ErrFormat.From(fmt.Errorf("block %d: section does not match its digest", h.Height))
		}
	}
	return &b, h, nil
}

// Parsed is a block as everybody can read it, decoded once for all who look at it.
type Parsed struct {
	*Block
	Head    *Header
	Records []ParsedRecord
}

// ParsedRecord is a record of a parsed block.
type ParsedRecord struct {
	Stored  []byte
	Digest  Hash // SHA-256 of Stored
	Record  *Record
	Prelude *Prelude
}

// ParseBlock decodes a body, its header and its records, as DecodeBlock and
// DecodeRecord do. They are parts of body.
func ParseBlock(body []byte) (*Parsed, error) {
	b, h, err := DecodeBlock(body)
	if err != nil {
		return nil, err
	}
	p := &Parsed{b, h, make([]ParsedRecord, len(b.Records))}
	for i, stored := range b.Records {
		r, prelude, err := DecodeRecord(stored)
		if err != nil {
			return nil, err
		}
		p.Records[i] = ParsedRecord{stored, Sum(stored), r, prelude}
	}
	return p, nil
}

// PeekHeader decodes only the header at the front of a block's body, and nothing of
// what follows it: the body may be long and is looked at by others.
func PeekHeader(body []byte) (*Header, error) {
	r := Reader{data: body}
	r.Struct(4)
	header := r.Bytes()
	if r.failed {
		return nil, ErrFormat.From(fmt.Errorf("not a block"))
	}
	return DecodeHeader(header)
}
