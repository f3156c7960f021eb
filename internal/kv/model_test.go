package kv

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The model of a store: whole copies of the state for every version.
type (
	cell  struct{ table, key string }
	state map[cell]string
)

var modelTables = []Table{
	{"eth.accounts", Point}, {"eth.storage", Point}, {"coco.members", Ordered}, {"public:coco.service", Ordered},
}

// model runs a store and its naive model side by side. Every action of rapid's
// state machine is a method; check compares all that can be read.
type model struct {
	s *Store

	published state
	next      uint64
	sealed    []state // after each sealed block
	deltas    []state // what each sealed block wrote
	deleted   []map[cell]bool

	block  *Block
	inOpen state // newest state with the open block's transactions
	wrote  map[cell]*string

	tx      *Tx
	inTx    state
	txWrote map[cell]*string
	txRead  map[cell]bool

	views  []*View
	pinned []state
	at     []uint64

	images []BeforeImage
}

func newModel(t *rapid.T) *model {
	s, err := New(modelTables...)
	if err != nil {
		t.Fatal(err)
	}
	// All bits; few tags in few shards; everything in one shard with one tag.
	s.narrow = rapid.SampledFrom([]uint64{^uint64(0), 3<<62 | 3, 0}).Draw(t, "hash bits")
	m := &model{s: s, published: state{}}
	s.Observe(func(height uint64, images []BeforeImage) {
		if h, _ := s.Height(); height != 0 && h >= height {
			t.Fatalf("observer of %d runs when %d is published", height, h)
		}
		m.images = images
	})
	return m
}

func (m *model) newest() state {
	switch {
	case m.block != nil:
		return m.inOpen
	case len(m.sealed) > 0:
		return m.sealed[len(m.sealed)-1]
	}
	return m.published
}

func drawCell(t *rapid.T) cell {
	return cell{
		rapid.SampledFrom(modelTables).Draw(t, "table").Name,
		rapid.SampledFrom([]string{"", "a", "b", "c", "ca", "d", "e\x00", "e", "f", "g\xff", "h"}).Draw(t, "key"),
	}
}

func drawValue(t *rapid.T) string {
	size := rapid.SampledFrom([]int{0, 1, 7, 32, 33, 200, 5000}).Draw(t, "size")
	return string(bytes.Repeat([]byte{rapid.Byte().Draw(t, "fill")}, size))
}

func (m *model) id(name string) TableID {
	id, ok := m.s.Table(name)
	if !ok {
		panic(name)
	}
	return id
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t)
		t.Repeat(map[string]func(*rapid.T){
			"": m.Check, "Begin": m.Begin, "Tx": m.Tx, "Put": m.Put, "PutMany": m.PutMany, "Delete": m.Delete,
			"Get": m.Get, "Range": m.Range, "Commit": m.Commit, "DiscardTx": m.DiscardTx, "Seal": m.Seal, "Seal2": m.Seal,
			"DiscardBlock": m.DiscardBlock, "Rollback": m.Rollback, "Publish": m.Publish, "Publish2": m.Publish,
			"PublishWrongHeight": m.PublishWrongHeight, "Apply": m.Apply, "Pin": m.Pin, "Release": m.Release,
			"EachWhilePublishing": m.EachWhilePublishing,
		})
	})
}

// Actions.

func (m *model) Begin(t *rapid.T) {
	if m.block != nil {
		if _, err := m.s.Begin(m.next + uint64(len(m.sealed))); !errors.Is(err, ErrOpen) {
			t.Fatalf("begin while open: %v", err)
		}
		return
	}
	height := m.next + uint64(len(m.sealed))
	for _, wrong := range []uint64{height + 1, height - 1} {
		if _, err := m.s.Begin(wrong); !errors.Is(err, ErrHeight) {
			t.Fatalf("begin %d for %d: %v", wrong, height, err)
		}
	}
	b, err := m.s.Begin(height)
	if err != nil {
		t.Fatal(err)
	}
	m.inOpen, m.block, m.wrote = maps.Clone(m.newest()), b, map[cell]*string{}
}

func (m *model) Tx(t *rapid.T) {
	if m.tx != nil {
		return
	}
	m.Begin(t)
	m.tx, m.inTx = m.block.Tx(), maps.Clone(m.inOpen)
	m.txWrote, m.txRead = map[cell]*string{}, map[cell]bool{}
}

func (m *model) Put(t *rapid.T) {
	m.Tx(t)
	c, v := drawCell(t), drawValue(t)
	key, value := []byte(c.key), []byte(v)
	if err := m.tx.Put(m.id(c.table), key, value); err != nil {
		t.Fatal(err)
	}
	clear(key) // the store must hold copies
	clear(value)
	m.inTx[c], m.txWrote[c] = v, &v
}

// PutMany makes a block of several transactions that write several keys.
func (m *model) PutMany(t *rapid.T) {
	for range rapid.IntRange(1, 3).Draw(t, "transactions") {
		for range rapid.IntRange(1, 5).Draw(t, "puts") {
			m.Put(t)
		}
		m.Commit(t)
	}
}

func (m *model) Delete(t *rapid.T) {
	m.Tx(t)
	c := drawCell(t)
	if err := m.tx.Delete(m.id(c.table), []byte(c.key)); err != nil {
		t.Fatal(err)
	}
	delete(m.inTx, c)
	m.txWrote[c] = nil
}

func (m *model) Get(t *rapid.T) {
	if m.tx == nil {
		t.Skip("no transaction")
	}
	c := drawCell(t)
	_, own := m.txWrote[c]
	sameValue(t, "tx", m.tx, m.id(c.table), c, m.inTx)
	if _, found := m.inOpen[c]; !own {
		m.txRead[c] = found
	}
}

func (m *model) Range(t *rapid.T) {
	if m.tx == nil {
		t.Skip("no transaction")
	}
	for _, c := range m.sameRange(t, "tx", m.tx, m.inTx) {
		if _, own := m.txWrote[c]; !own {
			m.txRead[c] = true
		}
	}
}

func (m *model) Commit(t *rapid.T) {
	if m.tx == nil {
		t.Skip("no transaction")
	}
	m.sameTx(t)
	before := m.tx.Writes()
	if err := m.tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if !sameWrites(before, m.tx.Writes()) {
		t.Fatal("Commit changed Writes")
	}
	if err := m.tx.Commit(); !errors.Is(err, ErrTxFinished) {
		t.Fatalf("second commit: %v", err)
	}
	maps.Copy(m.wrote, m.txWrote)
	m.inOpen, m.tx = m.inTx, nil
}

func (m *model) DiscardTx(t *rapid.T) {
	if m.tx == nil {
		t.Skip("no transaction")
	}
	m.sameTx(t)
	m.tx.Discard()
	m.tx = nil
}

func (m *model) Seal(t *rapid.T) {
	if m.block == nil {
		t.Skip("no block")
	}
	if m.tx != nil {
		m.Commit(t)
	}
	d, err := m.block.Seal()
	if err != nil {
		t.Fatal(err)
	}
	if d.Height() != m.next+uint64(len(m.sealed)) {
		t.Fatalf("sealed %d", d.Height())
	}
	m.sameWriteSet(t, d.Writes(), m.wrote)
	m.sealed = append(m.sealed, m.inOpen)
	m.deltas = append(m.deltas, state{})
	m.deleted = append(m.deleted, map[cell]bool{})
	for c, v := range m.wrote {
		if v != nil {
			m.deltas[len(m.deltas)-1][c] = *v
		} else {
			m.deleted[len(m.deleted)-1][c] = true
		}
	}
	m.block = nil
}

func (m *model) DiscardBlock(t *rapid.T) {
	if m.block == nil {
		t.Skip("no block")
	}
	m.block.Discard()
	m.dropOpen(t)
}

func (m *model) Rollback(t *rapid.T) {
	if m.block == nil && len(m.sealed) == 0 {
		t.Skip("nothing to drop")
	}
	keep := rapid.IntRange(0, len(m.sealed)).Draw(t, "keep")
	if m.next == 0 && keep == 0 {
		keep = min(1, len(m.sealed)) // no height is below the first
	}
	m.s.Rollback(m.next + uint64(keep) - 1)
	m.sealed, m.deltas, m.deleted = m.sealed[:keep], m.deltas[:keep], m.deleted[:keep]
	if m.block != nil {
		m.dropOpen(t)
	}
}

// dropOpen forgets the open block and checks that it is dead.
func (m *model) dropOpen(t *rapid.T) {
	if m.tx != nil {
		if err := m.tx.Commit(); !errors.Is(err, ErrDropped) {
			t.Fatalf("commit to a dropped block: %v", err)
		}
		m.tx = nil
	}
	if _, err := m.block.Seal(); !errors.Is(err, ErrDropped) {
		t.Fatalf("seal of a dropped block: %v", err)
	}
	m.block = nil
}

func (m *model) Publish(t *rapid.T) {
	if len(m.sealed) == 0 {
		t.Skip("nothing sealed")
	}
	m.samePublish(t, m.deltas[0], m.deleted[0], func() error { return m.s.Publish(m.next) })
	m.published = m.sealed[0]
	m.sealed, m.deltas, m.deleted = m.sealed[1:], m.deltas[1:], m.deleted[1:]
	m.next++
}

func (m *model) PublishWrongHeight(t *rapid.T) {
	wrong := m.next + rapid.SampledFrom([]uint64{1, 2, ^uint64(0), 0}).Draw(t, "off by")
	if wrong == m.next && len(m.sealed) > 0 {
		t.Skip("right height")
	}
	if err := m.s.Publish(wrong); !errors.Is(err, ErrHeight) {
		t.Fatalf("publish %d for %d: %v", wrong, m.next, err)
	}
}

func (m *model) Apply(t *rapid.T) {
	if m.block != nil || len(m.sealed) > 0 {
		if err := m.s.Apply(m.next+uint64(len(m.sealed)), nil); !errors.Is(err, ErrPending) {
			t.Fatalf("apply over sealed blocks: %v", err)
		}
		t.Skip("blocks are pending")
	}
	var writes []Write
	put, deleted := state{}, map[cell]bool{}
	for range rapid.IntRange(0, 8).Draw(t, "writes") {
		c := drawCell(t)
		w := Write{Table: m.id(c.table), Key: []byte(c.key), Delete: rapid.Bool().Draw(t, "delete")}
		delete(put, c)
		delete(deleted, c)
		if w.Delete {
			deleted[c] = true
		} else {
			w.Value = []byte(drawValue(t))
			put[c] = string(w.Value)
		}
		writes = append(writes, w)
	}
	for _, wrong := range []uint64{m.next - 1, m.next + 1} { // the block before, once more, included
		if err := m.s.Apply(wrong, writes); !errors.Is(err, ErrHeight) {
			t.Fatalf("apply %d for %d: %v", wrong, m.next, err)
		}
	}
	bad := append(slices.Clone(writes), Write{Table: 99})
	if err := m.s.Apply(m.next, bad); !errors.Is(err, ErrTable) {
		t.Fatalf("apply to no table: %v", err)
	}
	m.samePublish(t, put, deleted, func() error { return m.s.Apply(m.next, writes) })
	m.published = maps.Clone(m.published)
	maps.Copy(m.published, put)
	for c := range deleted {
		delete(m.published, c)
	}
	m.next++
}

func (m *model) Pin(t *rapid.T) {
	v := m.s.Pin()
	m.views, m.pinned, m.at = append(m.views, v), append(m.pinned, m.published), append(m.at, max(m.next, 1)-1)
}

func (m *model) Release(t *rapid.T) {
	if len(m.views) == 0 {
		t.Skip("no view")
	}
	i := rapid.IntRange(0, len(m.views)-1).Draw(t, "view")
	m.views[i].Release()
	m.views[i].Release() // does nothing
	m.views, m.pinned, m.at = slices.Delete(m.views, i, i+1), slices.Delete(m.pinned, i, i+1), slices.Delete(m.at, i, i+1)
	if st := m.s.Stats(); len(m.views) == 0 && (st.Pinned != 0 || st.Images != 0) {
		t.Fatalf("before-images without a view: %+v", st)
	}
}

// EachWhilePublishing scans every table of a view and publishes blocks while it does.
func (m *model) EachWhilePublishing(t *rapid.T) {
	if len(m.views) == 0 || m.block != nil || len(m.sealed) > 0 {
		t.Skip("no view, or blocks are pending")
	}
	i := rapid.IntRange(0, len(m.views)-1).Draw(t, "view")
	m.sameEach(t, m.views[i], m.pinned[i], func() { m.Apply(t) })
}

// Check compares everything readable.
func (m *model) Check(t *rapid.T) {
	if h, ok := m.s.Height(); ok != (m.next > 0) || ok && h != m.next-1 {
		t.Fatalf("height %d %v, next is %d", h, ok, m.next)
	}
	for i, v := range m.views {
		if v.Height() != m.at[i] {
			t.Fatalf("view of %d says %d", m.at[i], v.Height())
		}
		m.sameState(t, "view", v, m.pinned[i])
	}
	if n := len(m.views); n > 0 && rapid.IntRange(0, 3).Draw(t, "scan") == 0 {
		i := rapid.IntRange(0, n-1).Draw(t, "scanned view")
		m.sameEach(t, m.views[i], m.pinned[i], func() {})
	}
	m.sameState(t, "speculative", m.s.Speculative(), m.newest())
	entries := 0
	for _, ts := range m.s.Stats().Tables {
		entries += ts.Entries
	}
	if entries != len(m.published) {
		t.Fatalf("%d entries, want %d", entries, len(m.published))
	}
}
