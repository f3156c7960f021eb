package crash

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// node is a file or a directory: what a running process sees, what is on the
// medium, and the changes between the two.
type node struct {
	// A file.
	data   []byte
	stable []byte
	writes []write

	// A directory; entries is nil for a file.
	entries       map[string]*node
	stableEntries map[string]*node
	links         []link
}

// write is an unsynced write or truncation of a file.
type write struct {
	offset   int64
	data     []byte
	truncate bool // to offset
}

// link is an unsynced change of a directory: from is taken away unless it is
// empty, to is given to child unless it is empty.
type link struct {
	from, to string
	child    *node
}

func newDirectory() *node {
	return &node{entries: map[string]*node{}, stableEntries: map[string]*node{}}
}

func (n *node) isDir() bool { return n.entries != nil }

func (n *node) link(name string, child *node) { n.relink(link{to: name, child: child}) }
func (n *node) unlink(name string)            { n.relink(link{from: name}) }
func (n *node) rename(from, to string, child *node) {
	n.relink(link{from: from, to: to, child: child})
}

func (n *node) relink(l link) {
	l.apply(n.entries)
	n.links = append(n.links, l)
}

func (l link) apply(entries map[string]*node) {
	if l.from != "" {
		delete(entries, l.from)
	}
	if l.to != "" {
		entries[l.to] = l.child
	}
}

func (n *node) syncNames() { n.stableEntries, n.links = maps.Clone(n.entries), nil }

func (n *node) change(w write) {
	n.data = w.apply(n.data)
	n.writes = append(n.writes, w)
}

// sync puts the writes on the medium. It repeats them rather than copy what the
// process sees, which differs after a failed sync.
func (n *node) sync() {
	for _, w := range n.writes {
		n.stable = w.apply(n.stable)
	}
	n.writes = nil
}

// failSync is a sync that fails: some writes are on the medium, all count as clean.
func (n *node) failSync(random *rand.Rand) { n.stable, n.writes = n.survive(random), nil }

func (w write) apply(data []byte) []byte {
	size := w.end()
	if int64(len(data)) < size {
		data = append(data, make([]byte, size-int64(len(data)))...)
	}
	if w.truncate {
		return data[:size:size] // so that growing again gives zeros
	}
	copy(data[w.offset:], w.data)
	return data
}

func (w write) end() int64 { return w.offset + int64(len(w.data)) }

// survive is a file's content after a power loss: for each sector the first k
// of the writes that touch it, k chosen for it alone, the last of them sometimes
// torn inside the sector, and one of the sizes that the file had.
func (n *node) survive(random *rand.Rand) []byte {
	size := int64(len(n.stable))
	sizes, longest := []int64{size}, size
	for _, w := range n.writes {
		if w.truncate || w.end() > size {
			size = w.end()
			sizes = append(sizes, size)
			longest = max(longest, size)
		}
	}
	whole := make([]byte, (longest+Sector-1)/Sector*Sector)
	copy(whole, n.stable)
	for at, writes := range n.touched(longest) {
		sector := whole[at*Sector:][:Sector]
		kept := writes[:random.IntN(len(writes)+1)]
		before := slices.Clone(sector)
		for i, w := range kept {
			copy(before, sector)
			w.applySector(sector, int64(at)*Sector)
			if i == len(kept)-1 && random.IntN(4) == 0 {
				torn := random.IntN(Sector)
				copy(sector[torn:], before[torn:])
			}
		}
	}
	return whole[:sizes[random.IntN(len(sizes))]]
}

// touched lists for each sector the writes that change it, in order.
func (n *node) touched(size int64) [][]write {
	sectors := make([][]write, (size+Sector-1)/Sector)
	for _, w := range n.writes {
		end := w.end()
		if w.truncate {
			end = size
		}
		for at := w.offset / Sector; at*Sector < end; at++ {
			sectors[at] = append(sectors[at], w)
		}
	}
	return sectors
}

func (w write) applySector(sector []byte, start int64) {
	from := max(w.offset-start, 0)
	switch {
	case w.truncate && from < Sector:
		clear(sector[from:])
	case !w.truncate:
		copy(sector[from:], w.data[start+from-w.offset:])
	}
}

// survivor copies trees of nodes as they are after a power loss.
type survivor struct {
	random *rand.Rand
	done   map[*node]*node
}

func (s *survivor) copy(n *node) *node {
	if c := s.done[n]; c != nil {
		return c
	}
	if !n.isDir() {
		data := n.survive(s.random)
		c := &node{data: data, stable: slices.Clone(data)}
		s.done[n] = c
		return c
	}
	c := newDirectory()
	s.done[n] = c
	entries := maps.Clone(n.stableEntries)
	for _, l := range n.links {
		if s.random.IntN(2) == 0 {
			l.apply(entries)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		c.entries[name] = s.copy(entries[name])
	}
	c.syncNames()
	return c
}
