package builder

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/builder"
	"github.com/coco-consortium/coco/internal/builder/vault"
	"github.com/coco-consortium/coco/internal/cli/terminal"
)

func usesCommand() *cobra.Command {
	var file, data string
	var asJSON bool
	c := &cobra.Command{
		Use:   "uses",
		Short: "List who used their ledger key, when and for what",
		Long: `Lists the uses of people's keys, oldest first: when, whose key, its address and
what for. It opens the vault, so it needs the vault's master key; App Builder may
run or not.`,
		Example: `  coco builder uses --data coco-data
  coco builder uses --config builder.yaml --json`,
		Args: terminal.Exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			config := builder.Config{Data: directory(data)}
			if file != "" {
				var err error
				if config, err = builder.Read(file); err != nil {
					return err
				}
				if c.Flags().Changed("data") || config.Data == "" {
					config.Data = data
				}
			}
			v, err := builder.OpenVault(c.Context(), config, true)
			if err != nil {
				return err
			}
			defer v.Close()
			return v.Uses(func(u vault.Use) error { return writeUse(c.OutOrStdout(), u, asJSON) })
		},
	}
	f := c.Flags()
	f.StringVar(&file, "config", "", "builder.yaml, which names the vault")
	f.StringVar(&data, "data", "coco-builder", "directory of App Builder, or of a development network")
	f.BoolVar(&asJSON, "json", false, "one line of JSON a use")
	return c
}

func writeUse(out io.Writer, u vault.Use, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(u)
	}
	_, err := fmt.Fprintf(out, "%s  %s  %s  %q\n", u.Time.Format(time.RFC3339), u.Person, u.Address, u.Purpose)
	return err
}
