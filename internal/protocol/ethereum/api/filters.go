package api

import (
	"sync"
	"time"

	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// Limits of filters.
const (
	filterLife     = 5 * time.Minute // without a poll
	maxFilters     = 16384           // of all callers
	maxOwnFilters  = 4096            // of one caller; all who show no identity are one
	maxFilterTerms = 1 << 20         // addresses and topics of all filters and subscriptions, 32 bytes each at most
	maxOwnTerms    = 1 << 19         // of one caller's
)

// filterKind is what a filter gives.
type filterKind uint8

const (
	logFilters filterKind = iota
	blockFilters
	pendingFilters
)

// filter is one filter. It belongs to the caller that made it; nobody else finds it.
type filter struct {
	owner  string
	kind   filterKind
	logs   logFilter // of logFilters
	to     uint64    // the last block that it is for
	polled time.Time // last; guarded by the registry

	mu sync.Mutex // held by the poll at work
	place
}

// place is where a filter is in the chain.
type place struct {
	next  uint64 // the first block that was not answered whole
	index uint   // the first log of it that was not answered
}

func (f *filter) terms() int { return f.logs.terms() }

// terms is how much a filter takes.
func (f *logFilter) terms() int {
	n := 1 + len(f.addresses)
	for _, topics := range f.topics {
		n += len(topics)
	}
	return n
}

// share is a part of what filters and subscriptions may take.
type share struct{ filters, terms int }

// filters is the registry of the filters that there are, and of some that have
// expired. The zero value has none.
type filters struct {
	mu    sync.Mutex
	byID  map[jsonrpc.ID]*filter
	taken map[string]share // by owner
	terms int              // of all owners
}

// add takes a filter in and gives its id, which cannot be guessed.
func (r *filters) add(f *filter, now time.Time) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.take(f.owner, share{1, f.terms()}, now); err != nil {
		return "", err
	}
	if r.byID == nil {
		r.byID = make(map[jsonrpc.ID]*filter)
	}
	id := jsonrpc.NewID()
	f.polled = now
	r.byID[id] = f
	return string(id), nil
}

// hold takes the terms of a subscription, until they are given back with release.
func (r *filters) hold(owner string, terms int, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.take(owner, share{terms: terms}, now)
}

func (r *filters) release(owner string, terms int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.give(owner, share{terms: terms})
}

// take takes a share, for which expired filters make room.
func (r *filters) take(owner string, s share, now time.Time) error {
	if r.full(owner, s) != nil {
		for id, old := range r.byID {
			if now.Sub(old.polled) > filterLife {
				r.drop(id, old)
			}
		}
	}
	if err := r.full(owner, s); err != nil {
		return err
	}
	if r.taken == nil {
		r.taken = make(map[string]share)
	}
	own := r.taken[owner]
	r.taken[owner] = share{own.filters + s.filters, own.terms + s.terms}
	r.terms += s.terms
	return nil
}

// give gives a share back.
func (r *filters) give(owner string, s share) {
	r.terms -= s.terms
	own := r.taken[owner]
	if own = (share{own.filters - s.filters, own.terms - s.terms}); own == (share{}) {
		delete(r.taken, owner)
	} else {
		r.taken[owner] = own
	}
}

// full says why there is no room for another share.
func (r *filters) full(owner string, s share) error {
	own, message := r.taken[owner], ""
	switch {
	case own.filters+s.filters > maxOwnFilters:
		message = "too many filters: uninstall those that are not needed, or subscribe over WebSocket"
	case len(r.byID)+s.filters > maxFilters:
		message = "too many filters on this node: try again later, or subscribe over WebSocket"
	case own.terms+s.terms > maxOwnTerms:
		message = "too many filters and subscriptions with too many addresses and topics: end those that are not needed, or name fewer of them"
	case r.terms+s.terms > maxFilterTerms:
		message = "too many filters and subscriptions with too many addresses and topics on this node: name fewer of them"
	default:
		return nil
	}
	return &jsonrpc.Error{Code: jsonrpc.CodeLimit, Message: message}
}

// get gives a caller's filter, which lives on, or nil.
func (r *filters) get(id jsonrpc.ID, owner string, now time.Time) *filter {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.find(id, owner, now)
	if f != nil {
		f.polled = now
	}
	return f
}

// remove reports whether the caller had that filter.
func (r *filters) remove(id jsonrpc.ID, owner string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.find(id, owner, now)
	if f == nil {
		return false
	}
	r.drop(id, f)
	return true
}

func (r *filters) find(id jsonrpc.ID, owner string, now time.Time) *filter {
	f := r.byID[id]
	switch {
	case f == nil || f.owner != owner:
		return nil
	case now.Sub(f.polled) > filterLife:
		r.drop(id, f)
		return nil
	}
	return f
}

func (r *filters) drop(id jsonrpc.ID, f *filter) {
	delete(r.byID, id)
	r.give(f.owner, share{1, f.terms()})
}
