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
	"sync"
	"text/tabwriter"
	"time"

	"github.com/coco-consortium/coco/internal/bench/fleet"
)

// KillsReport is what clients notice when the primary is killed, again and again.
type KillsReport struct {
	Machine Machine     `json:"machine"`
	Load    NetworkLoad `json:"load"`
	Before  Span        `json:"before"` // without a fault
	Whole   Span        `json:"whole"`  // from the first kill to the end
	Kills   []Kill      `json:"kills"`
	Loss    Loss        `json:"loss"`

	// Of the kills, in milliseconds.
	GapMedian     float64 `json:"gapMedian"`
	GapWorst      float64 `json:"gapWorst"`
	ReaderMedian  float64 `json:"readerMedian"`
	ReaderWorst   float64 `json:"readerWorst"`
	ReaderBefore  float64 `json:"readerBefore"` // the longest gap of a reader without a fault
	RestartMedian float64 `json:"restartMedian"`
	VoterMedian   float64 `json:"voterMedian"`
}

// Kill is one end of a primary. Times are in milliseconds.
type Kill struct {
	Node int `json:"node"`
	// Gap is the longest time around the kill in which no writer on any node had
	// anything acknowledged.
	Gap float64 `json:"gap"`
	// Slowest is the longest time that any single writer waited for an
	// acknowledgement around the kill.
	Slowest float64 `json:"slowest"`
	// Reader is the longest time between two successful reads on any other node.
	Reader float64 `json:"reader"`
	// Elections are the views that began.
	Elections uint64 `json:"elections"`
	// Restart is the time from the start of the killed node's next process until it
	// served, and Voter until all nodes were voters again.
	Restart float64 `json:"restart"`
	Voter   float64 `json:"voter"`
	// Silence is the longest time without an acknowledgement while it came back.
	Silence float64 `json:"silence"`
}

// afterKill is how long the kill alone is watched, before the node comes back.
const afterKill = 4 * time.Second

// Kills kills the primary of a network under load so many times, and has the node
// come back before the next.
func Kills(ctx context.Context, o NetworkOptions, kills int) (_ *KillsReport, err error) {
	o = o.withDefaults()
	report := &KillsReport{Machine: machine()}
	w, err := openWorld(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if report.Loss, err = w.measure(ctx, func(ctx context.Context) error { return w.kills(ctx, report, kills) }); err != nil {
		return nil, err
	}
	report.Load = w.load
	report.summarize()
	return report, nil
}

// kills kills primaries one after the other, while there is a reader on each node.
func (w *world) kills(ctx context.Context, report *KillsReport, kills int) error {
	ctx, cancel := context.WithCancel(ctx)
	var reading sync.WaitGroup
	defer func() { cancel(); reading.Wait() }()
	var readers []*reader
	for _, s := range w.seats {
		r := &reader{seat: s}
		readers = append(readers, r)
		reading.Go(func() { r.run(ctx, w.writers) })
	}
	calm := w.writers.now()
	if err := w.wait(ctx, w.o.Measure); err != nil {
		return err
	}
	first := w.writers.now()
	report.Before = w.writers.timeline().span(calm, first)
	for _, r := range readers {
		report.ReaderBefore = max(report.ReaderBefore, millis(r.moments().gap(calm+int64(time.Second/10), first)))
	}
	for i := range kills {
		k, err := w.kill(ctx, readers)
		if err != nil {
			return err
		}
		report.Kills = append(report.Kills, *k)
		fmt.Fprintf(w.o.Progress, "kill %d of %d: node %d; %.0f ms without a write, a voter again after %.0f ms\n", i+1, kills, k.Node, k.Gap, k.Voter)
	}
	report.Whole = w.writers.timeline().span(first, w.writers.now())
	return nil
}

// kill kills the primary once.
func (w *world) kill(ctx context.Context, readers []*reader) (*Kill, error) {
	primary, others, err := w.fleet.Place(ctx)
	if err != nil {
		return nil, err
	}
	before, err := others[0].Status(ctx)
	if err != nil {
		return nil, err
	}
	k := &Kill{Node: primary.Number}
	at := w.writers.now()
	if err := primary.Kill(); err != nil {
		return nil, err
	}
	if err := w.wait(ctx, afterKill); err != nil {
		return nil, err
	}
	watched := w.writers.now()
	k.Gap = millis(w.writers.timeline().silence(at, watched))
	for _, o := range w.writers.list {
		o.mu.Lock()
		k.Slowest = max(k.Slowest, millis(timeline(o.acks).waited(at, watched)))
		o.mu.Unlock()
	}
	for i, n := range w.fleet.Nodes() {
		if n != primary {
			k.Reader = max(k.Reader, millis(readers[i].moments().gap(at, watched)))
		}
	}
	if after, err := others[0].Status(ctx); err == nil {
		k.Elections = after.View - before.View
	}
	return k, w.comeBack(ctx, primary, k)
}

// comeBack starts a killed node and waits until it is a voter as the others.
func (w *world) comeBack(ctx context.Context, n *fleet.Node, k *Kill) error {
	from, began := w.writers.now(), time.Now()
	served, err := n.Rejoin(ctx)
	if err != nil {
		return err
	}
	w.seats[slices.Index(w.fleet.Nodes(), n)].set(n.URL)
	if err := w.fleet.Settle(ctx); err != nil {
		return err
	}
	k.Restart, k.Voter = millis(served), millis(time.Since(began))
	err = w.wait(ctx, time.Second)
	k.Silence = millis(w.writers.timeline().silence(from, w.writers.now()))
	return err
}

func millis(d time.Duration) float64 { return float64(d) / 1e6 }

func (r *KillsReport) summarize() {
	of := func(figure func(Kill) float64) (values []float64) {
		for _, k := range r.Kills {
			values = append(values, figure(k))
		}
		return values
	}
	gaps, readers := of(func(k Kill) float64 { return k.Gap }), of(func(k Kill) float64 { return k.Reader })
	if len(gaps) > 0 {
		r.GapMedian, r.GapWorst = median(gaps), slices.Max(gaps)
		r.ReaderMedian, r.ReaderWorst = median(readers), slices.Max(readers)
	}
	r.RestartMedian = median(of(func(k Kill) float64 { return k.Restart }))
	r.VoterMedian = median(of(func(k Kill) float64 { return k.Voter }))
}

// JSON writes the report as one line.
func (r *KillsReport) JSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

// Text writes the report for people.
func (r *KillsReport) Text(w io.Writer) error {
	r.Machine.text(w)
	r.Load.text(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "kill\tnode\tgap ms\tslowest writer ms\treaders' gap ms\tviews\tserves ms\tvoter ms\tsilence meanwhile ms\t")
	for i, k := range r.Kills {
		fmt.Fprintf(t, "%d\t%d\t%.0f\t%.0f\t%.0f\t%d\t%.0f\t%.0f\t%.0f\t\n", i+1, k.Node, k.Gap, k.Slowest, k.Reader, k.Elections, k.Restart, k.Voter, k.Silence)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	worst := slices.MaxFunc(append(r.Kills, Kill{}), func(a, b Kill) int { return cmp.Compare(a.Slowest, b.Slowest) })
	fmt.Fprintf(w, "\n%d kills of the primary\n", len(r.Kills))
	fmt.Fprintf(w, "writers' gap: median %.0f ms, worst %.0f ms; the slowest single writer waited %.0f ms\n", r.GapMedian, r.GapWorst, worst.Slowest)
	fmt.Fprintf(w, "readers on other nodes: longest gap, median %.0f ms, worst %.0f ms; without a fault %.0f ms\n", r.ReaderMedian, r.ReaderWorst, r.ReaderBefore)
	fmt.Fprintf(w, "replaced: serves after %.0f ms, all voters after %.0f ms (medians)\n", r.RestartMedian, r.VoterMedian)
	fmt.Fprintf(w, "committed/s: %.0f before, %.0f from the first kill to the end\n", r.Before.CommittedPerSecond, r.Whole.CommittedPerSecond)
	return r.Loss.text(w)
}

func (l *NetworkLoad) text(w io.Writer) {
	fmt.Fprintf(w, "%d nodes in processes of their own on this machine, all durable; %d writers, batches of %d ERC-20 transfers, acknowledged when committed\n", l.Nodes, l.Writers, l.Batch)
	if l.Maximum > 0 {
		fmt.Fprintf(w, "maximum %.0f committed/s; offered here: %.0f/s, %.0f %% of it\n\n", l.Maximum, l.Rate, 100*l.Rate/l.Maximum)
	} else {
		fmt.Fprintf(w, "offered: %.0f/s\n\n", l.Rate)
	}
}

func (l *Loss) text(w io.Writer) error {
	_, err := fmt.Fprintf(w, "acknowledged %d in %d blocks, lost %d, twice %d, blocks that differ between nodes %d; batches sent again %d\n",
		l.Acknowledged, l.Blocks, l.Lost, l.Twice, l.Different, l.Again)
	for _, kind := range slices.Sorted(maps.Keys(l.Refusals)) {
		fmt.Fprintf(w, "refused, and sent again: %d × %s\n", l.Refusals[kind], kind)
	}
	return err
}
