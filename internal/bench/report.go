package bench

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/coco-consortium/coco/internal/bench/attribution"
)

// Report is what was measured and under which conditions.
type Report struct {
	Machine  Machine    `json:"machine"`
	Nodes    []NodeInfo `json:"nodes"`
	Watts    float64    `json:"wattsPerCore"`
	Accounts int        `json:"accounts"`
	Rounds   int        `json:"rounds"`
	Rows     []Row      `json:"rows"`
}

// Machine is where the generator ran.
type Machine struct {
	Processor string `json:"processor"`
	Cores     int    `json:"cores"`
	Kernel    string `json:"kernel"`
	Go        string `json:"go"`
	Load      string `json:"load"` // the one-minute load average at the start
	Disk      string `json:"disk"` // of temporary files: its file system and device
}

// NodeInfo is a node that was measured.
type NodeInfo struct {
	Name    string `json:"name"`
	URL     string `json:"url"`
	Version string `json:"version"`
	PID     int    `json:"pid,omitempty"` // 0 when processor time and memory are unknown
}

// Row is one load on all nodes, in the order of Options.Nodes.
type Row struct {
	Load  Load   `json:"load"`
	Sides []Side `json:"sides"`
	// Disk is what the disk of temporary files, where nodes that were started keep
	// theirs, needed to make 4 KiB durable, before each round of a load that waits for
	// each transaction.
	Disk []Sync `json:"disk,omitempty"`
}

// Side is one load on one node. The ratios are the first node's median to this
// node's: above 1 the first commits more, below 1 it answers sooner.
type Side struct {
	Node      string  `json:"node"`
	Median    Run     `json:"median"` // of each figure by itself
	Slowest   float64 `json:"slowest"`
	Fastest   float64 `json:"fastest"` // committed/s of the slowest and the fastest run
	RateRatio float64 `json:"rateRatio,omitempty"`
	P50Ratio  float64 `json:"p50Ratio,omitempty"`
	P99Ratio  float64 `json:"p99Ratio,omitempty"`
	Energy    Energy  `json:"energy"`
	Runs      []Run   `json:"runs"`
}

// Run is one run. Latencies are in milliseconds, from when a transaction was
// sent (closed loop) or should have been sent (open loop) to its commit.
// Processor times are in microseconds for each committed transaction.
type Run struct {
	Sent               int       `json:"sent"`
	Accepted           int       `json:"accepted"`
	Committed          int       `json:"committed"`
	Blocks             int       `json:"blocks"`
	Seconds            float64   `json:"seconds"` // from the first sent to the last committed
	AcceptedPerSecond  float64   `json:"acceptedPerSecond"`
	CommittedPerSecond float64   `json:"committedPerSecond"`
	P50                float64   `json:"p50"`
	P90                float64   `json:"p90"`
	P99                float64   `json:"p99"`
	Max                float64   `json:"max"`
	NodeCPU            float64   `json:"nodeCPU,omitempty"`
	BackupCPU          []float64 `json:"backupCPU,omitempty"` // of each backup of a network; NodeCPU is its primary's
	// Profile is NodeCPU by the parts of attribution.Parts, and BackupProfile the mean
	// backup's; only when nodes were watched.
	Profile       map[string]float64 `json:"profile,omitempty"`
	BackupProfile map[string]float64 `json:"backupProfile,omitempty"`
	GeneratorCPU  float64            `json:"generatorCPU"`
	Resident      int64              `json:"resident,omitempty"` // bytes, the node's at the end of the run
	Written       float64            `json:"written,omitempty"`  // bytes that the node gave to the disk, by committed transaction
	Errors        map[string]int     `json:"errors,omitempty"`
}

func (r *Run) addUsage(before, after usage) {
	if r.Committed == 0 {
		return
	}
	n := float64(r.Committed) * 1e3
	r.GeneratorCPU = float64(after.generator-before.generator) / n
	if before.known && after.known {
		r.NodeCPU = float64(after.node-before.node) / n
		for i := range after.backups {
			r.BackupCPU = append(r.BackupCPU, float64(after.backups[i]-before.backups[i])/n)
		}
		r.Resident, r.Written = after.resident, float64(after.written-before.written)/float64(r.Committed)
	}
}

// rate is n events in ns nanoseconds as a rate a second.
func rate(n int, ns int64) float64 {
	if ns == 0 {
		return 0
	}
	return float64(n) * 1e9 / float64(ns)
}

// percentiles are the 50th, 90th and 99th (nearest rank) and the greatest of
// latencies in nanoseconds, as milliseconds. It sorts its argument.
func percentiles(latencies []int64) (p50, p90, p99, greatest float64) {
	n := len(latencies)
	if n == 0 {
		return 0, 0, 0, 0
	}
	slices.Sort(latencies)
	at := func(percent int) float64 { return float64(latencies[(n*percent+99)/100-1]) / 1e6 }
	return at(50), at(90), at(99), at(100)
}

// median is the middle, or the mean of the two middle ones.
func median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	n := len(values)
	if n == 0 {
		return 0
	}
	return (values[(n-1)/2] + values[n/2]) / 2
}

// summarize computes medians and ratios.
func (row *Row) summarize() { summarize(row.Sides) }

func summarize(sides []Side) {
	for i := range sides {
		s := &sides[i]
		of := func(figure func(*Run) float64) float64 {
			values := make([]float64, len(s.Runs))
			for i := range s.Runs {
				values[i] = figure(&s.Runs[i])
			}
			return median(values)
		}
		whole := func(figure func(*Run) int) int { return int(of(func(r *Run) float64 { return float64(figure(r)) })) }
		s.Median = Run{
			Sent:               whole(func(r *Run) int { return r.Sent }),
			Accepted:           whole(func(r *Run) int { return r.Accepted }),
			Committed:          whole(func(r *Run) int { return r.Committed }),
			Blocks:             whole(func(r *Run) int { return r.Blocks }),
			Seconds:            of(func(r *Run) float64 { return r.Seconds }),
			AcceptedPerSecond:  of(func(r *Run) float64 { return r.AcceptedPerSecond }),
			CommittedPerSecond: of(func(r *Run) float64 { return r.CommittedPerSecond }),
			P50:                of(func(r *Run) float64 { return r.P50 }),
			P90:                of(func(r *Run) float64 { return r.P90 }),
			P99:                of(func(r *Run) float64 { return r.P99 }),
			Max:                of(func(r *Run) float64 { return r.Max }),
			NodeCPU:            of(func(r *Run) float64 { return r.NodeCPU }),
			GeneratorCPU:       of(func(r *Run) float64 { return r.GeneratorCPU }),
			Written:            of(func(r *Run) float64 { return r.Written }),
			Resident:           int64(of(func(r *Run) float64 { return float64(r.Resident) })),
			Errors:             map[string]int{}, // of all runs together
		}
		for i := range s.Runs[0].BackupCPU {
			s.Median.BackupCPU = append(s.Median.BackupCPU, of(func(r *Run) float64 {
				if i < len(r.BackupCPU) {
					return r.BackupCPU[i]
				}
				return 0
			}))
		}
		s.Median.Profile = parts(s.Runs, func(r *Run) map[string]float64 { return r.Profile })
		s.Median.BackupProfile = parts(s.Runs, func(r *Run) map[string]float64 { return r.BackupProfile })
		for i := range s.Runs {
			for kind, n := range s.Runs[i].Errors {
				s.Median.Errors[kind] += n
			}
		}
		byRate := func(a, b Run) int { return cmp.Compare(a.CommittedPerSecond, b.CommittedPerSecond) }
		s.Slowest = slices.MinFunc(s.Runs, byRate).CommittedPerSecond
		s.Fastest = slices.MaxFunc(s.Runs, byRate).CommittedPerSecond
	}
	first := &sides[0].Median
	for i := range sides[1:] {
		s := &sides[i+1]
		s.RateRatio = ratio(first.CommittedPerSecond, s.Median.CommittedPerSecond)
		s.P50Ratio = ratio(first.P50, s.Median.P50)
		s.P99Ratio = ratio(first.P99, s.Median.P99)
	}
}

// parts are the medians of each part.
func parts(runs []Run, of func(*Run) map[string]float64) map[string]float64 {
	values := map[string][]float64{}
	for i := range runs {
		for _, part := range attribution.Parts {
			if of(&runs[i]) != nil {
				values[part] = append(values[part], of(&runs[i])[part])
			}
		}
	}
	medians := make(map[string]float64, len(values))
	for part, v := range values {
		medians[part] = median(v)
	}
	return medians
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// JSON writes the report as one line.
func (r *Report) JSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

// Text writes the report as a table for people.
func (r *Report) Text(w io.Writer) error {
	r.Machine.text(w)
	fmt.Fprintf(w, "%d accounts; medians of %d rounds; generator and nodes share the machine\n", r.Accounts, r.Rounds)
	nodesText(w, r.Nodes)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "load\tnode\tcommitted/s\tmin-max\taccepted/s\tp50 ms\tp90 ms\tp99 ms\tmax ms\tnode µs/tx\tbackups µs/tx\tgen. µs/tx\tRSS MiB\tblocks\terrors\t")
	for _, row := range r.Rows {
		load := row.Load.String()
		for _, s := range row.Sides {
			d := s.Median
			fmt.Fprintf(t, "%s\t%s\t%.0f\t%.0f-%.0f\t%.0f\t%s\t%s\t%s\t%s\t%s\t%s\t%.1f\t%s\t%d\t%d\t\n", load, s.Node,
				d.CommittedPerSecond, s.Slowest, s.Fastest, d.AcceptedPerSecond,
				milli(d.P50), milli(d.P90), milli(d.P99), milli(d.Max),
				known(d.NodeCPU, 1), each(d.BackupCPU), d.GeneratorCPU, known(float64(d.Resident)/(1<<20), 0), d.Blocks, total(d.Errors))
			load = ""
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if err := errors.Join(r.ratios(w), r.disks(w), r.energies(w), r.profiles(w)); err != nil {
		return err
	}
	return r.errors(w)
}

func (m *Machine) text(w io.Writer) {
	fmt.Fprintf(w, "%d cores of %s, Linux %s, %s, %s, load average %s at the start\n", m.Cores, m.Processor, m.Kernel, m.Go, cmp.Or(m.Disk, "an unknown disk"), m.Load)
}

func nodesText(w io.Writer, nodes []NodeInfo) {
	for _, n := range nodes {
		fmt.Fprintf(w, "%s: %s at %s", n.Name, n.Version, n.URL)
		if n.PID == 0 {
			fmt.Fprint(w, " (its process is not known: no processor time, no memory)")
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
}

// ratios writes the first node's figures over the others'.
func (r *Report) ratios(w io.Writer) error {
	if len(r.Nodes) < 2 {
		return nil
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "load\tratio\tcommitted/s\tp50\tp99\t")
	for _, row := range r.Rows {
		for _, s := range row.Sides[1:] {
			fmt.Fprintf(t, "%s\t%s / %s\t%.2f\t%.2f\t%.2f\t\n", row.Load, row.Sides[0].Node, s.Node, s.RateRatio, s.P50Ratio, s.P99Ratio)
		}
	}
	return t.Flush()
}

// errors writes what was refused, by kind.
func (r *Report) errors(w io.Writer) error {
	for _, row := range r.Rows {
		for _, s := range row.Sides {
			for _, kind := range slices.Sorted(maps.Keys(s.Median.Errors)) {
				if _, err := fmt.Fprintf(w, "errors: %s at %s: %d × %s\n", row.Load, s.Node, s.Median.Errors[kind], strings.TrimSpace(kind)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func milli(ms float64) string {
	if ms < 10 {
		return fmt.Sprintf("%.2f", ms)
	}
	return fmt.Sprintf("%.0f", ms)
}

// known is a figure, or a dash when it could not be read.
func known(value float64, digits int) string {
	if value == 0 {
		return "-"
	}
	return fmt.Sprintf("%.*f", digits, value)
}

// each is a list of figures, or a dash.
func each(values []float64) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = known(v, 1)
	}
	return cmp.Or(strings.Join(words, " "), "-")
}

func total(errors map[string]int) int {
	n := 0
	for _, c := range errors {
		n += c
	}
	return n
}
