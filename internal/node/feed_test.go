package node

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/ledger"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/chain"
)

// TestDamagedLedger: a damaged stretch of the ledger does not hold up the index.
// Behind and before it everything is found; what may lie in it is refused with the
// ledger's own words, also after the index was opened again. When the ledger is
// whole again, so are the answers.
func TestDamagedLedger(t *testing.T) {
	for name, chunk := range map[string]int{"the first chunk": 0, "a chunk": 3, "before the end": -2} {
		t.Run(name, func(t *testing.T) { damagedLedger(t, chunk) })
	}
}

func damagedLedger(t *testing.T, chunk int) {
	dir := t.TempDir()
	c := Default(dir)
	c.Logger, c.Timing.Tick, c.Limits.ChunkBytes = slog.New(slog.DiscardHandler), 10*time.Millisecond, 12<<10
	n, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, n)
	told := payBlocks(t, n, 0, 120)
	head := n.sequencer.Head().Height
	files, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(dirLedger), "chunk-*"))
	if err != nil || len(files) < 6 {
		t.Fatal("too few chunks", files, err)
	}
	if chunk < 0 {
		chunk += len(files)
	}
	whole, err := os.ReadFile(files[chunk])
	if err != nil {
		t.Fatal(err)
	}
	bad := append([]byte(nil), whole...)
	for at := len(bad) / 2; at < len(bad)*3/4; at++ {
		bad[at] ^= 1
	}
	if err := os.WriteFile(files[chunk], bad, 0o600); err != nil {
		t.Fatal(err)
	}
	mem := crash.New()
	ask := func(damaged bool) {
		t.Helper()
		c := n.config
		c.FS = mem
		x := openIndexer(t.Context(), c, n.bundle.Ring(), n.archive, chain.TermsOf, head)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { x.run(ctx) })
		indexed(t, x)
		old, err := chain.Open(t.Context(), n.archive, x, head)
		if err != nil {
			t.Fatal(err)
		}
		if p, busy := old.Indexing(); busy {
			t.Errorf("the index is still being made: %+v", p)
		}
		refused := 0
		for _, a := range told {
			b, at, err := old.Transaction(t.Context(), a.hash)
			if errors.Is(err, ledger.ErrDamaged) {
				refused++
			} else if err != nil || b.TxIDs[at] != a.tx {
				t.Errorf("%v: %v", a.tx, err)
			}
		}
		if (refused > 0) != damaged || refused > 60 {
			t.Errorf("%d of %d transactions are refused", refused, len(told))
		}
		unknown := chain.ErrUnknown
		if damaged {
			unknown = ledger.ErrDamaged
		}
		if _, _, err := old.Transaction(t.Context(), common.Hash{1}); !errors.Is(err, unknown) {
			t.Errorf("nothing is %v", err)
		}
		if _, err := old.ByHash(t.Context(), common.Hash{1}); !errors.Is(err, unknown) {
			t.Errorf("no block is %v", err)
		}
		filter := chain.Filter{To: head - 1, Addresses: []common.Address{{9}}, Topics: [][]common.Hash{{{1}, {2}}, {{3}}}}
		if logs, err := old.Logs(t.Context(), filter); len(logs) != 0 || damaged != errors.Is(err, ledger.ErrDamaged) || !damaged && err != nil {
			t.Errorf("%d logs, %v", len(logs), err)
		}
		answered := 0
		for filter.From = range head {
			filter.To = filter.From
			if _, err := old.Logs(t.Context(), filter); err == nil {
				answered++
			} else if !errors.Is(err, ledger.ErrDamaged) {
				t.Errorf("logs of block %d: %v", filter.From, err)
			}
		}
		if want := len(told) - refused; answered < want-2 {
			t.Errorf("logs of %d blocks are answered, want %d", answered, want)
		}
		unread, err := x.Find(chain.Unread()[0].Term, 0, head, 0, false)
		if err != nil || (len(unread) > 0) != damaged {
			t.Errorf("%d blocks are unread, %v", len(unread), err)
		}
		cancel()
		running.Wait()
		if err := x.close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	ask(true)
	ask(true)
	if err := os.WriteFile(files[chunk], whole, 0o600); err != nil {
		t.Fatal(err)
	}
	ask(false)
}

// TestLastBlockDamaged: an index whose last block the ledger cannot give any more
// stays in service.
func TestLastBlockDamaged(t *testing.T) {
	dir := t.TempDir()
	n := startNode(t, dir)
	defer stop(t, n)
	payBlocks(t, n, 0, 3)
	w := newWorkshop(t, n, crash.New(), nil)
	indexed(t, w.indexer)
	defer w.end()
	files, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(dirLedger), "chunk-*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	index, _ := n.log.IndexOf(w.committed())
	e, err := n.log.Entry(index)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(data, e.Body)
	data[at+len(e.Body)-1] ^= 1
	if err := os.WriteFile(files[0], data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := n.archive.Block(t.Context(), w.committed()); !errors.Is(err, ledger.ErrDamaged) {
		t.Fatalf("the damaged block is %v", err)
	}
	if err := w.follows(t.Context(), w.index.Load()); err != nil {
		t.Errorf("the index is refused: %v", err)
	}
}
