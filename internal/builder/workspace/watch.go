package workspace

import (
	"context"

	"github.com/coco-consortium/coco/internal/builder/offchain"
)

// Follow keeps the catalogue right when other rooms write entries, until ctx ends.
func (w *Workspace) Follow(ctx context.Context) {
	changes, stop := w.Store.Watch()
	defer stop()
	w.recent.begin(w.Sequence())
	for {
		select {
		case <-ctx.Done():
			return
		case c, ok := <-changes:
			if !ok {
				return
			}
			w.recent.add(c)
			if c.Missed || len(c.Applications)+len(c.People)+len(c.Connections) > 0 {
				w.catalogue.forget()
			}
		}
	}
}

// Watch tells what changes that the person may see, until ctx ends: of one
// application, of one contract, or of everything (0, 0). Rights are looked at anew
// for each event, so whoever loses a role hears no more.
func (p *Person) Watch(ctx context.Context, applicationID, contractID int) (<-chan Event, error) {
	if contractID != 0 {
		c, _, err := p.seeContract(ctx, contractID)
		if err != nil {
			return nil, err
		}
		applicationID = c.ApplicationID
	} else if applicationID != 0 {
		if _, err := p.see(ctx, applicationID); err != nil {
			return nil, err
		}
	}
	changes, stop := p.w.Store.Watch()
	events := make(chan Event, 64)
	go func() {
		defer close(events)
		defer stop()
		for {
			select {
			case <-ctx.Done():
				return
			case c, ok := <-changes:
				if !ok {
					return
				}
				for _, e := range p.events(ctx, c, applicationID, contractID) {
					select {
					case events <- e:
					case <-ctx.Done():
						return
					}
				}
			}
		}
	}()
	return events, nil
}

// events are what a change means to the person.
func (p *Person) events(ctx context.Context, c offchain.Change, applicationID, contractID int) []Event {
	if c.Missed {
		return []Event{{Sequence: c.Sequence, Kind: "reset"}}
	}
	var list []Event
	told := map[Event]bool{}
	tell := func(e Event) {
		if e.Sequence = c.Sequence; told[e] || applicationID != 0 && e.ApplicationID != applicationID || contractID != 0 && e.ContractID != 0 && e.ContractID != contractID {
			return
		}
		if _, err := p.see(ctx, e.ApplicationID); err == nil {
			told[e] = true
			list = append(list, e)
		}
	}
	for _, id := range c.Applications {
		tell(Event{Kind: "application", ApplicationID: id})
	}
	for _, a := range c.Actions {
		tell(Event{Kind: "contract", ApplicationID: a.ApplicationID, ContractID: a.ContractID})
	}
	for _, id := range c.Contracts {
		if contractID != 0 && id != contractID {
			continue
		}
		if row, err := p.w.Store.Contract(ctx, id); err == nil {
			tell(Event{Kind: "contract", ApplicationID: row.ApplicationID, ContractID: id})
		}
	}
	return list
}
