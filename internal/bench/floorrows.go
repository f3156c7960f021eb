package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ethereum measures a node beside the bare server and geth. Without geth the rows
// that need it say so.
func (r *FloorsReport) ethereum(ctx context.Context, o FloorsOptions) (err error) {
	sides, _, stop, err := open(ctx, o.Program, Setup{Name: "coco"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	bare, stopBare, err := Spawn(ctx, o.Program, "bench", "bare")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopBare()) }()
	nodes := append(sides[0].nodes(), bare)
	program, noGeth := FindPeer("geth", o.Geth)
	if noGeth == nil {
		geth, stopGeth, failed := Geth(ctx, program)
		if noGeth = failed; failed == nil {
			defer func() { err = errors.Join(err, stopGeth()) }()
			nodes = append(nodes, geth)
		}
	}
	targets, leave, err := dialAll(ctx, nodes, 200, o.Progress)
	if err != nil {
		return err
	}
	defer leave()
	r.Ethereum = &Report{Machine: machine(), Watts: DefaultWatts, Accounts: 200, Rounds: o.Rounds}
	for _, t := range targets {
		r.Ethereum.Nodes = append(r.Ethereum.Nodes, t.info())
	}
	at := func(text string, targets []*target) (*Row, error) {
		l, err := ParseLoad(text)
		if err != nil {
			return nil, err
		}
		l.Transactions = max(100, int(float64(l.Transactions)*o.Part))
		row, err := alternate(ctx, targets, l, Options{Rounds: o.Rounds, Watts: DefaultWatts, Profile: l.Batch > 1 && slices.Contains(o.Rows, "ledger"), Progress: o.Progress})
		if err == nil {
			r.Ethereum.Rows = append(r.Ethereum.Rows, *row)
		}
		return row, err
	}
	asked := func(rows ...string) bool {
		return slices.ContainsFunc(rows, func(row string) bool { return slices.Contains(o.Rows, row) })
	}
	if asked("single") {
		row, err := at("erc20 http", targets)
		if err != nil {
			return err
		}
		r.rates("single", row, 3, 0.85, noGeth)
	}
	if asked("batch", "ledger") {
		row, err := at("erc20 http batch=100", targets)
		if err != nil {
			return err
		}
		r.rates("batch", row, 2.5, 0.75, noGeth)
		r.atMost("ledger", "≤ 25 µs a batched ERC-20 transaction", 25, "µs", figureOf(&row.Sides[0], (*Run).ledgerCPU))
	}
	if asked("offered") {
		others := slices.Clone(targets)
		row, err := at("erc20 http rate=1000", slices.Delete(others, 1, 2)) // the bare server has no part in it
		if err != nil {
			return err
		}
		if noGeth == nil {
			r.atMost("offered", "p50 ≤ 1/4 of geth's", 0.25, "×", over(&row.Sides[0], &row.Sides[1], p50))
			r.atMost("offered", "p99 ≤ 1/4 of geth's", 0.25, "×", over(&row.Sides[0], &row.Sides[1], p99))
		} else {
			r.missing("offered", "p50 and p99 ≤ 1/4 of geth's", noGeth)
		}
	}
	if asked("one") {
		row, err := at("erc20 http sync connections=1", targets[:1])
		if err != nil {
			return err
		}
		f := figureOf(&row.Sides[0], p50)
		limit := row.sync() + 1
		r.atMost("one", fmt.Sprintf("p50 ≤ %.2f ms: append 4 KiB + fdatasync, + 1 ms", limit), limit, "ms", f)
	}
	return nil
}

// rates are the floors of a rate against geth's and the bare server's.
func (r *FloorsReport) rates(name string, row *Row, geth, bare float64, noGeth error) {
	if noGeth == nil {
		r.atLeast(name, fmt.Sprintf("≥ %g × geth", geth), geth, "×", over(&row.Sides[0], &row.Sides[2], committed))
	} else {
		r.missing(name, fmt.Sprintf("≥ %g × geth", geth), noGeth)
	}
	r.atLeast(name, fmt.Sprintf("≥ %g %% of the bare server", 100*bare), 100*bare, "%", over(&row.Sides[0], &row.Sides[1], committed).percent())
}

// percent is a ratio as so many of a hundred.
func (f figure) percent() figure { return figure{100 * f.value, 100 * f.least, 100 * f.most} }

// backups measures what a backup uses of what the primary does, with old states kept
// and without.
func (r *FloorsReport) backups(ctx context.Context, o FloorsOptions) error {
	nodes, stop, err := Processes(ctx, o.Program, Setup{Name: "3 nodes", Nodes: 3}, Setup{Name: "3 nodes, no history", Nodes: 3, Lines: historyOff})
	if err != nil {
		return err
	}
	l := Load{Contract: "erc20", Transport: "http", Batch: 100, Transactions: max(200, int(20_000*o.Part))}
	r.Backups, err = Ethereum(ctx, Options{Nodes: nodes, Loads: []Load{l}, Rounds: o.Rounds, Profile: true, Progress: o.Progress})
	if err := errors.Join(err, stop()); err != nil {
		return err
	}
	share := func(s *Side) figure {
		return figureOf(s, func(r *Run) float64 { return 100 * ratio(mean(r.BackupCPU), r.NodeCPU) })
	}
	sides := r.Backups.Rows[0].Sides
	r.atMost("backup", "≤ 15 % with history off", 15, "%", share(&sides[1]))
	r.atMost("backup", "≤ 45 % with history on", 45, "%", share(&sides[0]))
	return nil
}

// historyOff is the configuration of a node that answers nothing about the past.
const historyOff = "history: off\nstate: {blocks: 0}\n"

// span is how long a run of the rows of entries takes.
func (o FloorsOptions) span() time.Duration {
	return max(500*time.Millisecond, time.Duration(float64(4*time.Second)*o.Part))
}

// keyvalue measures entries at one node beside PostgreSQL.
func (r *FloorsReport) keyvalue(ctx context.Context, o FloorsOptions) error {
	e, err := Entries(ctx, EntriesOptions{Program: o.Program, Nodes: 1, Clients: []int{64}, Postgres: o.Postgres, Measure: o.span(), Rounds: o.Rounds, Progress: o.Progress})
	if err != nil {
		return err
	}
	r.Entries = append(r.Entries, e)
	sides := e.Rows[0].Sides
	r.atLeast("keyvalue", "≥ PostgreSQL's upsert", 1, "×", over(&sides[0], &sides[1], committed))
	r.atMost("keyvalue", "p50 ≤ 5 ms", 5, "ms", figureOf(&sides[0], p50))
	return nil
}

// keyvalue3 measures entries at three nodes beside as many of etcd.
func (r *FloorsReport) keyvalue3(ctx context.Context, o FloorsOptions) error {
	etcd, err := FindPeer("etcd", o.Etcd)
	if err != nil {
		return err
	}
	e, err := Entries(ctx, EntriesOptions{Program: o.Program, Nodes: 3, Clients: []int{64, 256}, Etcd: etcd, Measure: o.span(), Rounds: o.Rounds, Progress: o.Progress})
	if err != nil {
		return err
	}
	r.Entries = append(r.Entries, e)
	for _, row := range e.Rows {
		r.atLeast("keyvalue3", fmt.Sprintf("%d clients: ≥ 1.5 × etcd", row.Clients), 1.5, "×", over(&row.Sides[0], &row.Sides[1], committed))
		r.atLeast("keyvalue3", fmt.Sprintf("%d clients: the aim, CCF's 14,800/s", row.Clients), 14_800, "/s", figureOf(&row.Sides[0], committed))
	}
	return nil
}

// state measures the rows of a large state.
func (r *FloorsReport) state(ctx context.Context, o FloorsOptions) error {
	size := func(n int) int { return max(1_000, int(float64(n)*o.Part)) }
	// What was not asked for is left small.
	history := size(1_000_000)
	if !slices.Contains(o.Rows, "start") {
		history = 1_000
	}
	s, err := State(ctx, StateOptions{Program: o.Program, Slots: size(10_000_000), Few: size(10_000), History: history, Transactions: size(10_000),
		Rounds: o.Rounds, Measure: max(time.Second, time.Duration(float64(10*time.Second)*o.Part)), Progress: o.Progress})
	if err != nil {
		return err
	}
	r.State = s
	few, many := &s.Random.Sides[0], &s.Random.Sides[1]
	r.atLeast("random", "≥ 80 % of the rate", 80, "%", over(many, few, committed).percent())
	r.atMost("random", "p99 ≤ 2 ×", 2, "×", over(many, few, p99))
	r.atMost("memory", "≤ 150 bytes", 150, "bytes", figure{s.Slot, min(s.Slot, s.SlotStarted), max(s.Slot, s.SlotStarted)})
	lo, hi := s.starts()
	r.atMost("start", "first answer after ≤ 5 s", 5, "s", figure{s.start(), lo, hi})
	r.atMost("start", "the same after a kill", 5, "s", figure{s.Killed.Answers, s.Killed.Answers, s.Killed.Answers})
	if s.Snapshot.Taken == 0 {
		r.missing("snapshot", "no commit delayed over 50 ms", fmt.Errorf("no snapshot was taken in %v", patient))
		return nil
	}
	r.atMost("snapshot", "no commit delayed over 50 ms", 50, "ms", figure{s.Snapshot.While.Max, s.Snapshot.While.Max, s.Snapshot.While.Max})
	return nil
}

// soak measures the row of an hour.
func (r *FloorsReport) soak(ctx context.Context, o FloorsOptions) error {
	l := Load{Contract: "erc20", Transport: "http", Batch: 100, Transactions: max(200, int(40_000*o.Part))}
	s, err := Soak(ctx, SoakOptions{Program: o.Program, For: o.Soak, Load: l, Progress: o.Progress})
	if err != nil {
		return err
	}
	r.Soak = s
	r.atMost("soak", "p99 of the last sixth ≤ 1.2 × of the first", 1.2, "×", figure{s.P99, s.P99, s.P99})
	r.atMost("soak", "memory flat: last third ≤ 1.05 × middle third", 1.05, "×", figure{s.Memory, s.Memory, s.Memory})
	return nil
}
