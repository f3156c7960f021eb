package cli

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/bench"
)

// figures are the result of a measurement.
type figures interface {
	JSON(w io.Writer) error
	Text(w io.Writer) error
}

// show prints figures for a person or a script.
func show(c *cobra.Command, f figures, asJSON bool) error {
	if asJSON {
		return f.JSON(c.OutOrStdout())
	}
	return f.Text(c.OutOrStdout())
}

// reports makes a command of a measurement: it shows what came of it.
func reports[F figures](c *cobra.Command, measure func(c *cobra.Command) (F, error)) *cobra.Command {
	asJSON := c.Flags().Bool("json", false, "print the report as one line of JSON")
	c.Args = exactly(0)
	c.RunE = func(c *cobra.Command, _ []string) error {
		report, err := measure(c)
		if err != nil {
			return err
		}
		return show(c, report, *asJSON)
	}
	return c
}

// peers are the flags that name the nodes to measure.
type peers struct {
	url, key string
	pid      int
	against  []string
}

func (p *peers) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&p.url, "rpc", "http://127.0.0.1:8545", "address of the node's JSON-RPC")
	f.StringVar(&p.key, "key", "", "private key (hex) of an account with ether; default the development network's first")
	f.IntVar(&p.pid, "pid", 0, "the node's process, for its processor time and memory; default the one that listens at --rpc's port")
	f.StringArrayVar(&p.against, "against", nil, "another Ethereum node to measure in turn, such as geth --dev; may be repeated")
}

func (p *peers) nodes() []bench.Node {
	nodes := []bench.Node{{URL: p.url, Key: p.key, PID: p.pid}}
	for _, a := range p.against {
		nodes = append(nodes, bench.Node{URL: a})
	}
	return nodes
}

func benchHistory() *cobra.Command {
	var o bench.HistoryOptions
	var p peers
	c := &cobra.Command{
		Use:   "history",
		Short: "Measure how a node answers questions about the past",
		Long: `Bench writes logs, a million of them unless told otherwise, and asks for some with
eth_getLogs: selective questions and broad ones. What it writes stays on the
chain.`,
		Example: `  coco bench history
  coco bench history --logs 100000 --against http://127.0.0.1:18545`,
	}
	p.flags(c)
	f := c.Flags()
	f.IntVar(&o.Logs, "logs", 1_000_000, "logs to write")
	f.IntVar(&o.Rounds, "rounds", 20, "how often each question is asked; figures are percentiles of them")
	return reports(c, func(c *cobra.Command) (*bench.HistoryReport, error) {
		o.Nodes, o.Progress = p.nodes(), c.ErrOrStderr()
		return bench.History(c.Context(), o)
	})
}

func benchHeads() *cobra.Command {
	var o bench.HeadsOptions
	var p peers
	c := &cobra.Command{
		Use:   "heads",
		Short: "Measure announcements of blocks to many subscribers",
		Long: `Bench opens many WebSockets that subscribe to newHeads, sends transactions
meanwhile, and measures when each subscriber hears of each block and what that
costs the node.`,
		Example: `  coco bench heads
  coco bench heads --subscribers 2000 --against http://127.0.0.1:18545`,
	}
	p.flags(c)
	f := c.Flags()
	f.IntVar(&o.Subscribers, "subscribers", 1000, "WebSockets that subscribe")
	f.Float64Var(&o.Rate, "rate", 20, "transactions a second")
	f.IntVar(&o.Rounds, "rounds", 3, "how often each node is measured")
	return reports(c, func(c *cobra.Command) (*bench.HeadsReport, error) {
		o.Nodes, o.Progress = p.nodes(), c.ErrOrStderr()
		return bench.Heads(c.Context(), o)
	})
}
