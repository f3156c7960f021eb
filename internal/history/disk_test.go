package history

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/disk/fault"
)

// crashes takes copies of a disk as a crash would leave it, before operations of
// an index chosen at random.
type crashes struct {
	mem     *crash.Disk
	flushed atomic.Uint64 // blocks known to be durable
	begun   atomic.Uint64 // blocks that may be known

	mu    sync.Mutex
	rng   *rand.Rand
	next  int // operations until the next crash
	every int
	taken []aftermath
}

// aftermath is what a crash leaves.
type aftermath struct {
	fs             *crash.Disk
	flushed, begun uint64
}

func (c *crashes) ask(op fault.Op) error {
	if !op.Writes() {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next--; c.next > 0 {
		return nil
	}
	c.next = 1 + c.rng.IntN(2*c.every)
	flushed := c.flushed.Load()
	c.taken = append(c.taken, aftermath{fs: c.mem.Crash(c.rng.Uint64()), flushed: flushed, begun: c.begun.Load()})
	return nil
}

// TestCrash: whatever a crash leaves opens, answers rightly up to its own
// height, holds what was flushed, and can be fed on from there.
func TestCrash(t *testing.T) {
	const blocks = 600
	c := &crashes{mem: crash.New(), rng: rand.New(rand.NewPCG(1, 2)), every: 8}
	x := open(t, fault.Wrap(c.mem, c.ask), Options{})
	rng := rand.New(rand.NewPCG(3, 4))
	for h := range uint64(blocks) {
		do(t, x.Add(h, blockOf(h)))
		switch rng.IntN(8) {
		case 0:
			do(t, x.Flush(context.Background()))
			c.flushed.Store(h + 1)
		case 1, 2:
			x.writer.signal()
		}
	}
	do(t, x.Close())
	if len(c.taken) < 20 {
		t.Fatalf("only %d crashes", len(c.taken))
	}
	behind := 0
	for i, crash := range c.taken {
		x := open(t, crash.fs, Options{})
		height, ok := x.Height()
		known := height + 1
		if !ok {
			known = 0
		}
		if known < crash.flushed {
			t.Fatalf("crash %d: %d blocks were flushed, %d are there", i, crash.flushed, known)
		}
		if known < blocks {
			behind++
		}
		check(t, x)
		for h := known; h < blocks; h++ {
			do(t, x.Add(h, blockOf(h)))
		}
		do(t, x.Flush(context.Background()))
		check(t, x)
		do(t, x.Close())
	}
	t.Logf("%d crashes, %d of them behind", len(c.taken), behind)
}

// TestNoPlaintextOnDisk: neither terms nor values are found in the files, as
// bytes or as hex, after a flush and compactions.
func TestNoPlaintextOnDisk(t *testing.T) {
	dir := t.TempDir()
	x, err := Open("index", Options{FS: disk.OS(dir), Key: testKey(1)})
	do(t, err)
	term := []byte("MARKER-term-0123456789abcdef0123")
	value := bytes.Repeat([]byte("MARKER-value"), 100)
	for h := range uint64(2000) {
		do(t, x.Add(h, append(blockOf(h), Entry{Term: term, Value: value})))
		if h%100 == 0 {
			do(t, x.Flush(context.Background()))
		}
	}
	do(t, x.Close())
	markers := [][]byte{term[:16], term[16:], []byte("MARKER"), []byte("term 1"), []byte("1 in ")}
	files := 0
	do(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		files++
		for _, m := range markers {
			text := []byte(hex.EncodeToString(m))
			if bytes.Contains(data, m) || bytes.Contains(bytes.ToLower(data), text) {
				t.Errorf("%q is in %s", m, filepath.Base(name))
			}
		}
		return nil
	}))
	if files < 3 {
		t.Fatalf("%d files", files)
	}
}

// TestDamage flips bytes and removes files: the index then says that it is
// damaged, or answers rightly where the byte did not matter, and after Remove it
// can be built again. Damage to the entries themselves is always found.
func TestDamage(t *testing.T) {
	build := func() (mem *crash.Disk, names, tables []string) {
		mem = crash.New()
		x := open(t, mem, Options{})
		for h := range uint64(500) {
			do(t, x.Add(h, blockOf(h)))
		}
		do(t, x.Close())
		names, err := mem.ReadDir("index")
		do(t, err)
		for _, name := range names {
			if strings.HasPrefix(name, runPrefix) {
				tables = append(tables, name)
			}
		}
		return mem, names, tables
	}
	rng := rand.New(rand.NewPCG(5, 6))
	for i := range 60 {
		mem, names, tables := build()
		name, vital := names[rng.IntN(len(names))], false
		switch {
		case i%6 == 0:
			name, vital = tables[rng.IntN(len(tables))], true
			do(t, mem.Remove(path.Join("index", name)))
		case i%6 == 1:
			do(t, mem.Remove(path.Join("index", name)))
		case i%2 == 0:
			name, vital = tables[rng.IntN(len(tables))], true
			flip(t, mem, path.Join("index", name), rng, 1)
		default:
			flip(t, mem, path.Join("index", name), rng, 1)
		}
		err := survey(mem)
		found := errors.Is(err, ErrDamaged) || errors.Is(err, ErrForeign)
		if err != nil && !found || vital && !found {
			t.Errorf("damage %d, to %s: %v", i, name, err)
		}
		do(t, Remove("index", mem))
		x := open(t, mem, Options{})
		do(t, x.Add(0, blockOf(0)))
		check(t, x)
		do(t, x.Close())
	}
}

// survey opens an index and asks for everything; wrong answers are an error
// that is not a damage.
func survey(mem disk.FS) error {
	x, err := Open("index", Options{FS: mem, Key: testKey(1)})
	if err != nil {
		return err
	}
	defer x.Close()
	height, ok := x.Height()
	for term := uint64(1); ok && term <= 7; term++ {
		found, err := x.Find(termOf(term), 0, height, 0, term%2 == 0)
		if err != nil {
			return err
		}
		if len(found) != int(height/term)+1 {
			return errors.New("a wrong answer")
		}
	}
	return nil
}

// flip flips a bit in the first 1/part of a file.
func flip(t *testing.T, mem disk.FS, name string, rng *rand.Rand, part int) {
	t.Helper()
	data, err := disk.ReadFile(mem, name, 1<<30)
	do(t, err)
	if len(data) > 0 {
		data[rng.IntN(max(1, len(data)/part))] ^= 1 << rng.IntN(8)
		do(t, disk.WriteFile(mem, name, data))
	}
}

// refusal is a disk that is full while it is set.
type refusal struct{ full atomic.Bool }

func (r *refusal) ask(op fault.Op) error {
	if r.full.Load() && (op.Kind == fault.Write || op.Kind == fault.Create) && strings.Contains(op.Name, runPrefix) {
		return syscall.ENOSPC
	}
	return nil
}

// TestFullDisk: blocks are taken until the tail is full, then refused, reads go
// on, and everything goes on when there is space again.
func TestFullDisk(t *testing.T) {
	full := &refusal{}
	x := open(t, fault.Wrap(crash.New(), full.ask), Options{TailBytes: 1 << 20})
	x.health.retry = time.Millisecond
	full.full.Store(true)
	add := func(h uint64) error {
		return x.Add(h, append(blockOf(h), Entry{Term: []byte("ballast"), Position: uint32(h), Value: make([]byte, 4000)}))
	}
	do(t, add(0))
	if err := x.Flush(context.Background()); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("flush to a full disk: %v", err)
	}
	h := uint64(1)
	for ; h < 20000; h++ {
		err := add(h)
		if errors.Is(err, ErrBehind) {
			break
		}
		do(t, err)
	}
	if h == 20000 {
		t.Fatal("no block was refused while the disk was full")
	}
	check(t, x)
	if err := add(h + 1); !errors.Is(err, ErrOrder) {
		t.Fatalf("the block after a refused one: %v", err)
	}
	full.full.Store(false)
	do(t, x.Room(context.Background()))
	do(t, add(h))
	do(t, x.Flush(context.Background()))
	check(t, x)

	full.full.Store(true)
	do(t, add(h+1))
	if err := x.Close(); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("close on a full disk: %v", err)
	}
}

// stateRefusal fails what replaces the state.
type stateRefusal struct{ on atomic.Bool }

func (r *stateRefusal) ask(op fault.Op) error {
	if r.on.Load() && op.Kind == fault.Rename {
		return syscall.EIO
	}
	return nil
}

// TestStateRefused: without a state that names them, runs do not count; nothing is
// lost in memory, and they are made again when the disk takes them.
func TestStateRefused(t *testing.T) {
	mem, refuse := crash.New(), &stateRefusal{}
	x := open(t, fault.Wrap(mem, refuse.ask), Options{})
	do(t, x.Add(0, blockOf(0)))
	do(t, x.Flush(context.Background()))
	refuse.on.Store(true)
	do(t, x.Add(1, blockOf(1)))
	if err := x.Flush(context.Background()); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("flush: %v", err)
	}
	do(t, x.Add(2, blockOf(2)))
	check(t, x)
	if err := x.Close(); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("close: %v", err)
	}
	x = open(t, mem, Options{})
	if height, ok := x.Height(); !ok || height != 0 {
		t.Fatalf("it stands at %d %v", height, ok)
	}
	check(t, x)
	do(t, x.Add(1, blockOf(1)))
	do(t, x.Flush(context.Background()))
	check(t, x)
	do(t, x.Close())
	names, err := mem.ReadDir("index")
	do(t, err)
	if len(names) > 4 { // lock, state, two runs
		t.Errorf("files that nobody names are left: %v", names)
	}
}

// TestOtherFormat: files of the storage engine that was used once are named as such.
func TestOtherFormat(t *testing.T) {
	mem := crash.New()
	do(t, mem.MkdirAll("index"))
	f, err := mem.Create("index/000004.sst")
	do(t, err)
	do(t, f.Close())
	if _, err := Open("index", Options{FS: mem, Key: testKey(1)}); !errors.Is(err, ErrDamaged) {
		t.Fatalf("another format: %v", err)
	}
	do(t, Remove("index", mem))
	do(t, open(t, mem, Options{}).Close())
}

// TestRemove: whatever lies there goes, and only that.
func TestRemove(t *testing.T) {
	dir := t.TempDir()
	for name, files := range map[string]disk.FS{"in memory": crash.New(), "on disk": disk.OS(dir)} {
		do(t, files.MkdirAll("node/index/below"))
		for _, name := range []string{"node/index/run-1", "node/index/below/a", "node/kept", "node/past"} {
			do(t, disk.WriteFile(files, name, []byte{1}))
		}
		for range 2 {
			do(t, Remove("node/index", files))
		}
		do(t, Remove("node/past", files)) // a file
		if names, err := files.ReadDir("node"); err != nil || !slices.Equal(names, []string{"kept"}) {
			t.Errorf("%s: %v %v are left", name, names, err)
		}
	}
}

// TestOutput: of a file that is being written a crash leaves all but the newest part.
func TestOutput(t *testing.T) {
	mem := crash.New()
	file, err := mem.Create("run")
	do(t, err)
	do(t, mem.SyncDir("."))
	o, whole := &output{file: file}, make([]byte, 0, 4*syncBytes)
	rng := rand.New(rand.NewPCG(13, 14))
	for len(whole) < 3*syncBytes {
		part := make([]byte, 1+rng.IntN(writeBytes))
		for i := range part {
			part[i] = byte(rng.Uint32())
		}
		if n, err := o.Write(part); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
		whole = append(whole, part...)
		left, err := disk.ReadFile(mem.Crash(rng.Uint64()), "run", 4*syncBytes)
		do(t, err)
		if safe := max(0, len(whole)-syncBytes); len(left) < safe || !bytes.Equal(left[:safe], whole[:safe]) {
			t.Fatalf("a crash after %d bytes leaves %d, not all right", len(whole), len(left))
		}
	}
	do(t, file.Close())
}

func FuzzState(f *testing.F) {
	key := testKey(1)
	s := state{Format: stateFormat, Note: []byte{7}, Runs: []runInfo{{First: 3, Last: 4, Size: 9}, {ID: runID{1}, First: 5, Last: 5, Epoch: 2, Level: 1}}}
	good, err := s.seal(key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte{})
	f.Add(good[:len(good)-1])
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := openState(data, key)
		if err != nil {
			return
		}
		again, err := s.seal(key)
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%x was taken for %v", data, s)
		}
	})
}
