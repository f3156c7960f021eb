package cli

import (
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/bench"
)

func benchEntries() *cobra.Command {
	var o bench.EntriesOptions
	var asJSON bool
	c := &cobra.Command{
		Use:   "entries",
		Short: "Measure writes of keys and values",
		Long: `Entries starts a network of node processes on this machine and writes small entries
through the key-value protocol (mutual TLS, no signature per request), each client
with one write under way: a write counts when its answer says that it is committed
and durable. With --postgres the same entries are upserted in a PostgreSQL server by
turns, in a table of its own named coco_bench; "start" starts one, over TLS. With
--etcd they are put into a cluster of as many etcd members, started from the program
that bench/peers.sh builds.`,
		Example: `  coco bench entries
  coco bench entries --nodes 3 --clients 64,256
  coco bench entries --postgres start
  coco bench entries --nodes 3 --clients 64,256 --etcd bin/etcd`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if o.Program, err = os.Executable(); err != nil {
				return err
			}
			o.Progress = c.ErrOrStderr()
			report, err := bench.Entries(c.Context(), o)
			if err != nil {
				return err
			}
			return show(c, report, asJSON)
		},
	}
	f := c.Flags()
	f.IntVar(&o.Nodes, "nodes", 1, "nodes of the network, each a process")
	f.IntSliceVar(&o.Clients, "clients", []int{1, 64}, "clients that write at once; one row each")
	f.StringVar(&o.Postgres, "postgres", "", "connection string of a PostgreSQL server to compare with, or start")
	f.StringVar(&o.Etcd, "etcd", "", "etcd of bench/peers.sh to compare with")
	f.DurationVar(&o.Measure, "measure", 5*time.Second, "how long one run takes")
	f.IntVar(&o.Rounds, "rounds", 5, "how often each is repeated")
	f.BoolVar(&asJSON, "json", false, "print the report as one line of JSON")
	return c
}
