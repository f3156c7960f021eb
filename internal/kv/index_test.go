package kv

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// An index is a map by table and key, whatever the hashes are.
func TestIndexIsAMap(t *testing.T) {
	s := open(t)
	rapid.Check(t, func(t *rapid.T) {
		type name struct {
			table TableID
			key   string
		}
		s.narrow = rapid.SampledFrom([]uint64{^uint64(0), 0xf, 1, 0}).Draw(t, "hash bits")
		var x index
		want := map[name]*change{}
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			n := name{TableID(rapid.IntRange(1, 2).Draw(t, "table")), fmt.Sprint(rapid.IntRange(0, 40).Draw(t, "key"))}
			c := &change{table: n.table, key: n.key, hash: s.hash([]byte(n.key))}
			switch step := rapid.IntRange(0, 99).Draw(t, "step"); {
			case step == 0:
				x.clear()
				clear(want)
			case step < 6: // a change that is not there
				if x.drop(c) {
					t.Fatal("dropped what was replaced")
				}
			case step < 40:
				if now := want[n]; now != nil && !x.drop(now) {
					t.Fatalf("%v cannot be dropped", n)
				}
				delete(want, n)
			default:
				if old := x.set(c); old != want[n] {
					t.Fatalf("%v was %v, want %v", n, old, want[n])
				}
				want[n] = c
			}
			if x.used != len(want) {
				t.Fatalf("%d entries, want %d", x.used, len(want))
			}
			for n, c := range want {
				if x.find(n.table, c.hash, []byte(n.key)) != c {
					t.Fatalf("%v is lost", n)
				}
			}
			if want[n] == nil && x.find(n.table, c.hash, []byte(n.key)) != nil {
				t.Fatalf("%v is there", n)
			}
		}
	})
}

// A transaction allocates once, and its share of what the block's are cut from.
func TestTransactionAllocations(t *testing.T) {
	s := open(t)
	id := s.must("eth.storage")
	b, err := s.Begin(0)
	if err != nil {
		t.Fatal(err)
	}
	key, buf, value, i := make([]byte, 0, 64), make([]byte, 0, 32), make([]byte, 32), 0
	n := testing.AllocsPerRun(300, func() {
		tx := b.Tx()
		scope := tx.Scope("eth")
		for n := range 5 {
			key = slotKey(key, i)
			i++
			scope.GetInto(buf, id, key)
			if n < 3 {
				scope.Put(id, key, value)
			}
		}
		tx.Writes() // two more
		tx.Commit()
	})
	if n > 3 {
		t.Errorf("%v allocations", n)
	}
}

// What a transaction wrote outlasts it; its handle is of no more use when the next
// one has its room, and does no harm.
func TestTransactionsShareTheirRoom(t *testing.T) {
	s := open(t)
	id, members := s.must("eth.storage"), s.must("coco.members")
	b, _ := s.Begin(0)
	var before [][]Write
	var finished []*Tx
	for i := range 200 {
		tx := b.Tx()
		key := fmt.Append(nil, i)
		tx.Get(id, []byte("absent"))
		for _, table := range []TableID{id, members} {
			tx.Put(table, key, make([]byte, largeValue*2))
			tx.Put(table, key, append(key, '!'))
		}
		writes := tx.Writes()
		if i%3 == 0 {
			tx.Discard()
		} else if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if n := len(tx.Reads()); i%3 != 0 && n != 1 {
			t.Fatalf("%d reads", n)
		}
		before, finished = append(before, writes), append(finished, tx)
	}
	b.Tx()
	for i, writes := range before {
		for _, w := range writes {
			if string(w.Key) != fmt.Sprint(i) || string(w.Value) != fmt.Sprintf("%d!", i) {
				t.Fatalf("write %d became %q = %q", i, w.Key, w.Value)
			}
		}
		tx := finished[i]
		for _, table := range []TableID{id, members} {
			if value, ok := tx.Get(table, fmt.Append(nil, i)); ok != (i%3 != 0) || ok && string(value) != fmt.Sprintf("%d!", i) {
				t.Fatalf("%d reads %q, %v", i, value, ok)
			}
		}
		shown := 0
		if err := tx.Range(members, nil, nil, func(_, _ []byte) bool { shown++; return true }); err != nil || shown != 133 {
			t.Fatalf("%d shown: %v", shown, err)
		}
		if tx.Discard(); len(tx.Reads()) != 0 || len(tx.Writes()) != 0 {
			t.Fatal("a finished transaction has the next one's reads or writes")
		}
	}
}
