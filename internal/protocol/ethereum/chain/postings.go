package chain

import (
	"cmp"
	"slices"

	"github.com/coco-consortium/coco/internal/history"
)

// spot is where a log stands: the height of its block and its index there.
type spot struct {
	height   uint64
	position uint32
}

func (s spot) compare(o spot) int {
	return cmp.Or(cmp.Compare(s.height, o.height), cmp.Compare(s.position, o.position))
}

// How many occurrences of a term are read at once: few after a jump, more and
// more where one follows the other, and no more than this of all terms together.
const (
	minRead  = 16
	maxRead  = 1024
	readRoom = 128 << 10
)

// postings walks up the places of one term without ever holding them all.
type postings struct {
	read  func(from uint64, limit int) ([]history.Found, error) // limit 0: those at the height from
	found []history.Found                                       // read ahead, in order
	next  uint64                                                // nothing at lower heights is left to read
	ended bool                                                  // nothing is left to read
	limit int
	most  int
}

// seek goes to the first place at or after s and reports whether there is one.
func (p *postings) seek(s spot) (spot, bool, error) {
	for {
		i, _ := slices.BinarySearchFunc(p.found, s, func(f history.Found, s spot) int {
			return spot{f.Height, f.Position}.compare(s)
		})
		if p.found = p.found[i:]; len(p.found) > 0 {
			return spot{p.found[0].Height, p.found[0].Position}, true, nil
		}
		if p.ended {
			return spot{}, false, nil
		}
		if err := p.fill(s.height); err != nil {
			return spot{}, false, err
		}
	}
}

// fill reads on, from a height or from where reading ended.
func (p *postings) fill(height uint64) (err error) {
	if height > p.next {
		p.next, p.limit = height, minRead
	}
	if p.found, err = p.read(p.next, p.limit); err != nil {
		return err
	}
	n := len(p.found)
	if n < p.limit {
		p.ended = true
		return nil
	}
	// There may be more at the last height than were read.
	last := p.found[n-1].Height
	p.limit = min(4*p.limit, p.most)
	if p.found[0].Height == last {
		p.found, err = p.read(last, 0)
		p.next = last + 1
		return err
	}
	for p.found[n-1].Height == last {
		n--
	}
	p.found, p.next = p.found[:n], last
	return nil
}

// group is the places where any of some terms occurs.
type group []member

type member struct {
	*postings
	at   spot
	ok   bool // there is a place, and it is at
	read bool // seek was asked before
}

// seek goes to the first place at or after s and reports whether there is one.
func (g group) seek(s spot) (first spot, ok bool, err error) {
	for i := range g {
		m := &g[i]
		if !m.read || m.ok && m.at.compare(s) < 0 {
			if m.at, m.ok, err = m.postings.seek(s); err != nil {
				return spot{}, false, err
			}
			m.read = true
		}
		if m.ok && (!ok || m.at.compare(first) < 0) {
			first, ok = m.at, true
		}
	}
	return first, ok, nil
}

// meet goes up from s to the first place that all groups have. passed is told of
// how far it has come and may end it with an error.
func meet(groups []group, s spot, passed func(height uint64) error) (at spot, ok bool, err error) {
	for i, agreed := 0, 0; agreed < len(groups); i = (i + 1) % len(groups) {
		if err := passed(s.height); err != nil {
			return s, false, err
		}
		at, ok, err := groups[i].seek(s)
		if !ok || err != nil {
			return s, false, err
		}
		if at != s {
			s, agreed = at, 0
		}
		agreed++
	}
	return s, true, nil
}

// groups opens the terms of a filter in the index up to a height. A log has one
// term of each group; a block that was not readable has a place in all of them.
func (c *Chain) groups(f *Filter, to uint64) (groups []group) {
	lists := f.terms()
	terms := 0
	for _, list := range lists {
		terms += len(list)
	}
	for _, list := range lists {
		var g group
		for _, term := range append(list, unreadTerm()) {
			read := func(from uint64, limit int) ([]history.Found, error) {
				if from > to {
					return nil, nil
				}
				if limit == 0 {
					return c.occurrences(term, from, from, 0, false)
				}
				return c.occurrences(term, from, to, limit, false)
			}
			g = append(g, member{postings: &postings{read: read, limit: minRead, most: max(minRead, min(maxRead, readRoom/terms))}})
		}
		groups = append(groups, g)
	}
	return groups
}

// terms lists what a log must have: one of each list.
func (f *Filter) terms() (lists [][][]byte) {
	if len(f.Addresses) > 0 {
		var terms [][]byte
		for _, address := range f.Addresses {
			terms = append(terms, addressTerm(address))
		}
		lists = append(lists, distinct(terms))
	}
	for i, topics := range f.Topics {
		if len(topics) > 0 {
			var terms [][]byte
			for _, topic := range topics {
				terms = append(terms, topicTerm(i, topic))
			}
			lists = append(lists, distinct(terms))
		}
	}
	return lists
}

func distinct(terms [][]byte) [][]byte {
	slices.SortFunc(terms, slices.Compare)
	return slices.CompactFunc(terms, slices.Equal)
}
