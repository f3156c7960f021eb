package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/node"
)

type startOptions struct {
	data      string
	rpc       string
	origins   []string
	hosts     []string
	past      node.Past
	ephemeral bool
	json      bool
	verbose   bool
}

func startCommand() *cobra.Command {
	o := startOptions{past: node.Default("").Past}
	c := &cobra.Command{
		Use:   "start",
		Short: "Start a development network of one node",
		Long: `Start founds a development network in a directory, or continues the one that is
there, and serves Ethereum JSON-RPC over HTTP and WebSocket on one port.

The platform is simulated: whoever can read the directory can read everything in
it. Ctrl+C stops the node; what was committed is there at the next start.`,
		Example: `  coco start
  coco start --data /var/lib/coco --rpc 127.0.0.1:0 --json
  coco start --ephemeral`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			if o.ephemeral && c.Flags().Changed("data") {
				return usage(c, errors.New("--ephemeral and --data exclude each other"))
			}
			if _, _, err := net.SplitHostPort(o.rpc); err != nil {
				return usage(c, fmt.Errorf("--rpc is HOST:PORT: %w", err))
			}
			if err := checkOrigins(o.origins); err != nil {
				return usage(c, err)
			}
			return start(c.Context(), o, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.StringVar(&o.data, "data", "coco-data", "directory that keeps the network")
	f.StringVar(&o.rpc, "rpc", "127.0.0.1:8545", "where JSON-RPC listens, HOST:PORT; port 0 takes a free one")
	f.StringArrayVar(&o.origins, "allow-origin", nil, "web origin whose pages may use the node, such as http://localhost:5173; * is any; may be repeated")
	f.StringArrayVar(&o.hosts, "allow-host", nil, "name under which the node may be addressed, beside IP addresses and localhost; * is any; may be repeated")
	f.Uint64Var(&o.past.Blocks, "state-blocks", o.past.Blocks, "older blocks after which the state can be asked for; 0 is none")
	f.Uint64Var(&o.past.Bytes, "state-bytes", o.past.Bytes, "bytes on disk that those states may take, about; 0 is any number")
	f.BoolVar(&o.ephemeral, "ephemeral", false, "keep the network in a temporary directory and remove it at the end")
	f.BoolVar(&o.json, "json", false, "print one line of JSON when everything answers, and nothing else")
	f.BoolVar(&o.verbose, "verbose", false, "log to standard error")
	return c
}

func start(ctx context.Context, o startOptions, out, errOut io.Writer) (err error) {
	if o.ephemeral {
		if o.data, err = os.MkdirTemp("", "coco-"); err != nil {
			return node.ErrUnwritable.From(err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.data)) }()
	}
	if o.data, err = filepath.Abs(o.data); err != nil {
		return node.ErrUnwritable.From(err)
	}
	config := node.Default(o.data)
	config.Version = clientVersion()
	config.Past.Blocks, config.Past.Bytes = o.past.Blocks, o.past.Bytes
	config.Origins, config.Hosts = o.origins, append([]string{"localhost"}, o.hosts...)
	level := slog.LevelWarn
	if o.verbose {
		level = slog.LevelDebug
	}
	config.Logger = slog.New(slog.NewTextHandler(errOut, &slog.HandlerOptions{Level: level, ReplaceAttr: plainError}))
	listener, err := node.Listen(o.rpc)
	if err != nil {
		return err
	}
	defer listener.Close()
	n, err := node.Start(ctx, config)
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- n.Serve(listener) }()
	stop := func() error {
		// Clients have half a second to take their answers; who is slower is cut off.
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), 500*time.Millisecond)
		defer cancel()
		if err := n.Shutdown(drain); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return errors.Join(err, n.Stop(context.WithoutCancel(ctx)))
		}
		return n.Stop(context.WithoutCancel(ctx))
	}
	if err := announce(n, o, listener.Addr().String(), out); err != nil {
		return errors.Join(err, stop())
	}
	select {
	case <-ctx.Done():
		return stop()
	case err := <-served:
		return errors.Join(err, stop())
	}
}

// plainError logs an error by its message: some libraries' errors print their
// stack when asked for everything.
func plainError(_ []string, a slog.Attr) slog.Attr {
	if err, ok := a.Value.Any().(error); ok {
		a.Value = slog.StringValue(err.Error())
	}
	return a
}

// ready is the line of --json.
type ready struct {
	RPC      string         `json:"rpc"`
	WS       string         `json:"ws"`
	Data     string         `json:"data"`
	ChainID  uint64         `json:"chainId"`
	Accounts []node.Account `json:"accounts"`
	Service  string         `json:"service"` // hex of the service id
}

func announce(n *node.Node, o startOptions, address string, out io.Writer) error {
	r := ready{RPC: "http://" + address, WS: "ws://" + address, Data: o.data, ChainID: n.ChainID(), Accounts: n.Accounts(), Service: n.Identity().Service}
	if o.json {
		return json.NewEncoder(out).Encode(r)
	}
	kept := r.Data
	if o.ephemeral {
		kept += " (removed at the end)"
	}
	_, err := fmt.Fprintf(out, `coco runs a development network of service %s
  JSON-RPC   %s and %s, chain id %d
  accounts   ten with 10000 ETH each, first %s
             from the mnemonic "test test test test test test test test test test test junk"
  data       %s
  service    %s verifies receipts offline
  WARNING    the platform is SIMULATED: whoever can read the data directory can read everything
%sStop with Ctrl+C.
`, r.Service, r.RPC, r.WS, r.ChainID, r.Accounts[0].Address, kept, filepath.Join(r.Data, "service.pem"), webWarnings(o))
	return err
}

// checkOrigins wants origins as browsers send them (RFC 6454 section 6.2).
func checkOrigins(origins []string) error {
	for _, o := range origins {
		u, err := url.Parse(o)
		if o != "*" && (err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != o) {
			return fmt.Errorf("--allow-origin %q: an origin is scheme://host or scheme://host:port with nothing behind it, or *", o)
		}
	}
	return nil
}

// webWarnings says what was opened to everything that runs in a browser.
func webWarnings(o startOptions) string {
	var text string
	if slices.Contains(o.origins, "*") {
		text += "  WARNING    every web page that a browser here opens may use this node (--allow-origin)\n"
	}
	if slices.Contains(o.hosts, "*") {
		text += "  WARNING    the node answers to every name, so a web site may reach it by its own (--allow-host)\n"
	}
	return text
}
