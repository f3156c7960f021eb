package history

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"slices"
	"time"
)

// writer makes runs of the tail, in one goroutine.
type writer struct {
	x     *Index
	wake  chan struct{}
	flush chan chan<- error // each is answered when everything added is durable
	done  chan struct{}

	sorter sorter
}

func startWriter(x *Index) *writer {
	w := &writer{x: x, wake: make(chan struct{}, 1), flush: make(chan chan<- error), done: make(chan struct{})}
	go w.loop()
	return w
}

func (w *writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// loop writes when it is asked to. What the disk refuses it tries again after a
// while, or when somebody waits for it.
func (w *writer) loop() {
	defer close(w.done)
	var again <-chan time.Time
	for {
		wake := w.wake
		if again != nil {
			wake = nil
		}
		var reply chan<- error
		select {
		case <-wake:
		case <-again:
		case reply = <-w.flush:
		case <-w.x.health.stopped:
			return
		}
		err := w.drain()
		again = nil
		switch {
		case errors.Is(err, ErrUnavailable):
			w.x.health.setback(err)
			again = time.After(w.x.health.retry)
		case err != nil:
			w.x.health.fail(err)
		}
		if reply != nil {
			reply <- err
		}
		if err != nil && again == nil {
			return
		}
	}
}

// drain makes durable what was added before: what it could not write last time,
// and the tail as it stands.
func (w *writer) drain() error {
	for {
		x := w.x
		x.mu.Lock()
		last := x.writing == nil
		if last {
			x.writing, x.tail = x.tail, newTail(x.tail)
		}
		t := x.writing
		if len(t.blocks) == 0 {
			x.writing = nil
			x.mu.Unlock()
			return nil
		}
		x.mu.Unlock()

		if err := w.store(t); err != nil {
			return err // it stays in x.writing and is found there
		}
		if last {
			return nil
		}
	}
}

// store writes a tail as runs, one for each epoch and part of the window.
func (w *writer) store(t *tail) error {
	x := w.x
	var runs []*run
	err := func() error {
		for begin := 0; begin < len(t.blocks); {
			end := w.cut(t, begin)
			of := t.blocks[begin:end]
			r, err := x.build(runInfo{First: of[0].height, Last: of[len(of)-1].height, Epoch: of[0].epoch}, func(b *builder) error {
				return w.sorter.write(x, t, begin, end, b)
			})
			if err != nil {
				return err
			}
			runs, begin = append(runs, r), end
		}
		return nil
	}()
	if err != nil {
		for _, r := range runs {
			r.discard()
		}
		return err
	}
	if err := x.extend(t, runs); err != nil {
		return err
	}
	x.merger.signal()
	return nil
}

// cut gives the end of the run that begins with a block.
func (w *writer) cut(t *tail, begin int) int {
	window, size := w.x.opts.Window, uint64(0)
	from := 0
	if begin > 0 {
		from = t.blocks[begin-1].end
	}
	for end := begin; end < len(t.blocks); end++ {
		b := &t.blocks[end]
		for ; from < b.end; from++ {
			size += uint64(termBytes + t.postings[from].value)
		}
		if end > begin && (b.epoch != t.blocks[begin].epoch || !window.fits(uint64(end+1-begin), size)) {
			return end
		}
	}
	return len(t.blocks)
}

// sorter brings the postings of some blocks into the order of a run.
type sorter struct {
	keys  []termKey // of the postings
	order []sortKey
}

type sortKey struct {
	term    uint64 // the first bytes of the term's key
	posting int32
}

func (s *sorter) write(x *Index, t *tail, begin, end int, b *builder) error {
	from, to := 0, t.blocks[end-1].end
	if begin > 0 {
		from = t.blocks[begin-1].end
	}
	p, err := x.secrets.terms(t.blocks[begin].epoch)
	if err != nil {
		return err
	}
	s.keys = slices.Grow(s.keys[:0], to-from)[:to-from]
	s.order = slices.Grow(s.order[:0], to-from)[:to-from]
	for i := range s.keys {
		at := &t.postings[from+i]
		if e := int(at.earlier) - from; e >= 0 && bytes.Equal(t.termOf(at), t.termOf(&t.postings[from+e])) {
			s.keys[i] = s.keys[e]
		} else {
			p.sum(&s.keys[i], t.termOf(at))
		}
		s.order[i] = sortKey{binary.BigEndian.Uint64(s.keys[i][:]), int32(i)}
	}
	slices.SortFunc(s.order, func(a, b sortKey) int {
		if c := cmp.Compare(a.term, b.term); c != 0 {
			return c
		}
		return s.compare(t.postings[from:], a.posting, b.posting)
	})
	for i, o := range s.order {
		at := &t.postings[from+int(o.posting)]
		if i+1 < len(s.order) {
			// Of two at one position the later one counts.
			next := s.order[i+1].posting
			if p := &t.postings[from+int(next)]; p.height == at.height && p.position == at.position && s.keys[next] == s.keys[o.posting] {
				continue
			}
		}
		if err := b.add(&s.keys[o.posting], at.height, at.position, t.valueOf(at)); err != nil {
			return ErrUnavailable.From(err)
		}
	}
	return nil
}

// compare orders two postings whose terms begin alike.
func (s *sorter) compare(postings []posting, a, b int32) int {
	if c := bytes.Compare(s.keys[a][:], s.keys[b][:]); c != 0 {
		return c
	}
	p, q := &postings[a], &postings[b]
	return cmp.Or(cmp.Compare(p.height, q.height), cmp.Compare(p.position, q.position), cmp.Compare(a, b))
}
