package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/coco-consortium/coco/internal/bench/attribution"
	"github.com/coco-consortium/coco/internal/operations"
)

// profiler watches nodes through their operator sockets while a load runs: one second
// after the other, until it is stopped. What it costs them, about a hundredth, is
// part of their processor time.
type profiler struct {
	end    atomic.Bool
	group  sync.WaitGroup
	mu     sync.Mutex
	node   attribution.Time // of the node, or of the primary
	others attribution.Time // of the backups together
	err    error
}

// profiledSpan is how long one profile is.
const profiledSpan = time.Second

// startProfiler watches the nodes with these data directories, the first of which is
// the primary's.
func startProfiler(ctx context.Context, dirs []string) *profiler {
	p := &profiler{node: attribution.Time{}, others: attribution.Time{}}
	for i, dir := range dirs {
		into := p.node
		if i > 0 {
			into = p.others
		}
		p.group.Go(func() { p.watch(ctx, dir, into) })
	}
	return p
}

func (p *profiler) watch(ctx context.Context, dir string, into attribution.Time) {
	c := operations.Dial(dir)
	defer c.Close()
	for !p.end.Load() {
		var b bytes.Buffer
		err := c.Profile(ctx, "cpu", profiledSpan, &b)
		p.mu.Lock()
		if err == nil {
			err = into.Read(&b)
		}
		if p.err == nil {
			p.err = err
		}
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// stop waits for the profiles that are under way, which hold what the nodes do
// behind the load too: only shares are taken of them.
func (p *profiler) stop() error {
	p.end.Store(true)
	p.group.Wait()
	return p.err
}

// spread gives each part its share of a transaction's processor time.
func spread(t attribution.Time, micros float64) map[string]float64 {
	shares := t.Shares()
	for part := range shares {
		shares[part] *= micros
	}
	return shares
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(max(1, len(values)))
}

// profiles writes where a transaction's time goes on the nodes that were watched.
func (r *Report) profiles(w io.Writer) error {
	for _, row := range r.Rows {
		for _, s := range row.Sides {
			if len(s.Median.Profile) == 0 {
				continue
			}
			fmt.Fprintf(w, "\nwhere a transaction's processor time goes, %s at %s, medians of %d rounds:\n", row.Load, s.Node, len(s.Runs))
			t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
			fmt.Fprint(t, "part\tµs/tx\tmin-max\tshare\t")
			backups := len(s.Median.BackupProfile) > 0
			if backups {
				fmt.Fprint(t, "each backup µs/tx\t")
			}
			fmt.Fprintln(t)
			sums := [2]float64{}
			for _, part := range attribution.Parts {
				lo, hi := extent(s.Runs, func(r *Run) float64 { return r.Profile[part] })
				v := s.Median.Profile[part]
				fmt.Fprintf(t, "%s\t%.1f\t%.1f-%.1f\t%.1f %%\t", part, v, lo, hi, 100*ratio(v, s.Median.NodeCPU))
				if backups {
					fmt.Fprintf(t, "%.1f\t", s.Median.BackupProfile[part])
				}
				fmt.Fprintln(t)
				sums[0], sums[1] = sums[0]+v, sums[1]+s.Median.BackupProfile[part]
			}
			lo, hi := extent(s.Runs, (*Run).ledgerCPU)
			fmt.Fprintf(t, "all\t%.1f\t\t\t", sums[0])
			if backups {
				fmt.Fprintf(t, "%.1f\t", sums[1])
			}
			fmt.Fprintf(t, "\nseal, log, index and kv\t%.1f\t%.1f-%.1f\t%.1f %%\t", s.Median.ledgerCPU(), lo, hi, 100*ratio(s.Median.ledgerCPU(), s.Median.NodeCPU))
			if backups {
				fmt.Fprint(t, "\t")
			}
			fmt.Fprintln(t)
			if err := t.Flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// ledgerCPU is what the ledger costs a transaction.
func (r *Run) ledgerCPU() (micros float64) {
	for _, part := range attribution.Ledger {
		micros += r.Profile[part]
	}
	return micros
}

// extent is the least and the greatest of a figure over runs.
func extent(runs []Run, figure func(*Run) float64) (lo, hi float64) {
	for i := range runs {
		v := figure(&runs[i])
		if i == 0 || v < lo {
			lo = v
		}
		if i == 0 || v > hi {
			hi = v
		}
	}
	return lo, hi
}
