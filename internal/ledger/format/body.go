package format

// Body is the body of a block entry in the making: each record is written where it
// stays, and what stands before the records is put there last. The outcome is what
// Block.Encode gives, without a copy of them.
type Body struct {
	data   []byte
	front  int    // where the list of records begins
	places []span // of the records
}

type span struct{ from, to int }

// bodyFront is room for a header, a signature and the heads around them.
const bodyFront = 1024

// NewBody makes room for a section and for records of the given sizes in bytes.
func NewBody(section int, sizes []int) *Body {
	b := &Body{front: bodyFront + section, places: make([]span, len(sizes))}
	end := b.front + headSize(uint64(len(sizes)))
	for i, size := range sizes {
		from := end + headSize(uint64(size))
		end = from + size
		b.places[i] = span{from, end}
	}
	b.data = make([]byte, end)
	begin := AppendHead(b.data[:b.front], majorArray, uint64(len(sizes)))
	for i, size := range sizes {
		AppendHead(begin, majorBytes, uint64(size))
		begin = b.data[:b.places[i].to]
	}
	return b
}

// Record is the place of record i: empty, its size is the capacity. Places may be
// filled by several goroutines.
func (b *Body) Record(i int) []byte {
	p := b.places[i]
	return b.data[p.from:p.from:p.to]
}

// Finish puts the header, the signature and the section, nil for none, before the
// records and gives the body.
func (b *Body) Finish(header, signature, section []byte) []byte {
	n := 1 + spanSize(len(header)) + spanSize(len(signature)) + spanSize(len(section))
	if n > b.front { // more than there ever is
		b.data, b.front = append(make([]byte, n), b.data[b.front:]...), n
	}
	begin := b.front - n
	head := append(b.data[begin:begin:b.front], majorArray<<5|4)
	AppendBytes(AppendBytes(AppendBytes(head, header), signature), section)
	return b.data[begin:]
}
