// Package ledger is the ledger on disk: the Raft log in chunk files, Raft's vote,
// and the tiles of the ledger's Merkle tree.
//
// The log promises:
//   - What Sync, SetVote or a closed chunk acknowledged is there after a power
//     loss, byte for byte, in one unbroken chain of prefix hashes.
//   - Open tells a log that ends from one that is damaged. What is damaged below
//     a point known to be durable is refused and named; an unfinished end is
//     dropped, and nothing of it ever comes back.
//   - It is one run of entries from First to its end. Where that begins is durable,
//     so that what a joining node has not fetched yet is not taken for damage.
//   - After a write that failed it takes nothing more until it is opened again,
//     while reads go on.
//
// It knows the entries' frames and links and the few header fields that make
// chunks. It does not know signatures, trees, keys or what is committed: whoever
// adopts a log verifies it. Chunk boundaries come from the blocks themselves, so
// that the files are the same on all nodes.
package ledger

import (
	"path"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/problem"
)

// ChunkBytes is the size from which a sealer ends a chunk.
const ChunkBytes = 16 << 20

// Options are what Open may be told; the zero value is for production.
type Options struct {
	// Vote is the path of the vote file; by default raft/vote beside the log's
	// directory.
	Vote string
	// VerifyFrom is the index from which Open verifies every byte, 0 for all.
	// What lies before is known by frame heads until VerifyOlder was run.
	VerifyFrom uint64
	// Ahead is how many bytes to zero ahead of the log's end, by default 4 MiB;
	// negative for none.
	Ahead int64
	// ChunkBytes bounds the zeroing ahead; by default the constant.
	ChunkBytes int64
	// Inline zeroes within Append instead of in a goroutine, so that the order
	// of writes depends on nothing but the calls.
	Inline bool
	// OpenChunks is how many closed chunks are kept open with their tables, by
	// default 64.
	OpenChunks int
	// Now is the clock that spaces the refreshes of the vote file.
	Now func() time.Time
}

func (o *Options) fill(dir string) {
	if o.Vote == "" {
		o.Vote = path.Join(path.Dir(dir), "raft", "vote")
	}
	if o.Ahead == 0 {
		o.Ahead = 4 << 20
	}
	if o.ChunkBytes == 0 {
		o.ChunkBytes = ChunkBytes
	}
	if o.OpenChunks == 0 {
		o.OpenChunks = 64
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

// Head is the end of the log.
type Head struct {
	LastIndex uint64 // 0 when the log is empty
	LastTerm  uint64
	Prefix    format.Hash // prefix hash after the last entry
	Height    uint64      // of the last block, if HasBlock
	HasBlock  bool
	Synced    uint64 // last entry known to be durable
	// Torn says that Open dropped bytes behind the end: writes that were under
	// way when the node ended, or damage that cannot be told from them.
	Torn bool
}

// Log is the log on disk. One goroutine appends; all other methods are safe for
// concurrent use.
type Log struct {
	fs      disk.FS
	dir     string
	options Options
	vote    *voteFile
	shelf   *shelf
	wake    chan struct{} // tells the zeroing goroutine that space runs out
	stopped sync.WaitGroup

	// writing is held while the log's end changes, flushing while the open
	// chunk is synced or replaced; taken in this order, and before mu.
	writing  sync.Mutex
	flushing sync.Mutex
	steps    []step // of whoever holds writing
	frames   []byte

	cuts atomic.Uint64 // times that the log got shorter

	adopting sync.Mutex // held while an older chunk is taken in

	mu       sync.RWMutex // guards what follows
	first    uint64       // index at which the log begins
	verified uint64       // index from which everything was verified
	chunks   []*chunk     // the last one is open; copied when it changes in front or gets shorter
	open     *handle      // of the open chunk; its table changes
	space    *space
	end      chain
	synced   chain
	torn     bool
	damage   []*Damage
	failure  *problem.Error
	closed   bool
}

// Open opens the log in a directory, or makes it. It fails with ErrCorrupt, and
// changes nothing, when a part that was durable is damaged; with format.ErrNewer,
// and changes nothing, when it is written in a format that this build does not
// read.
func Open(f disk.FS, dir string, o Options) (*Log, error) {
	o.fill(dir)
	ballot, voted, err := readVote(f, o.Vote)
	if err != nil {
		return nil, readProblem(o.Vote, err)
	}
	scan := &scan{fs: f, synced: ballot.synced, lowest: ballot.first}
	if err := scan.run(dir, o.VerifyFrom); err != nil {
		if code := problem.CodeOf(err); code != ErrCorrupt.Code && code != format.ErrNewer.Code {
			err = readProblem(dir, err)
		}
		return nil, err
	}
	if !voted && (scan.end.index > 0 || scan.torn()) {
		return nil, ErrCorrupt.From(&Damage{Chunk: path.Base(o.Vote), Reason: "the ledger has entries, but Raft's term and vote are missing"})
	}
	l := &Log{fs: f, dir: dir, options: o, shelf: newShelf(f, o.OpenChunks), wake: make(chan struct{}, 1),
		end: scan.end, synced: scan.end, torn: scan.torn(), damage: scan.damage,
		first: scan.lowest, verified: scan.verified}
	if err := l.start(scan, ballot); err != nil {
		return nil, writeProblem(err)
	}
	if !o.Inline && o.Ahead > 0 {
		l.stopped.Go(l.zeroAhead)
		l.wake <- struct{}{}
	}
	return l, nil
}

// start puts the disk in order: what the scan adopted is synced, what it dropped
// is gone, and there is an open chunk.
func (l *Log) start(s *scan, b ballot) error {
	if err := disk.MakeDir(l.fs, l.dir); err != nil {
		return err
	}
	if err := s.settle(l.dir); err != nil {
		return err
	}
	b.synced = l.end.position
	var err error
	if l.vote, err = openVote(l.fs, l.options.Vote, b, l.options.Now); err != nil {
		return err
	}
	l.chunks = s.chunks
	if s.closed() {
		err = l.addChunk()
	} else {
		err = l.resume(s.last)
	}
	if err != nil {
		l.vote.close()
	}
	return err
}

// resume opens the chunk in which the log ends.
func (l *Log) resume(t *table) error {
	file, err := l.fs.Open(l.chunks[len(l.chunks)-1].name)
	if err != nil {
		return err
	}
	size, err := file.Size()
	if err != nil {
		file.Close()
		return err
	}
	l.open, l.space = &handle{file: file, table: t}, newSpace(file, t.end, size)
	return nil
}

// Head is the log's end.
func (l *Log) Head() Head {
	l.mu.RLock()
	defer l.mu.RUnlock()
	h := Head{LastIndex: l.end.index, LastTerm: l.end.term, Prefix: l.end.prefix,
		HasBlock: l.end.blocks > 0, Synced: l.synced.index, Torn: l.torn}
	if h.HasBlock {
		h.Height = l.end.blocks - 1
	}
	return h
}

// ChunkUsed is how many bytes the open chunk's frames take: zeroing ahead does
// not count, so that all nodes have the same figure for the same log.
func (l *Log) ChunkUsed() int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.open.end
}

// Vote is Raft's durable term and vote.
func (l *Log) Vote() (term, vote uint64) {
	b := l.vote.current()
	return b.term, b.vote
}

// SetVote makes term and vote durable. A term or a vote never goes back.
func (l *Log) SetVote(term, vote uint64) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	l.mu.RLock()
	synced := l.synced.position
	l.mu.RUnlock()
	err := l.vote.set(term, vote, synced)
	if err == nil || problem.CodeOf(err) == ErrOrder.Code {
		return err
	}
	return l.fail(err)
}

// Close syncs the log, notes in the vote file that it did, and ends it.
func (l *Log) Close() error {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.adopting.Lock()
	defer l.adopting.Unlock()
	l.mu.Lock()
	failed, closed := l.failure != nil, l.closed
	l.mu.Unlock()
	if closed {
		return nil
	}
	var err error
	if !failed {
		err = l.sync(true)
	}
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	close(l.wake)
	l.stopped.Wait()
	l.shelf.take()
	l.open.drop()
	if cerr := l.vote.close(); err == nil && cerr != nil {
		err = writeProblem(cerr)
	}
	return err
}

// usable tells why the log takes nothing, if so.
func (l *Log) usable() error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	switch {
	case l.closed:
		return ErrClosed
	case l.failure != nil:
		return l.failure
	}
	return nil
}

// fail ends writing because of err.
func (l *Log) fail(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failure == nil {
		l.failure = writeProblem(err)
	}
	return l.failure
}

// zeroAhead zeroes ahead of the log's end until the log is closed.
func (l *Log) zeroAhead() {
	for range l.wake {
		l.extend(true)
	}
}

func (l *Log) extend(concurrent bool) {
	for {
		l.mu.RLock()
		s, stop := l.space, l.closed
		l.mu.RUnlock()
		if stop {
			return
		}
		more, err := s.extend(l.options.Ahead, l.options.ChunkBytes, concurrent)
		if err != nil {
			l.fail(err)
		}
		if !more {
			return
		}
	}
}
