package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/operations"
)

func profileCommand() *cobra.Command {
	var data, config, kind string
	var watch time.Duration
	c := &cobra.Command{Use: "profile FILE", Short: "Write where a running node spends its time",
		Long: `Profile asks the node for a profile and writes it to FILE, which go tool pprof reads:
with --kind cpu where processor time goes while it watches, with allocs what was
allocated since the process began, with heap what it holds, with goroutine where
it waits. Profiles name functions and count; they hold no data, key or account.`,
		Example: `  coco node profile cpu.pprof --data coco-data --for 10s
  coco node profile allocs.pprof --kind allocs
  go tool pprof -top cpu.pprof`, Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			if !slices.Contains(operations.Profiles, kind) {
				return usage(c, errors.New("--kind is one of "+strings.Join(operations.Profiles, ", ")))
			}
			dir, err := nodeData(c, data, config)
			if err != nil {
				return err
			}
			client := operations.Dial(dir)
			defer client.Close()
			var b bytes.Buffer
			if err := client.Profile(c.Context(), kind, watch, &b); err != nil {
				return err
			}
			if err := os.WriteFile(args[0], b.Bytes(), 0o644); err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "wrote %s: read it with go tool pprof -top %s\n", args[0], args[0])
			return err
		}}
	configFlag(c, &config)
	c.Flags().StringVar(&data, "data", "coco-node", "directory of the running node")
	c.Flags().StringVar(&kind, "kind", "cpu", "what is asked for: "+strings.Join(operations.Profiles, ", "))
	c.Flags().DurationVar(&watch, "for", 10*time.Second, "how long the processor is watched, 5m at most")
	return c
}
