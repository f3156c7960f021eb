// Package cli is the commands of coco and what they print. How commands are run,
// fail and exit is in internal/cli/terminal, those of App Builder are in
// internal/cli/builder.
package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/cli/builder"
	"github.com/coco-consortium/coco/internal/cli/terminal"
)

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
  coco app new CONTRACT.sol          a first application from a contract
  coco ledger verify coco-data       check every block, without any key`,
		Version: version().text(),
	}
	root.AddCommand(startCommand(), networkCommand(), nodeCommand(), ledgerCommand(), receiptCommand(), accountsCommand(), txCommand(), callCommand(), benchCommand(), versionCommand())
	root.AddCommand(builder.Commands(clientVersion())...)
	return terminal.Run(ctx, root, args, in, out, errOut)
}

// What the commands of this package say most often.
var (
	usage   = terminal.Usage
	exactly = terminal.Exactly
)
