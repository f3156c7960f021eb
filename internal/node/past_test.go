package node

import (
	"bytes"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/history"
	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// payments are the heights of payments of one wei each.
type payments []uint64

// pay makes more of them.
func (p *payments) pay(t *testing.T, n *Node, times int) {
	t.Helper()
	for range times {
		a, err := n.pay(t.Context(), uint64(len(*p)))
		if err != nil {
			t.Fatal(err)
		}
		b, _, err := n.rooms.chain.Transaction(t.Context(), a.hash)
		if err != nil {
			t.Fatal(err)
		}
		*p = append(*p, b.Number())
	}
}

// balance is what the payee had after a block.
func (p payments) balance(height uint64) (sum uint64) {
	for _, h := range p {
		if h <= height {
			sum++
		}
	}
	return sum
}

// check compares every state that is kept with what was paid.
func (p payments) check(t *testing.T, n *Node) {
	t.Helper()
	for height := n.past.Oldest(); height <= n.rooms.chain.Head().Number(); height++ {
		m, err := n.past.At(height)
		if err != nil {
			t.Fatal(err)
		}
		account, _ := n.rooms.machine.View(m).Account(common.Address{7})
		if err := m.Err(); err != nil {
			t.Fatal(err)
		}
		if want := p.balance(height); account.Balance.Uint64() != want {
			t.Errorf("the payee has %v after block %d, not %d", &account.Balance, height, want)
		}
		m.Release()
	}
	if oldest := n.past.Oldest(); oldest > 0 {
		if _, err := n.past.At(oldest - 1); !errors.Is(err, history.ErrPast) {
			t.Errorf("block %d before the oldest: %v", oldest-1, err)
		}
	}
}

// startLogged starts a node that takes snapshots and gives what it logs.
func startLogged(t *testing.T, c Config) (*Node, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	n, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return n, &log
}

// TestPastOutlivesAStop stops and starts a node again, from a snapshot: the window
// stays. Then its folder is deleted, and it begins anew at the snapshot.
func TestPastOutlivesAStop(t *testing.T) {
	dir := t.TempDir()
	c := Default(dir)
	c.Snapshot = Cadence{Records: 4}
	n, _ := startLogged(t, c)
	var paid payments
	for len(receipts(t, dir)) == 0 && len(paid) < 5000 {
		paid.pay(t, n, 10)
	}
	paid.check(t, n)
	oldest := n.past.Oldest()
	stop(t, n)

	for range 2 {
		var log *bytes.Buffer
		n, log = startLogged(t, c)
		if n.restored == 0 {
			t.Fatal("the node did not start from a snapshot")
		}
		if again := n.past.Oldest(); again != oldest {
			t.Errorf("state is kept from block %d after a restart, from %d before:\n%s", again, oldest, log)
		}
		paid.pay(t, n, 2)
		paid.check(t, n)
		stop(t, n)
	}

	if err := os.RemoveAll(filepath.Join(dir, filepath.FromSlash(dirPast))); err != nil {
		t.Fatal(err)
	}
	n, log := startLogged(t, c)
	if anew := n.past.Oldest(); anew != n.restored {
		t.Errorf("state is kept from block %d, the snapshot is of %d", anew, n.restored)
	}
	if text := "old state is not there and is kept anew"; !strings.Contains(log.String(), text) {
		t.Errorf("the log does not say %q:\n%s", text, log)
	}
	paid.pay(t, n, 2)
	paid.check(t, n)
	stop(t, n)
}

// TestPastOutlivesACrash takes the power away, starting from snapshots and from
// genesis: every state is still kept and right.
func TestPastOutlivesACrash(t *testing.T) {
	for seed := range uint64(6) {
		m := machine{crash.New()}
		rng := rand.New(rand.NewPCG(seed, 5))
		var paid payments
		for range 3 {
			n, log := startLogged(t, m.config())
			paid.check(t, n)
			if oldest := n.past.Oldest(); oldest > 0 {
				t.Errorf("state is kept from block %d only:\n%s", oldest, log)
			}
			paid.pay(t, n, 10+rng.IntN(20))
			lost := m.lose(rng.Uint64())
			stop(t, n)
			m = lost
		}
	}
}

// TestPastOfAnotherLedger puts the past of a longer ledger beside an older copy of
// it that goes on by itself.
func TestPastOfAnotherLedger(t *testing.T) {
	dir, older := t.TempDir(), t.TempDir()
	n := startNode(t, dir)
	var paid payments
	paid.pay(t, n, 10)
	stop(t, n)
	if err := os.CopyFS(older, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	other := append(payments{}, paid...)
	n = startNode(t, dir)
	paid.pay(t, n, 10)
	stop(t, n)
	for range 2 {
		n = startNode(t, older) // which adds a block
		other.pay(t, n, 10)
		other.check(t, n)
		stop(t, n)
	}

	past := filepath.Join(older, filepath.FromSlash(dirPast))
	if err := os.RemoveAll(past); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(past, os.DirFS(filepath.Join(dir, filepath.FromSlash(dirPast)))); err != nil {
		t.Fatal(err)
	}
	n, log := startLogged(t, Default(older))
	other.check(t, n)
	if text := "old state is of no use and is kept anew"; !strings.Contains(log.String(), text) {
		t.Errorf("the log does not say %q:\n%s", text, log)
	}
	stop(t, n)
}

// TestNoPast: without blocks to keep there is only the latest state, and nothing
// is left on the disk.
func TestNoPast(t *testing.T) {
	dir := t.TempDir()
	n := startNode(t, dir)
	var paid payments
	paid.pay(t, n, 3)
	stop(t, n)
	c := Default(dir)
	c.Past.Blocks = 0
	n, _ = startLogged(t, c)
	paid.pay(t, n, 3)
	paid.check(t, n)
	if oldest, head := n.past.Oldest(), n.rooms.chain.Head().Number(); oldest != head {
		t.Errorf("state is kept from block %d, the latest is %d", oldest, head)
	}
	stop(t, n)
	if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(dirPast))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder of old state: %v", err)
	}
}

// TestIndexKeyOfAnEpochNotHeld: it is an error, never a key that all know.
func TestIndexKeyOfAnEpochNotHeld(t *testing.T) {
	ring := keys.NewRing(keys.Service{}, map[keys.Epoch]keys.Secret{{Domain: format.ServiceDomain, Number: 1}: keys.NewSecret()})
	options := indexOptions(Config{}, ring, "past")
	for epoch, is := range map[uint64]bool{0: false, 1: true, 2: false, 999: false} {
		if _, err := options.Key(epoch); (err == nil) != is {
			t.Errorf("epoch %d: %v", epoch, err)
		}
	}
	if newest := options.Epoch(7); newest != 1 {
		t.Errorf("the newest epoch is %d", newest)
	}
}

// TestPastThatCannotBeOpened: a file lies in its place until somebody removes it;
// the node starts, and keeps old state from then on.
func TestPastThatCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, filepath.FromSlash(dirPast))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := startNode(t, dir)
	defer stop(t, n)
	var paid payments
	paid.pay(t, n, 3)
	paid.check(t, n)
	if oldest, head := n.past.Oldest(), n.rooms.chain.Head().Number(); oldest != head {
		t.Errorf("state is kept from block %d, the latest is %d", oldest, head)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	for ok := false; !ok; _, ok = n.past.Height() {
		paid.pay(t, n, 1)
	}
	paid.pay(t, n, 3)
	paid.check(t, n)
	if oldest, head := n.past.Oldest(), n.rooms.chain.Head().Number(); oldest >= head {
		t.Errorf("state is kept from block %d only, the latest is %d", oldest, head)
	}
}
