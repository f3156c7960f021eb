package history

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/disk/crash"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testKey is the index key of one network.
func testKey(network byte) Key {
	return func(epoch uint64) ([32]byte, error) {
		var key [32]byte
		key[0] = network
		binary.BigEndian.PutUint64(key[1:], epoch)
		return key, nil
	}
}

func open(t testing.TB, fs disk.FS, opts Options) *Index {
	t.Helper()
	opts.FS = fs
	if opts.Key == nil {
		opts.Key = testKey(1)
	}
	x, err := Open("index", opts)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func do(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// model answers as the index must.
type model struct{ blocks [][]Entry }

func (m *model) find(term []byte, from, to uint64, limit int, reverse bool) []Found {
	var found []Found
	for h, entries := range m.blocks {
		at := map[uint32][]byte{}
		var positions []uint32
		for _, e := range entries {
			if uint64(h) < from || uint64(h) > to || !bytes.Equal(e.Term, term) {
				continue
			}
			if _, ok := at[e.Position]; !ok {
				positions = append(positions, e.Position)
			}
			at[e.Position] = e.Value
		}
		slices.Sort(positions)
		for _, p := range positions {
			found = append(found, Found{uint64(h), p, at[p]})
		}
	}
	if reverse {
		slices.Reverse(found)
	}
	if limit > 0 && len(found) > limit {
		found = found[:limit]
	}
	return found
}

func same(a, b []Found) bool {
	return slices.EqualFunc(a, b, func(a, b Found) bool {
		return a.Height == b.Height && a.Position == b.Position && bytes.Equal(a.Value, b.Value)
	})
}

// TestModel drives the index with random blocks, flushes, restarts and changes
// of epoch and compares every answer with the model's.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fs := crash.New()
		rekey := rapid.Uint64Range(1, 30).Draw(t, "rekey every")
		opts := Options{FS: fs, Key: testKey(1), TailBytes: 1 << 20, Epoch: func(h uint64) uint64 { return h / rekey }}
		x, err := Open("index", opts)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { x.Close() }()
		var m model
		terms := rapid.SampledFrom([][]byte{{}, {1}, {2}, []byte("a longer term of more than sixteen bytes"), {0, 0, 0, 0}})
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				for range rapid.IntRange(1, 5).Draw(t, "blocks") {
					entries := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Entry {
						return Entry{
							Term:     terms.Draw(t, "term"),
							Position: rapid.SampledFrom([]uint32{0, 1, 2, 7, 1<<32 - 1}).Draw(t, "position"),
							Value:    rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "value"),
						}
					}), 0, 6).Draw(t, "entries")
					if err := x.Add(uint64(len(m.blocks)), entries); err != nil {
						t.Fatal(err)
					}
					m.blocks = append(m.blocks, entries)
				}
			},
			"wake": func(t *rapid.T) { x.writer.signal() },
			"flush": func(t *rapid.T) {
				if err := x.Flush(context.Background()); err != nil {
					t.Fatal(err)
				}
			},
			"restart": func(t *rapid.T) {
				if err := x.Close(); err != nil {
					t.Fatal(err)
				}
				if x, err = Open("index", opts); err != nil {
					t.Fatal(err)
				}
			},
			"": func(t *rapid.T) {
				if h, ok := x.Height(); ok != (len(m.blocks) > 0) || ok && h != uint64(len(m.blocks)-1) {
					t.Fatalf("height %d %v after %d blocks", h, ok, len(m.blocks))
				}
				term := terms.Draw(t, "asked")
				from := rapid.Uint64Range(0, uint64(len(m.blocks))).Draw(t, "from")
				to := rapid.OneOf(rapid.Uint64Range(0, uint64(len(m.blocks))), rapid.Just(uint64(1<<64-1))).Draw(t, "to")
				limit := rapid.IntRange(0, 4).Draw(t, "limit")
				reverse := rapid.Bool().Draw(t, "reverse")
				got, err := x.Find(term, from, to, limit, reverse)
				if err != nil {
					t.Fatal(err)
				}
				if want := m.find(term, from, to, limit, reverse); !same(got, want) {
					t.Fatalf("%x in %d..%d limit %d reverse %v:\n got %v\nwant %v", term, from, to, limit, reverse, got, want)
				}
			},
		})
	})
}

// blockOf is a block of a network whose every answer can be computed: term t
// occurs in block h when t divides h.
func blockOf(h uint64) []Entry {
	var entries []Entry
	for t := uint64(1); t <= 7; t++ {
		if h%t == 0 {
			entries = append(entries, Entry{Term: termOf(t), Position: uint32(t), Value: fmt.Appendf(nil, "%d in %d", t, h)})
		}
	}
	return entries
}

func termOf(t uint64) []byte { return fmt.Appendf(nil, "term %d", t) }

func check(t testing.TB, x *Index) {
	t.Helper()
	height, ok := x.Height()
	for term := uint64(1); term <= 7; term++ {
		found, err := x.Find(termOf(term), 0, 1<<64-1, 0, false)
		do(t, err)
		want := 0
		if ok {
			want = int(height/term) + 1
		}
		if len(found) != want {
			t.Fatalf("term %d: %d occurrences up to %d, want %d", term, len(found), height, want)
		}
		for i, f := range found {
			if f.Height != uint64(i)*term || f.Position != uint32(term) || string(f.Value) != fmt.Sprintf("%d in %d", term, f.Height) {
				t.Fatalf("term %d: occurrence %d is %v", term, i, f)
			}
		}
	}
}

func TestOrder(t *testing.T) {
	x := open(t, crash.New(), Options{})
	defer x.Close()
	if _, ok := x.Height(); ok {
		t.Fatal("an empty index has a height")
	}
	do(t, x.Add(5, nil)) // an empty index takes any height
	for _, h := range []uint64{0, 4, 5, 7} {
		if err := x.Add(h, nil); !errors.Is(err, ErrOrder) {
			t.Errorf("block %d after 5: %v", h, err)
		}
	}
	do(t, x.Add(6, nil))
}

func TestOtherNetworkIsNamed(t *testing.T) {
	fs := crash.New()
	x := open(t, fs, Options{})
	do(t, x.Add(0, blockOf(0)))
	do(t, x.Close())

	_, err := Open("index", Options{FS: fs, Key: testKey(2)})
	if !errors.Is(err, ErrForeign) {
		t.Fatalf("another network's key: %v", err)
	}
	do(t, Remove("index", fs))
	x = open(t, fs, Options{Key: testKey(2)})
	if _, ok := x.Height(); ok {
		t.Fatal("the removed index has a height")
	}
	do(t, x.Close())
}

func TestClosed(t *testing.T) {
	x := open(t, crash.New(), Options{})
	do(t, x.Add(0, blockOf(0)))
	do(t, x.Close())
	do(t, x.Close())
	_, find := x.Find(termOf(1), 0, 0, 0, false)
	for _, err := range []error{find, x.Add(1, nil), x.Flush(context.Background()), x.Room(context.Background())} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("after close: %v", err)
		}
	}
}

// TestConcurrentReaders reads while blocks move from the tail to the store.
func TestConcurrentReaders(t *testing.T) {
	const blocks = 3000
	x := open(t, crash.New(), Options{})
	defer x.Close()
	ctx, cancel := context.WithCancel(context.Background())
	failed := make(chan error, 4)
	for r := range cap(failed) {
		go func() {
			failed <- func() error {
				for ctx.Err() == nil {
					height, ok := x.Height()
					if !ok {
						continue
					}
					term := uint64(r + 1)
					found, err := x.Find(termOf(term), 0, height, 0, r%2 == 0)
					if err != nil {
						return err
					}
					if want := int(height/term) + 1; len(found) != want {
						return fmt.Errorf("term %d: %d occurrences up to %d, want %d", term, len(found), height, want)
					}
				}
				return nil
			}()
		}()
	}
	for h := range uint64(blocks) {
		do(t, x.Add(h, blockOf(h)))
		if h%16 == 0 {
			x.writer.signal()
		}
	}
	cancel()
	for range cap(failed) {
		do(t, <-failed)
	}
	do(t, x.Flush(context.Background()))
	check(t, x)
}
