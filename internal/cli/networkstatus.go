package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/cli/contract"
	"github.com/coco-consortium/coco/internal/cli/terminal"
	"github.com/coco-consortium/coco/internal/network"
	"github.com/coco-consortium/coco/internal/operations"
)

// watchEvery is how often --watch asks.
const watchEvery = time.Second

func networkStatusCommand() *cobra.Command {
	var data string
	var f statusFlags
	c := &cobra.Command{
		Use:   "status",
		Short: "Show the nodes of the network that runs on a directory",
		Long: `Status shows the nodes of the network that runs on a directory: role and state,
how far each is, whom it hears, and what somebody should see to. It asks the
process that runs on the directory through its socket, as the same user. Of a
single node (coco node) it shows the network as that node sees it.`,
		Example: `  coco network status
  coco network status --watch
  coco network status --wait
  coco network status --data /var/lib/coco --json`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error { return f.show(c, data) },
	}
	dataFlag(c, &data)
	f.add(c)
	return c
}

// statusFlags say how a status is shown.
type statusFlags struct{ watch, wait, json bool }

func (f *statusFlags) add(c *cobra.Command) {
	c.Flags().BoolVar(&f.watch, "watch", false, "show it anew every second, until Ctrl+C")
	c.Flags().BoolVar(&f.wait, "wait", false, "first wait until the network is at rest: who can vote does, all agree who leads and who is there; at most a minute")
	c.Flags().BoolVar(&f.json, "json", false, "print it as one line of JSON; with --watch one line a second")
}

func (f *statusFlags) show(c *cobra.Command, data string) error {
	client := operations.Dial(data)
	defer client.Close()
	if f.watch && f.wait {
		return usage(c, errors.New("--watch and --wait exclude each other"))
	}
	var restless error
	if f.wait {
		if restless = awaitRest(c.Context(), client); c.Context().Err() != nil {
			return terminal.Exit(terminal.Failed) // Ctrl+C
		}
	}
	return errors.Join(restless, showNetwork(c.Context(), client, f.watch, f.json, c.OutOrStdout()))
}

func dataFlag(c *cobra.Command, data *string) {
	c.Flags().StringVar(data, "data", "coco-data", "directory that keeps the network")
}

// showNetwork prints what the process of a directory says, once or again and again.
func showNetwork(ctx context.Context, client *operations.Client, watch, asJSON bool, out io.Writer) error {
	redraw := watch && !asJSON && isTerminal(out)
	for {
		page, err := networkPage(ctx, client, asJSON)
		if err != nil && (!watch || ctx.Err() != nil) {
			if watch {
				return nil // Ctrl+C while it asked
			}
			return err
		}
		if err != nil { // it may come back
			var b strings.Builder
			terminal.Explain(&b, err)
			page = b.String()
		}
		switch {
		case redraw:
			page = "\x1b[H\x1b[2J" + page // cursor home, clear (ECMA-48)
		case watch && !asJSON:
			page += "\n"
		}
		if _, err := io.WriteString(out, page); err != nil || !watch {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(watchEvery):
		}
	}
}

// isTerminal says that a person reads the output.
func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// networkPage is a table, or a line of JSON.
func networkPage(ctx context.Context, client *operations.Client, asJSON bool) (string, error) {
	var b strings.Builder
	var o network.Overview
	err := client.Get(ctx, "/network", &o)
	if errors.Is(err, operations.ErrAnswer) { // a single node
		s, err := client.Status(ctx)
		if err != nil {
			return "", err
		}
		if asJSON {
			err := json.NewEncoder(&b).Encode(s)
			return b.String(), err
		}
		nodeTable(&b, s)
		return b.String(), nil
	}
	if err != nil {
		return "", err
	}
	if asJSON {
		err := json.NewEncoder(&b).Encode(o)
		return b.String(), err
	}
	networkTable(&b, o)
	return b.String(), nil
}

// networkTable shows a development network by its nodes' own words.
func networkTable(w io.Writer, o network.Overview) {
	var commit uint64
	for _, s := range o.Nodes {
		if s.Status != nil {
			commit = max(commit, s.Status.Ledger.Commit)
		}
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NODE\tROLE\tSTATE\tRAFT ID\tVIEW\tBLOCK\tCOMMIT\tBEHIND\tHEARS\tJSON-RPC")
	for _, s := range o.Nodes {
		if s.Status == nil {
			fmt.Fprintf(t, "%d\t%s\t-\t-\t-\t-\t-\t-\t-\t%s\n", s.Number, cmp.Or(phases[s.Phase], "stopped"), contract.Printable(cmp.Or(s.RPC, "-")))
			continue
		}
		l := s.Status.Ledger
		role := roleOf(s.Status)
		if slices.Contains(o.Apart, s.Number) {
			role += ", cut off"
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\t%s\n", s.Number, role, contract.Printable(string(s.Status.State)), s.Status.RaftID, s.Status.View,
			l.Height, l.Commit, commit-min(commit, l.Commit), hears(s.Status), contract.Printable(s.RPC))
	}
	t.Flush()
	for _, s := range o.Nodes {
		if s.Status != nil { // each knows all
			printLevels(w, s.Status)
			break
		}
	}
	var said []warned
	for _, s := range o.Nodes {
		if s.Status != nil {
			said = gather(said, s.Number, s.Status.Warnings)
		}
	}
	printWarnings(w, said, len(o.Nodes) > 1)
}

var phases = map[string]string{"found": "founding", "recover": "recovering", "join": "joining"}

// roleOf is the role, or what keeps the node from it.
func roleOf(s *operations.Status) string {
	switch {
	case s.Paused:
		return "paused"
	case s.State == operations.StateRetired:
		return "none"
	case s.CatchUp != nil && s.CatchUp.Stage != "backfill":
		return "catching up" + portion(s.CatchUp)
	}
	return contract.Printable(string(s.Role))
}

func portion(c *operations.CatchUp) string {
	if c.Total == 0 {
		return ""
	}
	return fmt.Sprintf(" %d%%", min(c.Done, c.Total)*100/c.Total)
}

// hears is how many of the other nodes were heard of late.
func hears(s *operations.Status) string {
	others, heard := 0, 0
	for _, p := range s.Nodes {
		if p.Self || p.State == operations.StateRetired {
			continue
		}
		others++
		if p.Active {
			heard++
		}
	}
	return fmt.Sprintf("%d/%d", heard, others)
}

// nodeTable shows a network as one of its nodes sees it.
func nodeTable(w io.Writer, s operations.Status) {
	if onItsWay(&s) {
		describeArrival(w, &s)
		return
	}
	fmt.Fprintf(w, "node %d is %s, %s in view %d, at block %d, commit %d\n\n", s.RaftID, roleOf(&s), contract.Printable(string(s.State)), s.View, s.Ledger.Height, s.Ledger.Commit)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RAFT ID\tROLE\tSTATE\tBEHIND\tHEARD\tADDRESS\tJSON-RPC")
	for _, p := range s.Nodes {
		if p.State == operations.StateRetired {
			continue
		}
		role, behind, heard := "", "-", "-"
		switch {
		case s.Leader != nil && s.Leader.RaftID == p.RaftID:
			role = "leader"
		case p.Self:
			role = roleOf(&s)
		}
		if s.Role == operations.RoleLeader && !p.Self {
			behind = strconv.FormatUint(p.Lag, 10)
		}
		switch {
		case p.Self:
			heard = "this node"
		case p.Active:
			heard = "yes"
		case p.Heard > 0:
			heard = fmt.Sprintf("%.0f s ago", p.Heard)
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", p.RaftID, contract.Printable(cmp.Or(role, "-")), contract.Printable(string(p.State)), behind, heard,
			contract.Printable(cmp.Or(p.Address, "-")), contract.Printable(cmp.Or(p.Client, "-")))
	}
	t.Flush()
	printLevels(w, &s)
	printWarnings(w, gather(nil, 0, s.Warnings), false)
}

// printLevels says which nodes read another format level than the one in force.
func printLevels(w io.Writer, s *operations.Status) {
	readers := map[uint64][]string{}
	for _, p := range s.Nodes {
		if p.State != operations.StateRetired {
			readers[p.Reads] = append(readers[p.Reads], strconv.FormatUint(p.RaftID, 10))
		}
	}
	levels := slices.Sorted(maps.Keys(readers))
	if len(levels) == 0 || levels[len(levels)-1] == s.Format {
		return
	}
	fmt.Fprintf(w, "\nformat level %d is in force\n", s.Format)
	for _, level := range levels {
		fmt.Fprintf(w, "  Raft id %s: reads up to %d\n", strings.Join(readers[level], ", "), level)
	}
	if levels[0] > s.Format {
		fmt.Fprintf(w, "  next: coco node raise-format %d, when no node has to go back to an older build\n", levels[0])
	}
}

// warned is a warning and the nodes that say it.
type warned struct {
	operations.Warning
	nodes []string
}

// gather adds a node's warnings; what several say stands once.
func gather(list []warned, number int, warnings []operations.Warning) []warned {
	for _, w := range warnings {
		i := slices.IndexFunc(list, func(o warned) bool { return o.Warning == w })
		if i < 0 {
			list, i = append(list, warned{Warning: w}), len(list)
		}
		list[i].nodes = append(list[i].nodes, strconv.Itoa(number))
	}
	return list
}

// printWarnings shows what is always so last.
func printWarnings(w io.Writer, list []warned, byNode bool) {
	slices.SortStableFunc(list, func(a, b warned) int { return rank(a) - rank(b) })
	for _, o := range list {
		who := ""
		if byNode {
			who = " (node " + strings.Join(o.nodes, ", ") + ")"
		}
		fmt.Fprintf(w, "\n%s%s: %s\n  next: %s\n", contract.Printable(o.Code), who, contract.Printable(o.What), contract.Printable(o.Remedy))
	}
}

func rank(w warned) int {
	if w.Code == operations.WarnSimulated {
		return 1
	}
	return 0
}
