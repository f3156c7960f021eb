package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strconv"
	"text/tabwriter"
)

// ScalingOptions say what is swept.
type ScalingOptions struct {
	// Program is coco; the nodes are processes of it.
	Program string
	// Sweeps are names of Sweeps; empty means all.
	Sweeps []string
	// Rounds is how often each point is measured. Default 3.
	Rounds int
	// Part scales the transactions of each point: 0.1 is a tenth. Default 1.
	Part float64
	// Progress receives a line now and then; nil for none.
	Progress io.Writer
}

// ScalingReport is what a transaction costs when one thing grows.
type ScalingReport struct {
	Machine Machine `json:"machine"`
	Rounds  int     `json:"rounds"`
	Points  []Point `json:"points"`
}

// Point is one value of what is swept.
type Point struct {
	Sweep  string  `json:"sweep"`
	Value  string  `json:"value"`
	Load   Load    `json:"load"`
	Side   Side    `json:"side"`
	Factor float64 `json:"factor"` // processor time of all nodes to that of the sweep's first point
}

// Sweeps are what can be swept.
var Sweeps = []string{"cores", "nodes", "slots", "history", "writes", "loops", "message"}

// step is one value of a sweep: the load at a network, and how many transactions go
// before it.
type step struct {
	value  string
	setup  Setup
	load   string
	before int
}

const plain = "erc20 http batch=100 transactions=20000"

// stepsOf are the values of a sweep. Those with equal setups run on one network.
func stepsOf(sweep string) (steps []step) {
	add := func(value, load string, setup Setup, before int) {
		steps = append(steps, step{value, setup, load, before})
	}
	switch sweep {
	case "cores":
		for n := 1; n <= runtime.NumCPU(); n *= 2 {
			add(strconv.Itoa(n), plain, Setup{Environment: []string{"GOMAXPROCS=" + strconv.Itoa(n)}}, 0)
		}
	case "nodes":
		for _, n := range []int{1, 3, 5} {
			add(strconv.Itoa(n), plain, Setup{Nodes: n}, 0)
		}
	case "slots":
		for _, n := range []int{1_000, 10_000, 100_000, 1_000_000} {
			add(strconv.Itoa(n), fmt.Sprintf("work http batch=100 slots=%d transactions=20000", n), Setup{}, 0)
		}
	case "history":
		for i, n := range []int{0, 100_000, 100_000, 200_000} {
			add([]string{"0", "100,000", "200,000", "400,000"}[i], plain, Setup{}, n)
		}
	case "writes":
		for _, n := range []int{1, 10, 100} {
			add(strconv.Itoa(n), fmt.Sprintf("work http batch=10 writes=%d transactions=%d", n, 20_000/int(math.Sqrt(float64(n)))), Setup{}, 0)
		}
	case "loops":
		for _, n := range []int{1, 1_000, 10_000} {
			add(strconv.Itoa(n), fmt.Sprintf("work http batch=10 loops=%d transactions=%d", n, 20_000/int(math.Sqrt(float64(n)))), Setup{}, 0)
		}
	case "message":
		for _, n := range []int{1, 1_000, 10_000, 50_000} {
			add(strconv.Itoa(n), fmt.Sprintf("work http data=%d transactions=%d", n, 20_000/int(math.Sqrt(float64(n)))), Setup{}, 0)
		}
	}
	return steps
}

// Scaling measures what a transaction costs when one thing grows and the rest stays.
func Scaling(ctx context.Context, o ScalingOptions) (*ScalingReport, error) {
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	o.Rounds, o.Part = cmp.Or(o.Rounds, 3), cmp.Or(o.Part, 1)
	if len(o.Sweeps) == 0 {
		o.Sweeps = Sweeps
	}
	r := &ScalingReport{Machine: machine(), Rounds: o.Rounds}
	for _, sweep := range o.Sweeps {
		steps := stepsOf(sweep)
		if steps == nil {
			return nil, ErrLoad.From(fmt.Errorf("%q is none of the sweeps %v", sweep, Sweeps))
		}
		for len(steps) > 0 {
			same := 1
			for same < len(steps) && steps[same].setup.Nodes == steps[0].setup.Nodes && slices.Equal(steps[same].setup.Environment, steps[0].setup.Environment) {
				same++
			}
			points, err := sweepOne(ctx, sweep, steps[:same], o)
			if err != nil {
				return nil, err
			}
			r.Points, steps = append(r.Points, points...), steps[same:]
		}
	}
	first := map[string]Energy{}
	for i := range r.Points {
		p := &r.Points[i]
		if _, known := first[p.Sweep]; !known {
			first[p.Sweep] = p.Side.Energy
		}
		p.Factor = ratio(p.Side.Energy.CPU, first[p.Sweep].CPU)
	}
	return r, nil
}

// sweepOne measures steps on one network.
func sweepOne(ctx context.Context, sweep string, steps []step, o ScalingOptions) (points []Point, err error) {
	nodes, stop, err := Processes(ctx, o.Program, steps[0].setup)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	targets, leave, err := dialAll(ctx, nodes, 200, o.Progress)
	if err != nil {
		return nil, err
	}
	defer leave()
	for _, s := range steps {
		fmt.Fprintf(o.Progress, "%s %s\n", sweep, s.value)
		if n := int(float64(s.before) * o.Part); n > 0 {
			if _, err := measure(ctx, targets[0], Load{Contract: "erc20", Transport: "http", Batch: 100, Transactions: n}); err != nil {
				return nil, err
			}
		}
		l, err := ParseLoad(s.load)
		if err != nil {
			return nil, err
		}
		l.Transactions = max(100, int(float64(l.Transactions)*o.Part))
		if o.Part < 1 && l.Slots > 0 {
			l.Slots = max(1_000, l.Writes, int(float64(l.Slots)*o.Part))
		}
		row, err := alternate(ctx, targets, l, Options{Rounds: o.Rounds, Watts: DefaultWatts, Progress: io.Discard})
		if err != nil {
			return nil, err
		}
		points = append(points, Point{Sweep: sweep, Value: s.value, Load: l, Side: row.Sides[0]})
	}
	return points, nil
}

// JSON writes the report as one line.
func (r *ScalingReport) JSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

// Text writes the report for people.
func (r *ScalingReport) Text(w io.Writer) error {
	r.Machine.text(w)
	fmt.Fprintf(w, "200 accounts; medians of %d rounds; generator and nodes share the machine\n\n", r.Rounds)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "sweep\tvalue\tload\tcommitted/s\tmin-max\tnode µs/tx\tbackups µs/tx\tall to the first\tdisk B/tx\tRSS MiB\terrors\t")
	last := ""
	for _, p := range r.Points {
		d := p.Side.Median
		name := p.Sweep
		if name == last {
			name = ""
		}
		last = p.Sweep
		fmt.Fprintf(t, "%s\t%s\t%s\t%.0f\t%.0f-%.0f\t%s\t%s\t%.2f\t%s\t%d\t%d\t\n", name, p.Value, p.Load, d.CommittedPerSecond, p.Side.Slowest, p.Side.Fastest,
			known(d.NodeCPU, 1), each(d.BackupCPU), p.Factor, known(d.Written, 0), d.Resident>>20, total(d.Errors))
	}
	return t.Flush()
}
