package node

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"
)

// TestRetiredWhileItCatchesUp: a node that the network lets go before it has the
// ledger does not go on fetching.
func TestRetiredWhileItCatchesUp(t *testing.T) {
	c := Default(t.TempDir())
	c.Logger = slog.New(slog.NewTextHandler(t.Output(), nil)).With("dir", "first")
	c.Timing.Tick, c.Peer, c.Transfer = 20*time.Millisecond, "127.0.0.1:0", 1 // byte a second
	first, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, first)
	for nonce := range uint64(5) {
		pay(t, first, nonce)
	}
	joins := Default(t.TempDir())
	joins.Logger = slog.New(slog.NewTextHandler(t.Output(), nil)).With("dir", "second")
	joins.Timing.Tick, joins.Peer, joins.Founding = 20*time.Millisecond, "127.0.0.1:0", Joins
	joins.Join = Join{Peers: []string{first.peers.advertise}, Service: first.pem}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		n, err := Start(ctx, joins)
		if err == nil {
			err = n.Stop(context.Background())
		}
		ended <- err
	}()
	await(t, "a learner", func() bool { return first.members.get().Get(first.id+1) != nil })
	if err := first.Retire(ctx, first.id+1); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, ErrRetired) {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		cancel()
		t.Errorf("it went on catching up: %v", <-ended)
	}
}
