package builder

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/builder/solidity"
	"github.com/coco-consortium/coco/internal/cli/terminal"
)

func compilerCommand() *cobra.Command {
	var dir string
	var asJSON bool
	c := &cobra.Command{
		Use:   "compiler",
		Short: "Add and list Solidity compilers",
		Long: `Compilers are the published builds of solc for JavaScript (npm package solc).
coco never downloads one: get those you need and add them. docs/how-to/compilers.md
says how.`,
	}
	add := &cobra.Command{Use: "add FILE", Short: "Add a compiler: a package as npm pack writes it, its folder, or a soljson.js", Args: terminal.Exactly(1),
		Example: "  npm pack solc@0.8 && coco compiler add solc-0.8.*.tgz",
		RunE: func(c *cobra.Command, args []string) error {
			all, err := compilers(dir)
			if err != nil {
				return err
			}
			i, err := all.Add(c.Context(), args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "added solc %s\n", i.Version)
			return err
		}}
	list := &cobra.Command{Use: "list", Short: "List the compilers that there are", Args: terminal.Exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			all, err := compilers(dir)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(append([]solidity.Installed{}, all.List()...))
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "VERSION\tSHA-256")
			for _, i := range all.List() {
				fmt.Fprintf(w, "%s\t%s\n", i.Version, i.SHA256)
			}
			return w.Flush()
		}}
	for _, sub := range []*cobra.Command{add, list} {
		sub.Flags().StringVar(&dir, "compilers", "", "directory of the compilers; without it the user's cache")
	}
	list.Flags().BoolVar(&asJSON, "json", false, "print it as one line of JSON")
	c.AddCommand(add, list)
	return c
}

// compilers opens a directory of compilers.
func compilers(dir string) (*solidity.Compilers, error) {
	if dir == "" {
		var err error
		if dir, err = solidity.DefaultDirectory(); err != nil {
			return nil, err
		}
	}
	return solidity.Open(dir)
}
