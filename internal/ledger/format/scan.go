package format

// What every block and every record consists of reads itself.

// Scan reads a block.
func (b *Block) Scan(r *Reader) {
	r.Struct(4)
	b.Header, b.Signature, b.Section = r.Bytes(), r.Bytes(), r.Bytes()
	b.Records = List(r, func(r *Reader, stored *[]byte) { *stored = r.Bytes() })
}

// Scan reads a header.
func (h *Header) Scan(r *Reader) {
	r.Struct(14)
	h.Format, h.Height, h.View, h.FirstSeqno, h.Count, h.TreeSize = r.Uint(), r.Uint(), r.Uint(), r.Uint(), r.Uint(), r.Uint()
	r.Fixed(h.Root[:])
	r.Fixed(h.Previous[:])
	r.Fixed(h.Prefix[:])
	h.Committed, h.Time = r.Uint(), r.Uint()
	r.Fixed(h.Writer[:])
	h.Section, h.ChunkEnd = r.Bytes(), r.Bool()
}

// Scan reads a record.
func (r *Record) Scan(from *Reader) {
	from.Struct(3)
	r.Prelude, r.Public = from.Bytes(), from.Bytes()
	r.Sealed = List(from, func(from *Reader, s *Sealed) { s.Scan(from) })
}

// Scan reads a prelude.
func (p *Prelude) Scan(r *Reader) {
	r.Struct(7)
	p.Format, p.View, p.Seqno, p.Kind = r.Uint(), r.Uint(), r.Uint(), RecordKind(r.Uint())
	p.Effects = List(r, func(r *Reader, e *Effect) {
		r.Struct(2)
		e.Protocol, e.Version = r.Text(), r.Uint()
	})
	r.Fixed(p.Claims[:])
	r.Fixed(p.Evidence[:])
}

// Scan reads a sealed section.
func (s *Sealed) Scan(r *Reader) {
	r.Struct(4)
	s.Domain, s.Epoch = r.Text(), r.Uint()
	r.Fixed(s.Nonce[:])
	s.Ciphertext = r.Bytes()
}

// Scan reads the plaintext of a sealed section.
func (p *Private) Scan(r *Reader) {
	r.Struct(7)
	p.Request, p.Caller, p.Outcome, p.Events, p.NativeID = r.Bytes(), r.Bytes(), r.Bytes(), r.Bytes(), r.Bytes()
	p.Writes = List(r, (*Reader).write)
	p.ClaimsSeed = r.Bytes()
}

// writes is a list of writes, as a public section has it.
type writes []Write

// Scan reads a list of writes.
func (w *writes) Scan(r *Reader) { *w = List(r, (*Reader).write) }

func (r *Reader) write(w *Write) {
	r.Struct(3)
	w.Table, w.Key, w.Value = r.Text(), r.Bytes(), r.Bytes()
}
