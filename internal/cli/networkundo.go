package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/cli/terminal"
	"github.com/coco-consortium/coco/internal/network"
	"github.com/coco-consortium/coco/internal/operations"
)

// undoTime is how long a command waits, after Ctrl+C, until what it began is taken
// back; the network gives up earlier.
const undoTime = 30 * time.Second

// givenUp tells what became of a command after Ctrl+C, once the network has taken
// back what it could. A second Ctrl+C ends the waiting.
func givenUp(c *cobra.Command, client *operations.Client) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context()), undoTime)
	defer cancel()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	for {
		o, err := askNetwork(ctx, client)
		switch {
		case err != nil:
			return terminal.Exit(terminal.Failed)
		case !o.Busy:
			if left := leftOver(o); left != nil {
				return left
			}
			fmt.Fprintln(c.ErrOrStderr(), "given up: no node is left half joined; coco network status shows the network as it is")
			return terminal.Exit(terminal.Failed)
		}
		select {
		case <-ctx.Done():
			return terminal.Exit(terminal.Failed)
		case <-time.After(restAsk):
		}
	}
}

// leftOver names the learners of the ledger's table that no node of the network is.
func leftOver(o network.Overview) error {
	var ours, left []uint64
	for _, s := range o.Nodes {
		if s.Status != nil {
			ours = append(ours, s.Status.RaftID)
		}
	}
	for _, s := range o.Nodes {
		if s.Status == nil {
			continue
		}
		for _, p := range s.Status.Nodes {
			if joins := p.State == operations.StatePending || p.State == operations.StateLearner; joins && !slices.Contains(ours, p.RaftID) && !slices.Contains(left, p.RaftID) {
				left = append(left, p.RaftID)
			}
		}
	}
	if len(left) == 0 {
		return nil
	}
	return network.ErrLeft.From(fmt.Errorf("the node with Raft id %v", left))
}
