package network

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// TestMostLedgersUnreadable: a network is not begun from the one ledger of three
// that can be read, since the two others may hold what it lacks.
func TestMostLedgersUnreadable(t *testing.T) {
	w, data := newWorld(), t.TempDir()
	n := start(t, w, data, 3)
	nodes := n.Overview().Nodes
	if err := n.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	breakLedger := func(dir string) {
		end := filepath.Join(dir, "node", "ledger", "end")
		if err := errors.Join(os.RemoveAll(end), os.Mkdir(end, 0o700)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range nodes {
		setHead(t, nodes[i].Data, Position{3, 10})
	}
	breakLedger(nodes[1].Data)
	breakLedger(nodes[2].Data)
	if _, err := Start(t.Context(), Config{Data: data, Logger: slog.New(slog.DiscardHandler)}, w.launcher()); !errors.Is(err, ErrUnreadable) {
		t.Fatalf("begun with one ledger of three: %v", err)
	}
}
