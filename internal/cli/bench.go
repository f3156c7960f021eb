package cli

import (
	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/bench"
)

func benchCommand() *cobra.Command {
	c := &cobra.Command{Use: "bench", Short: "Measure nodes under load"}
	c.AddCommand(benchEthereum())
	return c
}

func benchEthereum() *cobra.Command {
	var o bench.Options
	var url, key string
	var against, loads []string
	var asJSON bool
	c := &cobra.Command{
		Use:   "ethereum",
		Short: "Measure an Ethereum node with pre-signed transfers",
		Long: `Bench signs transfers in advance, sends them over HTTP and WebSocket, singly and
in batches, as fast as they are taken or at a given rate, and measures when each
is committed: latency counts from the moment a transaction should have been sent
to the announcement of its block. With --against, the same load runs at other
nodes in turn, and ratios are printed. See bench/README.md for what the figures
mean.`,
		Example: `  coco bench ethereum
  coco bench ethereum --load "erc20 http batch=100" --load "erc20 http rate=1000"
  coco bench ethereum --bare
  coco bench ethereum --against http://127.0.0.1:9545`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			o.Nodes = append([]bench.Node{{URL: url, Key: key}}, o.Nodes...)
			for _, a := range against {
				o.Nodes = append(o.Nodes, bench.Node{URL: a})
			}
			for _, text := range loads {
				l, err := bench.ParseLoad(text)
				if err != nil {
					return err
				}
				o.Loads = append(o.Loads, l)
			}
			o.Progress = c.ErrOrStderr()
			report, err := bench.Ethereum(c.Context(), o)
			if err != nil {
				return err
			}
			if asJSON {
				return report.JSON(c.OutOrStdout())
			}
			return report.Text(c.OutOrStdout())
		},
	}
	f := c.Flags()
	f.StringVar(&url, "rpc", "http://127.0.0.1:8545", "address of the node's JSON-RPC")
	f.StringVar(&key, "key", "", "private key (hex) of an account with ether; default the development network's first")
	f.StringArrayVar(&against, "against", nil, "another Ethereum node to run the same load at, such as geth --dev; may be repeated")
	f.StringArrayVar(&loads, "load", nil, "a load, such as \"erc20 http batch=100\" or \"eth ws rate=1000\"; may be repeated")
	f.IntVar(&o.Accounts, "accounts", 200, "accounts that send")
	f.IntVar(&o.Rounds, "rounds", 3, "repetitions of each load; figures are their medians")
	f.BoolVar(&asJSON, "json", false, "print the report as one line of JSON")
	return c
}
