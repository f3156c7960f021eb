package node

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/sequencer"
	"github.com/coco-consortium/coco/verify"
)

// The crash laboratory runs whole nodes on disks that lose power. Power is cut
// at every write of a workload: founding, transactions over several chunks and
// snapshots, a stop, a restart and more transactions. Whatever a client was told
// is committed has to be there afterwards, and the ledger has to verify.

// machine is what a node runs on.
type machine struct{ files *crash.Disk }

func (m machine) config() Config {
	c := Default("lab")
	c.FS = m.files
	c.Logger = slog.New(slog.DiscardHandler)
	c.Timing.Tick = 5 * time.Millisecond
	c.Limits.ChunkBytes = 12 << 10
	c.Snapshot = Cadence{Records: 5} // the state is a few kilobytes, as a handful of records is
	return c
}

// lose is what is left of the machine after the power is lost.
func (m machine) lose(seed uint64) machine {
	return machine{m.files.Crash(seed)}
}

// acknowledged is what a client was told.
type acknowledged struct {
	hash common.Hash
	tx   sequencer.TxID
}

// live runs the workload's lives until the power goes, and returns what clients
// were told. next is the first account's next nonce.
func live(t *testing.T, m machine, next *uint64, lives, transactions int) (told []acknowledged) {
	for range lives {
		n, err := Start(t.Context(), m.config())
		if err != nil {
			if !errors.Is(err, crash.ErrCut) {
				t.Fatalf("start: %v", err)
			}
			return told
		}
		for range transactions {
			a, err := n.pay(t.Context(), *next)
			if err != nil {
				break
			}
			told = append(told, a)
			*next++
		}
		// The power may go while the node stops: its errors are what is tested.
		_ = n.Stop(t.Context())
	}
	return told
}

// inspect starts the node again and demands everything that was told.
func inspect(t *testing.T, m machine, told []acknowledged) {
	t.Helper()
	n, err := Start(t.Context(), m.config())
	if err != nil {
		t.Fatalf("start after the crash: %v", err)
	}
	for _, a := range told {
		if s := (service{n}).Status(a.tx); s != sequencer.StatusCommitted {
			t.Errorf("%v was told to be committed and is %v", a.tx, s)
			continue
		}
		b, i, err := n.rooms.chain.Transaction(t.Context(), a.hash)
		if err != nil || b.TxIDs[i] != a.tx {
			t.Errorf("transaction %v of %v is not found: %v", a.hash, a.tx, err)
		}
		if r, err := n.Receipt(t.Context(), a.tx); err != nil || !n.holds(r) {
			t.Errorf("no receipt of %v: %v", a.tx, err)
		}
	}
	nonce := n.pool.Next(payer())
	if int(nonce) < len(told) {
		t.Errorf("%d transactions were told to be committed, the account's nonce is %d", len(told), nonce)
	}
	if _, err := n.pay(t.Context(), nonce); err != nil {
		t.Errorf("the network does not go on: %v", err)
	}
	if err := n.Stop(t.Context()); err != nil {
		t.Errorf("stop: %v", err)
	}
	report, err := verify.Ledger(t.Context(), files{m.files, dirLedger}, verify.Options{AllowSimulated: true})
	if err != nil || report.Result != verify.Valid {
		t.Errorf("the ledger after the crash: %v %+v", err, report)
	}
}

// TestCrashLaboratory cuts the power at the writes of the workload: at every one
// in the standing layers, at each with several outcomes with COCO_CRASH_SEEDS.
func TestCrashLaboratory(t *testing.T) {
	const lives, transactions = 2, 6
	whole := machine{crash.New()}
	next := uint64(0)
	if told := live(t, whole, &next, lives, transactions); len(told) != lives*transactions {
		t.Fatalf("the workload without a crash commits %d transactions", len(told))
	}
	writes, stride := whole.files.Ops(), 1
	if testing.Short() {
		stride = 23
	}
	points := 0
	for cut := 1; cut <= writes && !t.Failed(); cut += stride {
		for seed := range crashSeeds(t) {
			m := machine{crash.New()}
			m.files.Cut(cut)
			next := uint64(0)
			told := live(t, m, &next, lives, transactions)
			inspect(t, m.lose(seed*7919+uint64(cut)), told)
			points++
			if t.Failed() {
				t.Logf("the power was cut at write %d, outcome %d", cut, seed)
				break
			}
		}
	}
	t.Logf("%d crashes at %d writes, nothing that was told lost", points, writes)
}

// TestDiskFull and read-only: writes stop with a clear error, reads go on.
func TestWritesStopAndReadsGoOn(t *testing.T) {
	for name, fault := range map[string]func(*crash.Disk){
		"disk full": func(d *crash.Disk) { d.LimitSpace(0) },
		"read only": func(d *crash.Disk) { d.SetReadOnly(true) },
		"bad sync":  func(d *crash.Disk) { d.FailNextSync(1) },
	} {
		t.Run(name, func(t *testing.T) {
			m := machine{crash.New()}
			c := m.config()
			c.Snapshot = Cadence{Records: 1 << 40}
			n, err := Start(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			var told []acknowledged
			for nonce := range uint64(3) {
				a, err := n.pay(t.Context(), nonce)
				if err != nil {
					t.Fatal(err)
				}
				told = append(told, a)
			}
			fault(m.files)
			failed := error(nil)
			for nonce := uint64(3); failed == nil && nonce < 4096; nonce++ {
				var a acknowledged
				if a, failed = n.pay(t.Context(), nonce); failed == nil {
					told = append(told, a)
				}
			}
			if failed == nil || !strings.Contains(failed.Error(), "LEDGER_WRITE") {
				t.Fatalf("writes did not stop with a clear error: %v", failed)
			}
			for _, nonce := range []uint64{0, uint64(len(told)), uint64(len(told)) + 2} {
				if _, err := n.pay(t.Context(), nonce); err == nil || !strings.Contains(err.Error(), "LEDGER_WRITE") {
					t.Errorf("nonce %d after the fault: %v", nonce, err)
				}
			}
			for _, a := range told {
				if _, _, err := n.rooms.chain.Transaction(t.Context(), a.hash); err != nil {
					t.Errorf("%v cannot be read: %v", a.tx, err)
				}
				if r, err := n.Receipt(t.Context(), a.tx); err != nil || !n.holds(r) {
					t.Errorf("no receipt of %v: %v", a.tx, err)
				}
			}
			_ = n.Stop(context.Background()) // it says that the disk is broken
			m.files.SetReadOnly(false)
			m.files.LimitSpace(-1)
			inspect(t, m.lose(5), told)
		})
	}
}

// files shows a disk to the verifier, as os.DirFS shows a directory.
type files struct {
	disk disk.FS
	dir  string
}

func (f files) Open(name string) (fs.File, error) {
	if names, err := f.disk.ReadDir(f.dir + "/" + name); err == nil {
		return &listing{names: names, f: f}, nil
	}
	file, err := f.disk.OpenRead(f.dir + "/" + name)
	if err != nil {
		return nil, err
	}
	size, err := file.Size()
	return &opened{SectionReader: io.NewSectionReader(file, 0, size), name: name, closer: file}, err
}

type opened struct {
	*io.SectionReader
	name   string
	closer io.Closer
}

func (o *opened) Close() error               { return o.closer.Close() }
func (o *opened) Stat() (fs.FileInfo, error) { return entry{o.name, o.Size()}, nil }

type listing struct {
	names []string
	f     files
}

func (l *listing) Stat() (fs.FileInfo, error) { return entry{".", -1}, nil }
func (l *listing) Read([]byte) (int, error)   { return 0, errors.New("a directory") }
func (l *listing) Close() error               { return nil }
func (l *listing) ReadDir(int) ([]fs.DirEntry, error) {
	var list []fs.DirEntry
	for _, name := range l.names {
		size := int64(-1)
		if file, err := l.f.disk.OpenRead(l.f.dir + "/" + name); err == nil {
			if size, err = file.Size(); err != nil {
				return nil, err
			}
			file.Close()
		}
		list = append(list, fs.FileInfoToDirEntry(entry{name, size}))
	}
	return list, nil
}

type entry struct {
	name string
	size int64 // -1 for a directory
}

func (e entry) Name() string       { return e.name }
func (e entry) Size() int64        { return max(e.size, 0) }
func (e entry) ModTime() time.Time { return time.Time{} }
func (e entry) IsDir() bool        { return e.size < 0 }
func (e entry) Sys() any           { return nil }
func (e entry) Mode() fs.FileMode {
	if e.IsDir() {
		return fs.ModeDir
	}
	return 0
}

// crashSeeds is how many outcomes of each crash are tried.
func crashSeeds(t *testing.T) uint64 {
	text := os.Getenv("COCO_CRASH_SEEDS")
	if text == "" {
		return 1
	}
	seeds, err := strconv.ParseUint(text, 10, 16)
	if err != nil || seeds == 0 {
		t.Fatalf("COCO_CRASH_SEEDS=%q is not a number from 1", text)
	}
	return seeds
}
