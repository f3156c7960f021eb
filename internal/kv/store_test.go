package kv

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func open(t testing.TB, tables ...Table) *Store {
	t.Helper()
	if tables == nil {
		tables = modelTables
	}
	s, err := New(tables...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *Store) must(name string) TableID {
	id, ok := s.Table(name)
	if !ok {
		panic("no table " + name)
	}
	return id
}

func TestSchema(t *testing.T) {
	for _, bad := range []Table{
		{"", Point}, {"accounts", Point}, {".accounts", Point}, {"eth.", Point}, {"public:", Point}, {"public:eth", Ordered},
		{"eth.accounts", 0}, {"eth.accounts", 3}, {"eth." + strings.Repeat("a", MaxTableName), Point},
	} {
		if _, err := New(bad); !errors.Is(err, ErrSchema) {
			t.Errorf("%q of kind %d: %v", bad.Name, bad.Kind, err)
		}
	}
	if _, err := New(Table{"a.b", Point}, Table{"a.b", Ordered}); !errors.Is(err, ErrSchema) {
		t.Errorf("declared twice: %v", err)
	}
	if _, err := New(make([]Table, MaxTables+1)...); !errors.Is(err, ErrSchema) {
		t.Errorf("too many tables: %v", err)
	}

	s := open(t)
	names := []string{s.Name(0), s.Name(1), s.Name(2), s.Name(3), s.Name(4), s.Name(5)}
	if want := []string{"", "coco.members", "eth.accounts", "eth.storage", "public:coco.service", ""}; !slices.Equal(names, want) {
		t.Errorf("names %q, want %q", names, want)
	}
	if got := s.Tables(); len(got) != 4 || got[3] != (Table{"public:coco.service", Ordered}) {
		t.Errorf("tables %v", got)
	}
	if _, ok := s.Table("eth.code"); ok {
		t.Error("a table that was not declared")
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]struct {
		public bool
		room   string
	}{
		"eth.accounts":        {false, "eth"},
		"public:coco.service": {true, "coco"},
		"coco.public:x":       {false, "coco"},
	} {
		if Public(name) != want.public || Room(name) != want.room {
			t.Errorf("%s: public %v, room %s", name, Public(name), Room(name))
		}
	}
}

func TestLimits(t *testing.T) {
	s := open(t)
	b, _ := s.Begin(0)
	tx := b.Tx()
	point, ordered := s.must("eth.storage"), s.must("coco.members")
	key, value := make([]byte, MaxKey), make([]byte, MaxValue)
	for _, table := range []TableID{point, ordered} {
		if err := tx.Put(table, append(key, 0), nil); !errors.Is(err, ErrKeySize) {
			t.Errorf("long key: %v", err)
		}
		if err := tx.Delete(table, append(key, 0)); !errors.Is(err, ErrKeySize) {
			t.Errorf("long key: %v", err)
		}
		if err := tx.Put(table, key, append(value, 0)); !errors.Is(err, ErrValueSize) {
			t.Errorf("long value: %v", err)
		}
		if err := tx.Put(table, key, value); err != nil {
			t.Errorf("largest entry: %v", err)
		}
	}
	for _, table := range []TableID{0, 5, 65535} {
		if err := tx.Put(table, nil, nil); !errors.Is(err, ErrTable) {
			t.Errorf("put to no table: %v", err)
		}
		if err := tx.Range(table, nil, nil, nil); !errors.Is(err, ErrTable) {
			t.Errorf("range of no table: %v", err)
		}
		if err := s.Pin().Each(table, nil); !errors.Is(err, ErrTable) {
			t.Errorf("each of no table: %v", err)
		}
		for _, r := range []Reader{tx, s.Pin(), s.Speculative()} {
			if _, ok := r.Get(table, nil); ok {
				t.Error("no table has a key")
			}
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	b.Seal()
	if err := s.Publish(0); err != nil {
		t.Fatal(err)
	}
	if got, ok := s.Pin().Get(point, key); !ok || len(got) != MaxValue {
		t.Errorf("largest entry: %d bytes, %v", len(got), ok)
	}
}

func TestScope(t *testing.T) {
	s := open(t)
	eth, members, service := s.must("eth.storage"), s.must("coco.members"), s.must("public:coco.service")
	b, _ := s.Begin(0)
	tx := b.Tx("eth", "coco")
	if err := tx.Put(service, []byte("k"), nil); err != nil {
		t.Errorf("own public table: %v", err)
	}
	scope := tx.Scope("eth", "quorum")
	if err := scope.Put(eth, []byte("k"), []byte("v")); err != nil {
		t.Errorf("own table: %v", err)
	}
	if err := scope.Put(members, []byte("k"), nil); !errors.Is(err, ErrForeign) {
		t.Errorf("foreign table: %v", err)
	}
	if err := scope.Delete(service, []byte("k")); !errors.Is(err, ErrForeign) {
		t.Errorf("foreign public table: %v", err)
	}
	if _, ok := scope.Get(service, []byte("k")); !ok {
		t.Error("a scope must read what its transaction wrote")
	}
	if err := scope.Scope("coco").Put(members, []byte("k"), nil); !errors.Is(err, ErrForeign) {
		t.Errorf("a scope widened itself: %v", err)
	}
	if err := scope.Commit(); !errors.Is(err, ErrForeign) {
		t.Errorf("a scope committed: %v", err)
	}
	scope.Discard()
	if len(tx.Writes()) != 2 {
		t.Errorf("writes %v", tx.Writes())
	}
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
	if err := scope.Put(eth, nil, nil); !errors.Is(err, ErrTxFinished) {
		t.Errorf("put after commit: %v", err)
	}
	if err := b.Tx("quorum").Put(eth, nil, nil); !errors.Is(err, ErrForeign) {
		t.Errorf("foreign table: %v", err)
	}
}

func TestLoad(t *testing.T) {
	s := open(t)
	eth, members := s.must("eth.storage"), s.must("coco.members")
	broken := errors.New("broken")
	for _, bad := range []func(put func(TableID, []byte, []byte) error) error{
		func(put func(TableID, []byte, []byte) error) error { put(eth, []byte("a"), nil); return broken },
		func(put func(TableID, []byte, []byte) error) error { return put(99, nil, nil) },
		func(put func(TableID, []byte, []byte) error) error { return put(eth, make([]byte, MaxKey+1), nil) },
	} {
		if err := s.Load(7, bad); err == nil {
			t.Error("load must fail")
		}
	}
	if _, ok := s.Height(); ok || s.Stats().Tables[2].Entries != 0 {
		t.Error("a failed load left something")
	}
	err := s.Load(7, func(put func(TableID, []byte, []byte) error) error {
		key := []byte("a")
		return errors.Join(put(eth, key, []byte("1")), put(members, key, []byte("2")), put(members, key, []byte("3")))
	})
	if err != nil {
		t.Fatal(err)
	}
	v := s.Pin()
	for table, want := range map[TableID]string{eth: "1", members: "3"} {
		if got, ok := v.Get(table, []byte("a")); !ok || string(got) != want {
			t.Errorf("loaded %q, want %q", got, want)
		}
	}
	if v.Height() != 7 {
		t.Errorf("height %d", v.Height())
	}
	if err := s.Load(8, nil); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("second load: %v", err)
	}
	if err := s.Apply(7, nil); !errors.Is(err, ErrHeight) {
		t.Errorf("the loaded block again: %v", err)
	}
	if err := s.Apply(8, nil); err != nil {
		t.Error(err)
	}
}

// A transaction of a scan longer than one batch, on changes over changes.
func TestLongRange(t *testing.T) {
	s := open(t)
	id := s.must("coco.members")
	key := func(i int) []byte { return fmt.Appendf(nil, "%06d", i) }
	const n = 3*batchKeys + 7
	var writes []Write
	for i := range n {
		writes = append(writes, Write{Table: id, Key: key(i), Value: []byte("old")})
	}
	if err := s.Apply(0, writes); err != nil {
		t.Fatal(err)
	}
	view := s.Pin()
	b, _ := s.Begin(1)
	tx := b.Tx()
	want := map[string]string{}
	for i := range n {
		switch {
		case i > batchKeys && i < 2*batchKeys+3: // a whole batch of deleted keys
			tx.Delete(id, key(i))
		case i%3 == 0:
			tx.Put(id, key(i), []byte("new"))
			want[string(key(i))] = "new"
		default:
			want[string(key(i))] = "old"
		}
	}
	check := func(r Reader, want func(i int) string) {
		t.Helper()
		var keys []string
		r.Range(id, nil, nil, func(k, v []byte) bool {
			keys = append(keys, string(k)+string(v))
			return true
		})
		var expect []string
		for i := range n {
			if v := want(i); v != "" {
				expect = append(expect, string(key(i))+v)
			}
		}
		if !slices.Equal(keys, expect) {
			t.Errorf("%T: %d keys, want %d", r, len(keys), len(expect))
		}
	}
	changed := func(i int) string { return want[string(key(i))] }
	check(tx, changed)
	tx.Commit()
	b.Seal()
	check(s.Speculative(), changed)
	s.Publish(1)
	check(s.Pin(), changed)
	check(view, func(int) string { return "old" })
	large := bytes.Repeat([]byte("x"), batchBytes/2)
	b, _ = s.Begin(2)
	tx = b.Tx()
	for i := range 7 { // batches of few large values
		tx.Put(id, key(i), large)
		want[string(key(i))] = string(large)
	}
	check(tx, changed)
}

func TestReleasedViewPanics(t *testing.T) {
	s := open(t)
	v := s.Pin()
	v.Release()
	for name, use := range map[string]func(){
		"get": func() { v.Get(1, nil) },
		"range": func() {
			v.Range(s.must("coco.members"), nil, nil, func(_, _ []byte) bool { return true })
		},
		"each": func() { v.Each(s.must("eth.storage"), func(_, _ []byte) bool { return true }) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s on a released view", name)
				}
			}()
			use()
		}()
	}
	if err := s.Apply(0, nil); err != nil { // the lock is free
		t.Fatal(err)
	}
}

func TestStats(t *testing.T) {
	s := open(t)
	point, ordered := s.must("eth.storage"), s.must("coco.members")
	apply := func(height uint64, writes ...Write) {
		t.Helper()
		if err := s.Apply(height, writes); err != nil {
			t.Fatal(err)
		}
	}
	apply(0, Write{Table: ordered, Key: []byte("abc"), Value: []byte("12345")}, Write{Table: ordered, Key: []byte("d")},
		Write{Table: point, Key: []byte("k"), Value: make([]byte, 5000)})
	a, b := s.Pin(), s.Pin()
	apply(1, Write{Table: ordered, Key: []byte("abc"), Value: []byte("1")}, Write{Table: point, Key: []byte("k"), Delete: true})
	c := s.Pin()
	apply(2, Write{Table: ordered, Key: []byte("abc"), Delete: true})
	st := s.Stats()
	if got := st.Tables[0]; got.Name != "coco.members" || got.Entries != 1 || got.Bytes != 1 {
		t.Errorf("ordered table: %+v", got)
	}
	if got := st.Tables[2]; got.Name != "eth.storage" || got.Entries != 0 || got.Bytes < 1<<baseChunk || got.Bytes > 2<<baseChunk {
		t.Errorf("point table: %+v", got)
	}
	if st.Pinned != 2 || st.Images != 3 || st.ImageBytes < 5000 {
		t.Errorf("pins: %+v", st)
	}
	a.Release()
	c.Release()
	if st := s.Stats(); st.Pinned != 1 || st.Images != 2 {
		t.Errorf("pins after two of three: %+v", st)
	}
	b.Release()
	if st := s.Stats(); st.Pinned != 0 || st.Images != 0 || st.ImageBytes != 0 {
		t.Errorf("pins after all: %+v", st)
	}
}

// Every order of releasing four pins, over blocks that write keys often and
// seldom, leaves the pinned versions as they were.
func TestReleaseOrders(t *testing.T) {
	point, ordered := TableID(0), TableID(0)
	written := func(height, key int) bool { return height == 0 || height%(key+1) == 0 }
	const keys, pins = 5, 4
	check := func(v *View) {
		t.Helper()
		shown := 0
		v.Each(point, func(_, _ []byte) bool { shown++; return true })
		if shown != keys {
			t.Fatalf("view of %d: a scan shows %d keys of %d", v.Height(), shown, keys)
		}
		for key := range keys {
			want := int(v.Height())
			for !written(want, key) {
				want--
			}
			for _, table := range []TableID{point, ordered} {
				if got, ok := v.Get(table, []byte{byte(key)}); !ok || got[0] != byte(want) {
					t.Fatalf("view of %d: key %d is of %d, want %d", v.Height(), key, got, want)
				}
			}
		}
	}
	orders := 0
	var release func(views []*View, order []int)
	release = func(views []*View, order []int) {
		if len(order) < pins {
			for i := range pins {
				if !slices.Contains(order, i) {
					release(views, append(slices.Clone(order), i))
				}
			}
			return
		}
		orders++
		s := open(t, Table{"a.point", Point}, Table{"a.ordered", Ordered})
		point, ordered = s.must("a.point"), s.must("a.ordered")
		for height := range 2*pins + 2 {
			var writes []Write
			for key := range keys {
				if written(height, key) {
					for _, table := range []TableID{point, ordered} {
						writes = append(writes, Write{Table: table, Key: []byte{byte(key)}, Value: []byte{byte(height)}})
					}
				}
			}
			if err := s.Apply(uint64(height), writes); err != nil {
				t.Fatal(err)
			}
			if height%2 == 1 && len(views) < pins {
				views = append(views, s.Pin())
			}
		}
		for i, first := range order {
			views[first].Release()
			for _, next := range order[i+1:] {
				check(views[next])
			}
		}
	}
	release(nil, nil)
	if orders != 24 {
		t.Errorf("%d orders", orders)
	}
}

// TestLoadIsLikePut loads many entries, some of them again with another value: the
// last counts, and the table goes on like any other.
func TestLoadIsLikePut(t *testing.T) {
	s := open(t)
	id := s.must("eth.storage")
	rng := rand.New(rand.NewPCG(1, 2))
	want := map[string]string{}
	const entries = 200_000
	key := func() []byte { return slotKey(nil, rng.IntN(entries/2)) }
	err := s.Load(0, func(put func(TableID, []byte, []byte) error) error {
		for i := range entries {
			k, v := key(), fmt.Appendf(nil, "%*d", i%100, i)
			want[string(k)] = string(v)
			if err := put(id, k, v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for height := range uint64(20) {
		var writes []Write
		for i := range 500 {
			w := Write{Table: id, Key: key(), Value: fmt.Appendf(nil, "later %d", i), Delete: i%3 == 0}
			writes = append(writes, w)
			if want[string(w.Key)] = string(w.Value); w.Delete {
				delete(want, string(w.Key))
			}
		}
		if err := s.Apply(height+1, writes); err != nil {
			t.Fatal(err)
		}
	}
	view, seen := s.Pin(), 0
	defer view.Release()
	err = view.Each(id, func(key, value []byte) bool {
		if w, ok := want[string(key)]; !ok || w != string(value) {
			t.Fatalf("%x: %q, want %q %v", key, value, w, ok)
		}
		seen++
		return true
	})
	if err != nil || seen != len(want) || s.Stats().Tables[slices.Index(s.Tables(), Table{"eth.storage", Point})].Entries != seen {
		t.Fatalf("%d entries, want %d: %v", seen, len(want), err)
	}
	for k, w := range want {
		if v, ok := view.Get(id, []byte(k)); !ok || string(v) != w {
			t.Fatalf("%x: %q %v, want %q", k, v, ok, w)
		}
	}
}
