package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/cli/nodefile"
	"github.com/coco-consortium/coco/internal/cli/terminal"
	"github.com/coco-consortium/coco/internal/operations"
)

func nodeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "node",
		Short: "Run one node of a network",
		Long: `Node runs one node as node.yaml says: it founds a network, joins one, or continues
one that has ended. A network of several nodes on one machine, to try things out,
is coco start --nodes N.`,
		Example: `  coco node init
  coco node start
  coco node join --config second.yaml
  coco node drain --data coco-node`,
	}
	c.AddCommand(nodeInitCommand(),
		runCommand("start", "Found a network with this node, or go on with one of it alone", `Start founds a network in the directory that node.yaml names, with this node as its
only one; others join it. In a directory that holds a network of this node alone
it goes on with that. A network of several nodes that has ended is continued by
coco node recover, on one node, and coco node join on the others.`),
		runCommand("join", "Join a network that runs", `Join asks the nodes of join.peers to take this node in, catches up from a snapshot
and becomes a voter. A node that was part of the network before joins as a new one
and reuses the files in its directory as far as they are the network's.`),
		runCommand("recover", "Continue a network none of whose nodes runs", `Recover continues a network of which no node runs any more, with this node as its
only voter; the others join it. Use the node with the most complete ledger: what
only others had is not in the recovered network. coco ledger verify tells how far
each reaches.`),
		nodeStatusCommand(), profileCommand(), drainCommand(), retireCommand(), raiseCommand())
	return c
}

func configFlag(c *cobra.Command, name *string) {
	c.Flags().StringVar(name, "config", "node.yaml", "the node's configuration file")
}

func nodeInitCommand() *cobra.Command {
	var name string
	c := &cobra.Command{Use: "init", Short: "Write a node.yaml that explains every field",
		Long:    `Init writes a configuration file in which every field has its default and is explained. A file that is there is left as it is.`,
		Example: "  coco node init\n  coco node init --config second.yaml", Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := nodefile.Write(name); err != nil {
				return err
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "wrote %s: read it, change what differs here, then run\n  coco node start --config %s\n", name, name)
			return err
		}}
	configFlag(c, &name)
	return c
}

func runCommand(name, short, long string) *cobra.Command {
	var config string
	var asJSON, force bool
	c := &cobra.Command{Use: name, Short: short, Long: long, Example: "  coco node " + name + "\n  coco node " + name + " --config /etc/coco/node.yaml --json", Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			f, err := nodefile.Read(config)
			if err != nil {
				return err
			}
			return runNode(c.Context(), name, f, asJSON, force, c.OutOrStdout(), c.ErrOrStderr())
		}}
	configFlag(c, &config)
	c.Flags().BoolVar(&asJSON, "json", false, "print one line of JSON when the node serves, and nothing else")
	if name == "recover" {
		c.Flags().BoolVar(&force, "force", false, "recover although nodes of the network answer; they must never start again")
	}
	return c
}

// logger writes to standard error as node.yaml says.
func logger(l nodefile.Log, out io.Writer) *slog.Logger {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	options := &slog.HandlerOptions{Level: levels[l.Level], ReplaceAttr: terminal.PlainError}
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}

// nodeData is the directory of a node that is told something: --data, or what
// --config says.
func nodeData(c *cobra.Command, data, config string) (string, error) {
	if c.Flags().Changed("data") {
		if c.Flags().Changed("config") {
			return "", usage(c, errors.New("--data and --config exclude each other"))
		}
		return data, nil
	}
	if _, err := os.Stat(config); err != nil && !c.Flags().Changed("config") {
		return data, nil
	}
	f, err := nodefile.Read(config)
	return f.Data, err
}

func nodeStatusCommand() *cobra.Command {
	var data, config string
	var f statusFlags
	c := &cobra.Command{Use: "status", Short: "Show what a node does, from its first moment",
		Long: `Status shows the network as a node sees it, as coco network status does, and of a
node that does not serve yet how far it has come: whether it is let in, what it
fetches, which block it has applied, and what went wrong last.`,
		Example: "  coco node status\n  coco node status --config second.yaml --watch\n  coco node status --data /var/lib/coco --json", Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			dir, err := nodeData(c, data, config)
			if err != nil {
				return err
			}
			return f.show(c, dir)
		}}
	whichNode(c, &data, &config)
	f.add(c)
	return c
}

func drainCommand() *cobra.Command {
	var data, config string
	c := &cobra.Command{Use: "drain", Short: "Hand leadership over before the node is stopped",
		Long: `Drain lets a running node hand leadership over, if it has it, and finish what it
took for its clients, so that stopping it interrupts nobody. /readyz then sends new
clients elsewhere; the node goes on to replicate and to serve until it is stopped.`,
		Example: "  coco node drain\n  coco node drain --data /var/lib/coco", Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			dir, err := nodeData(c, data, config)
			if err != nil {
				return err
			}
			return tell(c, dir, "/drain", nil, "drained: stopping the node now interrupts nobody\n")
		}}
	whichNode(c, &data, &config)
	return c
}

func retireCommand() *cobra.Command {
	var data, config string
	c := &cobra.Command{Use: "retire [RAFT-ID]", Short: "Take a node out of the network for good",
		Long: `Retire takes a node out of the network: the one that runs on the directory, or any
by its Raft id, such as one whose machine is lost. coco network status shows the
ids. A node that was retired does not come back; its directory may join anew.`,
		Example: "  coco node retire --data /var/lib/coco\n  coco node retire 3",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage(c, errors.New("give one Raft id, or none for the node of the directory"))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			dir, err := nodeData(c, data, config)
			if err != nil {
				return err
			}
			id := ""
			if len(args) == 1 {
				id = args[0]
				if n, err := strconv.ParseUint(id, 10, 64); err != nil || n == 0 {
					return usage(c, fmt.Errorf("%q is no Raft id: coco network status shows them", id))
				}
			} else if id, err = ownID(c.Context(), dir); err != nil {
				return err
			}
			return tell(c, dir, "/retire", url.Values{"node": {id}}, "the node with Raft id "+id+" is retired\n")
		}}
	whichNode(c, &data, &config)
	return c
}

func raiseCommand() *cobra.Command {
	var data, config string
	c := &cobra.Command{Use: "raise-format LEVEL", Short: "Let the network write the ledger in a newer format",
		Long: `Raise-format raises the format level of the network of a running node: from then on
its primary writes the ledger in that format. It is refused while a node of the
network is of a build that does not read it. There is no way back: a node of an
older build cannot join any more, and older verifiers cannot read the ledger from
there on. coco network status shows what each node reads.`,
		Example: "  coco node raise-format 1 --data /var/lib/coco", Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := strconv.ParseUint(args[0], 10, 64); err != nil {
				return usage(c, fmt.Errorf("%q is no format level: coco version shows the highest that this build reads", args[0]))
			}
			dir, err := nodeData(c, data, config)
			if err != nil {
				return err
			}
			return tell(c, dir, "/raise-format", url.Values{"level": {args[0]}}, "format level "+args[0]+" is in force\n")
		}}
	whichNode(c, &data, &config)
	return c
}

func whichNode(c *cobra.Command, data, config *string) {
	c.Flags().StringVar(data, "data", "coco-node", "directory of the running node")
	c.Flags().StringVar(config, "config", "node.yaml", "the running node's configuration file, which names its directory")
}

func ownID(ctx context.Context, data string) (string, error) {
	client := operations.Dial(data)
	defer client.Close()
	s, err := client.Status(ctx)
	return strconv.FormatUint(s.RaftID, 10), err
}
