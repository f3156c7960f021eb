package history

import (
	"crypto/cipher"
	"encoding/binary"
	"io"
	"math/bits"
)

// A run is a file of sealed pages. Leaves hold the postings in the order of term,
// height and position; a page of an index says where the leaves of a section
// begin, pages of a filter which terms are in them, and the last page of the file,
// the root, where the sections are.
//
//	section ... section ‖ root,  section = leaf ... leaf ‖ filter page ... ‖ index page
//	leaf = list ..., list = term [16] ‖ uvarint bytes ‖ posting ...
//	posting = uvarint height ‖ uvarint position ‖ uvarint length ‖ value
//	index page = entry of each leaf: term [16] ‖ u64 height of its first posting ‖ u32 size
//	root = entry of each section: term [16] ‖ u64 height, u64 offset, u64 offset of the filter, u32 pages of it, u32 size of the index page
//
// The second height of a list and all after it are differences to the one before,
// and of two postings at one height so is the position. Integers are big-endian.
const (
	leafTarget    = 4 << 10 // bytes of a leaf without its last posting
	sectionLeaves = 128
	firstBytes    = termBytes + 8
	leafEntry     = firstBytes + 4
	sectionEntry  = firstBytes + 8 + 8 + 4 + 4
	filterBytes   = 512 - tagBytes // of a page of a filter
	filterBits    = 10             // for each term
	filterProbes  = 6              // bits of each term
)

// first is where a leaf or a section begins.
type firstKey [firstBytes]byte

func keyOf(term *termKey, height uint64) (k firstKey) {
	copy(k[:], term[:])
	binary.BigEndian.PutUint64(k[termBytes:], height)
	return k
}

type section struct {
	first       firstKey
	offset      uint64
	filter      uint64 // offset
	filterPages uint32
	indexBytes  uint32
}

// builder writes a run. Postings are added in order, each once.
type builder struct {
	file io.Writer
	aead cipher.AEAD
	end  uint64 // bytes of pages so far
	out  []byte // pages that are not written yet

	list     []byte // postings of the list that grows
	term     termKey
	height   uint64
	position uint32
	leaf     []byte
	first    firstKey
	index    []byte // of the section that grows
	at       section
	terms    []termKey // of the section, each once
	root     []byte
	postings uint64
	sections int
}

func newBuilder(file io.Writer, aead cipher.AEAD) *builder { return &builder{file: file, aead: aead} }

func (b *builder) add(term *termKey, height uint64, position uint32, value []byte) error {
	follows := len(b.list) > 0 && b.term == *term
	if follows && len(b.leaf)+len(b.list) >= leafTarget {
		follows = false
	}
	if !follows {
		if err := b.endList(); err != nil {
			return err
		}
		b.begin(term, height)
		b.list = binary.AppendUvarint(b.list, height)
		b.list = binary.AppendUvarint(b.list, uint64(position))
	} else {
		b.list = binary.AppendUvarint(b.list, height-b.height)
		if height == b.height {
			b.list = binary.AppendUvarint(b.list, uint64(position-b.position))
		} else {
			b.list = binary.AppendUvarint(b.list, uint64(position))
		}
	}
	b.height, b.position = height, position
	b.list = append(binary.AppendUvarint(b.list, uint64(len(value))), value...)
	b.postings++
	return nil
}

// begin begins a list.
func (b *builder) begin(term *termKey, height uint64) {
	b.term = *term
	if len(b.leaf) == 0 {
		b.first = keyOf(term, height)
		if len(b.index) == 0 {
			b.at = section{first: b.first, offset: b.end}
			b.terms = b.terms[:0]
		}
	}
	if n := len(b.terms); n == 0 || b.terms[n-1] != *term {
		b.terms = append(b.terms, *term)
	}
}

func (b *builder) endList() error {
	if len(b.list) == 0 {
		return nil
	}
	b.leaf = append(b.leaf, b.term[:]...)
	b.leaf = append(binary.AppendUvarint(b.leaf, uint64(len(b.list))), b.list...)
	b.list = b.list[:0]
	if len(b.leaf) >= leafTarget {
		return b.endLeaf()
	}
	return nil
}

func (b *builder) endLeaf() error {
	if len(b.leaf) == 0 {
		return nil
	}
	b.index = append(b.index, b.first[:]...)
	b.index = binary.BigEndian.AppendUint32(b.index, uint32(len(b.leaf)+tagBytes))
	err := b.page(b.leaf)
	b.leaf = b.leaf[:0]
	if err == nil && len(b.index) >= sectionLeaves*leafEntry {
		err = b.endSection()
	}
	return err
}

func (b *builder) endSection() error {
	if len(b.index) == 0 {
		return nil
	}
	filter := makeFilter(b.terms)
	b.at.filter, b.at.filterPages, b.at.indexBytes = b.end, uint32(len(filter)/filterBytes), uint32(len(b.index)+tagBytes)
	for page := range b.at.filterPages {
		if err := b.page(filter[page*filterBytes:][:filterBytes]); err != nil {
			return err
		}
	}
	err := b.page(b.index)
	b.index = b.index[:0]
	b.root = append(b.root, b.at.first[:]...)
	b.root = binary.BigEndian.AppendUint64(b.root, b.at.offset)
	b.root = binary.BigEndian.AppendUint64(b.root, b.at.filter)
	b.root = binary.BigEndian.AppendUint32(b.root, b.at.filterPages)
	b.root = binary.BigEndian.AppendUint32(b.root, b.at.indexBytes)
	b.sections++
	return err
}

// writeBytes is how much is handed to the file at once.
const writeBytes = 256 << 10

// page seals a page to the end of the run.
func (b *builder) page(plain []byte) error {
	n := nonce(b.end)
	b.out = b.aead.Seal(b.out, n[:], plain, nil)
	b.end += uint64(len(plain) + tagBytes)
	if len(b.out) < writeBytes {
		return nil
	}
	return b.write()
}

func (b *builder) write() error {
	_, err := b.file.Write(b.out)
	b.out = b.out[:0]
	return err
}

// finish completes the run, but for making it durable, and says where its root is.
func (b *builder) finish() (root, size uint64, err error) {
	for _, end := range []func() error{b.endList, b.endLeaf, b.endSection} {
		if err := end(); err != nil {
			return 0, 0, err
		}
	}
	root = b.end
	if err = b.page(b.root); err == nil {
		err = b.write()
	}
	return root, b.end, err
}

// makeFilter makes the pages of a Bloom filter, each of filterBytes. A term has all
// its bits in one page.
func makeFilter(terms []termKey) []byte {
	const pageBits = filterBytes * 8
	pages := (len(terms)*filterBits + pageBits - 1) / pageBits
	filter := make([]byte, pages*filterBytes)
	for i := range terms {
		page := filter[filterPage(&terms[i], pages)*filterBytes:]
		at, step := probe(&terms[i])
		for range filterProbes {
			bit := at % pageBits
			page[bit/8] |= 1 << (bit % 8)
			at += step
		}
	}
	return filter
}

// mayHold asks the page of a filter.
func mayHold(page []byte, term *termKey) bool {
	at, step := probe(term)
	for range filterProbes {
		bit := at % (filterBytes * 8)
		if page[bit/8]&(1<<(bit%8)) == 0 {
			return false
		}
		at += step
	}
	return true
}

func filterPage(term *termKey, pages int) int {
	page, _ := bits.Mul64(binary.BigEndian.Uint64(term[8:]), uint64(pages))
	return int(page)
}

// probe takes other bits of a term than what orders terms and what chooses the page.
func probe(term *termKey) (at, step uint32) {
	return binary.BigEndian.Uint32(term[12:]), binary.BigEndian.Uint32(term[4:]) | 1
}
