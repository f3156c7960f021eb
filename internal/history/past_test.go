package history

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/kv"
)

// chronicle is a store with its past, and a model that keeps every version. It
// is the ledger too: its blocks can be replayed.
type chronicle struct {
	dir    string
	fs     disk.FS
	opts   PastOptions
	store  *kv.Store
	past   *Past
	points kv.TableID

	blocks [][]kv.Write
	states []map[string]string // after each block
	hashes [][32]byte

	trouble error // of reading the ledger
}

func newChronicle(fs disk.FS, w Window) *chronicle {
	c := &chronicle{dir: "past", fs: fs}
	c.opts = PastOptions{
		Options: Options{FS: fs, Key: testKey(1), Window: w}, Constant: []string{"room.code"}, Ledger: c, pause: time.Millisecond,
	}
	return c
}

// load makes a store with the state after the block of a height, and no past.
func (c *chronicle) load(snapshot int) (err error) {
	c.store, err = kv.New(kv.Table{Name: "room.points", Kind: kv.Point}, kv.Table{Name: "room.code", Kind: kv.Point})
	if err != nil {
		return err
	}
	c.points, _ = c.store.Table("room.points")
	c.past = NewPast(c.store)
	if snapshot < 0 {
		return nil
	}
	return c.store.Load(uint64(snapshot), func(put func(kv.TableID, []byte, []byte) error) error {
		for k, v := range c.states[snapshot] {
			if err := put(c.points, []byte(k), []byte(v)); err != nil {
				return err
			}
		}
		return nil
	})
}

// start opens store and past with the state after the block of a height, and
// replays the blocks behind it.
func (c *chronicle) start(snapshot int) (err error) {
	if err := c.load(snapshot); err != nil {
		return err
	}
	c.past = OpenPast(c.dir, c.store, c.opts)
	c.store.Observe(c.past.Observe)
	for h := snapshot + 1; h < len(c.blocks); h++ {
		if err := c.apply(h); err != nil {
			return err
		}
	}
	c.past.Live()
	return nil
}

func (c *chronicle) apply(h int) error {
	if err := c.store.Apply(uint64(h), c.blocks[h]); err != nil {
		return err
	}
	c.past.Confirm(uint64(h), c.hashes[h])
	return nil
}

// commit adds a block: keys with values, where "" deletes.
func (c *chronicle) commit(writes map[string]string) error {
	state := map[string]string{}
	if n := len(c.states); n > 0 {
		state = maps.Clone(c.states[n-1])
	}
	var last [32]byte
	if n := len(c.hashes); n > 0 {
		last = c.hashes[n-1]
	}
	c.hashes = append(c.hashes, sha256.Sum256(fmt.Appendf(last[:], "%v", writes)))
	var block []kv.Write
	for k, v := range writes {
		block = append(block, kv.Write{Table: c.points, Key: []byte(k), Value: []byte(v), Delete: v == ""})
		if v == "" {
			delete(state, k)
		} else {
			state[k] = v
		}
	}
	c.blocks, c.states = append(c.blocks, block), append(c.states, state)
	return c.apply(len(c.blocks) - 1)
}

func (c *chronicle) Head() uint64 { return uint64(max(len(c.blocks), 1) - 1) }

func (c *chronicle) Hash(_ context.Context, height uint64) ([32]byte, error) {
	return c.hashes[height], c.trouble
}

func (c *chronicle) Writes(_ context.Context, height uint64) ([]kv.Write, error) {
	return c.blocks[height], nil
}

// kept is what At gives now.
func (c *chronicle) kept() (oldest, newest uint64) {
	newest, _ = c.store.Height()
	return c.past.Oldest(), newest
}

// read compares the state after a block with the model's.
func (c *chronicle) read(height int, key string) error {
	m, err := c.past.At(uint64(height))
	if err != nil {
		return err
	}
	defer m.Release()
	return c.compare(m, height, key)
}

func (c *chronicle) compare(m *Moment, height int, key string) error {
	got, ok := m.Get(c.points, []byte(key))
	if err := m.Err(); err != nil {
		return err
	}
	if want, there := c.states[height][key]; ok != there || string(got) != want {
		return fmt.Errorf("%q after block %d of %d: got %q %v, want %q %v", key, height, len(c.blocks), got, ok, want, there)
	}
	return nil
}

// TestPastModel drives a past with random blocks, reads, restarts from random
// snapshots, gaps and other ledgers: a read gives the model's value or ErrPast,
// and ErrPast only outside the window that Oldest names.
func TestPastModel(t *testing.T) {
	keys := []string{"a", "b", "c", "d", "e"}
	rapid.Check(t, func(t *rapid.T) {
		w := Window{Blocks: rapid.Uint64Range(1, 40).Draw(t, "blocks"), Bytes: rapid.SampledFrom([]uint64{0, 5000, 20_000, 1 << 20}).Draw(t, "bytes")}
		c := newChronicle(crash.New(), w)
		try := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		try(c.start(-1))
		defer func() { try(c.past.Close()) }()
		commit := func(t *rapid.T) {
			try(c.commit(rapid.MapOfN(rapid.SampledFrom(keys), rapid.StringN(0, 3, 8), 0, 4).Draw(t, "block")))
		}
		commit(t)
		t.Repeat(map[string]func(*rapid.T){
			"commit": func(t *rapid.T) {
				for range rapid.IntRange(1, 6).Draw(t, "blocks") {
					commit(t)
				}
			},
			"wake":  func(*rapid.T) { c.past.current().writer.signal() },
			"flush": func(*rapid.T) { try(c.past.Flush(t.Context())) },
			"restart": func(t *rapid.T) {
				try(c.past.Flush(t.Context())) // the window ends where a run does
				oldest, newest := c.kept()
				try(c.past.Close())
				try(c.start(rapid.IntRange(-1, len(c.blocks)-1).Draw(t, "snapshot")))
				if again, last := c.kept(); newest-oldest > 1 && again > oldest || last != newest {
					t.Fatalf("after the restart %d..%d is kept, before it was %d..%d", again, last, oldest, newest)
				}
			},
			"gap": func(t *rapid.T) {
				try(c.past.Close())
				try(c.load(len(c.blocks) - 1))
				for range rapid.IntRange(1, 3).Draw(t, "missed") {
					commit(t)
				}
				try(c.start(len(c.blocks) - 1))
			},
			"other ledger": func(t *rapid.T) {
				back := rapid.IntRange(1, len(c.blocks)).Draw(t, "back to")
				try(c.past.Close())
				c.blocks, c.states, c.hashes = c.blocks[:back], c.states[:back], c.hashes[:back]
				try(c.load(back - 1))
				for range rapid.IntRange(0, 8).Draw(t, "blocks") {
					commit(t)
				}
				try(c.start(rapid.IntRange(-1, len(c.blocks)-1).Draw(t, "snapshot")))
			},
			"": func(t *rapid.T) {
				oldest, newest := c.kept()
				if newest != uint64(len(c.blocks)-1) || newest-oldest > w.Blocks {
					t.Fatalf("%d..%d is kept of %d blocks", oldest, newest, len(c.blocks))
				}
				height := rapid.IntRange(0, len(c.blocks)).Draw(t, "height")
				outside := uint64(height) < oldest || uint64(height) > newest
				for _, key := range keys {
					err := c.read(height, key)
					later, _ := c.kept() // the writer may drop a run at any moment
					switch {
					case errors.Is(err, ErrPast) && later > oldest && uint64(height) < later:
					case errors.Is(err, ErrPast) && outside:
						if want := fmt.Sprintf("block %d was asked for, state is kept from block %d to %d", height, oldest, newest); !strings.Contains(err.Error(), want) {
							t.Fatalf("%v does not say: %s", err, want)
						}
					case err != nil:
						t.Fatal(err)
					case outside:
						t.Fatalf("block %d is outside of %d..%d and was answered", height, oldest, newest)
					}
				}
			},
		})
	})
}
