package format

import "encoding/binary"

// The structures of which a block has many are encoded by hand, to the very bytes
// that the encoder gives: that costs a tenth, and nothing is allocated. A nil list
// or byte string is null, as with the encoder.

// encodable is a structure that knows its encoding.
type encodable interface {
	size() int
	Append([]byte) []byte // the encoding behind what is there
}

var (
	_ encodable = (*Block)(nil)
	_ encodable = (*Record)(nil)
	_ encodable = (*Prelude)(nil)
	_ encodable = (*Sealed)(nil)
	_ encodable = (*Private)(nil)
	_ encodable = writes(nil)
)

// AppendHead appends the shortest head of a CBOR item (RFC 8949 3).
func AppendHead(b []byte, major byte, n uint64) []byte {
	major <<= 5
	switch {
	case n < 24:
		return append(b, major|byte(n))
	case n < 1<<8:
		return append(b, major|24, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, major|27), n)
}

func headSize(n uint64) int {
	switch {
	case n < 24:
		return 1
	case n < 1<<8:
		return 2
	case n < 1<<16:
		return 3
	case n < 1<<32:
		return 5
	}
	return 9
}

func spanSize(n int) int { return headSize(uint64(n)) + n }

// AppendBytes appends a byte string, or null for nil.
func AppendBytes(b, v []byte) []byte {
	if v == nil {
		return append(b, null)
	}
	return append(AppendHead(b, majorBytes, uint64(len(v))), v...)
}

// AppendText appends a text string.
func AppendText(b []byte, v string) []byte {
	return append(AppendHead(b, majorText, uint64(len(v))), v...)
}

// appendList appends the head of a list; is says whether it is one, not nil.
func appendList(b []byte, is bool, n int) []byte {
	if !is {
		return append(b, null)
	}
	return AppendHead(b, majorArray, uint64(n))
}

func (w writes) size() int {
	n := headSize(uint64(len(w)))
	for i := range w {
		n += 1 + spanSize(len(w[i].Table)) + spanSize(len(w[i].Key)) + spanSize(len(w[i].Value))
	}
	return n
}

func (w writes) Append(b []byte) []byte {
	b = appendList(b, w != nil, len(w))
	for i := range w {
		b = AppendText(append(b, majorArray<<5|3), w[i].Table)
		b = AppendBytes(AppendBytes(b, w[i].Key), w[i].Value)
	}
	return b
}

func (p *Private) size() int {
	n := 1 + writes(p.Writes).size()
	for _, v := range [...][]byte{p.Request, p.Caller, p.Outcome, p.Events, p.NativeID, p.ClaimsSeed} {
		n += spanSize(len(v))
	}
	return n
}

// Append appends the encoding of the plaintext of a sealed section, without padding.
func (p *Private) Append(b []byte) []byte {
	b = append(b, majorArray<<5|7)
	for _, v := range [...][]byte{p.Request, p.Caller, p.Outcome, p.Events, p.NativeID} {
		b = AppendBytes(b, v)
	}
	return AppendBytes(writes(p.Writes).Append(b), p.ClaimsSeed)
}

func (p *Prelude) size() int {
	n := 1 + 2*spanSize(len(Hash{})) + headSize(uint64(len(p.Effects)))
	for _, v := range [...]uint64{p.Format, p.View, p.Seqno, uint64(p.Kind)} {
		n += headSize(v)
	}
	for i := range p.Effects {
		n += 1 + spanSize(len(p.Effects[i].Protocol)) + headSize(p.Effects[i].Version)
	}
	return n
}

// Append appends the encoding of the prelude.
func (p *Prelude) Append(b []byte) []byte {
	b = append(b, majorArray<<5|7)
	for _, v := range [...]uint64{p.Format, p.View, p.Seqno, uint64(p.Kind)} {
		b = AppendHead(b, majorNumber, v)
	}
	b = appendList(b, p.Effects != nil, len(p.Effects))
	for i := range p.Effects {
		b = AppendText(append(b, majorArray<<5|2), p.Effects[i].Protocol)
		b = AppendHead(b, majorNumber, p.Effects[i].Version)
	}
	return AppendBytes(AppendBytes(b, p.Claims[:]), p.Evidence[:])
}

func (s *Sealed) size() int {
	return 1 + spanSize(len(s.Domain)) + headSize(s.Epoch) + spanSize(len(s.Nonce)) + spanSize(len(s.Ciphertext))
}

// Append appends the encoding of the sealed section.
func (s *Sealed) Append(b []byte) []byte {
	return AppendBytes(s.appendOpen(b), s.Ciphertext)
}

func (s *Sealed) appendOpen(b []byte) []byte {
	b = AppendText(append(b, majorArray<<5|4), s.Domain)
	b = AppendHead(b, majorNumber, s.Epoch)
	return AppendBytes(b, s.Nonce[:])
}

func (r *Record) size() int {
	n := 1 + spanSize(len(r.Prelude)) + spanSize(len(r.Public)) + headSize(uint64(len(r.Sealed)))
	for i := range r.Sealed {
		n += r.Sealed[i].size()
	}
	return n
}

// Append appends the encoding of the record.
func (r *Record) Append(b []byte) []byte {
	b = AppendBytes(append(b, majorArray<<5|3), r.Prelude)
	b = appendList(AppendBytes(b, r.Public), r.Sealed != nil, len(r.Sealed))
	for i := range r.Sealed {
		b = r.Sealed[i].Append(b)
	}
	return b
}

// AppendOpen appends the record up to the ciphertext of its last section, which has
// n bytes and is to follow. A record has at least one section.
func (r *Record) AppendOpen(b []byte, n int) []byte {
	b = AppendBytes(append(b, majorArray<<5|3), r.Prelude)
	b = AppendHead(AppendBytes(b, r.Public), majorArray, uint64(len(r.Sealed)))
	last := len(r.Sealed) - 1
	for i := range last {
		b = r.Sealed[i].Append(b)
	}
	return AppendHead(r.Sealed[last].appendOpen(b), majorBytes, uint64(n))
}

// SealedSize is the size of a record with one section, in the service's domain.
func SealedSize(p *Prelude, public []Write, epoch uint64, ciphertext int) int {
	s := Sealed{Domain: ServiceDomain, Epoch: epoch}
	return 1 + spanSize(p.size()) + spanSize(writes(public).size()) + 1 + s.size() - 1 + spanSize(ciphertext)
}

// AppendWrites appends the encoding of a list of writes.
func AppendWrites(b []byte, w []Write) []byte { return writes(w).Append(b) }

// AppendPadded appends the plaintext to seal: the encoding, then zeros.
func (p *Private) AppendPadded(b []byte) []byte {
	begin := len(b)
	b = p.Append(b)
	n := len(b) - begin
	return append(b, make([]byte, PaddedSize(n)-n)...)
}

// PaddedSize is the size of the plaintext to seal.
func (p *Private) PaddedSize() int { return PaddedSize(p.size()) }

func (b *Block) size() int {
	n := 1 + spanSize(len(b.Header)) + spanSize(len(b.Signature)) + spanSize(len(b.Section)) + headSize(uint64(len(b.Records)))
	for i := range b.Records {
		n += spanSize(len(b.Records[i]))
	}
	return n
}

// Append appends the encoding of the body.
func (b *Block) Append(to []byte) []byte {
	to = AppendBytes(append(to, majorArray<<5|4), b.Header)
	to = AppendBytes(AppendBytes(to, b.Signature), b.Section)
	to = appendList(to, b.Records != nil, len(b.Records))
	for i := range b.Records {
		to = AppendBytes(to, b.Records[i])
	}
	return to
}
