package cli

import (
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/bench"
)

func benchScaling() *cobra.Command {
	var o bench.ScalingOptions
	c := &cobra.Command{
		Use:   "scaling",
		Short: "Measure what a transaction costs when one thing grows",
		Long: `Scaling measures a transaction's processor time and bytes on disk against the cores
that a node may use, the nodes of the network, the slots of the state, the length of
the history, what a contract writes and computes, and the size of a transaction: one
of them grows, the rest stays. Every node is a process of its own.`,
		Example: `  coco bench scaling
  coco bench scaling --sweep nodes --sweep slots --rounds 5`,
	}
	f := c.Flags()
	f.StringArrayVar(&o.Sweeps, "sweep", nil, "what grows: "+strings.Join(bench.Sweeps, ", ")+"; may be repeated; default all")
	f.IntVar(&o.Rounds, "rounds", 3, "repetitions of each value; figures are their medians")
	f.Float64Var(&o.Part, "part", 1, "the part of the transactions and slots that is used; below 1 only to try the command")
	return reports(c, func(c *cobra.Command) (_ *bench.ScalingReport, err error) {
		o.Progress = c.ErrOrStderr()
		if o.Program, err = os.Executable(); err != nil {
			return nil, err
		}
		return bench.Scaling(c.Context(), o)
	})
}

func benchSoak() *cobra.Command {
	var o bench.SoakOptions
	var load string
	c := &cobra.Command{
		Use:   "soak",
		Short: "Load a node for an hour",
		Long: `Soak starts a network of node processes, one node unless told otherwise, and sends a
load again and again, signing the next while the node rests: what is committed, the
node's memory, and the slowest percent at the end against the beginning.`,
		Example: `  coco bench soak
  coco bench soak --for 10m --load "erc20 http rate=1000"`,
	}
	f := c.Flags()
	f.DurationVar(&o.For, "for", time.Hour, "how long")
	f.DurationVar(&o.Edge, "edge", 0, "how much of the beginning and of the end is compared; default a sixth of --for")
	f.IntVar(&o.Nodes, "nodes", 1, "nodes of the network, each a process")
	f.StringVar(&load, "load", "erc20 http batch=100", "what is sent again and again")
	return reports(c, func(c *cobra.Command) (_ *bench.SoakReport, err error) {
		if o.Load, err = bench.ParseLoad(load); err != nil {
			return nil, err
		}
		o.Progress = c.ErrOrStderr()
		if o.Program, err = os.Executable(); err != nil {
			return nil, err
		}
		return bench.Soak(c.Context(), o)
	})
}
