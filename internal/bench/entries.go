package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"text/tabwriter"
	"time"
)

// EntriesOptions say how writes of small entries are measured.
type EntriesOptions struct {
	Program  string        // coco
	Nodes    int           // of the network, each a process
	Clients  []int         // rows: how many clients write, each with one write under way
	Postgres string        // connection string of a PostgreSQL server to compare with, or StartPostgres; "" for none
	Etcd     string        // program of bench/etcd, to compare with as many nodes of it; "" for none
	Measure  time.Duration // how long one run takes
	Rounds   int
	Progress io.Writer
}

// What is written: keys of 16 bytes, so many of them, with values of 128 bytes.
const (
	entriesKeys  = 100_000
	entriesValue = 128
)

// EntriesReport is how many entries were written, durably each before it was answered.
type EntriesReport struct {
	Machine Machine      `json:"machine"`
	Nodes   int          `json:"nodes"`
	Rounds  int          `json:"rounds"`
	Seconds float64      `json:"seconds"` // of a run
	Stores  []string     `json:"stores"`  // what each side is
	Rows    []EntriesRow `json:"rows"`
}

// EntriesRow is one number of clients at all stores.
type EntriesRow struct {
	Clients int    `json:"clients"`
	Sides   []Side `json:"sides"`
}

// store is something that keeps entries.
type store interface {
	name() string
	about() string
	// run lets so many clients write for so long, after a second to warm up.
	run(ctx context.Context, clients int, measure time.Duration) (*Run, error)
	close() error
}

// server is a store that this process's own clients write to.
type server interface {
	// open gives a connection of its own.
	open(ctx context.Context) (writes, error)
	used
}

// used is the processor time of a store's processes so far: who answers, and the others.
type used interface {
	used(ctx context.Context) (main time.Duration, others []time.Duration, err error)
}

// writes is a connection: write returns when the entry is durable.
type writes interface {
	write(key [16]byte, value []byte) error
	close()
}

// Entries measures writes of entries through the key-value protocol, and beside it
// upserts of PostgreSQL and puts of etcd, by turns in one call.
func Entries(ctx context.Context, o EntriesOptions) (_ *EntriesReport, err error) {
	dir, err := os.MkdirTemp("", "coco-bench-")
	if err != nil {
		return nil, ErrSetup.From(err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	report := &EntriesReport{Machine: machine(), Nodes: o.Nodes, Rounds: o.Rounds, Seconds: o.Measure.Seconds()}
	fmt.Fprintf(o.Progress, "starting %d nodes\n", o.Nodes)
	own, err := newCocoStore(ctx, o.Program, filepath.Join(dir, "coco"), o.Nodes)
	if err != nil {
		return nil, err
	}
	stores := []store{own}
	defer func() {
		for _, s := range stores {
			err = errors.Join(err, s.close())
		}
	}()
	if o.Postgres != "" {
		peer, err := newPostgresStore(ctx, o.Postgres, filepath.Join(dir, "postgres"))
		if err != nil {
			return nil, err
		}
		stores = append(stores, peer)
	}
	if o.Etcd != "" {
		peer, err := newEtcdStore(ctx, o.Etcd, filepath.Join(dir, "etcd"), o.Nodes)
		if err != nil {
			return nil, err
		}
		stores = append(stores, peer)
	}
	for _, s := range stores {
		report.Stores = append(report.Stores, s.name()+": "+s.about())
	}
	for _, clients := range o.Clients {
		row := EntriesRow{Clients: clients, Sides: make([]Side, len(stores))}
		for round := range o.Rounds {
			for i := range stores {
				i = (i + round) % len(stores)
				fmt.Fprintf(o.Progress, "%d clients, round %d of %d at %s\n", clients, round+1, o.Rounds, stores[i].name())
				run, err := stores[i].run(ctx, clients, o.Measure)
				if err != nil {
					return nil, err
				}
				row.Sides[i].Node, row.Sides[i].Runs = stores[i].name(), append(row.Sides[i].Runs, *run)
			}
		}
		summarize(row.Sides)
		report.Rows = append(report.Rows, row)
	}
	return report, nil
}

// writeFor is one run: connections first, then a second to warm up.
func writeFor(ctx context.Context, s server, clients int, measure time.Duration) (*Run, error) {
	connections := make([]writes, clients)
	for i := range connections {
		c, err := s.open(ctx)
		if err != nil {
			return nil, ErrNode.From(err)
		}
		defer c.close()
		connections[i] = c
	}
	var all sync.WaitGroup
	latencies, failures := make([][]int64, clients), make([]error, clients)
	begin := time.Now().Add(time.Second)
	end := begin.Add(measure)
	for i, c := range connections {
		all.Go(func() { latencies[i], failures[i] = writeUntil(ctx, c, uint64(i), begin, end) })
	}
	time.Sleep(time.Until(begin))
	main, others, err := s.used(ctx)
	own := ownTime()
	time.Sleep(time.Until(end))
	mainAfter, othersAfter, errAfter := s.used(ctx)
	ownAfter := ownTime()
	all.Wait()
	if err := errors.Join(append(failures, err, errAfter)...); err != nil {
		return nil, ErrNode.From(err)
	}
	var list []int64
	for _, l := range latencies {
		list = append(list, l...)
	}
	r := writesRun(len(list), measure, main, mainAfter, others, othersAfter, ownAfter-own)
	r.P50, r.P90, r.P99, r.Max = percentiles(list)
	return r, nil
}

// writesRun are the figures of a run but for its latencies.
func writesRun(n int, measure, main, mainAfter time.Duration, others, othersAfter []time.Duration, generator time.Duration) *Run {
	r := &Run{Sent: n, Accepted: n, Committed: n, Seconds: measure.Seconds(), CommittedPerSecond: rate(n, int64(measure))}
	if n := float64(n) * 1e3; n > 0 {
		r.NodeCPU, r.GeneratorCPU = float64(mainAfter-main)/n, float64(generator)/n
		for i := range others {
			r.BackupCPU = append(r.BackupCPU, float64(othersAfter[i]-others[i])/n)
		}
	}
	return r
}

// writeUntil writes one entry after the other and gives the latencies of those that
// were answered between two times.
func writeUntil(ctx context.Context, c writes, seed uint64, begin, end time.Time) (latencies []int64, err error) {
	value := make([]byte, entriesValue)
	for n := seed * 7919; ctx.Err() == nil; n++ {
		var key [16]byte
		copy(key[:], fmt.Sprintf("%016d", n*2654435761%entriesKeys))
		copy(value, key[:])
		sent := time.Now()
		if !sent.Before(end) {
			return latencies, nil
		}
		if err := c.write(key, value); err != nil {
			return nil, err
		}
		if now := time.Now(); now.After(begin) && now.Before(end) {
			latencies = append(latencies, int64(now.Sub(sent)))
		}
	}
	return nil, ctx.Err()
}

// JSON writes the report as one line.
func (r *EntriesReport) JSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

// Text writes the report for people.
func (r *EntriesReport) Text(w io.Writer) error {
	r.Machine.text(w)
	fmt.Fprintf(w, "upserts of %d-byte values under %d keys, each durable before it is answered; medians of %d rounds of %.0f s\n", entriesValue, entriesKeys, r.Rounds, r.Seconds)
	for _, s := range r.Stores {
		fmt.Fprintln(w, s)
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "clients\tstore\twrites/s\tmin-max\tp50 ms\tp99 ms\tmax ms\tserver µs\tothers µs\tgen. µs\tcoco / this\t")
	for _, row := range r.Rows {
		for i, s := range row.Sides {
			d, over := s.Median, "-"
			if i > 0 {
				over = fmt.Sprintf("%.2f", s.RateRatio)
			}
			fmt.Fprintf(t, "%d\t%s\t%.0f\t%.0f-%.0f\t%s\t%s\t%s\t%s\t%s\t%.1f\t%s\t\n", row.Clients, s.Node, d.CommittedPerSecond, s.Slowest, s.Fastest,
				milli(d.P50), milli(d.P99), milli(d.Max), known(d.NodeCPU, 1), each(d.BackupCPU), d.GeneratorCPU, over)
		}
	}
	return t.Flush()
}
