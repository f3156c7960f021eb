package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"
)

// HeadsOptions say how announcements are measured.
type HeadsOptions struct {
	// Nodes are measured in turn. The first is the one that ratios are of.
	Nodes []Node
	// Subscribers is how many WebSockets subscribe to newHeads. Default 1,000.
	Subscribers int
	// Rate is how many transactions a second are sent meanwhile. Default 20.
	Rate float64
	// Rounds is how often each node is measured. Default 3.
	Rounds int
	// Progress receives a line now and then; nil for none.
	Progress io.Writer
}

// HeadsReport is what was measured.
type HeadsReport struct {
	Machine     Machine     `json:"machine"`
	Nodes       []NodeInfo  `json:"nodes"`
	Subscribers int         `json:"subscribers"`
	Rate        float64     `json:"rate"`
	Rounds      int         `json:"rounds"`
	Sides       []HeadsSide `json:"sides"`
}

// HeadsSide is the announcements of one node. Spread is the time from a block's
// first arrival at any subscriber to its arrival at each, in milliseconds.
type HeadsSide struct {
	Node      string  `json:"node"`
	Blocks    int     `json:"blocks"`
	Delivered int     `json:"delivered"` // messages
	Missing   int     `json:"missing"`   // messages that did not arrive within two seconds of the end
	P50       float64 `json:"p50"`
	P99       float64 `json:"p99"`
	Max       float64 `json:"max"`
	NodeCPU   float64 `json:"nodeCPU,omitempty"` // microseconds for one message
	Ratio     float64 `json:"ratio,omitempty"`   // the first node's NodeCPU to this one's

	spread []int64
	used   time.Duration
}

// headsTime is how long one round sends.
const headsTime = 5 * time.Second

// Heads subscribes many times to the blocks of each node, has some made, and
// measures when they arrive.
func Heads(ctx context.Context, o HeadsOptions) (*HeadsReport, error) {
	o.Subscribers, o.Rate, o.Rounds = cmp.Or(o.Subscribers, 1000), cmp.Or(o.Rate, 20), cmp.Or(o.Rounds, 3)
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	report := &HeadsReport{Machine: machine(), Subscribers: o.Subscribers, Rate: o.Rate, Rounds: o.Rounds}
	targets, leave, err := dialAll(ctx, o.Nodes, 20, o.Progress)
	if err != nil {
		return nil, err
	}
	defer leave()
	for _, t := range targets {
		report.Nodes = append(report.Nodes, t.info())
		report.Sides = append(report.Sides, HeadsSide{Node: t.name})
	}
	for round := range o.Rounds {
		for i := range targets {
			i = (i + round) % len(targets)
			fmt.Fprintf(o.Progress, "%s: round %d of %d with %d subscribers\n", targets[i].name, round+1, o.Rounds, o.Subscribers)
			if err := report.Sides[i].measure(ctx, targets[i], &o); err != nil {
				return nil, ErrNode.From(err)
			}
		}
	}
	for i := range report.Sides {
		s := &report.Sides[i]
		s.P50, _, s.P99, s.Max = percentiles(s.spread)
		if s.Delivered > 0 {
			s.NodeCPU = float64(s.used) / 1e3 / float64(s.Delivered)
		}
		if i > 0 {
			s.Ratio = ratio(report.Sides[0].NodeCPU, s.NodeCPU)
		}
	}
	return report, nil
}

// arrival is one message at one subscriber.
type arrival struct {
	number uint64
	at     time.Time
}

// measure runs one round.
func (s *HeadsSide) measure(ctx context.Context, t *target, o *HeadsOptions) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	conns, err := subscribers(ctx, t, o.Subscribers)
	if err != nil {
		return err
	}
	arrivals := make([][]arrival, len(conns))
	var listening sync.WaitGroup
	for i, c := range conns {
		listening.Go(func() {
			defer c.close()
			for {
				message, err := c.receive()
				at := time.Now()
				if err != nil {
					return
				}
				if n, err := announcedNumber(message); err == nil {
					arrivals[i] = append(arrivals[i], arrival{n, at})
				}
			}
		})
	}
	before := t.usage()
	_, err = measure(ctx, t, Load{Contract: "erc20", Transport: "http", Rate: o.Rate, Transactions: max(1, int(o.Rate*headsTime.Seconds()))})
	if err == nil {
		select {
		case <-time.After(2 * time.Second): // for the last to arrive
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if after := t.usage(); before.known && after.known {
		s.used += after.node - before.node
	}
	cancel()
	listening.Wait()
	s.add(arrivals)
	return err
}

// subscribers opens WebSockets that are subscribed to newHeads.
func subscribers(ctx context.Context, t *target, n int) ([]*wsConn, error) {
	conns := make([]*wsConn, n)
	group, dialling := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for i := range conns {
		group.Go(func() error {
			if err := dialling.Err(); err != nil {
				return err
			}
			c, err := dialWebSocket(ctx, t.node.WebSocket)
			if err != nil {
				return err
			}
			conns[i] = c
			return call(c, nil, "eth_subscribe", "newHeads")
		})
	}
	err := group.Wait()
	if err != nil {
		for _, c := range conns {
			if c != nil {
				c.close()
			}
		}
	}
	return conns, err
}

// add counts what arrived in a round.
func (s *HeadsSide) add(arrivals [][]arrival) {
	first := make(map[uint64]time.Time)
	for _, list := range arrivals {
		for _, a := range list {
			if at, ok := first[a.number]; !ok || a.at.Before(at) {
				first[a.number] = a.at
			}
		}
	}
	delivered := 0
	for _, list := range arrivals {
		for _, a := range list {
			s.spread = append(s.spread, int64(a.at.Sub(first[a.number])))
			delivered++
		}
	}
	s.Blocks += len(first)
	s.Delivered += delivered
	s.Missing += len(first)*len(arrivals) - delivered
}

// JSON writes the report as one line.
func (r *HeadsReport) JSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

// Text writes the report as a table for people.
func (r *HeadsReport) Text(w io.Writer) error {
	r.Machine.text(w)
	fmt.Fprintf(w, "%d subscribers to newHeads, %g transactions/s for %v, %d rounds; all clients share the machine\n",
		r.Subscribers, r.Rate, headsTime, r.Rounds)
	nodesText(w, r.Nodes)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "node\tblocks\tdelivered\tmissing\tspread p50 ms\tp99 ms\tmax ms\tnode µs/message\tratio\t")
	for _, s := range r.Sides {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%s\t%s\t%s\t%s\t%s\t\n", s.Node, s.Blocks, s.Delivered, s.Missing,
			milli(s.P50), milli(s.P99), milli(s.Max), known(s.NodeCPU, 1), known(s.Ratio, 2))
	}
	return t.Flush()
}
