package workspace

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/coco-consortium/coco/internal/builder/offchain"
)

// View is what a page shows and wants to be told of: one contract, one
// application, all people, the ledgers, or, when it names nothing, the
// applications that the person sees.
type View struct {
	ApplicationID, ContractID int
	People, Ledgers           bool
}

// Sees is nil as long as the person may see a view. It asks the store, not what the
// workspace remembers, so a role that was taken away counts at once.
func (p *Person) Sees(ctx context.Context, v View) error {
	if v.People {
		return p.mustAdminister()
	}
	if v.ContractID != 0 {
		c, err := p.w.Store.Contract(ctx, v.ContractID)
		if err != nil {
			return hidden(err)
		}
		v.ApplicationID = c.ApplicationID
	}
	if v.ApplicationID == 0 {
		return nil
	}
	if _, err := p.w.Store.Application(ctx, v.ApplicationID); err != nil {
		return hidden(err)
	}
	mine, err := p.holds(ctx)
	if err == nil && !mine(v.ApplicationID) {
		err = ErrNotFound
	}
	return err
}

// holds gives what says whether the person sees an application now.
func (p *Person) holds(ctx context.Context) (func(applicationID int) bool, error) {
	if p.Administrator {
		return func(int) bool { return true }, nil
	}
	all, err := p.w.Store.AssignmentsOf(ctx, p.ID)
	return func(id int) bool {
		return slices.ContainsFunc(all, func(a offchain.Assignment) bool { return a.ApplicationID == id })
	}, err
}

// Changes tells that something in a view changed after the state of the store that
// since numbers, until ctx ends or the person may no longer see the view: then the
// channel is closed. It says no more than that, and changes that come while nobody
// takes them are one.
func (p *Person) Changes(ctx context.Context, v View, since uint64) (<-chan struct{}, error) {
	changes, stop := p.w.Store.Watch()
	if err := p.Sees(ctx, v); err != nil {
		stop()
		return nil, err
	}
	if v.ContractID != 0 {
		if c, err := p.w.Store.Contract(ctx, v.ContractID); err == nil {
			v.ApplicationID = c.ApplicationID
		}
	}
	told := make(chan struct{}, 1)
	heard := func(c offchain.Change) bool {
		touches, err := p.touches(ctx, c, v)
		if touches {
			select {
			case told <- struct{}{}:
			default:
			}
		}
		return err == nil
	}
	go func() {
		defer close(told)
		defer stop()
		before, ok := p.w.recent.after(ctx, since, p.w.Sequence())
		if !ok {
			before = []offchain.Change{{Missed: true}}
		}
		for _, c := range before {
			if !heard(c) {
				return
			}
		}
		for {
			select {
			case <-ctx.Done():
				return
			case c, ok := <-changes:
				if !ok || !heard(c) {
					return
				}
			}
		}
	}()
	return told, nil
}

// touches says whether a change is one of a view. An error is that the view is
// gone, or no longer the person's.
func (p *Person) touches(ctx context.Context, c offchain.Change, v View) (bool, error) {
	if c.Missed || len(c.Applications)+len(c.People) > 0 {
		if err := p.Sees(ctx, v); err != nil {
			return false, err
		}
	}
	switch {
	case c.Missed:
		return true, nil
	case v.People:
		return len(c.People) > 0, nil
	case v.Ledgers:
		return len(c.Connections) > 0, nil
	case slices.Contains(c.People, p.ID): // roles of one's own came or went
		return true, nil
	case v.ContractID != 0: // its page says whether its version is read only, too
		return slices.Contains(c.Contracts, v.ContractID) || slices.Contains(c.Applications, v.ApplicationID), nil
	}
	mine, err := p.holds(ctx)
	if err != nil {
		return false, err
	}
	of := func(id int) bool { return v.ApplicationID == id || v.ApplicationID == 0 && mine(id) }
	if slices.ContainsFunc(c.Applications, of) || slices.ContainsFunc(c.Actions, func(a offchain.ActionChange) bool { return of(a.ApplicationID) }) {
		return true, nil
	}
	for _, id := range c.Contracts {
		if row, err := p.w.Store.Contract(ctx, id); err == nil && of(row.ApplicationID) {
			return true, nil
		}
	}
	return false, nil
}

// recent keeps the last changes, for who read a page before one came and began to
// listen after it.
type recent struct {
	mu    sync.Mutex
	list  []offchain.Change
	from  uint64        // the state before the first of them
	added chan struct{} // closed by the next one
}

const (
	mostRecent = 1000
	patience   = time.Second // within which Follow hears of an entry
)

// begin says which state the first change follows.
func (r *recent) begin(sequence uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list, r.from, r.added = nil, sequence, make(chan struct{})
}

func (r *recent) add(c offchain.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.list = append(r.list, c); len(r.list) > mostRecent {
		n := len(r.list) / 2
		r.from = r.list[n-1].Sequence
		r.list = append([]offchain.Change(nil), r.list[n:]...)
	}
	close(r.added)
	r.added = make(chan struct{})
}

// after gives the changes between two states; false when they are not known.
func (r *recent) after(ctx context.Context, since, until uint64) ([]offchain.Change, bool) {
	late := time.NewTimer(patience)
	defer late.Stop()
	for since < until {
		r.mu.Lock()
		list, added, last := r.list, r.added, r.from
		if len(list) > 0 {
			last = list[len(list)-1].Sequence
		}
		known := added != nil && since >= r.from
		r.mu.Unlock()
		switch {
		case !known:
			return nil, false
		case last >= until:
			i, _ := slices.BinarySearchFunc(list, since, func(c offchain.Change, since uint64) int {
				if c.Sequence <= since {
					return -1
				}
				return 1
			})
			return list[i:], true
		}
		select {
		case <-added:
		case <-late.C:
			return nil, false
		case <-ctx.Done():
			return nil, false
		}
	}
	return nil, true
}
