package node

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/membership"
	"github.com/coco-consortium/coco/internal/operations"
)

// stages is a log that notes which stages a node enters on its way.
type stages struct {
	slog.Handler
	entered func(stage string)
}

func (s stages) Enabled(context.Context, slog.Level) bool { return true }

func (s stages) Handle(ctx context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "stage" {
			s.entered(a.Value.String())
		}
		return true
	})
	return s.Handler.Handle(ctx, r)
}

// watched is a node that will join, and what it answers when it enters a stage.
func watched(t *testing.T, through *Node, entered func(stage string, a operations.Node)) Config {
	t.Helper()
	c := joining(t.TempDir(), through)
	var a operations.Node
	c.Arriving = func(n operations.Node) error { a = n; return nil }
	c.Logger = slog.New(stages{c.Logger.Handler(), func(stage string) {
		if a != nil {
			entered(stage, a)
		}
	}})
	return c
}

// aSnapshot is a network of one node with a snapshot and blocks behind it.
func aSnapshot(t *testing.T) *Node {
	t.Helper()
	c := Default(t.TempDir())
	c.Timing.Tick, c.Snapshot = 20*time.Millisecond, Cadence{Records: 4}
	c.Founding, c.Peer = Founds, "127.0.0.1:0"
	n, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Stop(context.Background()) })
	for nonce := uint64(0); nonce < 12 || len(receipts(t, c.Data)) == 0; nonce++ {
		pay(t, n, nonce)
	}
	return n
}

// TestArrival asks a node that joins at each stage of its way.
func TestArrival(t *testing.T) {
	first := aSnapshot(t)
	var seen []string
	c := watched(t, first, func(stage string, a operations.Node) {
		seen = append(seen, stage)
		s := a.Status()
		if s.CatchUp == nil || s.CatchUp.Stage != stage || s.Role != operations.RoleNone || !errors.Is(a.Ready(), ErrNotReady) || a.Live() != nil {
			t.Errorf("%s: %+v, ready: %v", stage, s, a.Ready())
		}
		admitted := stage != operations.StageAdmission
		if admitted != (s.RaftID != 0) || admitted != (s.State == operations.StateLearner) || admitted != (len(s.Nodes) == 1) {
			t.Errorf("%s: Raft id %d, %s, %d nodes", stage, s.RaftID, s.State, len(s.Nodes))
		}
		if s.CatchUp.Done > s.CatchUp.Total {
			t.Errorf("%s: %d of %d", stage, s.CatchUp.Done, s.CatchUp.Total)
		}
	})
	n, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, n)
	want := []string{operations.StageAdmission, operations.StageEntries, operations.StageSnapshot, operations.StageEntries, operations.StageState,
		operations.StageReplay, operations.StageEntries, operations.StageReplay, operations.StageTail}
	if !slices.Equal(seen, want) {
		t.Errorf("stages %v, not %v", seen, want)
	}
	if got := n.arrival.Status().Ledger.Height; got == 0 {
		t.Error("no block was applied")
	}
}

// TestArrivalEnds: whoever stops a node on its way finds it stopped, and the
// directory free for another try.
func TestArrivalEnds(t *testing.T) {
	first := aSnapshot(t)
	for _, at := range []string{operations.StageAdmission, operations.StageSnapshot, operations.StageState, operations.StageReplay, operations.StageTail} {
		ctx, cancel := context.WithCancel(t.Context())
		c := watched(t, first, func(stage string, _ operations.Node) {
			if stage == at {
				cancel()
			}
		})
		n, err := Start(ctx, c)
		if err == nil && at == operations.StageTail { // it was there at that moment
			err = errors.Join(ctx.Err(), n.Stop(context.Background()))
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", at, err)
		}
		if err := Free(c.Data); err != nil {
			t.Errorf("%s: %v", at, err)
		}
		cancel()
	}
}

// later is a rule that admits nobody yet.
type later struct{}

func (later) Judge(*membership.Request, format.Hash, time.Time) (format.NodeStatus, error) {
	return format.NodePending, nil
}

// TestArrivalWaits: a node says why it is not let in yet, whether nobody answers or
// the members have not decided.
func TestArrivalWaits(t *testing.T) {
	first := launch(t, t.TempDir(), Founds)
	away := joining(t.TempDir(), first)
	away.Join.Peers = []string{"127.0.0.1:1"}
	first.keeper.Rule = later{}
	for stage, c := range map[string]Config{operations.StageAdmission: away, operations.StagePending: joining(t.TempDir(), first)} {
		ctx, cancel := context.WithCancel(t.Context())
		arriving := make(chan operations.Node, 1)
		c.Arriving = func(n operations.Node) error { arriving <- n; return nil }
		var ended sync.WaitGroup
		ended.Go(func() {
			if n, err := Start(ctx, c); err == nil {
				t.Error("it joined")
				_ = n.Stop(context.Background())
			}
		})
		a := <-arriving
		await(t, stage, func() bool {
			now := a.Status().CatchUp
			return now.Stage == stage && now.Problem != ""
		})
		if got := a.Status().State; got != operations.StatePending {
			t.Errorf("%s: %s", stage, got)
		}
		cancel()
		ended.Wait()
	}
}
