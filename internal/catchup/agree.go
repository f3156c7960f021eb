package catchup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coco-consortium/coco/internal/ledger"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// Agree gives the last entry that a log shares with the network's committed log:
// of all sources it takes the one that shares most. What lies behind is not known
// to be committed, and the node cuts it (ledger.Log.Cut) before it takes part
// under a new raft id; 0 when nothing is shared. It fails with ErrFork when the log's own headers name a
// block as committed that no source holds, at once if one has another in its
// place and after a while if all are merely behind. A source that holds a
// different history while another agrees is reported and no longer asked.
func (f *Fetcher) Agree(ctx context.Context, log *ledger.Log) (uint64, error) {
	f.fill()
	defer f.status.begin("entries")()
	committed, height, err := committedIn(log)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	for round := 1; ; round++ {
		found, last := f.compare(ctx, log)
		switch {
		case ctx.Err() != nil:
			return 0, context.Cause(ctx)
		case len(found) == 0 && f.Rounds > 0 && round >= f.Rounds:
			return 0, ErrSources.From(last)
		case len(found) > 0:
			best := found[0]
			if best.shared >= committed {
				f.distrust(found, committed)
				return best.shared, nil
			}
			if other := contradiction(found, committed); other != nil {
				return 0, ErrFork.From(fmt.Errorf("block %d, entry %d: what %s has is different from entry %d on", height, committed, other.source.Name, other.shared+1))
			}
			if time.Since(began) > f.Settle {
				return 0, ErrFork.From(fmt.Errorf("block %d, entry %d: the furthest node has entries up to %d", height, committed, best.shared))
			}
		}
		if err := pause(ctx, f.backoff(round)); err != nil {
			return 0, err
		}
	}
}

// agreement is what a log and a source share.
type agreement struct {
	source Source
	shared uint64 // the last entry that both hold, the source as committed
	differ bool   // the source has another entry behind it
}

// compare asks every source, and gives those that answered, the one that shares
// most in front.
func (f *Fetcher) compare(ctx context.Context, log *ledger.Log) (found []agreement, last error) {
	last = errors.New("there is no other node")
	for _, s := range f.order() {
		a, err := f.agreement(ctx, s, log)
		if err != nil {
			last = fmt.Errorf("%s: %w", s.Name, err)
			f.status.source(s.Name, last)
			continue
		}
		f.status.source(s.Name, nil)
		if found = append(found, a); len(found) > 1 && a.shared > found[0].shared {
			found[0], found[len(found)-1] = a, found[0]
		}
	}
	return found, last
}

// agreement searches for the last entry that a source shares: prefix hashes bind
// everything before them, so that two logs agree up to one entry and never again.
func (f *Fetcher) agreement(ctx context.Context, s Source, log *ledger.Log) (agreement, error) {
	a := agreement{source: s}
	var p Position
	if err := f.document(ctx, s, pathPosition, &p); err != nil {
		return a, err
	}
	if p.Index < f.Least {
		return a, fmt.Errorf("it knows %d entries to be committed, the network had %d when it let this node in", p.Index, f.Least)
	}
	same := func(index uint64) (bool, error) {
		own, err := log.Prefix(index)
		if err != nil || index == 0 {
			return true, err
		}
		var theirs Prefix
		err = f.document(ctx, s, fmt.Sprintf(pathPrefix, index), &theirs)
		return theirs.Hash == own, err
	}
	// Both have what is in [low, high]; the source may still lack its beginning.
	low, high := max(log.First(), max(p.First, 1))-1, min(log.Head().LastIndex, p.Index)
	if low > high {
		return a, errAbsent
	}
	equal, err := same(high)
	if err != nil || equal {
		a.shared = high
		return a, err
	}
	a.differ = true
	if equal, err = same(low); err != nil || !equal {
		return a, err // nothing that can be compared is shared
	}
	for high-low > 1 { // equal at low, different at high
		mid := low + (high-low)/2
		if equal, err = same(mid); err != nil {
			return a, err
		}
		if equal {
			low = mid
		} else {
			high = mid
		}
	}
	a.shared = low
	return a, nil
}

// contradiction is a source that has another entry where the log holds a
// committed one.
func contradiction(found []agreement, committed uint64) *agreement {
	for i := range found {
		if found[i].differ && found[i].shared < committed {
			return &found[i]
		}
	}
	return nil
}

// distrust no longer asks the sources whose history is another than that of this
// node and of the source in front.
func (f *Fetcher) distrust(found []agreement, committed uint64) {
	for a := contradiction(found, committed); a != nil; a = contradiction(found, committed) {
		f.distant[a.source.Name] = time.Now().Add(f.Distrust)
		f.Logger.Error("a node holds another history than the others: one of them was rolled back", "node", a.source.Name, "entry", a.shared+1)
		a.differ = false
	}
}

// committedIn is the entry and height that the log's last block names as
// committed, which is no less than any other block of it does; 0 when it names
// none that the log still has.
func committedIn(log *ledger.Log) (index, height uint64, err error) {
	head := log.Head()
	if !head.HasBlock || head.Height == 0 { // genesis names none
		return 0, 0, nil
	}
	at, ok := log.IndexOf(head.Height)
	if !ok {
		return 0, 0, ledger.ErrDamaged.From(fmt.Errorf("block %d", head.Height))
	}
	e, err := log.Entry(at)
	if err != nil {
		return 0, 0, err
	}
	h, err := format.PeekHeader(e.Body)
	if err != nil {
		return 0, 0, err
	}
	if index, ok = log.IndexOf(h.Committed); !ok {
		return 0, 0, nil
	}
	return index, h.Committed, nil
}
