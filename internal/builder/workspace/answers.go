package workspace

import (
	"fmt"
	"sync"

	"golang.org/x/sync/singleflight"

	"github.com/coco-consortium/coco/internal/builder/offchain"
)

// answers keeps what was read last: many people look at the same lists and
// contracts, again and again. What is kept is of one state of the store and
// forgotten as soon as there is another, so nobody is told anything old. It holds
// nothing of rights: they are looked at for each request, before.
type answers struct {
	mu       sync.Mutex
	sequence uint64
	kept     map[string]any
	flight   singleflight.Group
}

const (
	mostAnswers = 1000
	mostShown   = 200 // actions of a contract whose page is kept
)

// remembered gives what was read for a key in the present state of the store, or
// reads it; those who want the same at the same time wait for one reading.
func remembered[T any](w *Workspace, key string, read func() (T, error)) (T, error) {
	a, now := &w.answers, w.Store.Sequence()
	a.mu.Lock()
	if a.kept == nil || a.sequence < now {
		a.kept, a.sequence = map[string]any{}, now
	}
	known, ok := a.kept[key]
	ok = ok && a.sequence == now
	a.mu.Unlock()
	if ok {
		return known.(T), nil
	}
	v, err, _ := a.flight.Do(fmt.Sprint(now, " ", key), func() (any, error) {
		v, err := read()
		if err != nil {
			return nil, err
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		d, big := any(v).(*ContractDetail)
		big = big && len(d.Actions) > mostShown
		if a.sequence == now && len(a.kept) < mostAnswers && !big {
			a.kept[key] = v
		}
		return v, nil
	})
	if err != nil {
		var none T
		return none, err
	}
	return v.(T), nil
}

// contracts reads a page of contracts. The rows may be shared: nobody changes them.
func (w *Workspace) contracts(f offchain.ContractFilter, read func() (offchain.List[offchain.Contract], error)) (offchain.List[offchain.Contract], error) {
	if f.Search != "" || len(f.Properties) > 0 || f.Page.Skip > 0 || f.Status != nil {
		return read() // seldom twice the same
	}
	whose := "all"
	if f.ApplicationIDs != nil {
		whose = fmt.Sprint(f.ApplicationIDs)
	}
	f.ApplicationIDs = nil
	return remembered(w, fmt.Sprintf("contracts of %s: %+v", whose, f), read)
}
