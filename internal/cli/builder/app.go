package builder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/builder"
	"github.com/coco-consortium/coco/internal/builder/solidity"
	"github.com/coco-consortium/coco/internal/builder/workflow"
	"github.com/coco-consortium/coco/internal/cli/terminal"
	"github.com/coco-consortium/coco/internal/problem"
)

// maxFile bounds what the commands read, in bytes.
const maxFile = 32 << 20

func appCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "app",
		Short: "Make, check and deploy applications",
		Long: `An application is a configuration (JSON) and contract code (.sol, .zip, or ready
artifacts of Hardhat, Foundry or solc). docs/tutorial/first-app.md makes one.`,
	}
	c.AddCommand(newCommand(), checkCommand(), deployCommand(), listCommand(), versionsCommand())
	return c
}

func newCommand() *cobra.Command {
	var compilerDir, to string
	c := &cobra.Command{
		Use:   "new CONTRACT.sol",
		Short: "Write a first configuration from a contract",
		Long: `Reads a contract and writes the configuration of an application: its states,
properties, functions and roles, as far as the code shows them. Everybody may do
everything at first; edit who may do what.`,
		Example: "  coco app new Loan.sol\n  coco app new Loan.sol --to loan.json",
		Args:    terminal.Exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			out, err := compile(c.Context(), compilerDir, args[0], false)
			if err != nil {
				return err
			}
			if found := out.Errors(); len(found) > 0 {
				return compilation(c.ErrOrStderr(), found)
			}
			app, report := workflow.Infer(out)
			show(c.ErrOrStderr(), report)
			if !report.OK() {
				return terminal.Exit(terminal.Failed)
			}
			if to == "" {
				to = strings.TrimSuffix(args[0], filepath.Ext(args[0])) + ".json"
			}
			f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			if err != nil {
				return errFile.From(err)
			}
			_, err = f.Write(app.Format())
			if err = errors.Join(err, f.Close()); err != nil {
				return errFile.From(err)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "wrote %s: %d workflows, %d roles; check it with coco app check %[1]s %[4]s\n", to, len(app.Workflows), len(app.Roles), args[0])
			return err
		},
	}
	c.Flags().StringVar(&to, "to", "", "file to write; without it the contract's name with .json")
	c.Flags().StringVar(&compilerDir, "compilers", "", "directory of the compilers; without it the user's cache")
	return c
}

func checkCommand() *cobra.Command {
	var compilerDir string
	var strict, asJSON bool
	c := &cobra.Command{
		Use:   "check CONFIGURATION.json [CODE]",
		Short: "Check a configuration, and its code if it is given",
		Long: `Says what is wrong with a configuration and its code, each finding with its line,
its rule and what to do. The exit code is 3 when there is an error.`,
		Example: "  coco app check loan.json Loan.sol",
		Args: func(c *cobra.Command, args []string) error {
			if err := cobra.RangeArgs(1, 2)(c, args); err != nil {
				return terminal.Usage(c, err)
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			text, err := read(args[0])
			if err != nil {
				return err
			}
			app, report := workflow.Parse(args[0], text)
			if report.OK() && len(args) == 2 {
				out, err := compile(c.Context(), compilerDir, args[1], strict)
				if err != nil {
					return err
				}
				report.Add(workflow.Check(app, out, strict))
			}
			if asJSON {
				if err := json.NewEncoder(c.OutOrStdout()).Encode(report); err != nil {
					return err
				}
			} else {
				show(c.OutOrStdout(), report)
				if report.OK() {
					fmt.Fprintf(c.OutOrStdout(), "%s is right\n", args[0])
				}
			}
			if !report.OK() {
				return terminal.Exit(terminal.Invalid)
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&compilerDir, "compilers", "", "directory of the compilers; without it the user's cache")
	f.BoolVar(&strict, "strict", false, "refuse Workbench's obsolete base contract")
	f.BoolVar(&asJSON, "json", false, "print the report as one line of JSON")
	return c
}

var errFile = problem.New("APP_FILE", "a file cannot be read or written", "check its name and who may use it; nothing that is there is overwritten")

func read(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, errFile.From(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s has more than %d bytes", name, maxFile)
	}
	if err != nil {
		return nil, errFile.From(err)
	}
	return text, nil
}

func compile(ctx context.Context, dir, name string, strict bool) (*solidity.Output, error) {
	code, err := read(name)
	if err != nil {
		return nil, err
	}
	all, err := compilers(dir)
	if err != nil {
		return nil, err
	}
	return builder.Compile(ctx, all, filepath.Base(name), code, strict)
}

// show prints a report, a finding a paragraph.
func show(out io.Writer, r *workflow.Report) {
	for _, list := range []struct {
		word     string
		findings []workflow.Finding
	}{{"error", r.Errors}, {"warning", r.Warnings}} {
		for _, f := range list.findings {
			fmt.Fprintf(out, "%s: %s\n", list.word, f.String())
			if f.Fix != "" {
				fmt.Fprintf(out, "  next:  %s\n", f.Fix)
			}
		}
	}
}

func compilation(out io.Writer, found []solidity.Message) error {
	for _, m := range found {
		fmt.Fprintf(out, "error: %s:%d:%d: %s: %s\n", m.File, m.Line, m.Column, m.Code, m.Text)
	}
	return terminal.Exit(terminal.Invalid)
}

// table prints rows in columns.
func table(out io.Writer, head string, rows []string) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, head)
	for _, r := range rows {
		fmt.Fprintln(w, r)
	}
	return w.Flush()
}
