package bench

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"golang.org/x/sync/semaphore"
)

// run is one run of a load at one node. The arrays are by transaction and in
// nanoseconds from the start; each element is written by one goroutine.
type run struct {
	load  Load
	plan  *plan
	start time.Time

	from      []int64 // when latency begins
	accepted  []int64 // when it was answered, 0 when it was not accepted
	committed []int64 // when its block was announced, 0 when it was not

	window  *semaphore.Weighted // transactions that may be sent and not settled
	moves   atomic.Int64        // anything that happened
	open    []atomic.Bool       // not yet known to be committed or refused
	settled atomic.Int64        // how many are not open any more
	all     chan struct{}       // closed when none is

	mu     sync.Mutex
	errors map[string]int
}

// measure runs a load once.
func measure(ctx context.Context, t *target, l Load) (*Run, error) {
	l = l.withDefaults()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := t.place(ctx); err != nil {
		return nil, ErrNode.From(err)
	}
	view := t.view
	p, err := prepare(ctx, t, l)
	if err != nil {
		return nil, ErrNode.From(err)
	}
	conns := make([]conn, l.Connections)
	for i := range conns {
		if conns[i], err = connect(ctx, l.Transport, t.node); err != nil {
			return nil, ErrNode.From(err)
		}
		defer conns[i].close()
	}
	r := &run{
		load: l, plan: p,
		from:      make([]int64, l.Transactions),
		accepted:  make([]int64, l.Transactions),
		committed: make([]int64, l.Transactions),
		window:    semaphore.NewWeighted(int64(max(len(t.accounts)*maxWaiting, l.Batch*l.Connections))),
		open:      make([]atomic.Bool, l.Transactions),
		all:       make(chan struct{}),
		errors:    make(map[string]int),
	}
	for i := range r.open {
		r.open[i].Store(true)
	}
	var w *watch
	if !l.Sync {
		if w, err = startWatch(ctx, t, r.seen); err != nil {
			return nil, ErrNode.From(err)
		}
	}
	runtime.GC() // what preparing left is not the run's
	var watched *profiler
	if t.profiled && len(t.dirs) > 0 {
		watched = startProfiler(ctx, t.dirs)
	}
	before := t.usage()
	r.start = time.Now()
	err = r.send(ctx, conns, w)
	after := t.usage()
	if watched != nil {
		err = errors.Join(err, watched.stop())
	}
	blocks := 0
	if w != nil {
		blocks = w.stop()
	}
	if err != nil {
		return nil, ErrNode.From(err)
	}
	r.sample(t)
	if err := t.place(ctx); err != nil {
		return nil, ErrNode.From(err)
	}
	result := r.result()
	if t.view != view {
		result.Errors["another primary since the run began"]++
	}
	result.Blocks = blocks
	result.addUsage(before, after)
	if watched != nil {
		result.Profile, result.BackupProfile = spread(watched.node, result.NodeCPU), spread(watched.others, mean(result.BackupCPU))
	}
	return result, nil
}

// send sends everything and waits until all of it is settled, or until nothing
// has moved for as long as patience lasts.
func (r *run) send(ctx context.Context, conns []conn, w *watch) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var lanes sync.WaitGroup
	for i, c := range conns {
		lanes.Go(func() { r.lane(ctx, r.plan.lanes[i], c) })
	}
	var lost <-chan struct{}
	if w != nil {
		lost = w.ctx.Done()
	}
	abort := func() {
		stop()
		for _, c := range conns {
			c.close()
		}
		lanes.Wait()
	}
	tick := time.NewTicker(patience / 10)
	defer tick.Stop()
	moves, since := int64(-1), time.Now()
	for {
		select {
		case <-r.all:
			lanes.Wait()
			return nil
		case <-lost:
			abort()
			return context.Cause(w.ctx)
		case <-ctx.Done():
			lanes.Wait()
			return ctx.Err()
		case now := <-tick.C:
			if m := r.moves.Load(); m != moves {
				moves, since = m, now
			} else if now.Sub(since) >= patience {
				abort()
				return nil // what is not settled is counted by result
			}
		}
	}
}

// lane sends the requests of one connection.
func (r *run) lane(ctx context.Context, shots []shot, c conn) {
	for _, s := range shots {
		if r.window.Acquire(ctx, int64(s.hi-s.lo)) != nil {
			return
		}
		begin := max(1, int64(s.due))
		if r.load.Rate == 0 {
			begin = r.now()
		} else if !sleepUntil(ctx, r.start.Add(s.due)) {
			return
		}
		for i := s.lo; i < s.hi; i++ {
			r.from[i] = begin
		}
		answer, err := c.send(s.request)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			last := shots[len(shots)-1].hi
			r.refuse("connection: "+errorKind(err), s.lo, s.hi)
			r.skip("not sent after a broken connection", s.hi, last)
			return
		}
		r.answered(s, answer)
	}
}

func sleepUntil(ctx context.Context, due time.Time) bool {
	wait := time.Until(due)
	if wait <= 0 {
		return true
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// answered notes the answer to a request.
func (r *run) answered(s shot, raw []byte) {
	now := r.now()
	if !bytes.Contains(raw, []byte(`"error"`)) {
		for i := s.lo; i < s.hi; i++ {
			r.accept(i, now)
		}
		return
	}
	answers, err := parseAnswers(raw, s.hi-s.lo)
	if err != nil {
		r.refuse("answer: "+errorKind(err), s.lo, s.hi)
		return
	}
	for i, a := range answers {
		if a.Error != nil {
			r.refuse(a.Error.kind(), s.lo+i, s.lo+i+1)
		} else {
			r.accept(s.lo+i, now)
		}
	}
}

func (r *run) accept(i int, now int64) {
	r.accepted[i] = now
	r.moves.Add(1)
	if r.load.Sync {
		r.committed[i] = now
		r.settle(i, 1)
	}
}

// seen notes that a transaction is in a block that was announced.
func (r *run) seen(h common.Hash, at time.Time) {
	i, ok := r.plan.index[hashKey(h)]
	if ok && r.plan.hashes[i] == h && r.committed[i] == 0 {
		r.committed[i] = int64(at.Sub(r.start))
		r.settle(int(i), 1)
	}
}

// refuse notes that transactions lo to hi-1 were sent and refused.
func (r *run) refuse(kind string, lo, hi int) {
	r.count(kind, hi-lo)
	for i := lo; i < hi; i++ {
		r.settle(i, 1)
	}
}

// skip notes that transactions lo to hi-1 will not be sent.
func (r *run) skip(kind string, lo, hi int) {
	r.count(kind, hi-lo)
	for i := lo; i < hi; i++ {
		r.settle(i, 0)
	}
}

func (r *run) count(kind string, n int) {
	if n > 0 {
		r.mu.Lock()
		r.errors[kind] += n
		r.mu.Unlock()
	}
}

// settle closes a transaction, which held so much of the window. One that was
// refused may still be committed, when only its answer was lost.
func (r *run) settle(i int, held int64) {
	r.moves.Add(1)
	if !r.open[i].CompareAndSwap(true, false) {
		return
	}
	r.window.Release(held)
	if r.settled.Add(1) == int64(len(r.open)) {
		close(r.all)
	}
}

func (r *run) now() int64 { return int64(time.Since(r.start)) }

// sample asks for the receipts of the transactions committed last, so that a load
// that only reverts does not pass for one that transfers.
func (r *run) sample(t *target) {
	const many = 5
	var last []int
	for i, at := range r.committed {
		if at != 0 {
			last = append(last, i)
		}
	}
	slices.SortFunc(last, func(a, b int) int { return cmp.Compare(r.committed[b], r.committed[a]) })
	for _, i := range last[:min(many, len(last))] {
		var receipt struct {
			Status string `json:"status"`
		}
		if err := call(t.control, &receipt, "eth_getTransactionReceipt", r.plan.hashes[i]); err != nil {
			r.errors["receipt: "+errorKind(err)]++
		} else if receipt.Status != "0x1" {
			r.errors[fmt.Sprintf("not successful by its receipt, of a sample of %d", many)]++
		}
	}
}

// result computes the figures of a run.
func (r *run) result() *Run {
	out := &Run{Errors: maps.Clone(r.errors)}
	var latencies []int64
	var lastAccepted, lastCommitted int64
	lost := 0
	for i := range r.from {
		if r.from[i] != 0 {
			out.Sent++
		}
		if r.accepted[i] != 0 {
			out.Accepted++
			lastAccepted = max(lastAccepted, r.accepted[i])
		}
		if r.committed[i] != 0 {
			out.Committed++
			lastCommitted = max(lastCommitted, r.committed[i])
			latencies = append(latencies, r.committed[i]-r.from[i])
		} else if r.accepted[i] != 0 {
			lost++
		}
	}
	if lost > 0 {
		out.Errors[fmt.Sprintf("accepted and not committed in %v", patience)] += lost
	}
	out.Seconds = float64(lastCommitted) / 1e9
	out.AcceptedPerSecond = rate(out.Accepted, lastAccepted)
	out.CommittedPerSecond = rate(out.Committed, lastCommitted)
	out.P50, out.P90, out.P99, out.Max = percentiles(latencies)
	return out
}

// errorKind is an error's innermost text without numbers.
func errorKind(err error) string {
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	var rpc *rpcError
	if errors.As(err, &rpc) {
		return rpc.kind()
	}
	return numbers.ReplaceAllString(err.Error(), "#")
}
