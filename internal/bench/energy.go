package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// DefaultWatts is what a busy core is taken to draw: a server's processor of 150 to
// 300 W with 32 to 64 cores, its share of memory, disk and supply included. It scales
// every figure alike and changes no ratio.
const DefaultWatts = 5

// Energy is what a committed transaction needs on all nodes of a side together.
type Energy struct {
	CPU    float64 `json:"cpu"`    // processor time, µs
	Joules float64 `json:"joules"` // by the model: processor time × watts per core
}

// energy of the side's medians; zero when processor times are not known.
func (s *Side) energy(watts float64) Energy {
	if s.Median.NodeCPU == 0 {
		return Energy{}
	}
	e := Energy{CPU: s.Median.NodeCPU}
	for _, b := range s.Median.BackupCPU {
		e.CPU += b
	}
	e.Joules = e.CPU / 1e6 * watts
	return e
}

// energies writes what a transaction needs.
func (r *Report) energies(w io.Writer) error {
	some := false
	for _, row := range r.Rows {
		for _, s := range row.Sides {
			some = some || s.Energy.CPU > 0
		}
	}
	if !some {
		return nil
	}
	fmt.Fprintf(w, "\nenergy by a model of %g W for each busy core, all nodes together, the generator left out:\n", r.Watts)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "load\tnode\tCPU s per million tx\tmJ/tx\tkWh per million tx\tof the first\t")
	for _, row := range r.Rows {
		load := row.Load.String()
		for _, s := range row.Sides {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t\n", load, s.Node, known(s.Energy.CPU, 0), known(1e3*s.Energy.Joules, 3),
				known(s.Energy.Joules*1e6/3.6e6, 6), known(ratio(s.Energy.CPU, row.Sides[0].Energy.CPU), 2))
			load = ""
		}
	}
	return t.Flush()
}
