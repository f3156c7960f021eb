package history

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"
)

// batchBytes is when a batch is handed to the storage engine, which never
// happens within a block: the height in the state must be true of the batch.
// A batch that takes half a memtable or more would be sorted a second time.
const batchBytes = 256 << 10

// flushBytes is when the engine's memtable is flushed to a file. The writer
// does this itself, before the memtable is full, so that a disk that takes
// nothing holds up the writer where it can be stopped, not inside the engine.
const flushBytes = memTableBytes * 3 / 8 // small entries take twice their size there

// errStopped ends a wait for the disk when the index closes.
var errStopped = errors.New("the index was closed before the disk took its newest blocks")

// writer moves the tail into the storage engine, in one goroutine.
type writer struct {
	x       *Index
	state   state  // as of the last block handed to the engine
	first   uint64 // the first height that has not been dropped
	secrets secrets
	batch   *pebble.Batch
	applied int             // bytes handed over since the last flush began
	flushed <-chan struct{} // closed when that flush has ended, nil before the first

	wake  chan struct{}
	flush chan chan<- error // each is answered when everything added is durable
	done  chan struct{}
}

func startWriter(x *Index) *writer {
	w := &writer{
		x: x, secrets: secrets{source: x.opts.Key},
		wake: make(chan struct{}, 1), flush: make(chan chan<- error), done: make(chan struct{}),
	}
	go w.run()
	return w
}

func (w *writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *writer) run() {
	defer close(w.done)
	for {
		var reply chan<- error
		select {
		case <-w.wake:
		case reply = <-w.flush:
		case <-w.x.disk.stopped:
			return
		}
		err := w.drain()
		if err == nil && reply != nil {
			err = w.sync()
		}
		if reply != nil {
			reply <- err
		}
		if err != nil && !errors.Is(err, errStopped) {
			w.x.disk.fail(err)
		}
		if err != nil {
			return
		}
	}
}

// drain writes the tail as it stands.
func (w *writer) drain() error {
	x := w.x
	x.mu.Lock()
	t := x.tail
	if len(t.blocks) == 0 {
		x.mu.Unlock()
		return nil
	}
	x.writing, x.tail = t, newTail(min(len(t.postings), 4096))
	x.mu.Unlock()

	if err := w.store(t); err != nil {
		return err // what is not stored stays in x.writing and is found there
	}

	x.mu.Lock()
	x.writing = nil
	close(x.room)
	x.room = make(chan struct{})
	x.mu.Unlock()
	return w.drop()
}

// drop deletes the segments that left the window. The state that no longer names
// them becomes durable first: a crash in between leaves them, and never a
// state without them.
func (w *writer) drop() error {
	first := w.state.first()
	if first == w.first {
		return nil
	}
	if err := w.sync(); err != nil {
		return err
	}
	w.first = first
	return drop(w.x.db, first)
}

// store seals a tail's blocks and hands them to the engine.
func (w *writer) store(t *tail) error {
	w.batch = w.x.db.NewBatch()
	defer w.batch.Close()
	begin := 0
	for i, b := range t.blocks {
		w.state = b.state
		if begin < b.end {
			if err := w.open(b.end - begin); err != nil {
				return err
			}
			for ; begin < b.end; begin++ {
				if err := w.put(&t.postings[begin]); err != nil {
					return err
				}
			}
		}
		if w.batch.Len() >= batchBytes || i == len(t.blocks)-1 {
			if err := w.apply(); err != nil {
				return err
			}
		}
	}
	return nil
}

// open readies the secrets for a block of n entries.
func (w *writer) open(n int) error {
	if err := w.secrets.use(w.state.last().Epoch); err != nil {
		return err
	}
	err := w.secrets.at(w.state.Height)
	if err == nil {
		err = w.secrets.draw(w.x.opts.Random, n)
	}
	if err != nil {
		return ErrUnavailable.From(err)
	}
	return nil
}

func (w *writer) put(p *posting) error {
	op := w.batch.SetDeferred(keyBytes, sealedBytes(p.Value))
	w.secrets.term(op.Key, p.Term)
	place(op.Key, w.state.last().First, p.height, p.Position)
	w.secrets.seal(op.Value, op.Key, p.Value)
	return op.Finish()
}

func (w *writer) apply() error {
	sealed, err := w.state.seal(w.x.opts.Key)
	if err != nil {
		return err
	}
	if err := w.batch.Set(stateKey(w.state.last().First), sealed, nil); err != nil {
		return damaged(err)
	}
	size := w.batch.Len()
	if w.applied > 0 && w.applied+size > flushBytes {
		if err := w.beginFlush(); err != nil {
			return err
		}
	}
	if err := w.batch.Commit(pebble.NoSync); err != nil {
		return damaged(err)
	}
	w.applied += size
	w.batch.Reset()
	return nil
}

// beginFlush lets the engine write its memtable to a file, after the flush
// before has ended: memory is bounded by two of them.
func (w *writer) beginFlush() error {
	if err := w.endFlush(); err != nil {
		return err
	}
	flushed, err := w.x.db.AsyncFlush()
	if err != nil {
		return damaged(err)
	}
	w.flushed, w.applied = flushed, 0
	return nil
}

func (w *writer) endFlush() error {
	if w.flushed == nil {
		return nil
	}
	select {
	case <-w.flushed:
		w.flushed = nil
		return nil
	case <-w.x.disk.failed:
		return w.x.disk.failure()
	case <-w.x.disk.stopped:
		return errStopped
	}
}

// sync returns when everything handed to the engine is in a synced file.
func (w *writer) sync() error {
	if w.applied > 0 {
		if err := w.beginFlush(); err != nil {
			return err
		}
	}
	return w.endFlush()
}
