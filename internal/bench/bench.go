// Package bench is the load generator behind `coco bench ethereum`: it sends
// pre-signed transfers to Ethereum JSON-RPC endpoints and measures when they
// are committed.
//
// It promises that a figure means what bench/README.md says: latency counts
// from the moment a transaction should have been sent, to the moment the node
// announces the block that holds it (newHeads) or answers with its receipt
// (eth_sendRawTransactionSync); nodes that are compared get the same load,
// alternating, in the same call; refused transactions are counted and not
// hidden. It uses nothing but the public methods, so that any Ethereum node can
// stand on the other side.
//
// It measures; it does not judge. It does not start the nodes, except the bare
// server (Bare), and what it leaves on a chain stays there.
package bench

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/coco-consortium/coco/internal/problem"
)

// The kinds of problems.
var (
	ErrLoad = problem.New("BENCH_LOAD", "the load was not understood",
		"write it like `erc20 http batch=100`; see coco bench ethereum --help")
	ErrNode = problem.New("BENCH_NODE", "the node does not answer as an Ethereum node",
		"check its address; HTTP and WebSocket must be served, on one port unless both are given")
	ErrFunds = problem.New("BENCH_FUNDS", "the node has no funded account to measure with",
		"give the private key of an account with ether, or measure a development network")
	ErrSetup = problem.New("BENCH_SETUP", "accounts and token could not be set up on the node",
		"see the cause; the node must accept plain transfers and a contract of 1.2 kB")
)

// Node is an endpoint to measure.
type Node struct {
	// Name stands for the node in the report; empty means the first word of its
	// web3_clientVersion.
	Name string
	// URL is where it answers JSON-RPC over HTTP, such as http://127.0.0.1:8545.
	URL string
	// WebSocket is where it answers over WebSocket; empty means the same host
	// and port.
	WebSocket string
	// Key is the private key, in hex, of an account with ether. Empty means the
	// node's own first unlocked account (geth --dev), and else the first account
	// of the development mnemonic.
	Key string
	// PID is the node's process, for its processor time and memory; 0 means the
	// local process that listens at the URL's port, if it can be found.
	PID int
	// Data is the node's data directory, whose operator socket gives profiles; empty
	// means that there are none.
	Data string
	// Place, if set, says before each run who leads the network that the node is
	// part of: URL and PID are then the primary's of that moment, and the processor
	// time of the backups is measured too.
	Place func(context.Context) (Place, error)
	// Backup sends the load to a backup instead, which forwards it.
	Backup bool
}

// Place is who leads a network at a moment. Of the nodes only URL, PID and Data count.
type Place struct {
	View    uint64 // a number that changes with every change of the primary
	Primary Node
	Backups []Node
}

// Options say what is measured.
type Options struct {
	// Nodes are measured in turn with every load. The first is the one that
	// ratios are of. At least one.
	Nodes []Node
	// Loads are what they are measured with; empty means DefaultLoads.
	Loads []Load
	// Accounts is how many accounts send. Default 200.
	Accounts int
	// Rounds is how often each load is repeated on each node; figures are
	// medians of the rounds. Default 3.
	Rounds int
	// Profile has the nodes whose data directories are known watched while they work.
	Profile bool
	// Watts is what a busy core is taken to draw. Default DefaultWatts.
	Watts float64
	// Progress receives a line now and then for people who wait; nil for none.
	Progress io.Writer
}

// maxWaiting is how many transactions of one account may be sent and not yet
// committed; coco admits 64. A generator that ran further ahead would measure
// how a node refuses.
const maxWaiting = 48

func (o Options) withDefaults() Options {
	if o.Accounts == 0 {
		o.Accounts = 200
	}
	if o.Rounds == 0 {
		o.Rounds = 3
	}
	o.Watts = cmp.Or(o.Watts, DefaultWatts)
	if len(o.Loads) == 0 {
		o.Loads = DefaultLoads()
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	return o
}

// Ethereum runs the loads and gives what was measured. Every node is set up
// first: new accounts with ether and tokens.
func Ethereum(ctx context.Context, o Options) (*Report, error) {
	o = o.withDefaults()
	for _, l := range o.Loads {
		if err := l.check(); err != nil {
			return nil, err
		}
	}
	targets, leave, err := dialAll(ctx, o.Nodes, o.Accounts, o.Progress)
	if err != nil {
		return nil, err
	}
	defer leave()
	report := &Report{Machine: machine(), Watts: o.Watts, Accounts: o.Accounts, Rounds: o.Rounds}
	for _, t := range targets {
		report.Nodes = append(report.Nodes, t.info())
	}
	for _, l := range o.Loads {
		row, err := alternate(ctx, targets, l, o)
		if err != nil {
			return nil, err
		}
		report.Rows = append(report.Rows, *row)
	}
	return report, nil
}

// alternate runs a load at every target in turn, so many rounds.
func alternate(ctx context.Context, targets []*target, l Load, o Options) (*Row, error) {
	row := &Row{Load: l}
	for _, t := range targets {
		t.profiled = o.Profile
		row.Sides = append(row.Sides, Side{Node: t.name})
		if l.Contract == "work" {
			if err := t.occupy(ctx, l.withDefaults().Slots, o.Progress); err != nil {
				return nil, ErrSetup.From(err)
			}
		}
	}
	for round := range o.Rounds {
		if l.Sync {
			d, err := syncs(1000)
			if err != nil {
				return nil, err
			}
			row.Disk = append(row.Disk, d)
		}
		for i := range targets {
			i = (i + round) % len(targets) // none is always first
			fmt.Fprintf(o.Progress, "%s: round %d of %d at %s\n", l, round+1, o.Rounds, targets[i].name)
			run, err := measure(ctx, targets[i], l)
			if err != nil {
				return nil, err
			}
			row.Sides[i].Runs = append(row.Sides[i].Runs, *run)
		}
	}
	row.summarize()
	for i := range row.Sides {
		row.Sides[i].Energy = row.Sides[i].energy(o.Watts)
	}
	return row, nil
}
