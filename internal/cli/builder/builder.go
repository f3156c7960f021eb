// Package builder is the commands of App Builder: builder, app, compiler, token.
// It imports no room of a node, so that cmd/coco-builder builds without them.
package builder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/builder"
	"github.com/coco-consortium/coco/internal/builder/sample"
	"github.com/coco-consortium/coco/internal/cli/terminal"
)

// Commands are the commands; version names the program to others.
func Commands(version string) []*cobra.Command {
	return []*cobra.Command{builderCommand(version), appCommand(), compilerCommand(), tokenCommand()}
}

type options struct {
	file    string
	rpc     []string
	service string
	vault   string
	people  bool
	json    bool
	verbose bool
	config  builder.Config
}

func builderCommand(version string) *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:   "builder",
		Short: "Run App Builder on its own, in front of a ledger",
		Long: `Runs App Builder: portal and gateway behind one listener, in front of a node of
coco or of another Ethereum ledger. coco start runs one too.

What it keeps lies encrypted in a directory; people's ledger keys in a vault.
Every flag is also a field of builder.yaml, and a flag wins over the file.`,
		Example: `  coco builder --rpc http://127.0.0.1:8545 --service coco-data/service.pem --dev-login
  coco builder --config builder.yaml
  coco builder --rpc http://node1:8545 --issuer https://login.example.org --audience coco --url https://apps.example.org`,
		Args: terminal.Exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			config, err := o.merged(c)
			if err != nil {
				return err
			}
			config.Version, config.Logger = version, terminal.Logger(c.ErrOrStderr(), o.verbose)
			return run(c.Context(), config, o.json, c.OutOrStdout())
		},
	}
	c.AddCommand(usesCommand())
	f := c.Flags()
	f.StringVar(&o.file, "config", "", "builder.yaml; its fields are those of docs/reference/builder.md")
	f.StringVar(&o.config.Listen, "listen", "127.0.0.1:7700", "where portal and gateway listen, HOST:PORT; port 0 takes a free one")
	f.StringVar(&o.config.URL, "url", "", "how browsers reach the portal, when that is not http://LISTEN")
	f.StringVar(&o.config.Data, "data", "coco-builder", "directory that keeps the journal and the database")
	f.StringArrayVar(&o.rpc, "rpc", nil, "JSON-RPC of a node of coco, such as http://127.0.0.1:8545; may be repeated for further nodes of the same network")
	f.StringVar(&o.service, "service", "", "service certificate that the node's receipts must be from, such as coco-data/service.pem")
	f.StringVar(&o.config.Database, "db", "", "PostgreSQL, such as postgres://coco@db/coco; without it an encrypted SQLite in --data")
	f.StringVar(&o.vault, "vault", "", "directory of people's keys; without it --data/vault")
	f.StringVar(&o.config.Issuer, "issuer", "", "OpenID Connect issuer that people sign in at")
	f.StringVar(&o.config.Audience, "audience", "", "audience that tokens must be for")
	f.BoolVar(&o.config.DevLogin, "dev-login", false, "let anybody sign in as anybody: for development only, on this machine only")
	f.BoolVar(&o.people, "samples", false, "with --dev-login: install the sample applications and their people")
	f.BoolVar(&o.json, "json", false, "print one line of JSON when everything answers, and nothing else")
	f.BoolVar(&o.verbose, "verbose", false, "log to standard error")
	return c
}

// merged is builder.yaml with the flags that were given over it.
func (o *options) merged(c *cobra.Command) (builder.Config, error) {
	config := builder.Config{}
	if o.file != "" {
		var err error
		if config, err = builder.Read(o.file); err != nil {
			return config, err
		}
	}
	for name, set := range map[string]struct{ to, from *string }{
		"listen": {&config.Listen, &o.config.Listen}, "url": {&config.URL, &o.config.URL}, "data": {&config.Data, &o.config.Data},
		"db": {&config.Database, &o.config.Database}, "vault": {&config.Vault.Dir, &o.vault},
		"issuer": {&config.Issuer, &o.config.Issuer}, "audience": {&config.Audience, &o.config.Audience},
	} {
		if c.Flags().Changed(name) || *set.to == "" {
			*set.to = *set.from
		}
	}
	config.DevLogin = config.DevLogin || o.config.DevLogin
	if len(o.rpc) > 0 {
		config.Connections = []builder.Connection{{RPC: o.rpc, Service: o.service}}
	} else if o.service != "" {
		return config, terminal.Usage(c, errors.New("--service belongs to --rpc"))
	}
	if o.people {
		if !config.DevLogin {
			return config, terminal.Usage(c, errors.New("--samples belongs to --dev-login"))
		}
		config.Samples, config.People = true, sample.People
	}
	return config, nil
}

// run runs an App Builder until ctx ends.
func run(ctx context.Context, c builder.Config, asJSON bool, out io.Writer) (err error) {
	b, err := builder.Start(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close(context.WithoutCancel(ctx))) }()
	if c.Samples {
		select {
		case <-b.Ready():
		case err := <-b.Fault():
			return err
		case <-ctx.Done():
			return nil
		}
	}
	if asJSON {
		err = json.NewEncoder(out).Encode(b.Place())
	} else {
		err = announce(b, out)
	}
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-b.Fault():
		return err
	}
}

func announce(b *builder.Builder, out io.Writer) error {
	p := b.Place()
	text := fmt.Sprintf("App Builder runs\n  portal     %s\n  gateway    %s/api/v1 and /api/v2, described by %[2]s/api/openapi.json\n  issuer     %s\n  database   %s\n",
		p.Portal, p.Gateway, p.Issuer, p.Database)
	for _, w := range b.Warnings() {
		text += "  WARNING    " + w + "\n"
	}
	_, err := io.WriteString(out, text+"Stop with Ctrl+C.\n")
	return err
}
