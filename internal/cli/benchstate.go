package cli

import (
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/bench"
)

func benchState() *cobra.Command {
	var o bench.StateOptions
	c := &cobra.Command{
		Use:   "state",
		Short: "Measure a large state beside a small one",
		Long: `State starts a node with few slots of a contract's storage and one with many, each a
process of its own, and writes slots at random on both in turn. Then it gives the
large one a history of transactions, starts it again, and watches commits while a
snapshot is taken: the rate and the slowest percent, memory of a slot, time to the
first answer, longest commit.`,
		Example: `  coco bench state
  coco bench state --slots 1000000 --history 100000 --rounds 3`,
	}
	f := c.Flags()
	f.IntVar(&o.Slots, "slots", 10_000_000, "slots of the large state")
	f.IntVar(&o.Few, "few", 10_000, "slots of the small state")
	f.IntVar(&o.History, "history", 1_000_000, "transactions before the large one is started again")
	f.IntVar(&o.Transactions, "transactions", 10_000, "transactions of a round")
	f.IntVar(&o.Rounds, "rounds", 5, "how often both are measured, and how often the large one is started")
	f.Float64Var(&o.Rate, "rate", 500, "transactions a second that are offered while a snapshot is taken")
	f.DurationVar(&o.Measure, "measure", 10*time.Second, "how long commits are watched behind a snapshot")
	return reports(c, func(c *cobra.Command) (_ *bench.StateReport, err error) {
		o.Progress = c.ErrOrStderr()
		if o.Program, err = os.Executable(); err != nil {
			return nil, err
		}
		return bench.State(c.Context(), o)
	})
}
