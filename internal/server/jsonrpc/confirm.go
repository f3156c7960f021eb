package jsonrpc

import "context"

// confirmation is something that has to hold before a method reads, for clients
// that wish it.
type confirmation struct {
	name, value string // of the wish
	confirm     func(context.Context) error
	except      map[string]bool
}

// Confirm has confirm called before methods for the clients whose URL says
// name=value: once for a request, however many calls a batch has, since all of
// them were made after the request came. An error is the answer to every call
// but those of the methods excepted, which read nothing that it is about.
func (d *Dispatcher) Confirm(name, value string, confirm func(context.Context) error, except ...string) {
	c := &confirmation{name: name, value: value, confirm: confirm, except: make(map[string]bool)}
	for _, method := range except {
		c.except[method] = true
	}
	d.confirmation = c
}

// confirmed asks before a call of a method, or remembers what was said before
// another call of the batch.
func (d *Dispatcher) confirmed(ctx context.Context, m *method) error {
	c := d.confirmation
	if c == nil || Wish(ctx, c.name) != c.value || c.except[m.name] {
		return nil
	}
	l, ok := ctx.Value(laterKey{}).(*later)
	if !ok {
		return c.confirm(ctx)
	}
	if !l.asked {
		l.asked, l.unconfirmed = true, c.confirm(ctx)
	}
	return l.unconfirmed
}
