package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/coco-consortium/coco/internal/bench/fleet"
)

// SlowReport is what a throttled backup does to a network.
type SlowReport struct {
	Machine Machine     `json:"machine"`
	Load    NetworkLoad `json:"load"`
	Part    float64     `json:"part"` // of one processor, that the backup has
	How     string      `json:"how"`
	Rounds  []SlowRound `json:"rounds"`
	Ratio   float64     `json:"ratio"` // of all rounds: committed with the throttled backup to committed without
	Loss    Loss        `json:"loss"`
}

// SlowRound is a span of time with all backups free, and one with one throttled.
type SlowRound struct {
	Free  Span    `json:"free"`
	Slow  Span    `json:"slow"`
	Used  float64 `json:"used"`  // of one processor, by the throttled backup
	Lag   uint64  `json:"lag"`   // entries it was behind at the end of the span
	After float64 `json:"after"` // seconds from its release until it had caught up
}

// Slow measures what the network commits while one of its backups has a part of
// one processor only. Clients write through the other nodes.
func Slow(ctx context.Context, o NetworkOptions, part float64, rounds int) (_ *SlowReport, err error) {
	o = o.withDefaults()
	report := &SlowReport{Machine: machine(), Part: part}
	w, err := openWorld(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	_, backups, err := w.fleet.Place(ctx)
	if err != nil {
		return nil, err
	}
	if len(backups) == 0 {
		return nil, ErrNode.From(fmt.Errorf("a network of %d has no backup", o.Nodes))
	}
	slow := backups[len(backups)-1]
	// Whoever writes through a node that is slow has a slow node, and that is not the question.
	w.seats = slices.Delete(w.seats, slices.Index(w.fleet.Nodes(), slow), slices.Index(w.fleet.Nodes(), slow)+1)
	report.Loss, err = w.measure(ctx, func(ctx context.Context) error {
		for i := range rounds {
			r, err := w.slowRound(ctx, slow, report)
			if err != nil {
				return err
			}
			report.Rounds = append(report.Rounds, *r)
			fmt.Fprintf(o.Progress, "round %d of %d: %.0f committed/s, with a slow backup %.0f\n", i+1, rounds, r.Free.CommittedPerSecond, r.Slow.CommittedPerSecond)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	report.Load = w.load
	var free, throttled float64
	for _, r := range report.Rounds {
		free += r.Free.CommittedPerSecond
		throttled += r.Slow.CommittedPerSecond
	}
	report.Ratio = ratio(throttled, free)
	return report, nil
}

func (w *world) slowRound(ctx context.Context, slow *fleet.Node, report *SlowReport) (_ *SlowRound, err error) {
	r := &SlowRound{}
	if r.Free, err = w.span(ctx, w.o.Measure); err != nil {
		return nil, err
	}
	how, release, err := slow.Throttle(report.Part)
	if err != nil {
		return nil, err
	}
	report.How = how
	used := &process{slow.PID()}
	before, _ := used.time()
	r.Slow, err = w.span(ctx, w.o.Measure)
	after, _ := used.time()
	r.Used = (after - before).Seconds() / r.Slow.Seconds
	primary, _, failed := w.fleet.Place(ctx)
	if failed == nil {
		s, _ := primary.Status(ctx)
		for _, p := range s.Nodes {
			if p.RaftID == slow.RaftID() {
				r.Lag = p.Lag
			}
		}
	}
	released := time.Now()
	if err = errors.Join(err, failed, release()); err != nil {
		return nil, err
	}
	err = w.fleet.Settle(ctx)
	r.After = time.Since(released).Seconds()
	return r, err
}

// span lets time pass and says what was acknowledged meanwhile.
func (w *world) span(ctx context.Context, d time.Duration) (Span, error) {
	from := w.writers.now()
	err := w.wait(ctx, d)
	return w.writers.timeline().span(from, w.writers.now()), err
}

// JSON writes the report as one line.
func (r *SlowReport) JSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

// Text writes the report for people.
func (r *SlowReport) Text(w io.Writer) error {
	r.Machine.text(w)
	r.Load.text(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "round\tbackups\tcommitted/s\tp50 ms\tp99 ms\tmax ms\tits CPU\tentries behind\tcaught up after s\t")
	for i, d := range r.Rounds {
		fmt.Fprintf(t, "%d\tall free\t%.0f\t%s\t%s\t%s\t\t\t\t\n", i+1, d.Free.CommittedPerSecond, milli(d.Free.P50), milli(d.Free.P99), milli(d.Free.Max))
		fmt.Fprintf(t, "\tone at %.0f %%\t%.0f\t%s\t%s\t%s\t%.0f %%\t%d\t%.1f\t\n", 100*r.Part, d.Slow.CommittedPerSecond, milli(d.Slow.P50), milli(d.Slow.P99), milli(d.Slow.Max),
			100*d.Used, d.Lag, d.After)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\na backup with %.0f %% of a processor (by %s): %.1f %% of the rate without\n", 100*r.Part, r.How, 100*r.Ratio)
	return r.Loss.text(w)
}
