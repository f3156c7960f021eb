package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/coco-consortium/coco/internal/bench/fleet"
	"github.com/coco-consortium/coco/internal/operations"
)

// JoinReport is how fresh nodes join a network under load.
type JoinReport struct {
	Machine Machine     `json:"machine"`
	Load    NetworkLoad `json:"load"`
	Slots   int         `json:"slots"`
	Filled  float64     `json:"filled"` // seconds that writing them took
	Rounds  []Join      `json:"rounds"`
	Ratio   float64     `json:"ratio"` // of all rounds: committed while the node joined to committed before
	Loss    Loss        `json:"loss"`
}

// Join is one fresh node. Times are in seconds from the start of its process.
type Join struct {
	Serves float64 `json:"serves"` // it answers clients
	Voter  float64 `json:"voter"`
	// Stages is what it did until it served, as it said of itself.
	Stages   []fleet.Stage `json:"stages"`
	Before   Span          `json:"before"`
	While    Span          `json:"while"` // from the start of its process until it was a voter
	Head     uint64        `json:"head"`  // blocks when it began
	Snapshot uint64        `json:"snapshot"`
	Bytes    uint64        `json:"bytes"` // of the snapshot, which held the blocks up to Snapshot
	Took     float64       `json:"took"`  // seconds that the primary needed for it
	Resident int64         `json:"resident"`
}

// Joins writes so many slots of state and has fresh nodes join under load, one
// after the other; each is retired before the next.
func Joins(ctx context.Context, o NetworkOptions, slots, rounds int) (_ *JoinReport, err error) {
	o = o.withDefaults()
	report := &JoinReport{Machine: machine(), Slots: slots}
	w, err := openWorld(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	began := time.Now()
	if err := w.target.occupy(ctx, slots, o.Progress); err != nil {
		return nil, ErrSetup.From(err)
	}
	report.Filled = time.Since(began).Seconds()
	if err := w.fleet.Settle(ctx); err != nil {
		return nil, err
	}
	report.Loss, err = w.measure(ctx, func(ctx context.Context) error { return w.joins(ctx, report, rounds) })
	if err != nil {
		return nil, err
	}
	report.Load = w.load
	var before, while float64
	for _, r := range report.Rounds {
		before += r.Before.CommittedPerSecond
		while += r.While.CommittedPerSecond
	}
	report.Ratio = ratio(while, before)
	return report, nil
}

// joins has nodes join one after the other.
func (w *world) joins(ctx context.Context, report *JoinReport, rounds int) error {
	for i := range rounds {
		j, n, err := w.join(ctx)
		if err != nil {
			return err
		}
		report.Rounds = append(report.Rounds, *j)
		fmt.Fprintf(w.o.Progress, "join %d of %d: serves after %.1f s, a voter after %.1f s; %.0f committed/s before, %.0f meanwhile\n",
			i+1, rounds, j.Serves, j.Voter, j.Before.CommittedPerSecond, j.While.CommittedPerSecond)
		if i+1 < rounds { // the last one's ledger is looked at too
			if err := w.fleet.Retire(ctx, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// join has one node join.
func (w *world) join(ctx context.Context) (*Join, *fleet.Node, error) {
	j := &Join{}
	if err := w.snapshot(ctx, j); err != nil {
		return nil, nil, err
	}
	var err error
	if j.Before, err = w.span(ctx, w.o.Measure); err != nil {
		return nil, nil, err
	}
	if err := w.snapshot(ctx, j); err != nil {
		return nil, nil, err
	}
	from, began := w.writers.now(), time.Now()
	n, served, err := w.fleet.Add(ctx)
	if err != nil {
		return nil, nil, err
	}
	j.Serves, j.Stages = served.Seconds(), n.Stages
	err = fleet.Await(ctx, "the new node is a voter", func() (bool, error) {
		s, err := n.Status(ctx)
		return s.State == operations.StateVoter, err
	})
	j.Voter = time.Since(began).Seconds()
	j.While = w.writers.timeline().span(from, w.writers.now())
	j.Resident, _ = (&process{n.PID()}).resident()
	return j, n, err
}

// snapshot waits until the primary has a snapshot and takes none, and notes it.
func (w *world) snapshot(ctx context.Context, j *Join) error {
	return fleet.Await(ctx, "there is a snapshot", func() (bool, error) {
		primary, _, err := w.fleet.Place(ctx)
		if err != nil {
			return false, err
		}
		s, err := primary.Status(ctx)
		j.Head, j.Snapshot, j.Bytes, j.Took = s.Ledger.Height, s.Snapshot.Height, s.Snapshot.Bytes, s.Snapshot.Took
		return s.Snapshot.Height > 0 && !s.Snapshot.Taking, err
	})
}

// JSON writes the report as one line.
func (r *JoinReport) JSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

// Text writes the report for people.
func (r *JoinReport) Text(w io.Writer) error {
	r.Machine.text(w)
	r.Load.text(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "join\tserves s\tvoter s\tsnapshot MiB\tits block\thead\tRSS MiB\tcommitted/s before\tmeanwhile\tp99 ms before\tmeanwhile\tmax ms meanwhile\t")
	for i, j := range r.Rounds {
		fmt.Fprintf(t, "%d\t%.1f\t%.1f\t%.1f\t%d\t%d\t%d\t%.0f\t%.0f\t%s\t%s\t%s\t\n", i+1, j.Serves, j.Voter, float64(j.Bytes)/(1<<20), j.Snapshot, j.Head, j.Resident>>20,
			j.Before.CommittedPerSecond, j.While.CommittedPerSecond, milli(j.Before.P99), milli(j.While.P99), milli(j.While.Max))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	for i, j := range r.Rounds {
		fmt.Fprintf(w, "join %d:", i+1)
		for _, s := range j.Stages {
			fmt.Fprintf(w, " %s %.1f s,", s.Name, s.Seconds)
		}
		fmt.Fprintf(w, " then %s %.1f s\n", operations.StageBackfill, j.Voter-j.Serves)
	}
	fmt.Fprintf(w, "\na state of %d slots, written in %.0f s; while a node joins %.1f %% of the rate before\n", r.Slots, r.Filled, 100*r.Ratio)
	return r.Loss.text(w)
}
