// Package terminal runs a program's commands the way all programs of coco do.
//
// People read tables and sentences; scripts pass --json and read one JSON value
// on standard output and nothing else there. Errors go to standard error with
// their code, cause and next step. Exit codes are in docs/reference/cli.md.
package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/problem"
)

// Exit codes.
const (
	OK         = 0
	Failed     = 1 // the command could not do what it was asked to
	Misused    = 2 // the words of the command are wrong
	Invalid    = 3 // verify: something is not what it claims to be
	Unfinished = 4 // ledger verify: valid up to an unfinished or damaged end
)

// Exit is an error that was already explained on the terminal: the exit code.
type Exit int

func (e Exit) Error() string { return fmt.Sprintf("exit %d", int(e)) }

// CodeUsage is the code of words that are no command.
const CodeUsage problem.Code = "USAGE"

// wordCodes are the problems of words that a person wrote, wherever they are read.
var wordCodes = []problem.Code{CodeUsage, "BENCH_LOAD", "TRANSACTION_NAME", "TXID_FORMAT", "NODE_FILE", "NODES_MANY", "BUILDER_FILE"}

// Run runs the command that args name and gives the exit code.
func Run(ctx context.Context, root *cobra.Command, args []string, in io.Reader, out, errOut io.Writer) int {
	root.SilenceUsage, root.SilenceErrors = true, true
	root.CompletionOptions = cobra.CompletionOptions{HiddenDefaultCmd: true}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return Usage(c, err) })
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	if err := strayWord(root, args); err != nil {
		Explain(errOut, err)
		return Misused
	}
	err := root.ExecuteContext(ctx)
	var code Exit
	switch {
	case err == nil:
		return OK
	case errors.As(err, &code):
		return int(code)
	}
	Explain(errOut, err)
	if _, unknown := unknownCommand(err); unknown || slices.Contains(wordCodes, problem.CodeOf(err)) {
		return Misused
	}
	return Failed
}

// Usage is the problem of words that a command does not take.
func Usage(c *cobra.Command, err error) error {
	return problem.New(CodeUsage, "the command was not understood", fmt.Sprintf("see %s --help", c.CommandPath())).From(err)
}

// Exactly is cobra's argument check as a usage problem.
func Exactly(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := cobra.ExactArgs(n)(c, args); err != nil {
			return Usage(c, err)
		}
		return nil
	}
}

// Explain prints an error for a person: code and what happened, the cause, and
// what to do next.
func Explain(w io.Writer, err error) {
	var p *problem.Error
	if !errors.As(err, &p) {
		if word, ok := unknownCommand(err); ok {
			fmt.Fprintf(w, "coco: %s: %s\n  next:  see coco --help\n", CodeUsage, word)
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

// Logger logs to standard error: warnings, or everything.
func Logger(errOut io.Writer, verbose bool) *slog.Logger {
	level := slog.LevelWarn
	if verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(errOut, &slog.HandlerOptions{Level: level, ReplaceAttr: PlainError}))
}

// PlainError logs an error by its message: some libraries' errors print their
// stack when asked for everything.
func PlainError(_ []string, a slog.Attr) slog.Attr {
	if err, ok := a.Value.Any().(error); ok {
		a.Value = slog.StringValue(err.Error())
	}
	return a
}

// strayWord finds a word behind a group of commands that is none of them: cobra
// shows the group's help and calls that success.
func strayWord(root *cobra.Command, args []string) error {
	group, rest, err := root.Find(args)
	if err != nil || group == root || !group.HasSubCommands() || len(rest) == 0 || strings.HasPrefix(rest[0], "-") || rest[0] == "help" {
		return nil
	}
	return Usage(group, fmt.Errorf("%q is no command of %s", rest[0], group.CommandPath()))
}

// unknownCommand recognises what cobra says of a word that is no command.
func unknownCommand(err error) (string, bool) {
	text, _, _ := strings.Cut(err.Error(), "\n") // suggestions follow
	return text, strings.HasPrefix(text, "unknown command")
}
