// Command coco-builder is App Builder alone: the commands of coco that need no
// node, in a program without one.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/builder/solidity"
	"github.com/coco-consortium/coco/internal/cli/builder"
	"github.com/coco-consortium/coco/internal/cli/terminal"
	"github.com/coco-consortium/coco/internal/headroom"
)

func main() {
	solidity.RunWorker()
	headroom.Keep()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	root := &cobra.Command{Use: "coco-builder", Short: "Applications for business people in front of a ledger"}
	root.AddCommand(builder.Commands("coco-builder")...)
	code := terminal.Run(ctx, root, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
