package kv

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"

	"pgregory.net/rapid"
)

// What the model compares.

func (m *model) sameState(t *rapid.T, who string, r Reader, want state) {
	for _, table := range modelTables {
		for _, key := range []string{"", "a", "b", "c", "ca", "d", "e\x00", "e", "f", "g\xff", "h", "never"} {
			sameValue(t, who, r, m.id(table.Name), cell{table.Name, key}, want)
		}
	}
	m.sameRange(t, who, r, want)
}

func sameValue(t *rapid.T, who string, r Reader, id TableID, c cell, want state) {
	w, wantOK := want[c]
	got, ok := r.Get(id, []byte(c.key))
	if ok != wantOK || string(got) != w || ok && got == nil {
		t.Fatalf("%s: %q: got %.20q %v, want %.20q %v", who, c, got, ok, w, wantOK)
	}
	if into, ok := r.GetInto([]byte("dst"), id, []byte(c.key)); ok != wantOK || string(into) != "dst"+w {
		t.Fatalf("%s: %q: GetInto %.20q", who, c, into)
	}
	clear(got) // a copy
}

// sameRange compares a drawn range of each ordered table and returns what it showed.
func (m *model) sameRange(t *rapid.T, who string, r Reader, want state) (shown []cell) {
	for _, table := range modelTables {
		if table.Kind == Point {
			if err := r.Range(m.id(table.Name), nil, nil, nil); !errors.Is(err, ErrKind) {
				t.Fatalf("range of a point table: %v", err)
			}
			continue
		}
		from, to := drawCell(t).key, drawCell(t).key
		end := []byte(to)
		if rapid.Bool().Draw(t, "to the end") {
			end = nil
		}
		limit := rapid.IntRange(1, 12).Draw(t, "limit")
		var got, expect []string
		err := r.Range(m.id(table.Name), []byte(from), end, func(k, v []byte) bool {
			got = append(got, fmt.Sprintf("%q=%q", k, v))
			shown = append(shown, cell{table.Name, string(k)})
			clear(v)
			return len(got) < limit
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range slices.Sorted(maps.Keys(keysOf(want, table.Name))) {
			if key >= from && (end == nil || key < to) && len(expect) < limit {
				expect = append(expect, fmt.Sprintf("%q=%q", key, want[cell{table.Name, key}]))
			}
		}
		if !slices.Equal(got, expect) {
			t.Fatalf("%s: range %s %q %q:\n got %.200q\nwant %.200q", who, table.Name, from, end, got, expect)
		}
	}
	return shown
}

func (m *model) sameEach(t *rapid.T, v *View, want state, meanwhile func()) {
	want = maps.Clone(want)
	for _, table := range modelTables {
		got := map[string]string{}
		err := v.Each(m.id(table.Name), func(key, value []byte) bool {
			if _, twice := got[string(key)]; twice {
				t.Fatalf("each: %s shows %q twice", table.Name, key)
			}
			got[string(key)] = string(value)
			meanwhile()
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		if expect := keysOf(want, table.Name); !maps.Equal(got, expect) {
			t.Fatalf("each: %s:\n got %.200q\nwant %.200q", table.Name, got, expect)
		}
	}
}

func keysOf(s state, table string) map[string]string {
	keys := map[string]string{}
	for c, v := range s {
		if c.table == table {
			keys[c.key] = v
		}
	}
	return keys
}

// sameTx compares the read and write set of the open transaction.
func (m *model) sameTx(t *rapid.T) {
	m.sameWriteSet(t, m.tx.Writes(), m.txWrote)
	reads := m.tx.Reads()
	if !slices.IsSortedFunc(reads, func(a, b Read) int {
		return 2*int(int(a.Table)-int(b.Table)) + bytes.Compare(a.Key, b.Key)
	}) {
		t.Fatalf("reads out of order: %v", reads)
	}
	got := map[cell]bool{}
	for _, r := range reads {
		got[cell{m.s.Name(r.Table), string(r.Key)}] = r.Found
	}
	if !maps.Equal(got, m.txRead) || len(reads) != len(got) {
		t.Fatalf("reads: got %v, want %v", got, m.txRead)
	}
}

func (m *model) sameWriteSet(t *rapid.T, writes []Write, want map[cell]*string) {
	if !slices.IsSortedFunc(writes, func(a, b Write) int {
		return 2*int(int(a.Table)-int(b.Table)) + bytes.Compare(a.Key, b.Key)
	}) || len(writes) != len(want) {
		t.Fatalf("%d writes, or out of order, want %d: %v", len(writes), len(want), writes)
	}
	for _, w := range writes {
		v, ok := want[cell{m.s.Name(w.Table), string(w.Key)}]
		if !ok || w.Delete != (v == nil) || v != nil && *v != string(w.Value) {
			t.Fatalf("write %v is not expected", w)
		}
	}
}

// samePublish publishes a block and compares the before-images.
func (m *model) samePublish(t *rapid.T, put state, deleted map[cell]bool, publish func() error) {
	m.images = nil
	if err := publish(); err != nil {
		t.Fatal(err)
	}
	if len(m.images) != len(put)+len(deleted) {
		t.Fatalf("%d before-images of %d writes", len(m.images), len(put)+len(deleted))
	}
	for _, image := range m.images {
		c := cell{m.s.Name(image.Table), string(image.Key)}
		_, written := put[c]
		if old, present := m.published[c]; !written && !deleted[c] || image.Present != present || string(image.Value) != old {
			t.Fatalf("before-image %v, want %.20q %v", image, old, present)
		}
	}
}

func sameWrites(a, b []Write) bool {
	return slices.EqualFunc(a, b, func(x, y Write) bool {
		return x.Table == y.Table && x.Delete == y.Delete && bytes.Equal(x.Key, y.Key) && bytes.Equal(x.Value, y.Value)
	})
}
