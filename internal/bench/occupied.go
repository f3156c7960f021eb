package bench

import (
	"cmp"
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

// StateOptions say how a large state is measured.
type StateOptions struct {
	// Program is coco; the nodes are processes of it.
	Program string
	// Slots is how many slots the large state has, and Few the small one beside it.
	// Default 10,000,000 and 10,000.
	Slots, Few int
	// History is how many transactions the node with the large state executes before
	// it is started again. Default 1,000,000.
	History int
	// Rounds is how often both are measured in turn, and how often the node is started.
	// Default 5.
	Rounds int
	// Transactions is how many a round sends. Default 10,000.
	Transactions int
	// Rate is what is offered in a second while a snapshot is taken. Default 500.
	Rate float64
	// Measure is how long commits are watched before and behind a snapshot. Default 10 s.
	Measure time.Duration
	// Progress receives a line now and then; nil for none.
	Progress io.Writer
}

func (o StateOptions) withDefaults() StateOptions {
	o.Slots, o.Few, o.History = cmp.Or(o.Slots, 10_000_000), cmp.Or(o.Few, 10_000), cmp.Or(o.History, 1_000_000)
	o.Rounds, o.Transactions = cmp.Or(o.Rounds, 5), cmp.Or(o.Transactions, 10_000)
	o.Rate, o.Measure = cmp.Or(o.Rate, 500), cmp.Or(o.Measure, 10*time.Second)
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	return o
}

// StateReport is what a large state costs. Times are in seconds unless they say so.
type StateReport struct {
	Machine Machine `json:"machine"`
	Slots   int     `json:"slots"`
	Few     int     `json:"few"`
	History int     `json:"history"`
	Filled  float64 `json:"filled"` // that writing the slots took
	// Random are transactions that write one slot at random, one per request: the node
	// with few slots, then the one with many, which RateRatio and P99Ratio are of.
	Random    Row     `json:"random"`
	RateRatio float64 `json:"rateRatio"`
	P99Ratio  float64 `json:"p99Ratio"`
	// Resident memory of both nodes behind that, of the large one after a start, and
	// the difference by slot, in bytes.
	ResidentFew     int64            `json:"residentFew"`
	Resident        int64            `json:"resident"`
	ResidentStarted int64            `json:"residentStarted"`
	Slot            float64          `json:"slot"`
	SlotStarted     float64          `json:"slotStarted"`
	Disk            map[string]int64 `json:"disk"` // bytes that the large one has with the history, by directory
	Height          uint64           `json:"height"`
	// Killed is the start behind a SIGKILL, which replays what came after the newest
	// snapshot; Starts are those behind a stop.
	Killed   Start          `json:"killed"`
	Starts   []Start        `json:"starts"`
	Snapshot SnapshotReport `json:"snapshot"`
}

// Start is one start of the node with the large state.
type Start struct {
	Answers float64       `json:"answers"` // from the start of the process to the answer of eth_blockNumber
	Stages  []fleet.Stage `json:"stages"`
}

// SnapshotReport is what clients notice of a snapshot.
type SnapshotReport struct {
	Taken   int     `json:"taken"` // snapshots while it was watched; 0: none came, and the rest is empty
	Bytes   uint64  `json:"bytes"` // of the last
	Took    float64 `json:"took"`  // the last
	Rate    float64 `json:"rate"`  // offered a second
	While   Span    `json:"while"` // the longest of them
	Without Span    `json:"without"`
}

// State fills one node with many slots and one with few, and measures both.
func State(ctx context.Context, o StateOptions) (_ *StateReport, err error) {
	o = o.withDefaults()
	r := &StateReport{Machine: machine(), Slots: o.Slots, Few: o.Few, History: o.History}
	sides, _, stop, err := open(ctx, o.Program, Setup{Name: fmt.Sprintf("%d slots", o.Few)}, Setup{Name: fmt.Sprintf("%d slots", o.Slots)})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	targets, leave, err := dialAll(ctx, append(sides[0].nodes(), sides[1].nodes()...), 200, o.Progress)
	if err != nil {
		return nil, err
	}
	defer leave()
	few, many, f := targets[0], targets[1], sides[1].fleet
	if err := few.occupy(ctx, o.Few, o.Progress); err != nil {
		return nil, ErrSetup.From(err)
	}
	began := time.Now()
	if err := many.occupy(ctx, o.Slots, o.Progress); err != nil {
		return nil, ErrSetup.From(err)
	}
	r.Filled = time.Since(began).Seconds()
	if err := r.random(ctx, few, many, o); err != nil {
		return nil, err
	}
	if err := r.history(ctx, many, o); err != nil {
		return nil, err
	}
	if err := f.Settle(ctx); err != nil {
		return nil, err
	}
	n := f.Nodes()[0]
	s, err := n.Status(ctx)
	if err != nil {
		return nil, err
	}
	r.Height = s.Ledger.Height
	if r.Disk, err = sizes(n.Data); err != nil {
		return nil, ErrSetup.From(err)
	}
	// A process that was just started takes its first snapshot soon.
	f.Lines = "snapshot: {records: 2000, bytes: 64KiB}\n"
	if err := n.Kill(); err != nil {
		return nil, ErrNode.From(err)
	}
	if r.Killed, err = startOf(ctx, n); err != nil {
		return nil, err
	}
	fmt.Fprintf(o.Progress, "after a kill it answers after %.2f s\n", r.Killed.Answers)
	for i := range o.Rounds {
		s, err := startOf(ctx, n)
		if err != nil {
			return nil, err
		}
		r.Starts = append(r.Starts, s)
		fmt.Fprintf(o.Progress, "start %d of %d: answers after %.2f s\n", i+1, o.Rounds, s.Answers)
	}
	r.ResidentStarted, _ = (&process{n.PID()}).resident()
	r.SlotStarted = float64(r.ResidentStarted-r.ResidentFew) / float64(o.Slots)
	return r, r.snapshot(ctx, n, o)
}

// startOf starts a node again and asks it something.
func startOf(ctx context.Context, n *fleet.Node) (Start, error) {
	took, err := n.Restart(ctx)
	if err != nil {
		return Start{}, err
	}
	asked := time.Now()
	if _, err := blockNumber(ctx, n.URL); err != nil {
		return Start{}, ErrNode.From(err)
	}
	return Start{(took + time.Since(asked)).Seconds(), n.Stages}, nil
}

// random measures writes of random slots at both nodes in turn, and their memory.
func (r *StateReport) random(ctx context.Context, few, many *target, o StateOptions) error {
	row := Row{Load: Load{Contract: "work", Transport: "http", Transactions: o.Transactions, Work: Work{Slots: o.Slots}}.withDefaults()}
	loads := []Load{row.Load, row.Load}
	loads[0].Slots = o.Few
	row.Sides = []Side{{Node: few.name}, {Node: many.name}}
	for round := range o.Rounds {
		for i := range 2 {
			i = (i + round) % 2
			t := []*target{few, many}[i]
			fmt.Fprintf(o.Progress, "%s: round %d of %d at %s\n", loads[i], round+1, o.Rounds, t.name)
			run, err := measure(ctx, t, loads[i])
			if err != nil {
				return err
			}
			row.Sides[i].Runs = append(row.Sides[i].Runs, *run)
		}
	}
	row.summarize()
	a, b := &row.Sides[0].Median, &row.Sides[1].Median
	r.Random, r.RateRatio, r.P99Ratio = row, ratio(b.CommittedPerSecond, a.CommittedPerSecond), ratio(b.P99, a.P99)
	var err error
	if r.ResidentFew, err = few.process.resident(); err == nil {
		r.Resident, err = many.process.resident()
	}
	r.Slot = float64(r.Resident-r.ResidentFew) / float64(o.Slots)
	return err
}

// history has the node execute token transfers.
func (r *StateReport) history(ctx context.Context, t *target, o StateOptions) error {
	const most = 100_000 // of one run, which is signed beforehand
	for done := 0; done < o.History; done += most {
		l := Load{Contract: "erc20", Transport: "http", Batch: 100, Transactions: min(most, o.History-done)}
		run, err := measure(ctx, t, l)
		if err != nil {
			return err
		}
		if run.Committed < l.Transactions {
			return ErrSetup.From(fmt.Errorf("%d of %d transactions were committed: %v", run.Committed, l.Transactions, run.Errors))
		}
		fmt.Fprintf(o.Progress, "%s: %d of %d transactions of history, %.0f/s\n", t.name, done+l.Transactions, o.History, run.CommittedPerSecond)
	}
	return nil
}

// snapshot has clients write at a rate, each waiting for its commit, until a snapshot
// was taken meanwhile.
func (r *StateReport) snapshot(ctx context.Context, n *fleet.Node, o StateOptions) error {
	t, err := dial(ctx, Node{URL: n.URL, PID: n.PID()}, 32)
	if err != nil {
		return err
	}
	defer t.close()
	at := &seat{}
	at.set(n.URL)
	w, err := newWriters(t, []*seat{at}, 1)
	if err != nil {
		return ErrNode.From(err)
	}
	w.pace(o.Rate)
	w.run(ctx)
	defer w.stop()
	taking, watched, err := r.watch(ctx, w, n, o)
	if err != nil {
		return err
	}
	s, err := n.Status(ctx)
	if err != nil {
		return err
	}
	line := w.timeline()
	r.Snapshot = SnapshotReport{Taken: len(taking), Rate: o.Rate}
	if len(taking) == 0 {
		return nil
	}
	r.Snapshot.Bytes, r.Snapshot.Took = s.Snapshot.Bytes, s.Snapshot.Took
	last := watched[0]
	for _, span := range append(taking, [2]int64{watched[1], watched[1]}) {
		r.Snapshot.While = worse(r.Snapshot.While, line.span(span[0], span[1]))
		r.Snapshot.Without = worse(r.Snapshot.Without, line.span(last, span[0]))
		last = span[1]
	}
	return nil
}

// worse is the span with the longer delay.
func worse(a, b Span) Span {
	if b.Max > a.Max {
		return b
	}
	return a
}

// patient is how long a snapshot is waited for.
const patient = 3 * time.Minute

// watch says when snapshots were taken, and from when to when it looked: before the
// first and behind the last for as long as o.Measure.
func (r *StateReport) watch(ctx context.Context, w *writers, n *fleet.Node, o StateOptions) (taking [][2]int64, watched [2]int64, err error) {
	if !sleepUntil(ctx, time.Now().Add(time.Second)) { // to get going
		return nil, watched, ctx.Err()
	}
	fmt.Fprintf(o.Progress, "offering %g a second until a snapshot was taken\n", o.Rate)
	watched[0] = w.now()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	began, open, first := time.Now(), int64(-1), uint64(0)
	for quiet := began; ; {
		select {
		case <-ctx.Done():
			return nil, watched, ctx.Err()
		case <-tick.C:
		}
		before := w.now()
		s, err := n.Status(ctx)
		if err != nil {
			return nil, watched, err
		}
		now := w.now()
		if first == 0 {
			first = max(1, s.Snapshot.Height)
		}
		switch {
		case s.Snapshot.Taking && open < 0:
			open = before
		case !s.Snapshot.Taking && open >= 0:
			taking, open, quiet = append(taking, [2]int64{open, now}), -1, time.Now()
		case !s.Snapshot.Taking && s.Snapshot.Height > first && len(taking) == 0:
			// It came and went between two looks.
			taking, quiet = append(taking, [2]int64{before - int64(100*time.Millisecond), now}), time.Now()
		}
		if watched[1] = now; len(taking) > 0 && open < 0 && time.Since(quiet) > o.Measure || time.Since(began) > patient && open < 0 {
			return taking, watched, nil
		}
	}
}

// JSON writes the report as one line.
func (r *StateReport) JSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

// Text writes the report for people.
func (r *StateReport) Text(w io.Writer) error {
	r.Machine.text(w)
	fmt.Fprintf(w, "one slot at random by each transaction, one per request; medians of %d rounds\n\n", len(r.Random.Sides[0].Runs))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "state\tcommitted/s\tmin-max\tp50 ms\tp99 ms\tnode µs/tx\tRSS MiB\terrors\t")
	for i, s := range r.Random.Sides {
		fmt.Fprintf(t, "%s\t%.0f\t%.0f-%.0f\t%s\t%s\t%s\t%d\t%d\t\n", s.Node, s.Median.CommittedPerSecond, s.Slowest, s.Fastest, milli(s.Median.P50), milli(s.Median.P99),
			known(s.Median.NodeCPU, 1), []int64{r.ResidentFew, r.Resident}[i]>>20, total(s.Median.Errors))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nwith %d slots: %.2f of the rate with %d, %.2f of its p99; written in %.0f s\n", r.Slots, r.RateRatio, r.Few, r.P99Ratio, r.Filled)
	fmt.Fprintf(w, "memory: %.0f bytes a slot by the difference of both nodes, %.0f after a start\n", r.Slot, r.SlotStarted)
	fmt.Fprintf(w, "disk of the large one with %d transactions of history: ledger %d MiB, history index %d MiB, old state %d MiB\n",
		r.History, r.Disk["ledger"]>>20, r.Disk["index"]>>20, r.Disk["past"]>>20)
	lo, hi := r.starts()
	fmt.Fprintf(w, "start: the first answer after %.2f s (median of %d, %.2f-%.2f)", r.start(), len(r.Starts), lo, hi)
	if len(r.Starts) > 0 {
		stagesText(w, r.Starts[len(r.Starts)-1].Stages)
	}
	fmt.Fprintf(w, "\nafter a kill, %.2f s", r.Killed.Answers)
	stagesText(w, r.Killed.Stages)
	if r.Snapshot.Taken == 0 {
		_, err := fmt.Fprintf(w, "\nsnapshot: none was taken in %v\n", patient)
		return err
	}
	_, err := fmt.Fprintf(w, "\nsnapshot: %d MiB in %.1f s under %g tx/s; the longest commit took %s ms meanwhile, %s ms without (p99 %s and %s)\n",
		r.Snapshot.Bytes>>20, r.Snapshot.Took, r.Snapshot.Rate, milli(r.Snapshot.While.Max), milli(r.Snapshot.Without.Max), milli(r.Snapshot.While.P99), milli(r.Snapshot.Without.P99))
	return err
}

func stagesText(w io.Writer, stages []fleet.Stage) {
	for _, s := range stages {
		fmt.Fprintf(w, ", %s %.2f s", s.Name, s.Seconds)
	}
}

// start is the median of the starts.
func (r *StateReport) start() float64 { return median(r.answers()) }

func (r *StateReport) starts() (lo, hi float64) {
	all := r.answers()
	if len(all) == 0 {
		return 0, 0
	}
	return slices.Min(all), slices.Max(all)
}

func (r *StateReport) answers() (all []float64) {
	for _, s := range r.Starts {
		all = append(all, s.Answers)
	}
	return all
}
