package catchup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/proof"
)

// Fetcher fetches from other nodes. Its methods go from source to source until
// one gives what is asked for, with growing pauses between the rounds, and end
// with the context or after Rounds. One goroutine uses it at a time; Status is safe
// beside it.
type Fetcher struct {
	Peers     func() []Source // who can be asked now; asked anew for each round
	FS        disk.FS
	Snapshots string      // directory of the snapshots in FS
	Trust     proof.Trust // the service's key
	Logger    *slog.Logger
	// Placing, if not nil, is called when a snapshot is complete but does not count
	// yet, and it does not when that fails: what a start from it takes for granted is
	// made durable then.
	Placing func(context.Context) error

	Patience    time.Duration // over which a source must move something, by default 20 s
	MinRate     int64         // bytes a second that it must move then, by default 4 KiB
	MaxSnapshot int64         // bytes of a snapshot's frames, by default 1 TiB
	MaxChunk    int64         // bytes of a chunk, by default 256 MiB
	Pause       time.Duration // between two chunks of Backfill, by default 20 ms
	Backoff     time.Duration // the first pause between rounds, by default 100 ms
	Rounds      int           // without success until it gives up, by default never
	Silence     int           // rounds after which a snapshot is not expected of who cannot be reached or gave a damaged one, by default 5
	Distrust    time.Duration // how long a source that lied is not asked, by default 10 minutes
	// Least is the entry that a source must have committed before Agree believes
	// that it lacks what this node's log has: what the network had when it let this
	// node in.
	Least uint64
	// Settle is how long Agree waits for nodes that may not know yet that a block
	// is committed which this node's log names as such, by default 30 s.
	Settle time.Duration

	once    sync.Once
	status  tally
	last    string               // the source that served last
	distant map[string]time.Time // sources that lied, until when
}

const maxBackoff = 10 * time.Second

// hopeless is after how many rounds in a row, in which whoever answered gave what
// is wrong or had nothing, nothing right is expected any more.
const hopeless = 12

func (f *Fetcher) fill() {
	f.once.Do(func() {
		set := func(d *time.Duration, def time.Duration) {
			if *d == 0 {
				*d = def
			}
		}
		set(&f.Patience, 20*time.Second)
		set(&f.Pause, 20*time.Millisecond)
		set(&f.Backoff, 100*time.Millisecond)
		set(&f.Distrust, 10*time.Minute)
		set(&f.Settle, 30*time.Second)
		if f.Silence == 0 {
			f.Silence = 5
		}
		if f.MinRate == 0 {
			f.MinRate = 4 << 10
		}
		if f.MaxSnapshot == 0 {
			f.MaxSnapshot = 1 << 40
		}
		if f.MaxChunk == 0 {
			f.MaxChunk = 256 << 20
		}
		if f.Logger == nil {
			f.Logger = slog.New(slog.DiscardHandler)
		}
		f.distant = map[string]time.Time{}
	})
}

// errLocal marks an error of this node, which no other source mends.
type errLocal struct{ error }

func (e errLocal) Unwrap() error { return e.error }

func local(err error) error {
	if err == nil {
		return nil
	}
	return errLocal{err}
}

// try lets sources do something until one succeeds. When all of a round answer
// that they cannot, it gives ErrDiverges or errAbsent, and ErrSources when what
// they give is wrong in hopeless rounds.
func (f *Fetcher) try(ctx context.Context, do func(context.Context, Source) error) error {
	return f.without(ctx, 0, do)
}

// without is try for what may be done without: after so many rounds in a row, 0 for
// any number, in which all sources that can be reached answered that they cannot or
// gave what is wrong, it gives errAbsent as well. Those that cannot be reached may
// have ended for good, and a damaged disk does not mend itself.
func (f *Fetcher) without(ctx context.Context, silence int, do func(context.Context, Source) error) error {
	f.fill()
	var last error
	for round, silent := 1, 0; ; round++ {
		var asked, absent, wrong, diverge, unreached int
		good, bad := f.sorted()
		for i, s := range append(good, bad...) {
			if i >= len(good) && unreached < len(good) {
				break // whoever lied is asked only when nobody else answers
			}
			err := do(ctx, s)
			if err == nil {
				f.last = s.Name
				f.status.source(s.Name, nil)
				return nil
			}
			var own errLocal
			switch {
			case ctx.Err() != nil:
				return context.Cause(ctx)
			case errors.As(err, &own):
				return own.error
			case errors.Is(err, errLie):
				wrong++
				f.distant[s.Name] = time.Now().Add(f.Distrust)
				f.Logger.Warn("a node sent what cannot be right, and is not asked for a while", "node", s.Name, "err", err)
			case errors.Is(err, errGone):
				wrong++
			case errors.Is(err, errAbsent):
				absent++
			case errors.Is(err, errUnreached):
				unreached++
			case errors.Is(err, ErrDiverges):
				diverge++
			}
			asked++
			last = fmt.Errorf("%s: %w", s.Name, err)
			f.status.source(s.Name, last)
		}
		switch {
		case diverge > 0 && absent+diverge == asked:
			return last
		case absent > 0 && absent == asked:
			return errAbsent
		case absent+wrong > 0 && absent+wrong+unreached == asked:
			switch silent++; {
			case silent == silence:
				return errAbsent
			case wrong > 0 && silent >= hopeless:
				return ErrSources.From(last)
			}
		default:
			silent = 0
		}
		if last == nil {
			last = errors.New("there is no other node")
		}
		if f.Rounds > 0 && round >= f.Rounds {
			return ErrSources.From(last)
		}
		f.status.source("", ErrSources.From(last))
		if err := pause(ctx, f.backoff(round)); err != nil {
			return err
		}
	}
}

// order is the sources to ask. Whoever lied is left out, unless nobody else is left.
func (f *Fetcher) order() []Source {
	good, bad := f.sorted()
	if len(good) == 0 {
		return bad
	}
	return good
}

// sorted is the sources, the one that served last first, and those that lied.
func (f *Fetcher) sorted() (good, bad []Source) {
	now := time.Now()
	for _, s := range f.Peers() {
		switch {
		case now.Before(f.distant[s.Name]):
			bad = append(bad, s)
		case s.Name == f.last:
			good = append([]Source{s}, good...)
		default:
			good = append(good, s)
		}
	}
	return good, bad
}

// backoff doubles from round to round, with jitter.
func (f *Fetcher) backoff(round int) time.Duration {
	d := min(f.Backoff<<min(round-1, 16), maxBackoff)
	return d/2 + rand.N(d/2+1)
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// Status is how far a fetcher has come.
type Status struct {
	Phase   string  // "snapshot", "entries", "chunks", or "" when it does nothing
	Source  string  // the node that served last
	Bytes   uint64  // received in this phase
	Left    uint64  // bytes of a snapshot, entries of the others
	Whole   uint64  // the most that was left in this phase
	Rate    float64 // of them a second in this phase
	Problem error   // what went wrong last, nil after a success
}

// tally keeps the status.
type tally struct {
	mu    sync.Mutex
	now   Status
	began time.Time
}

// Status tells how far the fetcher has come.
func (f *Fetcher) Status() Status {
	f.status.mu.Lock()
	defer f.status.mu.Unlock()
	s := f.status.now
	if took := time.Since(f.status.began).Seconds(); s.Phase != "" && took > 0 {
		s.Rate = float64(s.Whole-s.Left) / took
	}
	return s
}

// begin begins a phase; the returned function ends it.
func (t *tally) begin(phase string) func() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now, t.began = Status{Phase: phase}, time.Now()
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.now.Phase = ""
	}
}

func (t *tally) read(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now.Bytes += uint64(n)
}

func (t *tally) left(n uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now.Left, t.now.Whole = n, max(n, t.now.Whole)
}

func (t *tally) source(name string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if name != "" {
		t.now.Source = name
	}
	t.now.Problem = err
}
