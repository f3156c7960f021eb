package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// SoakOptions say how a long load is measured.
type SoakOptions struct {
	// Program is coco; the nodes are processes of it.
	Program string
	// Nodes is how many the network has. Default 1.
	Nodes int
	// For is how long. Default one hour.
	For time.Duration
	// Load is what is sent again and again: between two runs of it, while the next is
	// signed, the node rests. Default `erc20 http batch=100`.
	Load Load
	// Edge is how much of the beginning and of the end are compared. Default a sixth of
	// For, ten minutes of an hour.
	Edge time.Duration
	// Every is how often memory is read. Default a sixtieth of For.
	Every time.Duration
	// Progress receives a line now and then; nil for none.
	Progress io.Writer
}

func (o SoakOptions) withDefaults() SoakOptions {
	o.Nodes, o.For = cmp.Or(o.Nodes, 1), cmp.Or(o.For, time.Hour)
	o.Edge, o.Every = cmp.Or(o.Edge, o.For/6), cmp.Or(o.Every, o.For/60)
	if o.Load == (Load{}) {
		o.Load = Load{Contract: "erc20", Transport: "http", Batch: 100}
	}
	o.Load = o.Load.withDefaults()
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	return o
}

// SoakReport is how a node holds out.
type SoakReport struct {
	Machine Machine          `json:"machine"`
	Nodes   int              `json:"nodes"`
	Load    Load             `json:"load"`
	Seconds float64          `json:"seconds"`
	Edge    float64          `json:"edge"` // seconds of the beginning and of the end
	Samples []Sample         `json:"samples"`
	First   Run              `json:"first"`  // medians of the runs of the beginning
	Last    Run              `json:"last"`   // and of the end
	P99     float64          `json:"p99"`    // the last's to the first's
	Rate    float64          `json:"rate"`   // likewise
	Memory  float64          `json:"memory"` // the greatest of the last third of the time to the greatest of the middle third
	Total   int              `json:"total"`  // committed
	Errors  map[string]int   `json:"errors,omitempty"`
	Early   string           `json:"early,omitempty"` // why it ended before its time
	Disk    map[string]int64 `json:"disk"`            // bytes at the end, by directory of the node
}

// Sample is a look at the node.
type Sample struct {
	At        float64 `json:"at"` // seconds since the beginning
	Resident  int64   `json:"resident"`
	Committed int     `json:"committed"` // since the beginning
}

// Soak loads a network for a long time.
func Soak(ctx context.Context, o SoakOptions) (_ *SoakReport, err error) {
	o = o.withDefaults()
	r := &SoakReport{Machine: machine(), Nodes: o.Nodes, Load: o.Load, Edge: o.Edge.Seconds(), Errors: map[string]int{}}
	sides, dir, stop, err := open(ctx, o.Program, Setup{Nodes: o.Nodes})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	targets, leave, err := dialAll(ctx, sides[0].nodes(), 200, o.Progress)
	if err != nil {
		return nil, err
	}
	defer leave()
	t := targets[0]
	var runs []Run
	var began []time.Duration
	start := time.Now()
	for next := time.Duration(0); time.Since(start) < o.For; {
		if free, err := freeBytes(dir); err != nil {
			return nil, ErrSetup.From(err)
		} else if free < leaveFree {
			r.Early = fmt.Sprintf("the disk has %d MiB left", free>>20)
			break
		}
		began = append(began, time.Since(start))
		run, err := measure(ctx, t, o.Load)
		if err != nil {
			return nil, err
		}
		runs = append(runs, *run)
		r.Total += run.Committed
		for kind, n := range run.Errors {
			r.Errors[kind] += n
		}
		if now := time.Since(start); now >= next {
			next = now.Truncate(o.Every) + o.Every
			r.Samples = append(r.Samples, Sample{now.Seconds(), run.Resident, r.Total})
			fmt.Fprintf(o.Progress, "%v: %.0f/s, p99 %s ms, %d MiB\n", now.Round(time.Second), run.CommittedPerSecond, milli(run.P99), run.Resident>>20)
		}
	}
	r.Seconds = time.Since(start).Seconds()
	r.compare(runs, began, o)
	r.Disk, err = sizes(sides[0].fleet.Nodes()[0].Data)
	return r, err
}

// leaveFree is what a long load leaves of the disk.
const leaveFree = 3 << 30

// compare compares the beginning with the end.
func (r *SoakReport) compare(runs []Run, began []time.Duration, o SoakOptions) {
	length := time.Duration(r.Seconds * float64(time.Second))
	var first, last []Run
	for i, run := range runs {
		if i == 0 || began[i] < o.Edge {
			first = append(first, run)
		}
		if i == len(runs)-1 || began[i] >= length-o.Edge {
			last = append(last, run)
		}
	}
	sides := []Side{{Runs: first}, {Runs: last}}
	summarize(sides)
	r.First, r.Last = sides[0].Median, sides[1].Median
	r.P99, r.Rate = ratio(r.Last.P99, r.First.P99), ratio(r.Last.CommittedPerSecond, r.First.CommittedPerSecond)
	most := func(from, to float64) (most int64) {
		for i := range runs {
			if at := began[i].Seconds() / r.Seconds; at >= from && at < to {
				most = max(most, runs[i].Resident)
			}
		}
		return most
	}
	r.Memory = ratio(float64(most(2./3, 1)), float64(most(1./3, 2./3)))
}

// JSON writes the report as one line.
func (r *SoakReport) JSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

// Text writes the report for people.
func (r *SoakReport) Text(w io.Writer) error {
	r.Machine.text(w)
	fmt.Fprintf(w, "%s again and again for %.0f s, %d nodes\n\n", r.Load, r.Seconds, r.Nodes)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "s\tRSS MiB\tcommitted\t")
	for _, s := range r.Samples {
		fmt.Fprintf(t, "%.0f\t%d\t%d\t\n", s.At, s.Resident>>20, s.Committed)
	}
	fmt.Fprintf(t, "\n\tcommitted/s\tp50 ms\tp99 ms\tnode µs/tx\t\n")
	for i, d := range []Run{r.First, r.Last} {
		fmt.Fprintf(t, "%s %.0f s\t%.0f\t%s\t%s\t%s\t\n", []string{"first", "last"}[i], r.Edge, d.CommittedPerSecond, milli(d.P50), milli(d.P99), known(d.NodeCPU, 1))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nat the end %.2f of the rate and %.2f of the p99 of the beginning; most memory of the last third %.2f of the middle third's\n", r.Rate, r.P99, r.Memory)
	var parts []string
	for _, part := range slices.Sorted(maps.Keys(r.Disk)) {
		parts = append(parts, fmt.Sprintf("%s %d MiB (%.0f bytes a transaction)", part, r.Disk[part]>>20, float64(r.Disk[part])/float64(max(1, r.Total))))
	}
	if r.Early != "" {
		fmt.Fprintf(w, "it ended early: %s\n", r.Early)
	}
	_, err := fmt.Fprintf(w, "%d committed, %d errors; on disk: %s\n", r.Total, total(r.Errors), strings.Join(parts, ", "))
	return err
}
