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
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/builder"
	"github.com/coco-consortium/coco/internal/builder/sample"
	"github.com/coco-consortium/coco/internal/cli/terminal"
	"github.com/coco-consortium/coco/internal/network"
	"github.com/coco-consortium/coco/internal/node"
)

type startOptions struct {
	data      string
	rpc       string
	portal    string // HOST:PORT, or off
	anyPortal bool   // a port behind it will do
	origins   []string
	hosts     []string
	past      node.Past
	nodes     int // 0: as many as the directory has
	ephemeral bool
	json      bool
	verbose   bool
}

func startCommand() *cobra.Command {
	o := startOptions{past: node.Default("").Past}
	c := &cobra.Command{
		Use:   "start",
		Short: "Start a development network of one node or several",
		Long: `Start founds a development network in a directory, or continues the one that is
there, and serves Ethereum JSON-RPC over HTTP and WebSocket, each node on a port
of its own. With --nodes it has several real nodes, each with its own directory,
keys and listeners, in one process; coco network makes them fail and come back.

The platform is simulated: whoever can read the directory can read everything in
it. Ctrl+C stops the network; what was committed is there at the next start.`,
		Example: `  coco start
  coco start --nodes 3
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
			if _, _, err := net.SplitHostPort(o.portal); err != nil && o.portal != "off" {
				return usage(c, fmt.Errorf("--portal is HOST:PORT or off: %w", err))
			}
			o.anyPortal = !c.Flags().Changed("portal")
			if c.Flags().Changed("nodes") && o.nodes < 1 {
				return usage(c, errors.New("--nodes is 1 or more"))
			}
			if err := checkOrigins(o.origins); err != nil {
				return usage(c, err)
			}
			return start(c.Context(), o, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.StringVar(&o.data, "data", "coco-data", "directory that keeps the network")
	f.StringVar(&o.rpc, "rpc", "127.0.0.1:8545", "where JSON-RPC listens, HOST:PORT; port 0 takes a free one; further nodes take the free ports behind it")
	f.StringVar(&o.portal, "portal", "127.0.0.1:7700", "where App Builder's portal and gateway listen, HOST:PORT, or off; without it the next free port is taken when that one is in use")
	f.IntVar(&o.nodes, "nodes", 0, "how many nodes the network has; without it as many as the directory has, one in a new one")
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
	portal, err := listenPortal(o)
	if err != nil {
		return err
	}
	if portal != nil {
		defer portal.Close()
	}
	if o.ephemeral {
		if o.data, err = os.MkdirTemp("", "coco-"); err != nil {
			return node.ErrUnwritable.From(err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.data)) }()
	}
	if o.data, err = filepath.Abs(o.data); err != nil {
		return node.ErrUnwritable.From(err)
	}
	logger := terminal.Logger(errOut, o.verbose)
	n, err := network.Start(ctx, network.Config{Data: o.data, Nodes: o.nodes, RPC: o.rpc, Operations: true, Logger: logger, Now: time.Now},
		network.Nodes(func(c *node.Config) {
			c.Version, c.Logger = clientVersion(), logger
			c.Past.Blocks, c.Past.Bytes = o.past.Blocks, o.past.Bytes
			c.Origins, c.Hosts = o.origins, append([]string{"localhost"}, o.hosts...)
		}))
	if err != nil {
		return begun(ctx, err)
	}
	defer func() { err = errors.Join(err, n.Stop(context.WithoutCancel(ctx))) }()
	apps, err := startBuilder(ctx, n, o, portal, logger)
	if err != nil {
		return begun(ctx, err)
	}
	var fault <-chan error
	if apps != nil {
		defer func() { err = errors.Join(err, apps.Close(context.WithoutCancel(ctx))) }()
		fault = apps.Fault()
	}
	if err := announce(n, apps, o, out); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case <-n.Stopped():
		return nil
	case err := <-n.Fault():
		return err
	case err := <-fault:
		return err
	}
}

// morePortals is how many ports behind the default one are tried.
const morePortals = 20

// listenPortal listens for the portal before anything is founded; nil when it is off.
// Nobody who just tries coco out has to know what else listens at the default port.
func listenPortal(o startOptions) (net.Listener, error) {
	if o.portal == "off" {
		return nil, nil
	}
	l, err := builder.Listen(o.portal, true)
	if err == nil || !o.anyPortal {
		return l, err
	}
	host, port, _ := net.SplitHostPort(o.portal)
	first, _ := strconv.Atoi(port)
	for more := 1; more <= morePortals; more++ {
		if l, err := builder.Listen(net.JoinHostPort(host, strconv.Itoa(first+more)), true); err == nil {
			return l, nil
		}
	}
	return nil, err
}

// startBuilder starts App Builder in front of the nodes, as their client; nil when it
// is off.
func startBuilder(ctx context.Context, n *network.Network, o startOptions, portal net.Listener, logger *slog.Logger) (*builder.Builder, error) {
	if portal == nil {
		return nil, nil
	}
	var nodes builder.Nodes
	for _, s := range n.Overview().Nodes {
		nodes = append(nodes, "http://"+s.RPC)
	}
	return builder.Start(ctx, builder.Config{Listener: portal, Data: filepath.Join(o.data, "builder"), DevLogin: true, People: sample.People, Samples: true,
		Connections: []builder.Connection{{RPC: nodes, Service: filepath.Join(o.data, "service.pem")}},
		Origins:     o.origins, Version: clientVersion(), Logger: logger})
}

// begun is why a start failed. One that Ctrl+C ended has not failed.
func begun(ctx context.Context, err error) error {
	if ctx.Err() != nil && (errors.Is(err, context.Cause(ctx)) || errors.Is(err, ctx.Err())) {
		return nil
	}
	return err
}

// ready is the line of --json.
type ready struct {
	RPC      string         `json:"rpc"` // of node 1, as all up to accounts
	WS       string         `json:"ws"`
	Data     string         `json:"data"`
	ChainID  uint64         `json:"chainId"`
	Accounts []node.Account `json:"accounts"`
	Service  string         `json:"service"` // hex of the service id
	Nodes    []readyNode    `json:"nodes"`

	*builder.Place // nothing when the portal is off
}

type readyNode struct {
	Number     int    `json:"number"`
	RPC        string `json:"rpc"`
	WS         string `json:"ws"`
	Data       string `json:"data"`
	Operations string `json:"operations"` // base of /status, /metrics, /livez and /readyz
}

func announce(n *network.Network, apps *builder.Builder, o startOptions, out io.Writer) error {
	first, ok := n.Node()
	if !ok {
		return network.ErrStopped
	}
	r := ready{Data: o.data, ChainID: first.ChainID(), Accounts: first.Accounts(), Service: first.Status().Service}
	for _, s := range n.Overview().Nodes {
		r.Nodes = append(r.Nodes, readyNode{s.Number, "http://" + s.RPC, "ws://" + s.RPC, s.Data, "http://" + s.Operations})
	}
	r.RPC, r.WS = r.Nodes[0].RPC, r.Nodes[0].WS
	portal, warning := "", ""
	if apps != nil {
		place := apps.Place()
		r.Place, portal = &place, fmt.Sprintf("  portal     %s  sign in as one of %d people and look around\n", place.Portal, len(place.Users))
		if o.anyPortal && place.Portal != "http://"+o.portal {
			portal += "             (something else listens at " + o.portal + ")\n"
		}
		for _, w := range apps.Warnings() {
			warning += "  WARNING    " + w + "\n"
		}
	}
	if o.json {
		return json.NewEncoder(out).Encode(r)
	}
	kept := r.Data
	if o.ephemeral {
		kept += " (removed at the end)"
	}
	_, err := fmt.Fprintf(out, `coco runs a development network of service %s
%s  JSON-RPC   %s and %s, chain id %d
%s  accounts   ten with 10000 ETH each, first %s
             from the mnemonic "test test test test test test test test test test test junk"
  data       %s
  service    %s verifies receipts offline
  WARNING    the platform is SIMULATED: whoever can read the data directory can read everything
%sStop with Ctrl+C.
`, r.Service, portal, r.RPC, r.WS, r.ChainID, nodeLines(r, o), r.Accounts[0].Address, kept, filepath.Join(r.Data, "service.pem"), warning+webWarnings(o))
	return err
}

// nodeLines shows where each node of several is.
func nodeLines(r ready, o startOptions) string {
	if len(r.Nodes) == 1 {
		return ""
	}
	text := ""
	for i, n := range r.Nodes {
		head := ""
		if i == 0 {
			head = "nodes"
		}
		text += fmt.Sprintf("  %-9s  %d  %s  metrics and status at %s\n", head, n.Number, n.RPC, n.Operations)
	}
	status := "coco network status"
	if o.data != "" && filepath.Base(o.data) != "coco-data" {
		status += " --data " + o.data
	}
	return text + "             see " + status + " --watch, coco network --help\n"
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
