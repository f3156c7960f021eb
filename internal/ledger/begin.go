package ledger

import (
	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/problem"
)

// First is the index at which the log begins: 1, unless the older part is still
// to be fetched from other nodes. The log is one run from there to its end, and
// reads below it fail with ErrAbsent. An empty log has First = LastIndex + 1.
func (l *Log) First() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.first
}

// FirstHeight is the height of the log's first block; false when it has none or
// its place is damaged.
func (l *Log) FirstHeight() (uint64, bool) {
	l.mu.RLock()
	c, t, closed := l.chunks[0], l.open.table, len(l.chunks) > 1
	if !closed {
		defer l.mu.RUnlock()
		return t.height, len(t.blocks) > 0
	}
	l.mu.RUnlock()
	height, err := l.shelf.firstHeight(c)
	return height, err == nil
}

// Begin makes a log without entries begin at an entry behind the ledger's first,
// which must be the first of a chunk: before is the prefix hash of the entry
// before it. A joining node calls it and then appends what other nodes have; the
// older chunks come by Adopt. The vote file holds where the log begins, so that
// what was never fetched is not taken for damage. A power loss leaves the log as
// it was or as it is to be.
func (l *Log) Begin(first uint64, before format.Hash) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.adopting.Lock()
	defer l.adopting.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	if l.end.index+1 != l.First() {
		return orderProblem("a log with entries cannot begin at another, %d", first)
	}
	if first == 0 || first == 1 && before != (format.Hash{}) {
		return orderProblem("a log that begins at entry %d with a past", first)
	}
	if err := l.restart(position{first - 1, before}); err != nil {
		return l.fail(err)
	}
	return nil
}

func (l *Log) restart(end position) error {
	l.flushing.Lock()
	defer l.flushing.Unlock()
	l.space.close()
	if err := l.fs.Remove(l.chunks[0].name); err != nil {
		return err
	}
	if err := disk.SyncDir(l.fs, l.dir); err != nil {
		return err
	}
	if err := l.vote.begin(end.index+1, &end); err != nil {
		return err
	}
	c, file, err := l.createChunk(end.index + 1)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open.drop()
	l.chunks = []*chunk{c}
	l.open, l.space = &handle{file: file, table: &table{first: c.first}}, newSpace(file, 0, 0)
	l.first, l.verified = c.first, c.first
	l.end = chain{position: end, loose: end.index > 0}
	l.synced = l.end
	l.cuts.Add(1)
	return nil
}

// Cut drops every entry behind index. A node that joins with an uncommitted tail
// that the network does not have calls it before it starts Raft, and never for
// what is committed. The cut is durable when it returns; a power loss before
// leaves a log that ends there or later, in one unbroken chain.
func (l *Log) Cut(index uint64) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	if first := l.First(); index+1 < first {
		return orderProblem("a cut behind entry %d of a log that begins at %d", index, first)
	}
	if index >= l.end.index {
		return nil
	}
	end, err := l.endBefore(index + 1)
	if err != nil {
		return err
	}
	if err := l.cut(end); err != nil {
		return l.fail(err)
	}
	return nil
}

// ResetVote makes durable that this node voted for nobody in term, which is not
// below the vote file's nor that of the log's last entry. It is for a new raft id
// in the directory of one that ended, and for nothing else: the votes that the
// file held were given by the old id, which never runs again, and the new one has
// given none, so that nobody is told two things by one id.
func (l *Log) ResetVote(term uint64) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	if last := l.Head().LastTerm; term < last {
		return orderProblem("no vote in term %d behind an entry of term %d", term, last)
	}
	err := l.vote.reset(term)
	if err == nil || problem.CodeOf(err) == ErrOrder.Code {
		return err
	}
	return l.fail(err)
}
