package history

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"time"
)

// merger makes one run of several, in one goroutine, so that a question has few
// runs to ask: of n blocks' worth of runs there are fan for each power of fan.
// While it makes a large one it makes the small ones that become due.
type merger struct {
	x    *Index
	wake chan struct{}
	done chan struct{}
}

func startMerger(x *Index) *merger {
	m := &merger{x: x, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go m.loop()
	return m
}

func (m *merger) signal() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (m *merger) loop() {
	defer close(m.done)
	for {
		select {
		case <-m.wake:
		case <-m.x.health.stopped:
			return
		}
		err := m.all(math.MaxUint64)
		switch {
		case errors.Is(err, errStopped):
			return
		case errors.Is(err, ErrUnavailable):
			m.x.health.setback(err)
			select {
			case <-time.After(m.x.health.retry):
				m.signal()
			case <-m.x.health.stopped:
				return
			}
		case err != nil:
			m.x.health.fail(err)
			return
		}
	}
}

// all does what is due below a level.
func (m *merger) all(below uint64) error {
	for {
		inputs := m.x.use(func(runs []*run) []*run { return m.x.opts.Window.merge(runs, below) })
		if len(inputs) == 0 {
			return nil
		}
		err := m.merge(inputs)
		for _, r := range inputs {
			r.release()
		}
		if err != nil {
			return err
		}
	}
}

// merge replaces runs by one.
func (m *merger) merge(inputs []*run) error {
	level := inputs[0].Level
	a, b := inputs[0], inputs[len(inputs)-1]
	output, err := m.x.build(runInfo{First: a.First, Last: b.Last, Epoch: a.Epoch, Level: level + 1}, func(b *builder) error {
		return m.join(inputs, b, level)
	})
	if err != nil {
		return err
	}
	return m.x.substitute(inputs, output)
}

// join writes the postings of all inputs, which are in order of height.
func (m *merger) join(inputs []*run, b *builder, level uint64) error {
	streams := make([]*stream, len(inputs))
	for i, r := range inputs {
		streams[i] = &stream{run: r}
		if err := streams[i].list(); err != nil {
			return err
		}
	}
	sections := 0
	for {
		var next *stream
		for _, s := range streams {
			if !s.ended && (next == nil || bytes.Compare(s.term[:], next.term[:]) < 0) {
				next = s
			}
		}
		if next == nil {
			return nil
		}
		for len(next.body) > 0 {
			if err := next.posting(); err != nil {
				return err
			}
			if err := b.add(&next.term, next.height, next.position, next.value); err != nil {
				return ErrUnavailable.From(err)
			}
		}
		if err := next.list(); err != nil {
			return err
		}
		if b.sections == sections {
			continue
		}
		sections = b.sections
		if m.x.health.ended() {
			return errStopped
		}
		if err := m.all(level); err != nil {
			return err
		}
	}
}

// stream goes through all leaves of a run.
type stream struct {
	cursor
	run     *run
	section int    // that is read next
	index   []byte // entries of the leaves that follow in the section
	offset  uint64 // of the next of them
	page    []byte
	leafBuf []byte
	ended   bool
}

// list goes to the next list, ended when there is none.
func (s *stream) list() (err error) {
	for {
		more, err := s.cursor.list()
		if more || err != nil {
			return err
		}
		for len(s.index) == 0 {
			if s.section == len(s.run.sections) {
				s.ended = true
				return nil
			}
			at := &s.run.sections[s.section]
			if s.page, err = s.run.page(s.page, at.index(), uint64(at.indexBytes)); err != nil {
				return err
			}
			if len(s.page)%leafEntry != 0 {
				return errPage
			}
			s.section, s.index, s.offset = s.section+1, s.page, at.offset
		}
		size := uint64(binary.BigEndian.Uint32(s.index[firstBytes:]))
		if s.leafBuf, err = s.run.page(s.leafBuf, s.offset, size); err != nil {
			return err
		}
		s.leaf = s.leafBuf
		s.index, s.offset = s.index[leafEntry:], s.offset+size
	}
}
