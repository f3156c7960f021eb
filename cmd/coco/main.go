// Command coco runs and inspects coco networks. See coco help.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/coco-consortium/coco/internal/builder/solidity"
	"github.com/coco-consortium/coco/internal/cli"
	"github.com/coco-consortium/coco/internal/headroom"
)

func main() {
	solidity.RunWorker()
	headroom.Keep()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
