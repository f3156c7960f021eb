package node

import (
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/founding"
)

// TestSilentLearner: a process that was let in and ended before it became a voter
// is retired, and whoever still waits in it is told so.
func TestSilentLearner(t *testing.T) {
	c := Default(t.TempDir())
	c.Timing.Tick, c.Timing.Silence = 20*time.Millisecond, 100*time.Millisecond
	c.Founding, c.Peer = Founds, "127.0.0.1:0"
	first, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, first)
	dir := t.TempDir()
	gone := &Node{config: joining(dir, first), peers: &peers{advertise: "127.0.0.1:1"}}
	lock, err := openDirectory(disk.OS(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if gone.machine, err = simulated(disk.OS(dir), dirKeys, time.Now()); err != nil {
		t.Fatal(err)
	}
	if gone.own, err = founding.NewProcess(); err != nil {
		t.Fatal(err)
	}
	gone.dismiss = func() {}
	answer, err := gone.admission(t.Context(), first.genesis.Service)
	if err != nil || answer.Status != format.NodeLearner {
		t.Fatal(answer, err)
	}
	await(t, "it is retired", func() bool {
		return first.members.get().Get(answer.RaftID).Status == format.NodeRetired
	})
	if got := first.members.get().IDs(format.NodeVoter); len(got) != 1 {
		t.Error("voters:", got)
	}
	if answer, err := gone.admission(t.Context(), first.genesis.Service); err == nil || !gone.Retired() {
		t.Error("it waits on:", answer, err)
	}
}
