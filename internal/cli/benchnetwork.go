package cli

import (
	"context"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/bench"
)

func benchNetwork() *cobra.Command {
	c := &cobra.Command{
		Use:   "network",
		Short: "Measure a network of processes under load while something fails",
		Long: `Network starts a network of node processes on this machine, finds out how much it
commits in a second, offers half of that, and makes something happen meanwhile.
Clients write to all nodes, and know a transaction to be committed from the node's
answer; what is not answered they send again. See bench/README.md for what the
figures mean.`,
		Example: `  coco bench network kills
  coco bench network slow
  coco bench network join --slots 1000000`,
	}
	c.AddCommand(benchKills(), benchSlow(), benchJoin())
	return c
}

// networkFlags are those that all measurements of a network have.
func networkFlags(c *cobra.Command, o *bench.NetworkOptions) {
	f := c.Flags()
	f.IntVar(&o.Nodes, "nodes", 3, "nodes of the network, each a process")
	f.IntVar(&o.Writers, "writers", 32, "clients that write, each with one batch under way")
	f.IntVar(&o.Batch, "batch", 25, "transactions in one request")
	f.Float64Var(&o.Share, "share", 0.5, "the part of the measured maximum that is offered")
	f.Float64Var(&o.Rate, "rate", 0, "transactions a second that are offered; the maximum is not measured then")
	f.DurationVar(&o.Measure, "measure", 10*time.Second, "how long the maximum is measured, and a span without a fault lasts")
	f.StringVar(&o.Dir, "keep", "", "keep the nodes' directories and logs in this new directory")
}

// measured makes a command of a measurement of a network of this program's processes.
func measured[F figures](c *cobra.Command, o *bench.NetworkOptions, measure func(ctx context.Context) (F, error)) *cobra.Command {
	networkFlags(c, o)
	return reports(c, func(c *cobra.Command) (report F, err error) {
		o.Progress = c.ErrOrStderr()
		if o.Program, err = os.Executable(); err != nil {
			return report, err
		}
		return measure(c.Context())
	})
}

func benchKills() *cobra.Command {
	var o bench.NetworkOptions
	var kills int
	c := &cobra.Command{
		Use:   "kills",
		Short: "Kill the primary under load, again and again",
		Long: `Kills ends the primary's process with SIGKILL under load, measures for how long no
client has anything committed and for how long readers on the other nodes go
without an answer, and starts the killed node again, which joins with the files it
left, before the next. At the end every acknowledged transaction is looked for on
every node.`,
		Example: `  coco bench network kills
  coco bench network kills --kills 5 --rate 500 --json`,
	}
	c.Flags().IntVar(&kills, "kills", 50, "how often")
	return measured(c, &o, func(ctx context.Context) (*bench.KillsReport, error) { return bench.Kills(ctx, o, kills) })
}

func benchSlow() *cobra.Command {
	var o bench.NetworkOptions
	var part float64
	var rounds int
	c := &cobra.Command{
		Use:   "slow",
		Short: "Throttle one backup under load",
		Long: `Slow gives one backup a part of one processor only and measures what the network
commits meanwhile, in turn with the same load while no node is throttled. Clients
write through the other nodes. Throttling is the kernel's where this user may make
control groups, otherwise the process is stopped and continued; the report says
which.`,
		Example: `  coco bench network slow
  coco bench network slow --part 0.05 --share 0.9`,
	}
	f := c.Flags()
	f.Float64Var(&part, "part", 0.1, "part of one processor that the backup has")
	f.IntVar(&rounds, "rounds", 3, "how often each is measured")
	return measured(c, &o, func(ctx context.Context) (*bench.SlowReport, error) { return bench.Slow(ctx, o, part, rounds) })
}

func benchJoin() *cobra.Command {
	var o bench.NetworkOptions
	var slots, rounds int
	c := &cobra.Command{
		Use:   "join",
		Short: "Have fresh nodes join a network with a large state under load",
		Long: `Join writes slots of a contract's storage, as transactions, and then has fresh nodes
join under load, one after the other: how soon each serves, how soon it is a voter,
and what the network commits meanwhile.`,
		Example: `  coco bench network join
  coco bench network join --slots 10000000 --rounds 1`,
	}
	f := c.Flags()
	f.IntVar(&slots, "slots", 1_000_000, "slots of state that are written first")
	f.IntVar(&rounds, "rounds", 3, "how many nodes join, one after the other")
	return measured(c, &o, func(ctx context.Context) (*bench.JoinReport, error) { return bench.Joins(ctx, o, slots, rounds) })
}
