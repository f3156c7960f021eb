package dispatch_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/coco-consortium/coco/internal/builder/ledger/simulated"
	"github.com/coco-consortium/coco/internal/builder/offchain"
)

// killer ends the process at one step of its life: from then on nothing that it
// asks for happens.
type killer struct {
	mu    sync.Mutex
	at    int // the step; 0: none
	steps int
	dead  chan struct{}
}

func (k *killer) step(string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.steps++
	if k.at == 0 || k.steps < k.at {
		return nil
	}
	if k.steps == k.at {
		close(k.dead)
	}
	return errKilled
}

func (k *killer) off() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.at = 0
}

// TestKilledAnywhere kills the process before and after everything that it asks
// of the ledger, the vault and the journal, and then lets it go on: with its
// database, with none, or with one from before.
func TestKilledAnywhere(t *testing.T) {
	for at := 1; ; at++ {
		k := &killer{at: at, dead: make(chan struct{})}
		if survived(t, simulated.Options{Hook: k.when, After: k.when}, k) {
			if at < 20 {
				t.Fatalf("there are only %d steps", at)
			}
			return
		}
	}
}

// when counts the operations whose loss can matter: those that change something,
// and those between them.
func (k *killer) when(operation string) error {
	select {
	case <-k.dead:
		return k.step(operation)
	default:
	}
	switch operation {
	case "submit", "read", "prepare", "blocks":
		return k.step(operation)
	}
	return nil
}

// survived runs one life and gives true when the process was not killed in it.
func survived(t *testing.T, o simulated.Options, k *killer) bool {
	t.Helper()
	at := k.at
	k.off()
	s := newStage(t, o)
	defer func() { s.stop(); s.store.Close() }()
	older := t.TempDir()
	s.ok(s.store.Close())
	copyFiles(t, older, s.dir)
	s.open()
	shop, first := s.create("kim", "1")
	asked := []int{first, s.act("gus", shop, "Make", "n", "3"), s.act("kim", shop, "Put", "n", "5")}
	s.vault.hook = func(string) error { return k.step("sign") }
	s.step = k.step
	k.mu.Lock()
	k.at, k.steps = at, 0
	k.mu.Unlock()
	s.start()
	done := make(chan struct{})
	calm := false
	go func() {
		defer close(done)
		changes, end := s.store.Watch()
		defer end()
		for {
			pending, err := s.store.Pending(t.Context(), s.conn)
			if err == nil && len(pending) == 0 {
				calm = true
				return
			}
			select {
			case <-changes:
			case <-k.dead:
				return
			}
		}
	}()
	<-done
	s.stop()
	k.off()
	s.vault.hook, s.step = nil, nil
	if calm {
		return true
	}
	s.ok(s.store.Close())
	switch at % 3 {
	case 1:
		s.forget()
	case 2:
		s.forget()
		copyFiles(t, s.dir, older)
	}
	s.open()
	s.start()
	s.calm()
	for _, id := range asked {
		if a := s.action(id); a.Status != offchain.StatusCommitted {
			t.Fatalf("killed at step %d: action %d is %+v", at, id, a)
		}
	}
	s.wantValue(shop, "Count", "6")
	s.once()
	if items := s.items(); len(items) != 1 {
		t.Fatalf("killed at step %d: the items are %+v", at, items)
	}
	before := s.dump()
	s.restart(s.forget)
	s.calm()
	same(t, "after the database was deleted", before, s.dump())
	return false
}

// copyFiles copies a database.
func copyFiles(t testing.TB, to, from string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(from, "builder.db*"))
	if err != nil || len(files) == 0 {
		t.Fatal("there is no database to copy", err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(f)), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
