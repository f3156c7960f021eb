package verify

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing/fstest"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// mutator makes mutations of o, with parts of other.
type mutator struct {
	o, other *original
	random   *rand.Rand
	all      []mutation
}

func (m *mutator) add(x mutation) {
	same := len(x.dir) == len(m.o.dir)
	for name, f := range x.dir {
		same = same && m.o.dir[name] != nil && slices.Equal(f.Data, m.o.dir[name].Data)
	}
	if !same {
		m.all = append(m.all, x)
	}
}

// damaged adds a mutation that leaves no intact frame at frame k, with those
// from number next on left as they were.
func (m *mutator) damaged(kind string, dir fstest.MapFS, k, next int) {
	height := m.o.last.Height + 1
	if k < len(m.o.frames) {
		height = m.o.frames[k].due
	}
	m.add(mutation{kind: kind, dir: dir, height: height, damage: true, tail: !committed(m.o.behind(next), height)})
}

// frameAt is the number of the frame at a byte of a file, or that of the frame
// that would follow the last.
func (m *mutator) frameAt(name string, at int) int {
	for k := range m.o.frames {
		if f := &m.o.frames[k]; f.chunk == name && at < f.offset+f.size() {
			return k
		}
	}
	return len(m.o.frames)
}

func (m *mutator) anyByte() (name string, at int) {
	for {
		name = m.o.names[m.random.IntN(len(m.o.names))]
		if n := len(m.o.dir[name].Data); m.random.IntN(12<<10) < n {
			return name, m.random.IntN(n)
		}
	}
}

// flippedBits: anywhere, padding and room for more included.
func (m *mutator) flippedBits(n int) {
	for range n {
		name, at := m.anyByte()
		bit := byte(1) << m.random.IntN(8)
		k := m.frameAt(name, at)
		m.damaged("flipped bit", m.o.rewritten(name, func(d []byte) { d[at] ^= bit }), k, k+1)
	}
}

// sectors: 512 bytes of zeros, of noise, or of another place.
func (m *mutator) sectors(n int) {
	for i := range n {
		name, at := m.anyByte()
		at &^= format.FrameAlign - 1
		k := m.frameAt(name, at)
		var last byte
		dir := m.o.rewritten(name, func(d []byte) {
			sector := d[at : at+format.FrameAlign]
			switch i % 3 {
			case 0:
				clear(sector)
			case 1:
				for k := range sector {
					sector[k] = byte(m.random.Uint32())
				}
			case 2:
				from := m.random.IntN(len(d)/format.FrameAlign) * format.FrameAlign
				copy(sector, d[from:])
			}
			last = d[at]
		})
		if k < len(m.o.frames) {
			f := &m.o.frames[k]
			if end := f.offset + f.size(); at == f.offset && name == m.o.names[len(m.o.names)-1] && zero(dir[name].Data[at:end]) && k == len(m.o.frames)-1 {
				m.add(mutation{kind: "erased last frame", dir: dir, height: f.due, cut: true})
				continue
			}
			if at == f.offset && last == 'c' { // another frame's first sector: it may be whole
				m.add(mutation{kind: "sector of another frame", dir: dir, height: f.due, either: true, tail: !committed(m.o.behind(k+1), f.due)})
				continue
			}
		} else if last == 'c' {
			m.add(mutation{kind: "sector of another frame", dir: dir, height: m.o.last.Height + 1, either: true, tail: true})
			continue
		}
		m.damaged("lost sector", dir, k, k+1)
	}
}

func (m *mutator) truncatedFiles(n int) {
	for range n {
		name, at := m.anyByte()
		if m.random.IntN(4) == 0 {
			at &^= format.FrameAlign - 1
		}
		k := m.frameAt(name, at)
		if k == len(m.o.frames) {
			continue // room for more: nothing is lost
		}
		dir := m.o.with(name, m.o.dir[name].Data[:at:at])
		f := &m.o.frames[k]
		next := slices.IndexFunc(m.o.frames, func(f frame) bool { return f.chunk > name })
		switch {
		case at > f.offset && next < 0:
			m.damaged("truncated file", dir, k, len(m.o.frames))
		case at > f.offset:
			m.damaged("truncated file", dir, k, next)
		case next < 0:
			m.cut(dir, k)
		default:
			m.add(mutation{kind: "truncated file", dir: dir, height: f.due})
		}
	}
}

// cut adds a ledger that ends cleanly before frame k.
func (m *mutator) cut(dir fstest.MapFS, k int) {
	if k > 0 { // without an entry there is no ledger to be found complete
		m.add(mutation{kind: "cut at an entry", dir: dir, height: m.o.frames[k].due, cut: true})
	}
}

// chunks: every chunk removed, renamed, and replaced by the other ledger's.
func (m *mutator) chunks() {
	first := map[string]frame{}
	for _, f := range m.o.frames {
		if f.offset == 0 {
			first[f.chunk] = f
		}
	}
	for i, name := range m.o.names {
		f := first[name]
		removed := maps.Clone(m.o.dir)
		delete(removed, name)
		if i == len(m.o.names)-1 {
			m.cut(removed, int(f.entry.Index)-1)
		} else {
			m.add(mutation{kind: "removed chunk", dir: removed, height: f.due})
		}
		for to := uint64(0); to < 40; to++ {
			if m.o.dir[chunkName(to)] != nil {
				continue
			}
			renamed := maps.Clone(removed)
			renamed[chunkName(to)] = m.o.dir[name]
			height := f.due
			if to < f.entry.Index { // it comes earlier: what was due there is missed first
				for _, g := range m.o.frames {
					if g.offset == 0 && g.entry.Index > to {
						height = g.due
						break
					}
				}
			}
			m.add(mutation{kind: "renamed chunk", dir: renamed, height: height})
		}
		for k, from := range m.other.names {
			height := f.due
			if i == 0 && k == 0 { // the other's genesis is right by itself
				height = m.o.frames[slices.IndexFunc(m.o.frames, func(f frame) bool { return f.chunk > name })].due
			}
			if k != i {
				height = f.due
			}
			m.add(mutation{kind: "foreign chunk", dir: m.o.with(name, m.other.dir[from].Data), height: height})
			m.add(mutation{kind: "foreign chunk", dir: m.o.with(name, m.o.dir[from].Data), height: f.due})
		}
	}
}

// frames: removed, repeated, swapped, and any frame at any place.
func (m *mutator) frames() {
	build := func(chunk string, list [][]byte) fstest.MapFS {
		data := slices.Concat(list...)
		if chunk == m.o.names[len(m.o.names)-1] {
			data = append(data, make([]byte, 3*format.FrameAlign)...)
		}
		return m.o.with(chunk, data)
	}
	for k := range m.o.frames {
		f := &m.o.frames[k]
		var list [][]byte // of its chunk
		at := 0
		for i := range m.o.frames {
			if g := &m.o.frames[i]; g.chunk == f.chunk {
				if i == k {
					at = len(list)
				}
				list = append(list, g.bytes)
			}
		}
		after := f.due
		if f.header != nil {
			after++
		}
		if k == len(m.o.frames)-1 {
			m.cut(build(f.chunk, slices.Delete(slices.Clone(list), at, at+1)), k)
		} else {
			m.add(mutation{kind: "removed frame", dir: build(f.chunk, slices.Delete(slices.Clone(list), at, at+1)), height: f.due})
		}
		m.add(mutation{kind: "repeated frame", dir: build(f.chunk, slices.Insert(slices.Clone(list), at, list[at])), height: after})
		if at > 0 {
			swapped := slices.Clone(list)
			swapped[at-1], swapped[at] = swapped[at], swapped[at-1]
			m.add(mutation{kind: "swapped frames", dir: build(f.chunk, swapped), height: m.o.frames[k-1].due})
		}
		for i := range m.o.frames {
			if i == k {
				continue
			}
			replaced := slices.Clone(list)
			replaced[at] = m.o.frames[i].bytes
			m.add(mutation{kind: "frame at another place", dir: build(f.chunk, replaced), height: f.due})
			inserted := slices.Insert(slices.Clone(list), at, m.o.frames[i].bytes)
			m.add(mutation{kind: "inserted frame", dir: build(f.chunk, inserted), height: f.due})
		}
		for i := range m.other.frames {
			replaced := slices.Clone(list)
			replaced[at] = m.other.frames[i].bytes
			height := f.due
			if k == 0 && i == 0 {
				height = 1
			}
			m.add(mutation{kind: "foreign frame", dir: build(f.chunk, replaced), height: height})
		}
	}
}

// foreign: the beginning of one ledger and the rest of the other, framed anew.
func (m *mutator) foreign() {
	for k := 1; k < len(m.o.frames); k++ {
		entries := append(slices.Clone(m.o.entries[:k]), m.other.entries[k:]...)
		m.add(mutation{kind: "grafted ledger", dir: files(entries), height: m.o.frames[k].due})
	}
}

// edited is the ledger with the body of entry k changed, its frame's checksum
// right, and, if chained, every later frame made to follow.
func (m *mutator) edited(kind string, k int, body []byte, chained bool) {
	f := &m.o.frames[k]
	e := *f.entry
	e.Body = body
	if chained {
		entries := slices.Clone(m.o.entries)
		entries[k] = e
		m.add(mutation{kind: kind + ", chained anew", dir: files(entries), height: f.due})
		return
	}
	var previous format.Hash
	copy(previous[:], f.bytes[32:])
	data := m.o.dir[f.chunk].Data
	framed := format.AppendFrame(nil, previous, &e)
	m.add(mutation{kind: kind, dir: m.o.with(f.chunk, slices.Concat(data[:f.offset], framed, data[f.offset+f.size():])), height: f.due})
}

// editedBlock changes a decoded block. The header is encoded again if header is
// changed; nothing is signed again.
func (m *mutator) editedBlock(kind string, k int, change func(*format.Block, *format.Header)) {
	b, h, err := format.DecodeBlock(m.o.entries[k].Body)
	if err != nil {
		panic(err)
	}
	change(b, h)
	b.Header = h.Encode()
	m.edited(kind, k, b.Encode(), false)
	m.edited(kind, k, b.Encode(), true)
}

func records(o *original) [][]byte {
	var all [][]byte
	for i := range o.entries {
		if o.entries[i].Kind == format.EntryBlock {
			b, _, err := format.DecodeBlock(o.entries[i].Body)
			if err != nil {
				panic(err)
			}
			all = append(all, b.Records...)
		}
	}
	return all
}

// splicedRecords: every record replaced by every other of either ledger.
func (m *mutator) splicedRecords() {
	all := append(records(m.o), records(m.other)...)
	for k := range m.o.frames {
		h := m.o.frames[k].header
		if h == nil {
			continue
		}
		for i := range h.Count {
			for _, from := range all {
				m.editedBlock("spliced record", k, func(b *format.Block, _ *format.Header) { b.Records[i] = from })
			}
			if h.Count > 1 {
				m.editedBlock("removed record", k, func(b *format.Block, h *format.Header) { b.Records = slices.Delete(b.Records, int(i), int(i)+1) })
				m.editedBlock("swapped records", k, func(b *format.Block, h *format.Header) {
					j := (i + 1) % h.Count
					b.Records[i], b.Records[j] = b.Records[j], b.Records[i]
				})
			}
			m.editedBlock("repeated record", k, func(b *format.Block, h *format.Header) { b.Records = slices.Insert(b.Records, int(i), b.Records[i]) })
		}
	}
}

// bodies: bits of bodies flipped, checksums right.
func (m *mutator) bodies(n int) {
	for i := range n {
		k := m.random.IntN(len(m.o.frames))
		body := slices.Clone(m.o.entries[k].Body)
		if len(body) == 0 {
			continue
		}
		body[m.random.IntN(len(body))] ^= 1 << m.random.IntN(8)
		m.edited("flipped bit of a body", k, body, i%2 == 0)
	}
}

// heads: bits of frame heads flipped, checksums right.
func (m *mutator) heads(n int) {
	for range n {
		k := m.random.IntN(len(m.o.frames))
		f := &m.o.frames[k]
		at, bit := m.random.IntN(format.FrameHead), byte(1)<<m.random.IntN(8)
		dir := m.o.rewritten(f.chunk, func(d []byte) {
			d[f.offset+at] ^= bit
			fix(d[f.offset:])
		})
		if at >= 12 && at < 16 {
			continue // the checksum itself, which fix restores
		}
		m.add(mutation{kind: "flipped bit of a head", dir: dir, height: f.due, either: true, tail: !committed(m.o.behind(k+1), f.due)})
	}
}

// headers: every field of every header changed, and records replaced with root
// and header made to fit; only the signature does not.
func (m *mutator) headers() {
	for k := range m.o.frames {
		if m.o.frames[k].header == nil {
			continue
		}
		for name, change := range map[string]func(*format.Header){
			"format":     func(h *format.Header) { h.Format++ },
			"height":     func(h *format.Header) { h.Height++ },
			"view":       func(h *format.Header) { h.View++ },
			"seqno":      func(h *format.Header) { h.FirstSeqno++; h.TreeSize++ },
			"count":      func(h *format.Header) { h.Count++; h.TreeSize++ },
			"tree size":  func(h *format.Header) { h.TreeSize++ },
			"root":       func(h *format.Header) { h.Root[31]++ },
			"previous":   func(h *format.Header) { h.Previous[0]++ },
			"prefix":     func(h *format.Header) { h.Prefix[0]++ },
			"committed":  func(h *format.Header) { h.Committed ^= 1 },
			"later":      func(h *format.Header) { h.Time++ },
			"earlier":    func(h *format.Header) { h.Time -= 1e12 },
			"writer":     func(h *format.Header) { h.Writer[5]++ },
			"section":    func(h *format.Header) { h.Section = make([]byte, 32) },
			"no section": func(h *format.Header) { h.Section = nil },
			"chunk end":  func(h *format.Header) { h.ChunkEnd = !h.ChunkEnd },
		} {
			m.editedBlock("header: "+name, k, func(_ *format.Block, h *format.Header) { change(h) })
		}
	}
}

func (m *mutator) signatures() {
	var all [][]byte
	for _, o := range []*original{m.o, m.other} {
		for i := range o.entries {
			if o.frames[i].header != nil {
				b, _, _ := format.DecodeBlock(o.entries[i].Body)
				all = append(all, b.Signature)
			}
		}
	}
	for k := range m.o.frames {
		if m.o.frames[k].header == nil {
			continue
		}
		for _, s := range all {
			m.editedBlock("signature of another block", k, func(b *format.Block, _ *format.Header) { b.Signature = s })
		}
		m.editedBlock("no signature", k, func(b *format.Block, _ *format.Header) { b.Signature = nil })
	}
}

// renumbered: entries removed, repeated, swapped and added, every index and
// prefix hash made to fit.
func (m *mutator) renumbered() {
	build := func(list []format.Entry) fstest.MapFS {
		for i := range list {
			list[i].Index = uint64(i) + 1
		}
		return files(list)
	}
	for k := range m.o.frames {
		f, all := &m.o.frames[k], m.o.entries
		after := f.due
		if f.header != nil {
			after++
		}
		if k < len(all)-1 {
			m.add(mutation{kind: "removed entry", dir: build(slices.Delete(slices.Clone(all), k, k+1)), height: f.due})
			m.add(mutation{kind: "repeated entry", dir: build(slices.Insert(slices.Clone(all), k, all[k])), height: after})
			extra := format.Entry{Term: f.entry.Term, Kind: format.EntryRaftEmpty}
			m.add(mutation{kind: "added entry", dir: build(slices.Insert(slices.Clone(all), k+1, extra)), height: after})
		}
		if k > 0 {
			swapped := slices.Clone(all)
			swapped[k-1], swapped[k] = swapped[k], swapped[k-1]
			if f.entry.Kind != format.EntryRaftEmpty || m.o.frames[k-1].entry.Kind != format.EntryRaftEmpty {
				m.add(mutation{kind: "swapped entries", dir: build(swapped), height: m.o.frames[k-1].due})
			}
		}
	}
}
