package jsonrpc

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/server/caller"
)

// Guard decides whether a caller may call a method with the parameters as they
// were prepared. A refusal is an error, shown like any other.
type Guard func(ctx context.Context, c *caller.Caller, method string, prepared any) error

// Dispatcher calls methods. Registration comes first; after that it is safe
// for use by many goroutines.
type Dispatcher struct {
	methods map[string]*method
	refused map[string]string // why, by name or by the beginning of names
	limits  Limits
	guard   Guard
	heavy   Places
	memory  *semaphore.Weighted
	log     *slog.Logger
	work    sync.Pool // of *work

	confirmation *confirmation // nil for none
	watch        Watch
}

// Watch is told of each call of a registered method: it may give the call another
// context, and is told of the end. It must be quick.
type Watch func(ctx context.Context, method string) (context.Context, func(error))

// Watch sets who is told of calls. It comes before the first call.
func (d *Dispatcher) Watch(w Watch) { d.watch = w }

// New makes a dispatcher without methods. guard may be nil: everything is
// permitted.
func New(limits Limits, guard Guard, log *slog.Logger) *Dispatcher {
	if guard == nil {
		guard = func(context.Context, *caller.Caller, string, any) error { return nil }
	}
	limits = limits.withDefaults()
	return &Dispatcher{
		methods: make(map[string]*method),
		refused: make(map[string]string),
		limits:  limits,
		guard:   guard,
		heavy:   NewPlaces(limits.HeavyCalls),
		memory:  semaphore.NewWeighted(int64(limits.Memory)),
		log:     log,
		work:    sync.Pool{New: func() any { return new(work) }},
	}
}

// Limits gives the limits in force.
func (d *Dispatcher) Limits() Limits { return d.limits }

// Methods gives the names of the registered methods in order.
func (d *Dispatcher) Methods() []string { return slices.Sorted(maps.Keys(d.methods)) }

// work is the room that one request needs, kept for the next one.
type work struct {
	messages []message
	items    []item
	room     *Room
	request  int // bytes
}

// item is a call on its way: found, prepared, then handled.
type item struct {
	*message
	method   *method
	prepared any
	err      error
	ready    bool // prepared is set, or err
}

// Serve answers one request or batch: it appends the response to dst, or
// nothing when none is due. The caller is taken from ctx.
func (d *Dispatcher) Serve(ctx context.Context, request, dst []byte) []byte {
	if len(request) > d.limits.RequestBytes {
		return appendFailure(dst, nil, &Error{Code: CodeInvalidRequest,
			Message: fmt.Sprintf("request too large, limit is %d bytes", d.limits.RequestBytes)})
	}
	w := d.work.Get().(*work)
	defer d.release(w)
	w.room, _ = ctx.Value(roomKey{}).(*Room)
	w.request = len(request)
	messages, batch, fail := parse(request, &d.limits, w.messages[:0])
	if fail != nil {
		return appendFailure(dst, nil, fail)
	}
	w.messages = messages
	w.items = w.items[:0]
	for i := range messages {
		m := &messages[i]
		w.items = append(w.items, item{message: m, method: d.methods[string(m.method)]})
	}
	c := caller.From(ctx)
	if !batch {
		return d.answer(ctx, c, w, &w.items[0], dst, len(dst)+d.limits.ResponseBytes)
	}
	return d.batch(ctx, c, w, dst)
}

// release keeps w for another request without what it points to.
func (d *Dispatcher) release(w *work) {
	clear(w.messages)
	clear(w.items)
	w.room = nil
	d.work.Put(w)
}

// batch answers the calls in order after preparing them in parallel.
func (d *Dispatcher) batch(ctx context.Context, c *caller.Caller, w *work, dst []byte) []byte {
	items := w.items
	ctx, cancel := context.WithTimeout(ctx, d.limits.CallTime)
	defer cancel()
	d.prepare(ctx, c, items)
	start := len(dst)
	limit := start + d.limits.ResponseBytes
	dst = append(dst, '[')
	put := new(later)
	ctx = context.WithValue(ctx, laterKey{}, put)
	for i := range items {
		if i > 0 && items[i].method != items[i-1].method {
			d.wait(ctx, put)
		}
		before := len(dst)
		if dst = d.answer(ctx, c, w, &items[i], dst, limit); len(dst) > before {
			dst = append(dst, ',')
		}
	}
	d.wait(ctx, put)
	if len(dst) == start+1 {
		return dst[:start]
	}
	dst[len(dst)-1] = ']'
	return dst
}

// prepare runs the preparing stage of those calls for which it is worth it, on
// all cores.
func (d *Dispatcher) prepare(ctx context.Context, c *caller.Caller, items []item) {
	worth := 0
	for i := range items {
		if items[i].wantsCore() {
			worth++
		}
	}
	var next atomic.Int64
	work := func() {
		for {
			i := int(next.Add(1)) - 1
			if i >= len(items) {
				return
			}
			if it := &items[i]; it.wantsCore() {
				d.prepareOne(ctx, c, it)
			}
		}
	}
	var others sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), worth) - 1 {
		others.Go(work)
	}
	if worth > 0 {
		work()
	}
	others.Wait()
}

func (it *item) wantsCore() bool {
	return it.bad == nil && it.method != nil && it.method.parallel
}

func (d *Dispatcher) prepareOne(ctx context.Context, c *caller.Caller, it *item) {
	it.ready = true
	if it.err = ctx.Err(); it.err != nil {
		return
	}
	defer d.contain(it.method.name, &it.err)
	it.prepared, it.err = it.method.prepare(ctx, c, it.params)
}

// answer makes one call and appends its response, which may not grow dst past
// limit.
func (d *Dispatcher) answer(ctx context.Context, c *caller.Caller, w *work, it *item, dst []byte, limit int) []byte {
	if it.bad != nil {
		return appendFailure(dst, it.id, it.bad)
	}
	if len(dst) >= limit {
		return d.fail(it, dst, errTooLarge)
	}
	if d.watch == nil || it.method == nil {
		return d.reply(ctx, c, w, it, dst, limit, nil)
	}
	ctx, end := d.watch(ctx, it.method.name)
	return d.reply(ctx, c, w, it, dst, limit, end)
}

// reply calls a method; end, when there is one, is told how that went.
func (d *Dispatcher) reply(ctx context.Context, c *caller.Caller, w *work, it *item, dst []byte, limit int, end func(error)) []byte {
	result, err := d.call(ctx, c, it)
	if end != nil {
		end(err)
	}
	full := dst
	if err == nil && it.id != nil {
		full, err = d.encode(it, dst, result)
		switch {
		case err != nil:
		case len(full) > limit:
			err = errTooLarge
		case !w.room.Grow(w.request + len(full)):
			err = errCrowded
		}
	}
	if s, ok := result.(Settler); ok {
		s.Settle(err == nil && it.id != nil)
	}
	if err != nil {
		return d.fail(it, dst, err)
	}
	return full
}

// encode appends the response with a result, which may be a method's own code.
func (d *Dispatcher) encode(it *item, dst []byte, result any) (full []byte, err error) {
	defer d.contain(it.method.name, &err)
	return appendSuccess(dst, it.id, result)
}

var errTooLarge = &Error{Code: CodeTooLarge, Message: "response too large"}

func (d *Dispatcher) fail(it *item, dst []byte, err error) []byte {
	if it.id == nil {
		return dst
	}
	e := toError(err)
	if e.Code == CodeInternal {
		d.log.Error("JSON-RPC call failed for a reason inside the node",
			"method", it.method.name, "code", problem.CodeOf(err), "type", fmt.Sprintf("%T", err))
	}
	return appendFailure(dst, it.id, e)
}

// call is the one place through which every call of every method passes, with
// its caller.
func (d *Dispatcher) call(ctx context.Context, c *caller.Caller, it *item) (result any, err error) {
	m := it.method
	if m == nil {
		return nil, d.unknownMethod(string(it.message.method))
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := d.confirmed(ctx, m); err != nil {
		return nil, err
	}
	if m.time >= 0 {
		within := m.time
		if within == 0 {
			within = d.limits.CallTime
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, within)
		defer cancel()
	}
	if m.places != nil {
		if err := m.places.enter(ctx); err != nil {
			return nil, err
		}
		defer m.places.Leave()
	}
	if !it.ready {
		d.prepareOne(ctx, c, it)
	}
	if it.err != nil {
		return nil, it.err
	}
	defer d.contain(m.name, &err)
	if err := d.guard(ctx, c, m.name, it.prepared); err != nil {
		return nil, err
	}
	return m.handle(ctx, c, it.prepared)
}

// unknownMethod is geth's error for a method that there is not, and why, where
// a reason was registered.
func (d *Dispatcher) unknownMethod(name string) *Error {
	why, ok := d.refused[name]
	if namespace, _, found := strings.Cut(name, "_"); found && !ok {
		why, ok = d.refused[namespace+"_"]
	}
	if len(name) > 100 {
		name = name[:100]
	}
	message := fmt.Sprintf("the method %s does not exist/is not available", strings.ToValidUTF8(name, "?"))
	if ok {
		message += ": " + why
	}
	return &Error{Code: CodeMethodNotFound, Message: message}
}

// contain turns a panic of a method into an error. It logs where it happened
// and neither the panic's value nor arguments, which may hold private data.
func (d *Dispatcher) contain(name string, err *error) {
	r := recover()
	if r == nil {
		return
	}
	*err = &Error{Code: CodeInternal, Message: "method handler crashed"}
	d.log.Error("JSON-RPC method crashed", "method", name, "type", fmt.Sprintf("%T", r), "stack", stack())
}

// stack lists the functions and lines that led to a panic, newest first.
func stack() string {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(4, pcs[:])])
	var b strings.Builder
	for {
		f, more := frames.Next()
		fmt.Fprintf(&b, "%s:%d ", f.Function, f.Line)
		if !more {
			return strings.TrimSpace(b.String())
		}
	}
}
