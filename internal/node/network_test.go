package node

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/operations"
)

// launch starts a node that meets others on the loopback interface.
func launch(t *testing.T, dir string, founding Founding, through ...*Node) *Node {
	t.Helper()
	return launchOn(t, disk.OS(dir), dir, founding, through...)
}

func launchOn(t *testing.T, f disk.FS, dir string, founding Founding, through ...*Node) *Node {
	t.Helper()
	c := Default(dir)
	c.FS = f
	c.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo})).With("dir", dir[len(dir)-3:])
	c.Timing.Tick = 20 * time.Millisecond
	c.Founding, c.Peer = founding, "127.0.0.1:0"
	for _, n := range through {
		c.Join.Peers, c.Join.Service = append(c.Join.Peers, n.peers.advertise), n.pem
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	n, err := Start(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Stop(context.Background()) })
	return n
}

// await waits until a condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func awaitVoter(t *testing.T, n *Node) {
	t.Helper()
	await(t, "a voter", func() bool {
		info := n.members.get().Get(n.id)
		return info != nil && info.Status == format.NodeVoter
	})
}

func TestThreeNodes(t *testing.T) {
	first := launch(t, t.TempDir(), Founds)
	pay(t, first, 0)
	second := launch(t, t.TempDir(), Joins, first)
	third := launch(t, t.TempDir(), Joins, first)
	nodes := []*Node{first, second, third}
	for _, n := range nodes {
		awaitVoter(t, n)
	}
	for nonce := uint64(1); nonce < 10; nonce++ {
		pay(t, nodes[nonce%3], nonce)
	}
	for _, n := range nodes {
		if err := n.Linearizable(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := n.Status()
		t.Logf("%d %s %s view %d height %d: %+v", s.RaftID, s.State, s.Role, s.View, s.Ledger.Height, s.Nodes)
	}
	stop(t, first)
	for nonce := uint64(10); nonce < 20; nonce++ {
		pay(t, nodes[1+nonce%2], nonce)
	}
	again := launch(t, first.config.Data, Joins, second, third)
	awaitVoter(t, again)
	for nonce := uint64(20); nonce < 30; nonce++ {
		pay(t, again, nonce)
	}
	await(t, "the old process is retired", func() bool {
		return second.members.get().Get(first.id).Status == format.NodeRetired
	})
	if got := again.Status(); got.State != operations.StateVoter {
		t.Fatal(got.State)
	}
}
