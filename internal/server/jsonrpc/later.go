package jsonrpc

import "context"

// later is what the calls of a batch wait for together.
type later struct {
	waits       []func(context.Context)
	asked       bool  // for the confirmation
	unconfirmed error // what it said
}

type laterKey struct{}

// Later waits at once, or in a batch after the calls of the same method that
// follow in a row: before the next call of another one, or before the batch is
// answered. So many calls that wait for the same thing wait for it once. The answer
// to the call does not depend on it.
func Later(ctx context.Context, wait func(context.Context)) {
	if l, ok := ctx.Value(laterKey{}).(*later); ok {
		l.waits = append(l.waits, wait)
		return
	}
	wait(ctx)
}

// wait does what was put off.
func (d *Dispatcher) wait(ctx context.Context, l *later) {
	waits := l.waits
	l.waits = nil
	var err error
	defer d.contain("batch", &err)
	for _, wait := range waits {
		wait(ctx)
	}
}
