package node

import (
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/keys"
)

// joining is the configuration of a node that joins through another.
func joining(dir string, through *Node) Config {
	c := Default(dir)
	c.Timing.Tick = 20 * time.Millisecond
	c.Logger = through.config.Logger.With("joins", dir[len(dir)-3:])
	c.Founding, c.Peer = Joins, "127.0.0.1:0"
	c.Join = Join{Peers: []string{through.peers.advertise}, Service: through.pem}
	return c
}

func contentOf(t *testing.T, dir, name string) [32]byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(data)
}

// TestJoinWithAnothersDirectory: the directory of one network is refused by another
// before its secrets are touched and before anybody admits the node.
func TestJoinWithAnothersDirectory(t *testing.T) {
	theirs := t.TempDir()
	stop(t, startNode(t, theirs))
	first := launch(t, t.TempDir(), Founds)
	secrets := dirKeys + "/" + keys.Name(1)
	before := contentOf(t, theirs, secrets)
	for _, without := range []string{"nothing", fileService, dirRaft, dirLedger} {
		if err := os.RemoveAll(filepath.Join(theirs, filepath.FromSlash(without))); err != nil {
			t.Fatal(err)
		}
		if without == dirRaft {
			continue // goes with the ledger
		}
		n, err := Start(t.Context(), joining(theirs, first))
		if err == nil {
			stop(t, n)
		}
		if !errors.Is(err, ErrForeign) {
			t.Errorf("without %s: %v", without, err)
		}
		if contentOf(t, theirs, secrets) != before {
			t.Fatalf("without %s: the secrets of the other network are lost", without)
		}
	}
	if got := len(first.members.get().All()); got != 1 {
		t.Errorf("%d nodes", got)
	}
}

// TestJoinWithOtherSecrets: secrets that the ledger does not name are not kept.
func TestJoinWithOtherSecrets(t *testing.T) {
	first := launch(t, t.TempDir(), Founds)
	if _, err := first.bundle.Seal(first.machine.sealer); err != nil { // the same secrets, in a bundle of their own
		t.Fatal(err)
	}
	dir := t.TempDir()
	n, err := Start(t.Context(), joining(dir, first))
	if err == nil {
		stop(t, n)
	}
	if !errors.Is(err, keys.ErrBundle) {
		t.Error(err)
	}
	if kept, _ := filepath.Glob(filepath.Join(dir, filepath.FromSlash(dirKeys), keys.Name(1))); len(kept) > 0 {
		t.Error("they are kept")
	}
}
