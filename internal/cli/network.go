package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/cli/terminal"
	"github.com/coco-consortium/coco/internal/operations"
)

func networkCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "network",
		Short: "Look at a network, and make its nodes fail and come back",
		Long: `Network shows the nodes of a network and, on a development network of several
nodes (coco start --nodes N), stops, starts, pauses and cuts off single ones, so
that one sees what a consortium's network does when a machine fails. Nodes go by
their numbers, from 1.`,
		Example: `  coco start --nodes 3               in one terminal
  coco network status --watch        in another
  coco network stop 2                in a third: the other two go on`,
	}
	c.AddCommand(networkStatusCommand(),
		seatCommand("stop NODE", "Stop a node as Ctrl+C stops a process", `Stop ends a node. If it led, the others elect another within seconds; if half of
the voters or more are gone, writes wait until nodes are back.`, "  coco network stop 2", "node %s is stopped\n"),
		seatCommand("start NODE", "Start a stopped node", `Start starts a stopped node. A process that ended never votes again: it joins as a
new node, which takes the old one's place and reuses the files it left. When no
node runs, the one with the most complete ledger recovers the network.`, "  coco network start 2", "node %s runs and takes its place; see coco network status --wait\n"),
		seatCommand("pause NODE", "Let a node stand still", `Pause lets a node stand still, as a process that gets no processor time would. It
keeps its connections and says nothing.`, "  coco network pause 1", "node %s stands still\n"),
		seatCommand("resume NODE", "Let a paused node go on", "Resume lets a paused node go on.", "  coco network resume 1", "node %s goes on\n"),
		partitionCommand(), healCommand(), addCommand(),
		seatCommand("replace NODE", "Put a new node in the place of one", `Replace starts a new node that joins; when it is a voter, the old one is retired
and stopped. The new node has the next free number. Its directory is its own; the
old one's stays until you remove it. Ctrl+C before the new node is a voter takes it
back; the same command later goes on with what it fetched.`, "  coco network replace 2", "node %s is replaced\n"))
	return c
}

// seatCommand gives a command about one node to the network of a directory.
func seatCommand(use, short, long, example, done string) *cobra.Command {
	name, _, _ := strings.Cut(use, " ")
	var data string
	c := &cobra.Command{Use: use, Short: short, Long: long, Example: example, Args: exactly(1), RunE: func(c *cobra.Command, args []string) error {
		if err := checkNumber(c, args[0]); err != nil {
			return err
		}
		return tell(c, data, "/network/"+name, url.Values{"node": {args[0]}}, fmt.Sprintf(done, args[0]))
	}}
	dataFlag(c, &data)
	return c
}

func checkNumber(c *cobra.Command, text string) error {
	if n, err := strconv.Atoi(text); err != nil || n < 1 {
		return usage(c, fmt.Errorf("%q is no node: give its number from coco network status", text))
	}
	return nil
}

func partitionCommand() *cobra.Command {
	var data string
	c := &cobra.Command{Use: "partition NODE...", Short: "Cut nodes off from the others",
		Long: `Partition cuts the network in two: the given nodes, and all others. The side with a
majority of the voters goes on; on the other writes wait and reads stay at the
last committed block. What was cut before is healed first.`,
		Example: `  coco network partition 1
  coco network partition 1 2`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage(c, errors.New("give the numbers of the nodes to cut off"))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			for _, a := range args {
				if err := checkNumber(c, a); err != nil {
					return err
				}
			}
			slices.Sort(args)
			args = slices.Compact(args)
			return tell(c, data, "/network/partition", url.Values{"node": {strings.Join(args, ",")}},
				"cut off from the others: "+strings.Join(args, ", ")+"\n")
		}}
	dataFlag(c, &data)
	return c
}

func healCommand() *cobra.Command {
	var data string
	c := &cobra.Command{Use: "heal", Short: "Join what partition cut", Long: "Heal joins what coco network partition cut.", Example: "  coco network heal", Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			return tell(c, data, "/network/heal", nil, "all nodes reach each other\n")
		}}
	dataFlag(c, &data)
	return c
}

func addCommand() *cobra.Command {
	var data string
	c := &cobra.Command{Use: "add", Short: "Start one more node", Long: `Add starts one more node with a directory of its own. It joins, catches up from a
snapshot and becomes a voter.`, Example: "  coco network add", Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			return tell(c, data, "/network/add", nil, "one more node runs and takes its place; see coco network status --wait\n")
		}}
	dataFlag(c, &data)
	return c
}

// tell gives a command to the process of a directory and says that it is done.
func tell(c *cobra.Command, data, path string, arguments url.Values, done string) error {
	client := operations.Dial(data)
	defer client.Close()
	if err := client.Post(c.Context(), path, arguments); err != nil {
		switch {
		case errors.Is(err, context.Canceled) && strings.HasPrefix(path, "/network/"):
			return givenUp(c, client)
		case errors.Is(err, context.Canceled):
			return terminal.Exit(terminal.Failed)
		case errors.Is(err, operations.ErrAnswer) && strings.HasPrefix(path, "/network/"): // a single node, which knows no network
			return operations.ErrDevelopment
		}
		return err
	}
	_, err := fmt.Fprint(c.OutOrStdout(), done)
	return err
}
