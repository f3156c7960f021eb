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
)

// FloorsOptions say which floors are measured.
type FloorsOptions struct {
	// Program is coco; the nodes are processes of it.
	Program string
	// Geth and Etcd are programs of peers; empty: found by FindPeer.
	Geth, Etcd string
	// Postgres is as in EntriesOptions. Default StartPostgres.
	Postgres string
	// Rows are names of FloorRows; empty means all but soak, which takes an hour.
	Rows []string
	// Rounds is how often everything is measured. Default 5.
	Rounds int
	// Part scales what is sent and written: 0.1 is a tenth. Default 1.
	Part float64
	// Soak is how long the row of that name takes. Default one hour.
	Soak time.Duration
	// Progress receives a line now and then; nil for none.
	Progress io.Writer
}

// FloorRows are the names of the rows, in the order in which they are measured.
var FloorRows = []string{"single", "batch", "offered", "one", "ledger", "backup", "keyvalue", "keyvalue3", "random", "memory", "start", "snapshot", "soak"}

// Verdicts.
const (
	Met         = "met"
	NotMet      = "not met"
	NotMeasured = "not measured"
)

// Floor is what a row of the table asks for, and what was measured.
type Floor struct {
	Row      string  `json:"row"`
	Load     string  `json:"load"`
	Floor    string  `json:"floor"`
	Measured float64 `json:"measured"`
	Least    float64 `json:"least"` // of the rounds
	Most     float64 `json:"most"`
	Unit     string  `json:"unit"`
	Verdict  string  `json:"verdict"`
	Why      string  `json:"why,omitempty"` // it was not measured
}

// FloorsReport is the table and the reports that it is made of.
type FloorsReport struct {
	Machine  Machine          `json:"machine"`
	Rounds   int              `json:"rounds"`
	Part     float64          `json:"part"`
	Seconds  float64          `json:"seconds"`
	Floors   []Floor          `json:"floors"`
	Ethereum *Report          `json:"ethereum,omitempty"`
	Backups  *Report          `json:"backups,omitempty"`
	Entries  []*EntriesReport `json:"entries,omitempty"`
	State    *StateReport     `json:"state,omitempty"`
	Soak     *SoakReport      `json:"soak,omitempty"`
}

// Floors measures the rows, starting everything that they need. What cannot be
// measured is a row that says why.
func Floors(ctx context.Context, o FloorsOptions) (*FloorsReport, error) {
	o.Rounds, o.Part, o.Soak, o.Postgres = cmp.Or(o.Rounds, 5), cmp.Or(o.Part, 1), cmp.Or(o.Soak, time.Hour), cmp.Or(o.Postgres, StartPostgres)
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	if len(o.Rows) == 0 {
		o.Rows = slices.DeleteFunc(slices.Clone(FloorRows), func(row string) bool { return row == "soak" })
	}
	for _, row := range o.Rows {
		if !slices.Contains(FloorRows, row) {
			return nil, ErrLoad.From(fmt.Errorf("%q is none of the rows %v", row, FloorRows))
		}
	}
	r := &FloorsReport{Machine: machine(), Rounds: o.Rounds, Part: o.Part}
	began := time.Now()
	for _, measured := range []struct {
		rows []string
		by   func(context.Context, FloorsOptions) error
	}{
		{[]string{"single", "batch", "offered", "one", "ledger"}, r.ethereum},
		{[]string{"backup"}, r.backups},
		{[]string{"keyvalue"}, r.keyvalue},
		{[]string{"keyvalue3"}, r.keyvalue3},
		{[]string{"random", "memory", "start", "snapshot"}, r.state},
		{[]string{"soak"}, r.soak},
	} {
		part := o
		part.Rows = nil
		for _, row := range measured.rows {
			if slices.Contains(o.Rows, row) {
				part.Rows = append(part.Rows, row)
			}
		}
		if len(part.Rows) == 0 {
			continue
		}
		fmt.Fprintf(o.Progress, "measuring %v after %v\n", part.Rows, time.Since(began).Round(time.Second))
		before := len(r.Floors)
		if err := measured.by(ctx, part); ctx.Err() != nil {
			return nil, ctx.Err()
		} else if err != nil {
			r.Floors = r.Floors[:before]
			for _, row := range part.Rows {
				r.missing(row, "", err)
			}
		}
		// What one measurement gives besides is not asked for.
		r.Floors = slices.DeleteFunc(r.Floors, func(f Floor) bool { return !slices.Contains(o.Rows, f.Row) })
	}
	r.Seconds = time.Since(began).Seconds()
	return r, nil
}

// loads say in words what a row's load is.
var loads = map[string]string{
	"single":    "ERC-20, one per request, HTTP",
	"batch":     "ERC-20, batches of 100",
	"offered":   "1,000 ERC-20/s offered",
	"one":       "one client, one at a time",
	"ledger":    "processor time of ledger, seal, index and kv",
	"backup":    "a backup's processor time, of the primary's",
	"keyvalue":  "entries, one node, 64 clients",
	"keyvalue3": "entries, three nodes",
	"random":    "random slots, 10 million against 10 thousand",
	"memory":    "memory of a slot at 10 million",
	"start":     "start with 10 million slots and 1 million transactions",
	"snapshot":  "snapshot of 10 million slots under load",
	"soak":      "an hour of full load",
}

// atLeast and atMost add a row that was measured; the spread is that of the rounds.
func (r *FloorsReport) atLeast(row, floor string, limit float64, unit string, f figure) {
	r.add(row, floor, unit, f, f.value >= limit)
}

func (r *FloorsReport) atMost(row, floor string, limit float64, unit string, f figure) {
	r.add(row, floor, unit, f, f.value <= limit)
}

func (r *FloorsReport) add(row, floor, unit string, f figure, met bool) {
	verdict := NotMet
	if met {
		verdict = Met
	}
	if f.value == 0 {
		r.missing(row, floor, errors.New("the figure is not known"))
		return
	}
	r.Floors = append(r.Floors, Floor{Row: row, Load: loads[row], Floor: floor, Measured: f.value, Least: f.least, Most: f.most, Unit: unit, Verdict: verdict})
}

func (r *FloorsReport) missing(row, floor string, why error) {
	r.Floors = append(r.Floors, Floor{Row: row, Load: loads[row], Floor: floor, Verdict: NotMeasured, Why: why.Error()})
}

// figure is a measured value and the extent of its rounds.
type figure struct{ value, least, most float64 }

// figureOf is a figure of a side's runs: its median.
func figureOf(s *Side, of func(*Run) float64) figure {
	values := make([]float64, len(s.Runs))
	for i := range s.Runs {
		values[i] = of(&s.Runs[i])
	}
	f := figure{value: median(values)}
	f.least, f.most = extent(s.Runs, of)
	return f
}

// over is the ratio of two sides' medians; its extent is that of the rounds' ratios.
func over(a, b *Side, of func(*Run) float64) figure {
	f := figure{value: ratio(figureOf(a, of).value, figureOf(b, of).value)}
	for i := range min(len(a.Runs), len(b.Runs)) {
		q := ratio(of(&a.Runs[i]), of(&b.Runs[i]))
		if i == 0 || q < f.least {
			f.least = q
		}
		f.most = max(f.most, q)
	}
	return f
}

func committed(r *Run) float64 { return r.CommittedPerSecond }
func p50(r *Run) float64       { return r.P50 }
func p99(r *Run) float64       { return r.P99 }

// JSON writes the report as one line.
func (r *FloorsReport) JSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

// Text writes the table, and behind it the reports that it is made of.
func (r *FloorsReport) Text(w io.Writer) error {
	r.Machine.text(w)
	fmt.Fprintf(w, "%d rounds, peers in turn; the spread is that of the rounds; %.0f s in all", r.Rounds, r.Seconds)
	if r.Part != 1 {
		fmt.Fprintf(w, "; %g of each load's size: only to try the command", r.Part)
	}
	fmt.Fprint(w, "\n\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "row\tload\tfloor\tmeasured\tspread\tverdict")
	for _, f := range r.Floors {
		if f.Verdict == NotMeasured {
			fmt.Fprintf(t, "%s\t%s\t%s\t\t\t%s: %.200s\n", f.Row, f.Load, f.Floor, f.Verdict, f.Why)
			continue
		}
		digits := 2
		if f.Measured >= 100 {
			digits = 0
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%.*f %s\t%.*f-%.*f\t%s\n", f.Row, f.Load, f.Floor, digits, f.Measured, f.Unit, digits, f.Least, digits, f.Most, f.Verdict)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, part := range r.parts() {
		fmt.Fprint(w, "\n\n")
		if err := part.Text(w); err != nil {
			return err
		}
	}
	return nil
}

// parts are the reports that were made.
func (r *FloorsReport) parts() (all []interface{ Text(io.Writer) error }) {
	if r.Ethereum != nil {
		all = append(all, r.Ethereum)
	}
	if r.Backups != nil {
		all = append(all, r.Backups)
	}
	for _, e := range r.Entries {
		all = append(all, e)
	}
	if r.State != nil {
		all = append(all, r.State)
	}
	if r.Soak != nil {
		all = append(all, r.Soak)
	}
	return all
}
