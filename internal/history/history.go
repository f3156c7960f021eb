// Package history is the index over committed blocks on disk: it answers at
// which heights and positions a term occurs, and with which value. A term is
// whatever the protocol rooms look for later: a transaction hash, a log topic,
// an address.
//
// It promises that a block is found at the moment Add returns, that an answer
// holds nothing but what was added, and that no term and no value reaches the
// disk in plaintext: keys are a PRF of the term, values are sealed, and nothing
// is compressed. A host sees no more than the shape: how often a term recurs
// within an epoch, at which heights and positions, which stand in the
// keys as they are, and how long each value is.
//
// An index may have a window: it then drops its oldest blocks. Past keeps the
// state of older blocks in such a one.
//
// It is only an index. It keeps no write-ahead log: after a crash it stands at
// an older height, says so, and is fed again from there. A damaged index, or
// another network's, is named as such, and may be deleted (Remove) and rebuilt
// from the ledger. It does not know the ledger, so whoever opens it compares:
// an index above the ledger's head, or one that does not find the hash of the
// ledger's block at its own height, belongs to another past and is rebuilt.
// What a host deletes from it is not missed.
package history

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

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

// Options are how an index is opened. Key is required.
type Options struct {
	// Key is the index key of an epoch, derived from the ledger secret.
	Key Key
	// Epoch is the epoch whose key indexes a height, never less than the one
	// before it; nil means always 0.
	Epoch func(height uint64) uint64
	// FS is the file system; nil means the operating system's.
	FS vfs.FS
	// TailBytes bounds the memory of blocks not yet handed to the storage
	// engine; 0 means 64 MiB.
	TailBytes int
	// Window bounds what is kept.
	Window Window
	// Random gives nonces; nil means crypto/rand.
	Random io.Reader
	// Log receives the storage engine's messages at debug level and troubles
	// at warning; nil discards them.
	Log *slog.Logger
}

// wakeBytes is how much the tail gathers before the writer is woken: fewer and
// larger batches cost less, and the tail answers meanwhile.
const wakeBytes = 256 << 10

// Index is an open index. Add is called from one goroutine; the other methods
// may be called from any.
type Index struct {
	opts   Options
	disk   *disk
	db     *pebble.DB
	writer *writer

	mu      sync.RWMutex
	closed  bool
	readers sync.WaitGroup // those that use db outside of mu
	state   state          // as of the last block added
	tail    *tail          // receives what is added
	writing *tail          // on its way to the storage engine, nil when none
	room    chan struct{}  // closed and replaced when writing is done
}

// Open opens the index in dir, which is made when it is missing. The problem is
// ErrDamaged or ErrForeign when the index must be rebuilt.
func Open(dir string, opts Options) (*Index, error) {
	if opts.FS == nil {
		opts.FS = vfs.Default
	}
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
	disk := newDisk(opts.FS, opts.Log)
	db, err := openStore(dir, disk, opts.Window != Window{})
	if err != nil {
		return nil, err
	}
	x := &Index{opts: opts, disk: disk, db: db, tail: newTail(0), room: make(chan struct{})}
	if x.state, err = readState(db, opts.Key, opts.Epoch); err != nil {
		db.Close()
		return nil, err
	}
	x.writer = startWriter(x)
	return x, nil
}

// Remove deletes the index in dir, which must not be open.
func Remove(dir string, fs vfs.FS) error {
	if fs == nil {
		fs = vfs.Default
	}
	if err := fs.RemoveAll(dir); err != nil {
		return ErrUnavailable.From(err)
	}
	return nil
}

// Height is the height of the last block that Find knows, and false when it
// knows none. Feed the index from the height after it.
func (x *Index) Height() (uint64, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.state.Height, !x.state.empty()
}

// First is the height of the first block that Find knows, and false when it knows
// none. It grows as blocks leave the window: what Find gave from a height on was
// all there if First is not above that height afterwards.
func (x *Index) First() (uint64, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if x.state.empty() {
		return 0, false
	}
	return x.state.first(), true
}

// Note gives what SetNote was given before the last block was added.
func (x *Index) Note() []byte {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.state.Note
}

// SetNote keeps a few bytes with the blocks that are added from now on. They are
// not sealed, only authenticated, and must not be changed afterwards.
func (x *Index) SetNote(note []byte) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.state.Note = note
}

// Forget drops all blocks. The next one may have any height above theirs.
func (x *Index) Forget() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.state, x.tail = state{Note: x.state.Note}, newTail(0)
}

// Add takes the entries of the next block; an empty index takes any height
// first. The entries are found at once and written in the background; they and
// their bytes must not be changed afterwards. Add never waits for the disk:
// when too much waits for it already the block is refused with ErrBehind, and
// the blocks after it with ErrOrder, until they are fed again.
func (x *Index) Add(height uint64, entries []Entry) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return ErrClosed
	}
	if err := x.disk.failure(); err != nil {
		return err
	}
	if !x.state.empty() && height != x.state.Height+1 {
		return ErrOrder
	}
	if waiting := x.waiting(); waiting > 0 && waiting+sizeOf(entries) > x.opts.TailBytes {
		return errFull
	}
	x.state = x.state.next(height, x.opts.Epoch(height), entries, x.opts.Window)
	x.tail.add(x.state, entries)
	if x.tail.bytes >= min(wakeBytes, x.opts.TailBytes/4) {
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
		case <-x.disk.failed:
			return x.disk.failure()
		case <-x.disk.stopped:
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
	if x.state.empty() {
		x.mu.RUnlock()
		return nil, nil
	}
	from = max(from, x.state.first())
	state, first, recent := x.state, x.state.Height+1, make([]view, 0, 2)
	for _, t := range []*tail{x.writing, x.tail} {
		if t != nil && len(t.blocks) > 0 {
			first = min(first, t.blocks[0].Height)
			recent = append(recent, t.view(term))
		}
	}
	x.mu.RUnlock()

	var found []Found
	// Blocks only ever move from the tail to the store, and the tail was read
	// first: what is not in it is in the store by now. Whatever has reached the
	// store since lies at or above first and is left out.
	full := func() bool { return limit > 0 && len(found) >= limit }
	stored := func() error {
		if from >= first || full() {
			return nil
		}
		older, err := x.find(state, term, from, min(to, first-1), max(limit-len(found), 0), reverse)
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

// Flush makes every block added so far durable. An error that is ErrUnavailable
// loses nothing: the blocks stay in memory and writing is tried again.
func (x *Index) Flush(ctx context.Context) error {
	trouble, reply := x.disk.troubles(), make(chan error, 1)
	select {
	case x.writer.flush <- reply:
	case <-trouble:
		return x.disk.last()
	case <-x.disk.failed:
		return x.disk.failure()
	case <-x.disk.stopped:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-reply:
		return err
	case <-trouble:
		return x.disk.last()
	case <-x.disk.failed:
		return x.disk.failure()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close makes durable what the disk takes, and releases the files. An error
// says that the index on disk stands at an older height than it did in memory.
func (x *Index) Close() error {
	x.mu.Lock()
	closed := x.closed
	x.closed = true
	x.mu.Unlock()
	if closed {
		return nil
	}
	err := x.Flush(context.Background())
	x.disk.stop()
	<-x.writer.done
	x.readers.Wait()
	return errors.Join(err, x.db.Close())
}

// waiting is the bytes of the tail; the caller holds the lock.
func (x *Index) waiting() int {
	if x.writing == nil {
		return x.tail.bytes
	}
	return x.tail.bytes + x.writing.bytes
}
