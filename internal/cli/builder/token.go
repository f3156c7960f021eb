package builder

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/builder/identity"
	"github.com/coco-consortium/coco/internal/cli/terminal"
)

func tokenCommand() *cobra.Command {
	var o identity.MintOptions
	var user, client, data string
	c := &cobra.Command{
		Use:   "token",
		Short: "Print a bearer token of the development login",
		Long: `Prints a token that the gateway of a development network believes, and nothing
else. Any name works: who comes for the first time is made known.`,
		Example: `  curl -H "Authorization: Bearer $(coco token --user 'Alice Adler' --admin)" http://127.0.0.1:7700/api/v1/users/me
  coco token --client reports --ttl 24h`,
		Args: terminal.Exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			if (user == "") == (client == "") {
				return terminal.Usage(c, errors.New("give --user NAME or --client NAME, one of them"))
			}
			if o.TTL <= 0 {
				return terminal.Usage(c, errors.New("--ttl is more than 0"))
			}
			if o.Name = user; client != "" {
				o.Name, o.Client = client, true
			}
			token, err := identity.Mint(directory(data), o)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), token)
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&user, "user", "", "name of a person")
	f.StringVar(&client, "client", "", "name of a service")
	f.BoolVar(&o.Administrator, "admin", false, "with the app role Administrator")
	f.DurationVar(&o.TTL, "ttl", time.Hour, "how long the token lasts")
	f.StringVar(&data, "data", "coco-data", "directory of the network (coco start) or of App Builder (coco builder)")
	return c
}

// directory is App Builder's own directory in a network's, or the directory itself.
func directory(data string) string {
	if within := filepath.Join(data, "builder"); identity.HasLogin(within) {
		return within
	}
	return data
}
