// Package history is the index over committed blocks on disk: it answers at
// which heights and positions a term occurs, and with which value. A term is
// whatever the protocol rooms look for later: a transaction hash, a log topic,
// an address.
//
// It promises that a block is found at the moment Add returns, that an answer
// holds nothing but what was added, and that no term and no value reaches the
// disk in plaintext: entries lie in sealed pages, in the order of a PRF of their
// term. A host sees how much is added when, and which page is read when.
//
// Blocks are gathered in memory, and written as a run now and then: one file of
// entries in order, made once and never changed. Runs are merged so that a question
// has few to ask. An index may have a window: it then drops its oldest runs. Past
// keeps the state of older blocks in such a one.
//
// It is only an index. It keeps no write-ahead log: after a crash it stands at
// an older height, says so, and is fed again from there. A damaged index, or
// another network's, is named as such, and may be deleted (Remove) and rebuilt
// from the ledger. It does not know the ledger, so whoever opens it compares:
// an index above the ledger's head, or one that does not find the hash of the
// ledger's block at its own height, belongs to another past and is rebuilt.
// What a host deletes from it as a whole is not missed.
package history

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/problem"
)

// The kinds of problems. ErrDamaged and ErrForeign end with Remove and a
// rebuild; ErrBehind ends with Room and feeding the refused blocks again.
var (
	ErrDamaged = problem.New("INDEX_DAMAGED", "the history index is damaged",
		"it is rebuilt from the ledger; if this recurs, check the disk")
	ErrForeign = problem.New("INDEX_FOREIGN", "the history index belongs to another network",
		"it is rebuilt from the ledger; check that the directory was not put together from two networks")
	ErrUnavailable = problem.New("INDEX_UNAVAILABLE", "the history index cannot be read or written",
		"check the permissions and the free space of the data directory")
	ErrBehind = problem.New("INDEX_BEHIND", "the history index does not hold these blocks yet",
		"it catches up from the ledger by itself; ask again in a moment, eth_syncing tells how far it has come")
	ErrOrder = problem.New("INDEX_ORDER", "the history index was given a block out of order",
		"feed it from the height after its own")
	// ErrOff says that there is none, by choice.
	ErrOff = problem.New("HISTORY_OFF", "this node keeps no history index",
		"ask another node, or take history: off out of this one's node.yaml and start it again")
	ErrClosed = problem.New("INDEX_CLOSED", "the history index is closed",
		"the node is stopping; ask again after its restart")
)

// errFull is the ErrBehind of a block that is not added.
var errFull = ErrBehind.From(errors.New("its disk takes blocks more slowly than they come"))

// Entry is one occurrence of a term in a block. Its position orders the
// occurrences of one term within the block; of two at the same position the
// later one counts.
type Entry struct {
	Term     []byte
	Position uint32
	Value    []byte
}

// Found is one occurrence that Find found.
type Found struct {
	Height   uint64
	Position uint32
	Value    []byte
}

// Key gives the index key of an epoch. The error says that the epoch is not held.
type Key = func(epoch uint64) ([32]byte, error)

// Options are how an index is opened. Key and FS are required.
type Options struct {
	// Key is the index key of an epoch, derived from the ledger secret.
	Key Key
	// Epoch is the epoch whose key indexes a height, never less than the one
	// before it; nil means always 0.
	Epoch func(height uint64) uint64
	// FS is the file system.
	FS disk.FS
	// TailBytes bounds the memory of blocks that are in no run yet; 0 means
	// 64 MiB.
	TailBytes int
	// Window bounds what is kept.
	Window Window
	// Random gives nonces; nil means crypto/rand.
	Random io.Reader
	// Log receives troubles at warning and what is worth less at debug level;
	// nil discards them.
	Log *slog.Logger
}

// wakeBytes is how much the tail gathers before it is made a run, unless its blocks
// are a part of the window: few large runs cost less, and the tail answers meanwhile.
const wakeBytes = 8 << 20

// Index is an open index. Add is called from one goroutine; the other methods
// may be called from any.
type Index struct {
	opts    Options
	dir     string
	lock    io.Closer
	health  *health
	secrets secrets
	writer  *writer
	merger  *merger

	turn   sync.Mutex // held while runs change on disk; taken before mu
	stored []byte     // the note on disk

	mu        sync.RWMutex
	closed    bool
	readers   sync.WaitGroup // those that read runs outside of mu
	height    uint64         // of the last block added
	known     bool           // there is one
	note      []byte
	runs      []*run        // in order of height; the slice is never changed
	writing   *tail         // on its way to a run, nil when none
	tail      *tail         // receives what is added
	room      chan struct{} // closed and replaced when writing is done
	forgotten int           // how often
	lost      []*run        // that were forgotten; the state on disk may name them
}

// Open opens the index in dir, which is made when it is missing. The problem is
// ErrDamaged or ErrForeign when the index must be rebuilt.
func Open(dir string, opts Options) (*Index, error) {
	if opts.Epoch == nil {
		opts.Epoch = func(uint64) uint64 { return 0 }
	}
	if opts.TailBytes == 0 {
		opts.TailBytes = 64 << 20
	}
	if opts.Random == nil {
		opts.Random = rand.Reader
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	x := &Index{opts: opts, dir: dir, health: newHealth(opts.Log), secrets: secrets{source: opts.Key}, tail: newTail(nil), room: make(chan struct{})}
	if err := x.openStore(); err != nil {
		return nil, errors.Join(err, x.closeStore())
	}
	x.merger = startMerger(x)
	x.writer = startWriter(x)
	return x, nil
}

// Remove deletes the index in dir, which must not be open.
func Remove(dir string, files disk.FS) error {
	if err := removeAll(dir, files); err != nil {
		return ErrUnavailable.From(err)
	}
	return nil
}

// Height is the height of the last block that Find knows, and false when it
// knows none. Feed the index from the height after it.
func (x *Index) Height() (uint64, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.height, x.known
}

// First is the height of the first block that Find knows, and false when it knows
// none. It grows as blocks leave the window: what Find gave from a height on was
// all there if First is not above that height afterwards.
func (x *Index) First() (uint64, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if len(x.runs) > 0 {
		return x.runs[0].First, true
	}
	for _, t := range []*tail{x.writing, x.tail} {
		if t != nil && len(t.blocks) > 0 {
			return t.blocks[0].height, true
		}
	}
	return 0, false
}

// Note gives what SetNote was given before the last block was added.
func (x *Index) Note() []byte {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.note
}

// SetNote keeps a few bytes with the blocks that are added from now on. They are
// not sealed, only authenticated, and must not be changed afterwards.
func (x *Index) SetNote(note []byte) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.note = note
}

// Forget drops all blocks. The next one may have any height above theirs.
func (x *Index) Forget() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.lost = append(x.lost, x.runs...)
	x.known, x.runs, x.writing, x.tail = false, nil, nil, newTail(nil)
	x.forgotten++
	x.freed()
}

// freed tells those that wait for room; the caller holds the lock.
func (x *Index) freed() {
	close(x.room)
	x.room = make(chan struct{})
}

// Add takes the entries of the next block; an empty index takes any height
// first. The entries are copied, found at once, and written in the background.
// Add never waits for the disk: when too much waits for it already the block is
// refused with ErrBehind, and the blocks after it with ErrOrder, until they are
// fed again.
func (x *Index) Add(height uint64, entries []Entry) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return ErrClosed
	}
	if err := x.health.failure(); err != nil {
		return err
	}
	if x.known && height != x.height+1 {
		return ErrOrder
	}
	if waiting := x.waiting(); waiting > 0 && waiting+sizeOf(entries) > x.opts.TailBytes {
		return errFull
	}
	x.height, x.known = height, true
	x.tail.add(height, x.opts.Epoch(height), entries, x.note)
	if x.tail.bytes >= min(wakeBytes, x.opts.TailBytes/4) || !x.opts.Window.fits(uint64(len(x.tail.blocks)), uint64(x.tail.bytes)) {
		x.writer.signal()
	}
	return nil
}

// Room waits until at least half of the tail is free, for whoever ErrBehind
// refused.
func (x *Index) Room(ctx context.Context) error {
	for {
		x.mu.RLock()
		waiting, room, closed := x.waiting(), x.room, x.closed
		x.mu.RUnlock()
		if closed {
			return ErrClosed
		}
		if waiting <= x.opts.TailBytes/2 {
			return nil
		}
		x.writer.signal()
		select {
		case <-room:
		case <-x.health.failed:
			return x.health.failure()
		case <-x.health.stopped:
			return ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Find gives the occurrences of term at heights from to to, both included, in
// order of height and position, or in the opposite order when reverse; at most
// limit of them when limit is not 0. Blocks that left the window are not found.
func (x *Index) Find(term []byte, from, to uint64, limit int, reverse bool) ([]Found, error) {
	x.mu.RLock()
	if x.closed {
		x.mu.RUnlock()
		return nil, ErrClosed
	}
	x.readers.Add(1)
	defer x.readers.Done()
	runs, recent := x.runs, make([]view, 0, 2)
	for _, r := range runs {
		r.use()
	}
	for _, t := range []*tail{x.writing, x.tail} {
		if t != nil {
			recent = append(recent, t.view(term))
		}
	}
	x.mu.RUnlock()
	defer func() {
		for _, r := range runs {
			r.release()
		}
	}()

	var found []Found
	full := func() bool { return limit > 0 && len(found) >= limit }
	stored := func() error {
		if full() || len(runs) == 0 || from > runs[len(runs)-1].Last {
			return nil
		}
		older, err := x.find(runs, term, from, to, max(limit-len(found), 0), reverse)
		found = append(found, older...)
		return err
	}
	if !reverse {
		if err := stored(); err != nil {
			return nil, err
		}
	} else {
		slices.Reverse(recent)
	}
	for _, v := range recent {
		if !full() {
			found = append(found, v.find(from, to, max(limit-len(found), 0), reverse)...)
		}
	}
	if reverse {
		if err := stored(); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// find gives the occurrences of a term in runs, limited and ordered as Find says.
func (x *Index) find(runs []*run, term []byte, from, to uint64, limit int, reverse bool) ([]Found, error) {
	q := queries.Get().(*query)
	defer func() {
		q.found = nil
		queries.Put(q)
	}()
	q.from, q.to, q.limit, q.reverse = from, to, limit, reverse
	var terms *prf
	for i := range runs {
		r := runs[i]
		if reverse {
			r = runs[len(runs)-1-i]
		}
		if q.full() {
			break
		}
		if r.Last < from || r.First > to {
			continue
		}
		if i == 0 || terms == nil || q.epoch != r.Epoch {
			var err error
			if terms, err = x.secrets.terms(r.Epoch); err != nil {
				return nil, err
			}
			q.epoch = r.Epoch
			terms.sum(&q.term, term)
		}
		if err := r.find(q); err != nil {
			return nil, err
		}
	}
	return q.found, nil
}

// Flush makes every block added so far durable. An error that is ErrUnavailable
// loses nothing: the blocks stay in memory and writing is tried again.
func (x *Index) Flush(ctx context.Context) error {
	reply := make(chan error, 1)
	select {
	case x.writer.flush <- reply:
	case <-x.health.failed:
		return x.health.failure()
	case <-x.health.stopped:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-reply:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close makes durable what the disk takes, and releases the files. An error
// says that the index on disk stands at an older height than it did in memory.
func (x *Index) Close() error {
	x.mu.Lock()
	if x.closed {
		x.mu.Unlock()
		return nil
	}
	x.closed = true
	x.mu.Unlock()
	err := x.Flush(context.Background())
	x.health.stop()
	<-x.writer.done
	<-x.merger.done
	x.readers.Wait()
	return errors.Join(err, x.closeStore())
}

// closeStore releases the files.
func (x *Index) closeStore() error {
	for _, r := range append(x.lost, x.runs...) {
		r.release()
	}
	if x.lock == nil {
		return nil
	}
	if err := x.lock.Close(); err != nil {
		return ErrUnavailable.From(err)
	}
	return nil
}

// waiting is the bytes of the tail; the caller holds the lock.
func (x *Index) waiting() int {
	if x.writing == nil {
		return x.tail.bytes
	}
	return x.tail.bytes + x.writing.bytes
}
