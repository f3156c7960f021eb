package cli

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/bench"
	"github.com/coco-consortium/coco/internal/bench/bare"
)

func benchCommand() *cobra.Command {
	c := &cobra.Command{Use: "bench", Short: "Measure nodes under load"}
	c.AddCommand(benchFloors(), benchEthereum(), benchHistory(), benchHeads(), benchState(), benchScaling(), benchSoak(), benchBuilder(), benchEntries(), benchNetwork(), benchBare())
	return c
}

func benchEthereum() *cobra.Command {
	var o bench.Options
	var p peers
	var loads []string
	var withBare, withGeth, backup bool
	var processes int
	var geth, lines, data string
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
  coco bench ethereum --nodes 3 --backup
  coco bench ethereum --nodes 1 --profile --geth --load "erc20 http batch=100" --rounds 5
  coco bench ethereum --against http://127.0.0.1:9545`,
	}
	p.flags(c)
	f := c.Flags()
	f.IntVar(&processes, "nodes", 0, "start a network of so many nodes and one node alone, each a process of its own, and measure both in turn, instead of --rpc; 1 starts the one alone")
	f.StringVar(&lines, "config", "", "with --nodes, further lines of every node.yaml, such as \"state: {blocks: 0}\"")
	f.BoolVar(&o.Profile, "profile", false, "show where a transaction's processor time goes; the node is one of --nodes, or that of --data")
	f.StringVar(&data, "data", "", "data directory of the node at --rpc, for --profile")
	f.Float64Var(&o.Watts, "watts-per-core", bench.DefaultWatts, "what a busy core is taken to draw, for the table of energy")
	f.BoolVar(&withGeth, "geth", false, "start geth --dev beside and measure it in turn; bench/peers.sh builds it")
	f.StringVar(&geth, "geth-path", "", "the program of --geth; default bin/geth, else the one on the search path")
	f.BoolVar(&backup, "backup", false, "with --nodes, also send the load to a backup, which forwards it")
	f.BoolVar(&withBare, "bare", false, "run the same load at a bare in-memory server of the same JSON-RPC and EVM: the upper bound")
	f.StringArrayVar(&loads, "load", nil, "a load, such as \"erc20 http batch=100\" or \"eth ws rate=1000\"; may be repeated")
	f.IntVar(&o.Accounts, "accounts", 200, "accounts that send")
	f.IntVar(&o.Rounds, "rounds", 3, "repetitions of each load; figures are their medians")
	return reports(c, func(c *cobra.Command) (*bench.Report, error) {
		o.Nodes = p.nodes()
		o.Nodes[0].Data = data
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		switch {
		case processes < 0 || processes > 0 && (c.Flags().Changed("rpc") || data != ""):
			return nil, usage(c, errors.New("--nodes starts nodes itself; it goes without --rpc and --data"))
		case processes == 0 && lines != "":
			return nil, usage(c, errors.New("--config is of the nodes that --nodes starts"))
		case processes == 0 && o.Profile && data == "":
			return nil, usage(c, errors.New("--profile needs --nodes, or the node's --data"))
		}
		if processes > 0 {
			setups := []bench.Setup{{Nodes: processes, Backup: backup, Lines: lines}}
			if processes > 1 {
				setups = append(setups, bench.Setup{Lines: lines})
			}
			own, stop, err := bench.Processes(c.Context(), self, setups...)
			if err != nil {
				return nil, err
			}
			defer stop()
			o.Nodes = append(own, o.Nodes[1:]...)
		}
		if withBare {
			bare, stop, err := bench.Spawn(c.Context(), self, "bench", "bare")
			if err != nil {
				return nil, err
			}
			defer stop()
			o.Nodes = slices.Insert(o.Nodes, 1, bare)
		}
		if withGeth {
			program, err := bench.FindPeer("geth", geth)
			if err != nil {
				return nil, err
			}
			peer, stop, err := bench.Geth(c.Context(), program)
			if err != nil {
				return nil, err
			}
			defer stop()
			o.Nodes = append(o.Nodes, peer)
		}
		for _, text := range loads {
			l, err := bench.ParseLoad(text)
			if err != nil {
				return nil, err
			}
			o.Loads = append(o.Loads, l)
		}
		o.Progress = c.ErrOrStderr()
		return bench.Ethereum(c.Context(), o)
	})
}

// benchBare is the process behind --bare.
func benchBare() *cobra.Command {
	var address string
	c := &cobra.Command{
		Use:    "bare",
		Short:  "Serve a bare in-memory server to be measured, and print its address as JSON",
		Hidden: true,
		Args:   exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			l, err := net.Listen("tcp", address)
			if err != nil {
				return err
			}
			ready := map[string]string{"rpc": "http://" + l.Addr().String()}
			if err := json.NewEncoder(c.OutOrStdout()).Encode(ready); err != nil {
				return err
			}
			return bare.Serve(c.Context(), l, slog.New(slog.DiscardHandler))
		},
	}
	c.Flags().StringVar(&address, "rpc", "127.0.0.1:0", "where JSON-RPC listens, HOST:PORT; port 0 takes a free one")
	return c
}
