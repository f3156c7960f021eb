// Package cli is the commands of coco and what they print.
//
// People read tables and sentences; scripts pass --json and read one JSON value
// on standard output and nothing else there. Errors go to standard error with
// their code, cause and next step. Exit codes are in docs/reference/cli.md.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/problem"
)

// Exit codes.
const (
	exitOK         = 0
	exitFailed     = 1 // the command could not do what it was asked to
	exitUsage      = 2 // the words of the command are wrong
	exitInvalid    = 3 // verify: something is not what it claims to be
	exitUnfinished = 4 // ledger verify: valid up to an unfinished or damaged end
)

// exit is an error that was already explained on the terminal.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit %d", int(e)) }

// Main runs one command and gives the exit code.
func Main(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	root := &cobra.Command{
		Use:   "coco",
		Short: "Confidential consortium networks for existing blockchain protocols",
		Long: `coco runs a consortium network: one encrypted state and one tamper-evident
ledger that several companies share and none controls. It speaks Ethereum
JSON-RPC, so that existing clients work unchanged.`,
		Example: `  coco start                         a development network, kept in ./coco-data
  coco start --nodes 3               the same with three nodes; see coco network
  coco ledger verify coco-data       check every block, without any key`,
		Version:      version().text(),
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usage(c, err) })
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	root.AddCommand(startCommand(), networkCommand(), nodeCommand(), ledgerCommand(), receiptCommand(), accountsCommand(), txCommand(), callCommand(), benchCommand(), versionCommand())
	if err := strayWord(root, args); err != nil {
		explain(errOut, err)
		return exitUsage
	}
	err := root.ExecuteContext(ctx)
	var code exit
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &code):
		return int(code)
	}
	explain(errOut, err)
	if _, unknown := unknownCommand(err); unknown || slices.Contains(wordCodes, problem.CodeOf(err)) {
		return exitUsage
	}
	return exitFailed
}

const codeUsage problem.Code = "USAGE"

// wordCodes are the problems of words that a person wrote, wherever they are read.
var wordCodes = []problem.Code{codeUsage, "BENCH_LOAD", "TRANSACTION_NAME", "TXID_FORMAT", "NODE_FILE", "NODES_MANY"}

func usage(c *cobra.Command, err error) error {
	return problem.New(codeUsage, "the command was not understood", fmt.Sprintf("see %s --help", c.CommandPath())).From(err)
}

// exactly is cobra's argument check as a usage problem.
func exactly(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := cobra.ExactArgs(n)(c, args); err != nil {
			return usage(c, err)
		}
		return nil
	}
}

// explain prints an error for a person: code and what happened, the cause, and
// what to do next.
func explain(w io.Writer, err error) {
	var p *problem.Error
	if !errors.As(err, &p) {
		if word, ok := unknownCommand(err); ok {
			fmt.Fprintf(w, "coco: %s: %s\n  next:  see coco --help\n", codeUsage, word)
			return
		}
		p = problem.New("INTERNAL", "something went wrong that coco has no better words for",
			"report it with this message").From(err)
	}
	fmt.Fprintf(w, "coco: %s: %s\n", p.Code, p.What)
	if p.Cause != nil {
		fmt.Fprintf(w, "  cause: %v\n", p.Cause)
	}
	fmt.Fprintf(w, "  next:  %s\n", p.Next)
}

// strayWord finds a word behind a group of commands that is none of them: cobra
// shows the group's help and calls that success.
func strayWord(root *cobra.Command, args []string) error {
	group, rest, err := root.Find(args)
	if err != nil || group == root || !group.HasSubCommands() || len(rest) == 0 || strings.HasPrefix(rest[0], "-") || rest[0] == "help" {
		return nil
	}
	return usage(group, fmt.Errorf("%q is no command of %s", rest[0], group.CommandPath()))
}

// unknownCommand recognises what cobra says of a word that is no command.
func unknownCommand(err error) (string, bool) {
	text, _, _ := strings.Cut(err.Error(), "\n") // suggestions follow
	return text, strings.HasPrefix(text, "unknown command")
}
