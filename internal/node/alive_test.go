package node

import (
	"context"
	"errors"
	"testing"
)

// TestRecoveryBesideTheLiving: a network is not recovered while a node of it
// answers, nor taken for a network of one.
func TestRecoveryBesideTheLiving(t *testing.T) {
	first := launch(t, t.TempDir(), Founds)
	second := launch(t, t.TempDir(), Joins, first)
	third := launch(t, t.TempDir(), Joins, first)
	awaitVoter(t, second)
	awaitVoter(t, third)
	stop(t, first)
	for founding, want := range map[Founding]error{Recovers: ErrRuns, Continues: ErrOfMany} {
		c := first.config
		c.Founding = founding
		n, err := Start(t.Context(), c)
		if err == nil {
			_ = n.Stop(context.Background())
		}
		if !errors.Is(err, want) {
			t.Errorf("%s beside two nodes that run: %v, not %v", founding, err, want)
		}
	}
	stop(t, second)
	stop(t, third)
	c := first.config
	c.Founding = Recovers
	n, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, n)
	pay(t, n, 0)
}
