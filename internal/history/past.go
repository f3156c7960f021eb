package history

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/problem"
)

// ErrPast says that the state after a block is not kept any more, or not yet.
var ErrPast = problem.New("STATE_UNAVAILABLE", "historical state is not available",
	"ask for a block inside the window, or for the latest; blocks, transactions, receipts and logs are available for the whole chain")

// PastOptions are how a Past is opened. Key is required.
type PastOptions struct {
	Options
	// Constant names the tables whose entries never change once they are written.
	// They need no before-images and are read as they are now.
	Constant []string
	// Ledger is what the images are compared with; nil compares them with nothing.
	Ledger Ledger

	pause time.Duration // before what failed is tried again at first; 0 means a second
}

// longPause is the longest pause before what failed is tried again.
const longPause = time.Minute

// Past gives the state as it was after older blocks. For each block it keeps what
// every key that the block wrote held before: the state after a block is what the
// earliest later image of a key says, or what the key holds now when it was not
// written since.
//
// The images are entries of an Index with a window, so that they are bounded in
// blocks and bytes, and are not legible on disk: a host sees at which heights a key
// changed, whether it was there before, and how long its value was, not which key.
// Whatever goes wrong with it, commits go on: the window then begins anew.
type Past struct {
	store   *kv.Store
	dir     string
	opts    PastOptions
	names   [][]byte // by table: what a term of it begins with, nil for a constant one
	quiet   uint64   // the height from which a lost window is worth a line in the log; Observe's own
	useless bool     // the files are to be removed; for whoever opens the index alone
	ctx     context.Context
	stop    context.CancelFunc
	renewal sync.WaitGroup

	mu     sync.Mutex
	index  *Index // nil when nothing is kept
	live   bool
	closed bool
}

// NewPast makes a Past that keeps nothing: it gives the newest state alone.
func NewPast(store *kv.Store) *Past { return &Past{store: store, stop: func() {}} }

// OpenPast opens the past of a store in a directory of its own, and makes it anew
// when it is damaged, another network's or another ledger's. Where it cannot be
// opened now this is tried again until Close, and nothing is kept meanwhile. Whoever
// opens it hands it the images of each block (Observe) before the block is published.
func OpenPast(dir string, store *kv.Store, opts PastOptions) *Past {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.TailBytes == 0 {
		opts.TailBytes = 32 << 20
	}
	if opts.pause == 0 {
		opts.pause = time.Second
	}
	p := &Past{store: store, dir: dir, opts: opts, names: [][]byte{nil}}
	p.ctx, p.stop = context.WithCancel(context.Background())
	for _, t := range store.Tables() {
		var name []byte
		if !slices.Contains(opts.Constant, t.Name) {
			name = append([]byte{byte(len(t.Name))}, t.Name...)
		}
		p.names = append(p.names, name)
	}
	var err error
	if p.index, err = p.open(); err != nil {
		p.renewal.Go(func() { p.settle(nil, err) })
	}
	return p
}

// open opens the index if it is good, and an empty one when its files are of no
// use. Another error leaves them as they are.
func (p *Past) open() (*Index, error) {
	if !p.useless {
		x, err := p.openKept()
		if p.useless = useless(err); !p.useless {
			return x, err
		}
		p.opts.Log.Warn("old state is of no use and is kept anew", "err", err)
	}
	if err := Remove(p.dir, p.opts.FS); err != nil {
		return nil, err
	}
	p.useless = false
	return Open(p.dir, p.opts.Options)
}

// openKept opens the index and compares it with the ledger.
func (p *Past) openKept() (*Index, error) {
	x, err := Open(p.dir, p.opts.Options)
	if err != nil {
		return nil, err
	}
	if err := p.compare(x); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

// useless reports that an index with this error has to be removed.
func useless(err error) bool { return errors.Is(err, ErrDamaged) || errors.Is(err, ErrForeign) }

// settle takes an index into service, which it opens again and again while that
// fails. Blocks that came meanwhile are a gap to Observe.
func (p *Past) settle(x *Index, err error) {
	for pause := p.opts.pause; err != nil; pause = min(2*pause, longPause) {
		p.opts.Log.Warn("old state is not kept; trying again", "in", pause, "err", err)
		select {
		case <-p.ctx.Done():
			return
		case <-time.After(pause):
		}
		x, err = p.open()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.index = x
}

// Height is the height up to which images are kept, and false when there are none.
func (p *Past) Height() (uint64, bool) {
	x := p.current()
	if x == nil {
		return 0, false
	}
	return x.Height()
}

func (p *Past) current() *Index {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.index
}

// Observe takes the before-images of a block; it is what kv.Store.Observe calls.
// A block that is known already is passed over. A block that comes too early, or
// that cannot be kept, leaves a gap, and the window begins behind it.
func (p *Past) Observe(height uint64, images []kv.BeforeImage) {
	p.mu.Lock()
	x, live := p.index, p.live
	p.mu.Unlock()
	if x == nil {
		return
	}
	last, ok := x.Height()
	if ok && height <= last {
		return
	}
	if ok && height > last+1 {
		p.lost(height, fmt.Errorf("images of %d blocks are missing", height-last-1))
		x.Forget()
	}
	entries := p.entries(images)
	err := x.Add(height, entries)
	if errors.Is(err, ErrBehind) && !live {
		// Nobody waits for this block; a disk that refuses ends the wait.
		if err = x.Flush(context.Background()); err == nil {
			err = x.Add(height, entries)
		}
	}
	switch {
	case err == nil || errors.Is(err, ErrClosed):
	case errors.Is(err, ErrBehind):
		p.lost(height, err)
	default:
		p.renew(x, err)
	}
}

// lost logs that the window begins anew, once in a thousand blocks: a slow disk
// may lose one after the other.
func (p *Past) lost(height uint64, err error) {
	if height < p.quiet {
		return
	}
	p.quiet = height + 1000
	p.opts.Log.Warn("old state is kept anew", "height", height, "err", err)
}

// entries turns images into entries: of a key that was there at position 1, of
// one that was not at position 0.
func (p *Past) entries(images []kv.BeforeImage) []Entry {
	size, kept := 0, 0
	for _, i := range images {
		if name := p.names[i.Table]; name != nil {
			size, kept = size+len(name)+len(i.Key), kept+1
		}
	}
	entries, terms := make([]Entry, 0, kept), make([]byte, 0, size)
	for _, i := range images {
		name := p.names[i.Table]
		if name == nil {
			continue
		}
		begin := len(terms)
		terms = append(append(terms, name...), i.Key...)
		e := Entry{Term: terms[begin:len(terms):len(terms)], Value: i.Value}
		if i.Present {
			e.Position = 1
		}
		entries = append(entries, e)
	}
	return entries
}

// Live ends the replay of known blocks: from now on Observe never waits.
func (p *Past) Live() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.live = true
}

// renew opens the index again, in the background. Until that is done nothing is kept.
func (p *Past) renew(x *Index, cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.index != x {
		return
	}
	p.index = nil
	p.opts.Log.Warn("old state cannot be read or written; it is opened again", "err", cause)
	p.renewal.Go(func() {
		_ = x.Close() // what is not on disk is a gap, as is the block that failed
		p.useless = useless(cause)
		p.settle(p.open())
	})
}

// Flush makes the images of every block so far durable.
func (p *Past) Flush(ctx context.Context) error {
	if x := p.current(); x != nil {
		return x.Flush(ctx)
	}
	return nil
}

// Close makes durable what the disk takes, and releases the files.
func (p *Past) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.stop()
	p.renewal.Wait()
	if p.index == nil {
		return nil
	}
	return p.index.Close()
}

// At gives the state after the block of a height. The problem is ErrPast when it
// is not kept, or not there yet. Release the moment.
func (p *Past) At(height uint64) (*Moment, error) {
	m := &Moment{past: p, height: height, view: p.store.Pin()}
	if m.newest = m.view.Height(); height == m.newest {
		return m, nil
	}
	m.index = p.current()
	if oldest := p.oldest(m.index, m.newest); height < oldest || height > m.newest {
		m.Release()
		return nil, absent(height, oldest, m.newest)
	}
	return m, nil
}

// Oldest is the first block whose state can be asked for now.
func (p *Past) Oldest() uint64 {
	newest, _ := p.store.Height()
	return p.oldest(p.current(), newest)
}

// oldest is the first block whose state is kept when the newest is.
func (p *Past) oldest(x *Index, newest uint64) uint64 {
	if x == nil {
		return newest
	}
	first, ok := x.First()
	if last, _ := x.Height(); !ok || first > newest || last < newest {
		return newest
	}
	oldest := max(first, 1) - 1
	if blocks := p.opts.Window.Blocks; blocks > 0 && newest-oldest > blocks {
		oldest = newest - blocks
	}
	return oldest
}

func absent(height, oldest, newest uint64) error {
	return problem.Newf(ErrPast.Code, ErrPast.Next, "%s: block %d was asked for, state is kept from block %d to %d",
		ErrPast.What, height, oldest, newest)
}

// Moment is the state after one block, a kv.Reader for concurrent use. What could
// not be read reads as absent and shows in Err, so whoever read asks Err before
// the result counts.
type Moment struct {
	past   *Past
	height uint64
	view   *kv.View // the state after the block newest, pinned
	newest uint64
	index  *Index // nil when that is the state itself

	mu  sync.Mutex
	err error
}

// Release ends the moment. Releasing it again does nothing.
func (m *Moment) Release() { m.view.Release() }

// Get implements kv.Reader.
func (m *Moment) Get(table kv.TableID, key []byte) ([]byte, bool) {
	value, ok := m.GetInto([]byte{}, table, key)
	if !ok {
		return nil, false
	}
	return value, true
}

// GetInto implements kv.Reader.
func (m *Moment) GetInto(dst []byte, table kv.TableID, key []byte) ([]byte, bool) {
	if m.index == nil || int(table) >= len(m.past.names) || m.past.names[table] == nil {
		return m.view.GetInto(dst, table, key)
	}
	term := append(slices.Clip(m.past.names[table]), key...)
	found, err := m.index.Find(term, m.height+1, m.newest, 1, false)
	if first, ok := m.index.First(); err == nil && (!ok || first > m.height+1) {
		err = absent(m.height, m.past.oldest(m.index, m.newest), m.newest)
	}
	switch {
	case err != nil:
		m.fail(err)
		return dst, false
	case len(found) == 0:
		return m.view.GetInto(dst, table, key)
	}
	return append(dst, found[0].Value...), found[0].Position == 1
}

// Range implements kv.Reader: keys that are gone since cannot be told from their
// images, so only the newest state has ranges.
func (m *Moment) Range(table kv.TableID, from, to []byte, fn func(key, value []byte) bool) error {
	if m.index != nil {
		return fmt.Errorf("%w: block %d is not the newest", kv.ErrKind, m.height)
	}
	return m.view.Range(table, from, to, fn)
}

// Err is why something read could not be had.
func (m *Moment) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

func (m *Moment) fail(err error) {
	if errors.Is(err, ErrDamaged) {
		m.past.renew(m.index, err)
	}
	if !errors.Is(err, ErrPast) {
		err = ErrPast.From(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		m.err = err
	}
}
