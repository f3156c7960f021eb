package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/cli/terminal"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/verify"
)

func ledgerCommand() *cobra.Command {
	c := &cobra.Command{Use: "ledger", Short: "Check a ledger on disk, fetch its checkpoint"}
	c.AddCommand(ledgerVerify(), ledgerCheckpoint())
	return c
}

func ledgerCheckpoint() *cobra.Command {
	var node *remote
	var output string
	c := &cobra.Command{
		Use:   "checkpoint",
		Short: "Fetch the service's signed checkpoint of the committed ledger from a node",
		Long: `Checkpoint fetches the service's statement of how long the ledger is and what it
contains (C2SP tlog-checkpoint). Keep it away from the ledger: a copy that lacks
a part of what it states is found by coco ledger verify --checkpoint.`,
		Example: `  coco ledger checkpoint --output checkpoint.txt
  coco ledger verify coco-data --checkpoint checkpoint.txt`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			var text string
			if err := node.ask(c.Context(), &text, "coco_getCheckpoint"); err != nil {
				return err
			}
			return writeOutput(c.OutOrStdout(), output, []byte(text))
		},
	}
	node = rpcFlag(c)
	c.Flags().StringVar(&output, "output", "", "file to write, instead of standard output")
	return c
}

var errNoLedger = problem.New("NO_LEDGER", "there is no ledger in that directory",
	"give the data directory of a node, or the directory of its chunks")

type verifyOptions struct {
	checkpoint, receipt, service string
	json, hardware               bool
}

func ledgerVerify() *cobra.Command {
	var o verifyOptions
	c := &cobra.Command{
		Use:   "verify DIR",
		Short: "Check every record, root, signature and link of a ledger, without any key",
		Long: `Verify reads the ledger below a data directory (or a directory of its chunk
files) and checks all that can be checked without keys. It changes nothing and
needs no node.

A ledger that was cut short is valid by itself. With a later checkpoint or
receipt of the service, verify finds that something is missing; without, it says
what it cannot exclude.

Exit codes: 0 valid, 3 not valid, 4 valid up to an unfinished or damaged end,
1 the check could not be done, or not to the end because a newer coco wrote the rest.`,
		Example: `  coco ledger verify coco-data
  coco ledger verify coco-data --checkpoint checkpoint.txt --service service.pem
  coco ledger verify /backup/ledger --json`,
		Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error { return verifyLedger(c, args[0], o) },
	}
	f := c.Flags()
	f.StringVar(&o.checkpoint, "checkpoint", "", "a checkpoint of the service that the ledger must contain")
	f.StringVar(&o.receipt, "receipt", "", "a receipt of the service that the ledger must contain")
	f.StringVar(&o.service, "service", "", "the service's certificate, to make sure that it is this service's ledger")
	f.BoolVar(&o.json, "json", false, "print the report as JSON")
	f.BoolVar(&o.hardware, "require-hardware", false, "refuse the ledger of a simulated network")
	return c
}

func verifyLedger(c *cobra.Command, dir string, o verifyOptions) error {
	options := verify.Options{AllowSimulated: !o.hardware}
	for _, input := range []struct {
		name string
		into *[]byte
	}{{o.checkpoint, &options.Checkpoint}, {o.receipt, &options.Receipt}, {o.service, &options.ServicePEM}} {
		if input.name == "" {
			continue
		}
		data, err := readInput(input.name)
		if err != nil {
			return err
		}
		*input.into = data
	}
	if below := filepath.Join(dir, "node", "ledger"); isDirectory(below) {
		dir = below
	} else if !isDirectory(dir) {
		return errFile.From(fmt.Errorf("%s is not a directory", dir))
	}
	progress := newProgress(c.ErrOrStderr())
	options.Progress = progress.show
	report, err := verify.Ledger(c.Context(), os.DirFS(dir), options)
	progress.end()
	switch {
	case err != nil:
		return err
	case report.Chunks == 0:
		return errNoLedger.From(fmt.Errorf("%s has no file named chunk-…", dir))
	}
	if o.json {
		err = json.NewEncoder(c.OutOrStdout()).Encode(report)
	} else {
		err = printReport(c.OutOrStdout(), report, o)
	}
	switch {
	case err != nil:
		return err
	case report.Result == verify.Valid:
		return nil
	case report.Result == verify.DamagedTail:
		return terminal.Exit(terminal.Unfinished)
	case report.Result == verify.Newer:
		return format.ErrNewer.From(errors.New(report.Findings[0].Reason))
	}
	return terminal.Exit(terminal.Invalid)
}

func isDirectory(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

func printReport(out io.Writer, r *verify.Report, o verifyOptions) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	switch r.Result {
	case verify.Valid:
		fmt.Fprintf(w, "VALID\tevery block, record, root, signature and link\n")
	case verify.DamagedTail:
		fmt.Fprintf(w, "UNFINISHED\tvalid up to the head below; %s at byte %d: %s\n", r.Tail.Chunk, r.Tail.Offset, r.Tail.Reason)
	case verify.Newer:
		fmt.Fprintf(w, "NOT READ TO THE END\tvalid up to the head below; a newer coco wrote the rest\n")
	default:
		fmt.Fprintf(w, "INVALID\t%d finding(s)\n", len(r.Findings))
	}
	for _, f := range r.Findings {
		fmt.Fprintf(w, "  finding\t%s\n", f)
	}
	fmt.Fprintf(w, "service\t%s\n", r.Service)
	if r.Head != nil {
		fmt.Fprintf(w, "head\tblock %d, TxID %d.%d, %s\n", r.Head.Height, r.Head.View, r.Head.Seqno, r.Head.Time.UTC().Format(time.RFC3339))
		fmt.Fprintf(w, "\thash %s\n\troot %s\n", r.Head.Hash, r.Head.Root)
	}
	fmt.Fprintf(w, "checked\t%d blocks, %d records, %d entries in %d chunks (%d bytes)\n", r.Blocks, r.Records, r.Entries, r.Chunks, r.Bytes)
	for _, given := range []string{o.checkpoint, o.receipt} {
		if given != "" && (r.Result == verify.Valid || r.Result == verify.DamagedTail) {
			fmt.Fprintf(w, "contains\twhat %s states\n", given)
		}
	}
	if o.service != "" && r.Result != verify.Invalid {
		fmt.Fprintf(w, "is of\tthe service of %s\n", o.service)
	}
	if r.Format > 0 {
		fmt.Fprintf(w, "format\tlevel %d\n", r.Format)
	}
	if r.Recoveries > 0 {
		fmt.Fprintf(w, "recoveries\t%d\n", r.Recoveries)
	}
	if r.Unbound > 0 {
		fmt.Fprintf(w, "unbound\t%d Raft entries behind the last block, which no signature binds yet\n", r.Unbound)
	}
	if r.Mode == "simulated" {
		fmt.Fprintf(w, "WARNING\tthe network is SIMULATED: no hardware protects it\n")
	}
	for _, u := range r.Unproven {
		fmt.Fprintf(w, "not excluded\t%s\n", u)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return printNodes(out, r.Nodes)
}

// printNodes is the table of nodes as the ledger states it: from which block to
// which each was part of the network, and how many it wrote.
func printNodes(out io.Writer, nodes []verify.Node) error {
	if len(nodes) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nNODE\tSTATUS\tFROM\tTO\tWROTE\tADDRESS\n")
	for _, n := range nodes {
		to := "-"
		if n.To > 0 {
			to = fmt.Sprint(n.To)
		}
		fmt.Fprintf(w, "%d\t%s\t%d\t%s\t%d\t%s\n", n.RaftID, n.Status, n.From, to, n.Blocks, n.Address)
	}
	return w.Flush()
}

// progress shows how far a check is, on a terminal only.
type progress struct {
	out   io.Writer
	shown time.Time
	wrote bool
}

func newProgress(out io.Writer) *progress {
	p := &progress{}
	if f, ok := out.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			p.out = out
		}
	}
	return p
}

func (p *progress) show(v verify.Progress) {
	if p.out == nil || time.Since(p.shown) < 200*time.Millisecond || v.Total == 0 {
		return
	}
	p.shown, p.wrote = time.Now(), true
	fmt.Fprintf(p.out, "\r%3d%%  %d of %d MiB, %d blocks ", v.Bytes*100/v.Total, v.Bytes>>20, v.Total>>20, v.Blocks)
}

func (p *progress) end() {
	if p.wrote {
		fmt.Fprint(p.out, "\r\033[K")
	}
}
