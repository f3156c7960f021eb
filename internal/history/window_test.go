package history

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/disk/fault"
)

// size is the bytes of the files of an index.
func size(t testing.TB, fs disk.FS, dir string) (sum int64) {
	t.Helper()
	names, err := fs.ReadDir(dir)
	do(t, err)
	for _, name := range names {
		f, err := fs.OpenRead(path.Join(dir, name))
		if err != nil { // it was removed meanwhile
			continue
		}
		n, err := f.Size()
		do(t, errors.Join(err, f.Close()))
		sum += n
	}
	return sum
}

// TestWindowBoundsTheDisk feeds many times what the window holds: the files stay
// near its bytes, and what is kept is near them too.
func TestWindowBoundsTheDisk(t *testing.T) {
	const window, value = 4 << 20, 100
	fs := crash.New()
	x := open(t, fs, Options{Window: Window{Bytes: window}})
	height, fed, most := uint64(0), 0, int64(0)
	for fed < 10*window {
		entries := make([]Entry, 200)
		for i := range entries {
			entries[i] = Entry{Term: fmt.Appendf(nil, "term %d of %d", i, height), Value: make([]byte, value)}
			fed += termBytes + 6 + value
		}
		do(t, x.Add(height, entries))
		height++
		if height%10 == 0 {
			do(t, x.Flush(context.Background()))
			most = max(most, size(t, fs, "index"))
		}
	}
	first, _ := x.First()
	kept := (height - first) * 200 * (termBytes + 6 + value)
	t.Logf("fed %d KiB into a window of %d KiB: at most %d KiB of files, %d KiB in %d blocks are kept", fed>>10, window>>10, most>>10, kept>>10, height-first)
	if kept > window || kept < window*14/16 {
		t.Errorf("%d bytes are kept of a window of %d", kept, window)
	}
	if most > 2*window { // a compaction has its input and its output for a moment
		t.Errorf("%d bytes of files for a window of %d", most, window)
	}
	for h := range height {
		found, err := x.Find(fmt.Appendf(nil, "term 7 of %d", h), 0, height, 0, false)
		do(t, err)
		if (len(found) == 1) != (h >= first) {
			t.Fatalf("block %d is found %d times, the first kept is %d", h, len(found), first)
		}
	}
	do(t, x.Close())
	if after := size(t, fs, "index"); after > window*3/2 {
		t.Errorf("%d bytes of files are left of a window of %d", after, window)
	}
}

// TestPastCrash: whatever a crash leaves of the past, after a start from the
// snapshot before which it was flushed the window is whole as far as it was, and
// every answer is right.
func TestPastCrash(t *testing.T) {
	crashes := &crashes{mem: crash.New(), rng: rand.New(rand.NewPCG(7, 8)), every: 5}
	c := newChronicle(fault.Wrap(crashes.mem, crashes.ask), Window{Blocks: 100, Bytes: 100_000})
	do(t, c.start(-1))
	rng := rand.New(rand.NewPCG(9, 10))
	word := func() string { return strings.Repeat(string(rune('a'+rng.IntN(26))), rng.IntN(40)) }
	for h := range uint64(500) {
		crashes.begun.Store(h + 1)
		do(t, c.commit(map[string]string{word(): word(), word(): word(), "a": word()}))
		if rng.IntN(20) == 0 {
			do(t, c.past.Flush(t.Context()))
			crashes.flushed.Store(uint64(len(c.blocks)))
		}
	}
	do(t, c.past.Close())
	if len(crashes.taken) < 20 {
		t.Fatalf("only %d crashes", len(crashes.taken))
	}
	for i, crash := range crashes.taken {
		if crash.begun == 0 {
			continue
		}
		again := newChronicle(crash.fs, c.opts.Window)
		if i%2 == 0 { // a larger one does not bring back what was dropped
			again = newChronicle(crash.fs, Window{Blocks: 100_000})
		}
		// The ledger ends where the crash was, the snapshot is of the last block
		// that was flushed.
		again.blocks, again.states, again.hashes = c.blocks[:crash.begun], c.states[:crash.begun], c.hashes[:crash.begun]
		do(t, again.start(int(crash.flushed)-1))
		oldest, newest := again.kept()
		if crash.flushed > 1 && newest-oldest < min(newest, 60) {
			t.Fatalf("crash %d at block %d, %d flushed: %d..%d is kept", i, crash.begun, crash.flushed, oldest, newest)
		}
		for h := oldest; h <= newest; h++ {
			for _, key := range []string{"a", "aaa", "zz", "mmmmmmm", "never"} {
				do(t, again.read(int(h), key))
			}
		}
		do(t, again.past.Close())
	}
	t.Logf("%d crashes", len(crashes.taken))
}

// TestPastDamage flips bytes and removes files: reads are right or refused, and
// the window begins anew by itself.
func TestPastDamage(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	refused := 0
	for i := range 40 {
		mem := crash.New()
		c := newChronicle(mem, Window{Blocks: 200})
		do(t, c.start(-1))
		for range 120 {
			do(t, c.commit(map[string]string{string(rune('a' + rng.IntN(26))): fmt.Sprint(rng.Uint64()), "a": fmt.Sprint(rng.Uint64())}))
		}
		do(t, c.past.Close())
		names, err := mem.ReadDir("past")
		do(t, err)
		name := path.Join("past", names[rng.IntN(len(names))])
		if i%4 == 0 {
			do(t, mem.Remove(name))
		} else {
			flip(t, mem, name, rng, 1)
		}
		do(t, c.start(len(c.blocks)-1))
		for h := range c.blocks {
			for k := 'a'; k <= 'z'; k++ {
				if err := c.read(h, string(k)); errors.Is(err, ErrPast) {
					refused++
				} else if err != nil {
					t.Fatalf("%s was damaged: %v", name, err)
				}
			}
		}
		c.past.renewal.Wait()
		from := len(c.blocks)
		for range 20 {
			do(t, c.commit(map[string]string{string(rune('a' + rng.IntN(26))): fmt.Sprint(rng.Uint64()), "a": fmt.Sprint(rng.Uint64())}))
		}
		for h := from; h < len(c.blocks); h++ {
			do(t, c.read(h, "a"))
		}
		do(t, c.past.Close())
	}
	if refused == 0 {
		t.Error("no damage was met")
	}
}

// TestPastFullDisk: a disk that takes nothing holds up no commit; the window
// begins anew when it takes something again.
func TestPastFullDisk(t *testing.T) {
	full := &refusal{}
	c := newChronicle(fault.Wrap(crash.New(), full.ask), Window{Blocks: 100_000})
	var log bytes.Buffer
	c.opts.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	c.opts.TailBytes = 100 << 10
	do(t, c.start(-1))
	x := c.past.current()
	x.health.retry = time.Millisecond
	write := func(size int) {
		do(t, c.commit(map[string]string{"a": fmt.Sprint(len(c.blocks)), "b": strings.Repeat("b", size)}))
	}
	for range 10 {
		write(1000)
	}
	do(t, c.read(3, "a"))
	full.full.Store(true)
	for range 1000 { // far more than the engine and the tail take in memory
		write(20_000)
	}
	newest := len(c.blocks) - 1
	if oldest, _ := c.kept(); oldest < 100 {
		t.Fatalf("state is kept from block %d although the disk was full", oldest)
	}
	if err := c.read(3, "a"); !errors.Is(err, ErrPast) {
		t.Fatalf("block 3 after the gap: %v", err)
	}
	do(t, c.read(newest, "a"))
	full.full.Store(false)
	do(t, x.Room(t.Context()))
	write(1000)
	write(1000)
	oldest, newer := c.kept()
	if oldest >= newer {
		t.Fatal("nothing is kept although the disk takes it")
	}
	do(t, c.past.Flush(t.Context()))
	for h := int(oldest); h < len(c.blocks); h++ {
		do(t, c.read(h, "a"))
	}
	do(t, c.past.Close())
	if n := strings.Count(log.String(), "kept anew"); n < 1 || n > 2 {
		t.Errorf("the log says %d times that old state is kept anew", n)
	}
}

// TestPastReadersWhilePruning reads moments while their segments leave the window:
// a read is right, or says that it came too late.
func TestPastReadersWhilePruning(t *testing.T) {
	c := newChronicle(crash.New(), Window{Blocks: 64})
	do(t, c.start(-1))
	value := func(h uint64) string { return fmt.Sprint(h / 3) } // the model for concurrent readers
	var readers sync.WaitGroup
	done := make(chan struct{})
	var late, right [4]int
	for r := range late {
		readers.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(r), 1))
			for {
				select {
				case <-done:
					return
				default:
				}
				oldest, newest := c.kept()
				if newest < 3 {
					continue
				}
				h := oldest + rng.Uint64N(newest-oldest+1)
				m, err := c.past.At(h)
				if errors.Is(err, ErrPast) {
					late[r]++
					continue
				}
				for range rng.IntN(200) {
					got, ok := m.Get(c.points, []byte("a"))
					if err := m.Err(); errors.Is(err, ErrPast) {
						late[r]++
						break
					} else if want := value(h); err != nil || !ok || !bytes.Equal(got, []byte(want)) {
						t.Errorf("after block %d: %q %v %v, want %q", h, got, ok, err, want)
						break
					}
					right[r]++
				}
				m.Release()
			}
		})
	}
	for h := range uint64(2000) {
		writes := map[string]string{fmt.Sprint(h): "x"}
		if h%3 == 0 {
			writes["a"] = value(h)
		}
		do(t, c.commit(writes))
		if h%16 == 0 {
			c.past.current().writer.signal()
		}
	}
	close(done)
	readers.Wait()
	t.Logf("right %v, late %v", right, late)
	do(t, c.past.Close())
}

// TestPastNoPlaintext: neither tables nor keys nor values are found in the files.
func TestPastNoPlaintext(t *testing.T) {
	fs := crash.New()
	c := newChronicle(fs, Window{Blocks: 100})
	do(t, c.start(-1))
	for i := range 50 {
		do(t, c.commit(map[string]string{"MARKER-key": fmt.Sprintf("MARKER-value %d", i)}))
		do(t, c.past.Flush(t.Context()))
	}
	do(t, c.past.Close())
	names, err := fs.ReadDir("past")
	do(t, err)
	tables := 0
	for _, name := range names {
		data, err := disk.ReadFile(fs, path.Join("past", name), 1<<30)
		do(t, err)
		if strings.HasPrefix(name, runPrefix) {
			tables++
		}
		if bytes.Contains(data, []byte("MARKER")) || bytes.Contains(data, []byte("room.points")) {
			t.Errorf("plaintext in %s", name)
		}
	}
	if tables == 0 {
		t.Error("nothing was written")
	}
}
