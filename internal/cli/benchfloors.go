package cli

import (
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/bench"
)

func benchFloors() *cobra.Command {
	var o bench.FloorsOptions
	c := &cobra.Command{
		Use:   "floors",
		Short: "Measure everything that has a floor, and say what was met",
		Long: `Floors runs the measurements that docs/performance.md has figures of, starting every
node and peer itself: coco's nodes as processes, the bare server, geth and etcd of
bench/peers.sh, PostgreSQL. Each row has its floor beside what was measured; what could
not be measured says why. A floor that is not met is no failure of the command.`,
		Example: `  coco bench floors
  coco bench floors --row single --row batch --rounds 3
  coco bench floors --row soak`,
	}
	f := c.Flags()
	f.StringArrayVar(&o.Rows, "row", nil, "what is measured: "+strings.Join(bench.FloorRows, ", ")+"; may be repeated; default all but soak")
	f.IntVar(&o.Rounds, "rounds", 5, "how often everything is measured; figures are medians")
	f.StringVar(&o.Geth, "geth-path", "", "geth's program; default bin/geth, else the one on the search path")
	f.StringVar(&o.Etcd, "etcd", "", "etcd's program of bench/peers.sh; default bin/etcd, else the one on the search path")
	f.StringVar(&o.Postgres, "postgres", bench.StartPostgres, "connection string of a PostgreSQL server, or start")
	f.DurationVar(&o.Soak, "for", time.Hour, "how long the row soak takes")
	f.Float64Var(&o.Part, "part", 1, "the part of each load that is sent and of the state that is written; below 1 only to try the command")
	return reports(c, func(c *cobra.Command) (_ *bench.FloorsReport, err error) {
		o.Progress = c.ErrOrStderr()
		if o.Program, err = os.Executable(); err != nil {
			return nil, err
		}
		return bench.Floors(c.Context(), o)
	})
}
