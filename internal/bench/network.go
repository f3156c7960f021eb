package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/coco-consortium/coco/internal/bench/fleet"
)

// NetworkOptions say how a network under faults is measured.
type NetworkOptions struct {
	// Program is coco; the nodes are processes of it.
	Program string
	// Dir keeps the nodes' directories; empty means a temporary one that is removed.
	Dir string
	// Nodes is how many the network has. Default 3.
	Nodes int
	// Writers is how many clients write, each with one batch under way. Default 32.
	Writers int
	// Batch is how many transactions one request has. Default 25.
	Batch int
	// Share is the part of the measured maximum that is written, 0 to 1. Default 0.5.
	Share float64
	// Rate, if not 0, is what is written in a second; the maximum is not measured.
	Rate float64
	// Measure is how long the maximum is measured, and how long a span without a
	// fault lasts. Default 10 s.
	Measure time.Duration
	// Progress receives a line now and then; nil for none.
	Progress io.Writer
}

func (o NetworkOptions) withDefaults() NetworkOptions {
	o.Nodes, o.Writers, o.Batch = cmp.Or(o.Nodes, 3), cmp.Or(o.Writers, 32), cmp.Or(o.Batch, 25)
	o.Share, o.Measure = cmp.Or(o.Share, 0.5), cmp.Or(o.Measure, 10*time.Second)
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	return o
}

// NetworkLoad is the load that a row was measured under.
type NetworkLoad struct {
	Nodes   int     `json:"nodes"`
	Writers int     `json:"writers"`
	Batch   int     `json:"batch"`
	Maximum float64 `json:"maximum,omitempty"` // committed/s without a pace; 0 when the rate was given
	Rate    float64 `json:"rate"`              // offered/s
}

// Loss is what the ledgers of all nodes say at the end about what was
// acknowledged.
type Loss struct {
	Acknowledged int            `json:"acknowledged"`
	Lost         int            `json:"lost"`      // acknowledged and not in the blocks of every node
	Twice        int            `json:"twice"`     // in more than one block
	Different    int            `json:"different"` // blocks that are not the same on all nodes
	Blocks       int            `json:"blocks"`
	Again        int            `json:"again"` // batches that clients had to send again
	Refusals     map[string]int `json:"refusals,omitempty"`
}

// world is a network under load.
type world struct {
	o       NetworkOptions
	fleet   *fleet.Fleet
	target  *target
	seats   []*seat // by the order of the fleet's nodes
	writers *writers
	load    NetworkLoad
	close   func() error
}

// openWorld founds a network, sets up the writers and finds the maximum. Nobody
// writes yet.
func openWorld(ctx context.Context, o NetworkOptions) (_ *world, err error) {
	w := &world{o: o, load: NetworkLoad{Nodes: o.Nodes, Writers: o.Writers, Batch: o.Batch, Rate: o.Rate}}
	dir, remove := o.Dir, func() error { return nil }
	if dir == "" {
		if dir, err = os.MkdirTemp("", "coco-bench-"); err != nil {
			return nil, ErrSetup.From(err)
		}
		remove = func() error { return os.RemoveAll(dir) }
	}
	fmt.Fprintf(o.Progress, "starting %d nodes in %s\n", o.Nodes, dir)
	w.close = remove
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.fleet, err = fleet.Found(ctx, o.Program, dir, o.Nodes); err != nil {
		return nil, err
	}
	w.close = func() error { return errors.Join(w.fleet.Stop(), remove()) }
	for _, n := range w.fleet.Nodes() {
		s := &seat{}
		s.set(n.URL)
		w.seats = append(w.seats, s)
	}
	primary, _, err := w.fleet.Place(ctx)
	if err != nil {
		return nil, err
	}
	if w.target, err = dial(ctx, Node{URL: primary.URL, PID: primary.PID()}, o.Writers); err != nil {
		return nil, err
	}
	w.target.close()
	return w, nil
}

// begin starts the writers at their rate, after finding the maximum if need be.
// The time of what follows counts from here.
func (w *world) begin(ctx context.Context) (err error) {
	if w.writers, err = newWriters(w.target, w.seats, w.o.Batch); err != nil {
		return ErrNode.From(err)
	}
	w.writers.run(ctx)
	if w.load.Rate == 0 {
		fmt.Fprintf(w.o.Progress, "measuring the maximum for %v\n", w.o.Measure)
		if err := w.wait(ctx, w.o.Measure/4); err != nil { // to get going
			return err
		}
		from := w.writers.now()
		if err := w.wait(ctx, w.o.Measure); err != nil {
			return err
		}
		w.load.Maximum = w.writers.timeline().span(from, w.writers.now()).CommittedPerSecond
		if w.load.Maximum == 0 {
			return ErrNode.From(fmt.Errorf("nothing was committed in %v", w.o.Measure))
		}
		w.load.Rate = w.o.Share * w.load.Maximum
	}
	w.writers.pace(w.load.Rate)
	return w.wait(ctx, time.Second) // for the queues to empty
}

// wait lets time pass.
func (w *world) wait(ctx context.Context, d time.Duration) error {
	if !sleepUntil(ctx, time.Now().Add(d)) {
		return ctx.Err()
	}
	return nil
}

// measure lets something happen under load, and says what the ledgers have at the
// end of what was acknowledged.
func (w *world) measure(ctx context.Context, during func(ctx context.Context) error) (Loss, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := w.begin(ctx); err != nil {
		return Loss{}, err
	}
	defer w.writers.stop()
	if err := during(ctx); err != nil {
		return Loss{}, err
	}
	return w.end(ctx)
}

// end stops the writers and looks for what was acknowledged.
func (w *world) end(ctx context.Context) (Loss, error) {
	w.writers.stop()
	l := Loss{Refusals: map[string]int{}}
	for _, o := range w.writers.list {
		l.Acknowledged += len(o.hashes)
		l.Again += o.again
		for kind, n := range o.refusals {
			l.Refusals[kind] += n
		}
	}
	fmt.Fprintf(w.o.Progress, "looking for %d acknowledged transactions on %d nodes\n", l.Acknowledged, len(w.fleet.Nodes()))
	if err := w.fleet.Settle(ctx); err != nil {
		return l, err
	}
	return l, w.audit(ctx, &l)
}
