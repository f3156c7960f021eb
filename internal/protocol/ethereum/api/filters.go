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
	maxFilterTerms = 1 << 20         // addresses and topics of all filters, 32 bytes each at most
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

	mu    sync.Mutex // held by the poll at work
	next  uint64     // the first block that was not answered whole
	index uint       // the first log of it that was not answered
}

// terms is how much a filter takes.
func (f *filter) terms() int {
	n := 1 + len(f.logs.addresses)
	for _, topics := range f.logs.topics {
		n += len(topics)
	}
	return n
}

// filters is the registry of the filters that there are, and of some that have
// expired. The zero value has none.
type filters struct {
	mu    sync.Mutex
	byID  map[jsonrpc.ID]*filter
	own   map[string]int // by owner
	terms int
}

// add takes a filter in and gives its id, which cannot be guessed.
func (r *filters) add(f *filter, now time.Time) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	terms := f.terms()
	if r.full(f.owner, terms) != nil {
		for id, old := range r.byID {
			if now.Sub(old.polled) > filterLife {
				r.drop(id, old)
			}
		}
	}
	if err := r.full(f.owner, terms); err != nil {
		return "", err
	}
	if r.byID == nil {
		r.byID, r.own = make(map[jsonrpc.ID]*filter), make(map[string]int)
	}
	id := jsonrpc.NewID()
	f.polled = now
	r.byID[id] = f
	r.own[f.owner]++
	r.terms += terms
	return string(id), nil
}

// full says why there is no room for another filter.
func (r *filters) full(owner string, terms int) error {
	message := "too many filters with too many addresses and topics on this node: name fewer of them"
	switch {
	case r.own[owner] >= maxOwnFilters:
		message = "too many filters: uninstall those that are not needed, or subscribe over WebSocket"
	case len(r.byID) >= maxFilters:
		message = "too many filters on this node: try again later, or subscribe over WebSocket"
	case r.terms+terms <= maxFilterTerms:
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
	r.terms -= f.terms()
	if r.own[f.owner]--; r.own[f.owner] == 0 {
		delete(r.own, f.owner)
	}
}
