package cli

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/bench"
	login "github.com/coco-consortium/coco/internal/builder/identity"
)

func benchBuilder() *cobra.Command {
	var o bench.PortalOptions
	var asJSON bool
	c := &cobra.Command{
		Use:   "builder",
		Short: "Measure App Builder: reads, how soon others see an action, how far it is behind",
		Long: `Bench makes people and contracts of the sample application Purchase at a running
development network. It reads lists and contracts as everybody in turn while
prices change, measures how soon another person, told by an event, sees an
action's effect, and how old the database is while the ledger is full. It fails
when a read is more than a second older than a write. What it writes stays.`,
		Example: `  coco start --ephemeral --json
  coco bench builder --gateway http://127.0.0.1:7700 --data coco-data`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			if o.People < 3 || o.Contracts < 2 || o.Readers < 1 || o.Time <= 0 {
				return usage(c, errors.New("--people is 3 or more, --contracts 2 or more, --readers 1 or more, --measure more than 0"))
			}
			o.Progress = c.ErrOrStderr()
			if within := o.Dir + "/builder"; login.HasLogin(within) {
				o.Dir = within
			}
			report, err := bench.Portal(c.Context(), o)
			if report != nil {
				err = errors.Join(show(c, report, asJSON), err)
			}
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&o.URL, "gateway", "http://127.0.0.1:7700", "App Builder's gateway")
	f.StringVar(&o.Dir, "data", "coco-data", "directory of the network, or of the builder: its development login makes the people")
	f.StringVar(&o.RPC, "rpc", "http://127.0.0.1:8545", "JSON-RPC of its ledger's node, to fill the ledger; empty leaves that out")
	f.IntVar(&o.PID, "pid", 0, "the builder's process; default the one that listens at --gateway's port")
	f.IntVar(&o.People, "people", 120, "people with different roles")
	f.IntVar(&o.Contracts, "contracts", 442, "contracts")
	f.IntVar(&o.Readers, "readers", 32, "connections that read at once")
	f.Float64Var(&o.Writes, "writes", 10, "writes a second while it reads")
	f.Float64Var(&o.Clicks, "clicks", 50, "actions a second whose arrival at another person is measured")
	f.DurationVar(&o.Time, "measure", 20*time.Second, "how long each part takes")
	f.BoolVar(&asJSON, "json", false, "print the report as one line of JSON")
	return c
}
