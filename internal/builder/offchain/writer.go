package offchain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coco-consortium/coco/internal/problem"
)

// Store is the journal and the database of one installation.
type Store struct {
	Reader

	options   Options
	log       *slog.Logger
	journal   *journal
	engine    engine
	catalogue *catalogue
	watchers  watchers
	sequence  atomic.Uint64

	requests chan *request
	stop     context.CancelFunc
	stopped  context.Context // ends when Close is called
	finished chan struct{}
	once     sync.Once

	// Of the writer alone:
	counters map[string]int
	behind   bool // the journal has entries that the database has not
}

// request is an entry that somebody waits for.
type request struct {
	ctx     context.Context
	entry   Entry
	done    chan struct{}
	applied Applied
	err     error
}

// errClosed is given after Close.
var errClosed = problem.New("STORE_CLOSED", "App Builder is stopping", "try again in a moment")

func open(ctx context.Context, o Options) (*Store, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	j, err := openJournal(o.Dir, o.Key, nil)
	if err != nil {
		return nil, err
	}
	e, at, err := openEngine(ctx, o, j)
	if err != nil {
		j.close()
		return nil, err
	}
	s := &Store{options: o, log: o.Log, journal: j, engine: e, catalogue: newCatalogue(),
		requests: make(chan *request, 1024), finished: make(chan struct{}), counters: map[string]int{}}
	s.Reader = view{reads{e}, s.catalogue}
	if err := s.begin(ctx, at); err != nil {
		e.close()
		j.close()
		return nil, err
	}
	s.stopped, s.stop = context.WithCancel(context.Background())
	go s.write()
	return s, nil
}

// begin reads what is kept in memory and folds what the database has not.
func (s *Store) begin(ctx context.Context, at mark) error {
	if err := s.catalogue.load(ctx, s.engine); err != nil {
		return err
	}
	clear(s.counters)
	if err := s.engine.query(ctx, "SELECT name, next FROM counter", nil, func(r row) error {
		s.counters[r.text(0)] = int(r.int(1))
		return nil
	}); err != nil {
		return err
	}
	if at.sequence < s.journal.end.sequence {
		s.log.Info("folding the journal into the database", "from", at.sequence, "to", s.journal.end.sequence)
	}
	if err := s.replay(ctx, at); err != nil {
		return err
	}
	s.sequence.Store(s.journal.end.sequence)
	return nil
}

// Sequence numbers the last entry that reads see. What was read after it was asked
// for is of this entry or a later one, so it may stand for what is read again for as
// long as the number is the same.
func (s *Store) Sequence() uint64 { return s.sequence.Load() }

// Do assigns the entry's ids, journals it and applies it. It returns a problem,
// and journals nothing, when the entry contradicts what is known. e is a
// pointer to one of the entries; it must not be used elsewhere until Do returns.
//
// When the database fails after the entry is durable, and stays away, Do returns
// a DATABASE_BEHIND: the entry is kept, and applied when the database is back.
func (s *Store) Do(ctx context.Context, e Entry) (Applied, error) {
	if e == nil {
		return Applied{}, errors.New("no entry")
	}
	r := &request{ctx: ctx, entry: e, done: make(chan struct{})}
	select {
	case s.requests <- r:
	case <-ctx.Done():
		return Applied{}, ctx.Err()
	case <-s.stopped.Done():
		return Applied{}, errClosed
	}
	select {
	case <-r.done: // even when ctx ends: the entry is journaled or it is not
	case <-s.finished:
		select {
		case <-r.done:
		default:
			return Applied{}, errClosed
		}
	}
	return r.applied, r.err
}

// Close ends the store; what Do returned for is durable.
func (s *Store) Close() error {
	s.once.Do(func() {
		s.stop()
		<-s.finished
		s.watchers.close()
	})
	return errors.Join(s.engine.close(), s.journal.close())
}

// batchMost is how many entries are made durable at once.
const batchMost = 256

// write is the one goroutine that writes.
func (s *Store) write() {
	defer close(s.finished)
	var held *request
	for {
		r := held
		held = nil
		if r == nil {
			select {
			case r = <-s.requests:
			case <-s.stopped.Done():
				return
			}
		}
		batch := []*request{r}
		for !administrative(r.entry) && len(batch) < batchMost && held == nil {
			var more *request
			select {
			case more = <-s.requests:
			default:
			}
			if more == nil {
				break
			}
			if administrative(more.entry) {
				held = more
			} else {
				batch = append(batch, more)
			}
		}
		s.together(batch)
		for _, r := range batch {
			close(r.done)
		}
	}
}

// together applies entries in one transaction. When one of them fails in the
// database, or its connection ends, each is tried once more, alone, so that one
// does not spoil the others.
func (s *Store) together(batch []*request) {
	if spoiled := s.try(batch); !spoiled {
		return
	}
	for _, r := range batch {
		r.applied, r.err = Applied{}, nil
		s.try([]*request{r})
	}
}

// ready folds what the database has missed.
func (s *Store) ready() error {
	if !s.behind {
		return nil
	}
	ctx, cancel := context.WithTimeout(s.stopped, time.Minute)
	defer cancel()
	at, err := s.journal.fits(ctx, s.engine)
	if err == nil {
		err = s.begin(ctx, at) // it may have committed what we took for lost
	}
	if err != nil {
		return unavailable(err)
	}
	s.behind = false
	return nil
}

// patience is how long the writer tries to show what is durable already, before
// it tells those who wait that it is kept.
const patience = 10 * time.Second

// recover waits for the database to come back.
func (s *Store) recover() error {
	s.behind = true
	began := time.Now()
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := s.ready()
		if err == nil || time.Since(began)+pause > patience {
			return err
		}
		select {
		case <-time.After(pause):
		case <-s.stopped.Done():
			return err
		}
	}
}

// try applies a batch. spoiled says that the database refused it, nothing was
// journaled, and each request has that error.
func (s *Store) try(batch []*request) (spoiled bool) {
	ctx := s.stopped
	failed := func(err error) bool {
		for _, r := range batch {
			if r.err == nil {
				r.applied, r.err = Applied{}, unavailable(err)
			}
		}
		return true
	}
	if err := s.ready(); err != nil {
		failed(err)
		return false
	}
	t, err := s.engine.begin(ctx)
	if err != nil {
		failed(err)
		return false
	}
	if p, ok := s.engine.(*postgres); ok && p.renewed {
		p.renewed, s.behind = false, true
		t.rollback()
		return s.try(batch)
	}
	f := newFolder(t, s.catalogue, s.options.Source, s.counters)
	var records [][]byte
	var size int
	for i, r := range batch {
		record, err := s.one(f, r, s.journal.end.sequence+uint64(len(records))+1)
		if err != nil {
			t.rollback()
			return failed(err)
		}
		if record != nil {
			records = append(records, record)
			size += len(record)
		}
		if size > batchLimit && i+1 < len(batch) {
			s.finish(f, t, batch[:i+1], records)
			return s.try(batch[i+1:])
		}
	}
	s.finish(f, t, batch, records)
	return false
}

// one checks and applies an entry within the transaction. What is wrong with
// the entry is the request's; what is returned is wrong with the database.
func (s *Store) one(f *folder, r *request, sequence uint64) ([]byte, error) {
	if r.err = r.ctx.Err(); r.err != nil {
		return nil, nil
	}
	stamp(r.entry, s.options.Clock())
	applied, rows, err := f.assign(r.ctx, r.entry)
	if err != nil || applied.Repeated {
		r.applied, r.err = applied, refused(err)
		return nil, nil
	}
	record, err := encode(r.entry)
	if err != nil {
		r.err = err
		return nil, nil
	}
	applied.Sequence = sequence
	r.applied = applied
	return record, f.apply(s.stopped, r.entry, rows)
}

// finish makes entries durable, then visible.
func (s *Store) finish(f *folder, t tx, batch []*request, records [][]byte) {
	fail := func(err error) {
		for _, r := range batch {
			if r.err == nil && !r.applied.Repeated {
				r.applied, r.err = Applied{}, err
			}
		}
	}
	if len(records) == 0 {
		t.rollback()
		return
	}
	if err := s.journal.append(records); err != nil {
		t.rollback()
		s.log.Error("journal", "err", err)
		fail(err)
		return
	}
	err := f.finish(s.stopped, s.journal.end)
	var publish func()
	if err == nil {
		publish, err = s.catalogue.changes(s.stopped, t, &f.touched)
	}
	if err == nil {
		err = t.commit(s.stopped)
	} else {
		t.rollback()
	}
	if err != nil {
		s.log.Error("database: the journal is ahead, and will be folded again", "err", err)
		if err := s.recover(); err != nil {
			fail(errKept.From(err))
			return
		}
		s.watchers.tell(f.touched.change(s.journal.end.sequence, s.options.Clock())) // it may have been committed after all
		return
	}
	publish()
	s.counters = f.counters
	s.sequence.Store(s.journal.end.sequence)
	s.watchers.tell(f.touched.change(s.journal.end.sequence, s.options.Clock()))
}

// reads are those of other rooms: that the database is away is a problem there too.
type reads struct{ querier }

func (r reads) query(ctx context.Context, sql string, args []any, each func(row) error) error {
	return refused(r.querier.query(ctx, sql, args, each))
}

// refused passes problems on and hides what SQL says.
func refused(err error) error {
	var p *problem.Error
	if err == nil || errors.As(err, &p) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return unavailable(err)
}

func unavailable(err error) error {
	var p *problem.Error
	if errors.As(err, &p) {
		return err
	}
	return errDatabase.From(err)
}

// replayFrames and replayBytes bound what one transaction of a rebuild takes.
const (
	replayFrames = 256
	replayBytes  = 8 << 20
)

// replay folds the entries after a place.
func (s *Store) replay(ctx context.Context, from mark) error {
	var entries [][]byte
	var frames, size int
	flush := func(at mark) error {
		if len(entries) == 0 {
			return nil
		}
		err := s.fold(ctx, entries, at)
		entries, frames, size = nil, 0, 0
		return err
	}
	last := from
	err := s.journal.read(from, func(at mark, batch [][]byte) error {
		entries, last = append(entries, batch...), at
		frames++
		for _, e := range batch {
			size += len(e)
		}
		if frames < replayFrames && size < replayBytes {
			return nil
		}
		return flush(at)
	})
	if err == nil {
		err = flush(last)
	}
	return err
}

// fold applies entries of the journal, which end at a place, in one transaction.
func (s *Store) fold(ctx context.Context, entries [][]byte, at mark) error {
	t, err := s.engine.begin(ctx)
	if err != nil {
		return err
	}
	f := newFolder(t, s.catalogue, s.options.Source, s.counters)
	for i, data := range entries {
		if err := s.foldOne(ctx, f, data); err != nil {
			t.rollback()
			return fmt.Errorf("entry %d: %w", at.sequence-uint64(len(entries)-1-i), err)
		}
	}
	if err := f.finish(ctx, at); err != nil {
		t.rollback()
		return err
	}
	if err := t.commit(ctx); err != nil {
		return err
	}
	s.counters = f.counters
	s.watchers.tell(f.touched.change(at.sequence, s.options.Clock()))
	return nil
}

func (s *Store) foldOne(ctx context.Context, f *folder, data []byte) error {
	e, err := decode(data)
	if err != nil {
		return err
	}
	var rows *Rows
	if b, ok := e.(*BlocksTaken); ok {
		if rows, err = f.again(ctx, b); err != nil {
			return err
		}
	}
	if err := f.apply(ctx, e, rows); err != nil || !administrative(e) {
		return err
	}
	publish, err := f.c.changes(ctx, f.tx, &f.touched)
	if err == nil {
		publish()
	}
	return err
}
