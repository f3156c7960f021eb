package process

import (
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/test/binary"
)

// TestKill kills the node under load, again and again, each time at another
// moment. After each kill the files verify as they lie there, the next start has
// every transaction that was ever acknowledged, and in the end the ledger
// verifies whole. COCO_KILL_ROUNDS asks for more rounds.
func TestKill(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	rounds := number(t, "COCO_KILL_ROUNDS", 20)
	seed := time.Now().UnixNano()
	t.Logf("%d rounds, seed %d", rounds, seed)
	random := rand.New(rand.NewPCG(uint64(seed), 0))

	var acknowledged []common.Hash
	tails := 0
	for round := range rounds {
		n := binary.Start(t, "--data", data)
		present(t, n, acknowledged)
		l := newLoad(t, n, 1+random.IntN(60))
		l.wait(t)
		n.Kill(t)
		acknowledged = append(acknowledged, l.end()...)
		switch r := binary.Run(t, t.TempDir(), "ledger", "verify", data); r.Code {
		case verified:
		case unfinishedTail:
			tails++
		default:
			t.Fatalf("round %d: the killed node's ledger: coco ledger verify ended with %d\n%s%s", round, r.Code, r.Stdout, r.Stderr)
		}
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
	}
	n := binary.Start(t, "--data", data)
	present(t, n, acknowledged)
	if code := n.Stop(t); code != 0 {
		t.Errorf("the node ended with %d", code)
	}
	if r := binary.Run(t, t.TempDir(), "ledger", "verify", data); r.Code != verified {
		t.Errorf("coco ledger verify: %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	t.Logf("%d kills, %d of them with an unfinished tail, %d acknowledged transactions, none lost", rounds, tails, len(acknowledged))
}

// TestInterruptUnderLoad stops the node as Ctrl+C does while clients are
// sending. It drains: what it acknowledged is there at the next start, and the
// ledger it leaves is whole.
func TestInterruptUnderLoad(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	n := binary.Start(t, "--data", data)
	l := newLoad(t, n, 100)
	l.wait(t)
	began := time.Now()
	code := n.Stop(t)
	took := time.Since(began)
	acknowledged := l.end()
	if code != 0 {
		t.Errorf("the node ended with %d:\n%s", code, n.Stderr())
	}
	if r := binary.Run(t, t.TempDir(), "ledger", "verify", data); r.Code != verified {
		t.Errorf("coco ledger verify: %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	present(t, binary.Start(t, "--data", data), acknowledged)
	t.Logf("stopped in %s with %d acknowledged transactions", took.Round(time.Millisecond), len(acknowledged))
}
