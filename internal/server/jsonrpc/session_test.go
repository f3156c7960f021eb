package jsonrpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/coco-consortium/coco/internal/server/caller"
)

// pipe is a transport in memory. Writes wait for the reading client.
type pipe struct {
	in, out chan []byte
	closed  chan struct{}
	once    sync.Once
	reason  error
}

func newPipe() *pipe {
	return &pipe{in: make(chan []byte), out: make(chan []byte), closed: make(chan struct{})}
}

func (p *pipe) Read(*Room) ([]byte, error) {
	select {
	case m, ok := <-p.in:
		if !ok {
			return nil, io.EOF
		}
		return m, nil
	case <-p.closed:
		return nil, io.ErrClosedPipe
	}
}

func (p *pipe) Write(parts ...[]byte) error {
	select {
	case p.out <- bytes.Join(parts, nil):
		return nil
	case <-p.closed:
		return io.ErrClosedPipe
	}
}

func (p *pipe) Close(reason error) {
	p.once.Do(func() { p.reason = reason; close(p.closed) })
}

// subscriber has a method that streams what a test sends to feed, and one that
// waits for release.
func subscriber(limits Limits, feed chan string, release chan struct{}) *Dispatcher {
	d := New(limits, nil, slog.New(slog.DiscardHandler))
	Handle(d, "eth_subscribe", func(ctx context.Context, _ *caller.Caller, _ *struct{}) (any, error) {
		id, err := Subscribe(ctx, func(ctx context.Context, n *Notifier) error {
			for {
				select {
				case text := <-feed:
					if err := n.Notify([]byte(text)); err != nil {
						return err
					}
				case <-ctx.Done():
					return nil
				}
			}
		})
		return string(id), err
	})
	Handle(d, "eth_unsubscribe", func(ctx context.Context, _ *caller.Caller, p *struct{ ID string }) (any, error) {
		return Unsubscribe(ctx, ID(p.ID))
	})
	Handle(d, "hold", func(context.Context, *caller.Caller, *struct{}) (any, error) {
		<-release
		return "held", nil
	})
	return d
}

func (p *pipe) call(t *testing.T, request string) (result string) {
	t.Helper()
	p.in <- []byte(request)
	var r struct {
		Result any
		Error  any
	}
	if err := json.Unmarshal(<-p.out, &r); err != nil {
		t.Fatal(err)
	}
	if r.Error != nil {
		return fmt.Sprint(r.Error)
	}
	return fmt.Sprint(r.Result)
}

func TestSubscription(t *testing.T) {
	feed := make(chan string)
	p := newPipe()
	s := subscriber(Limits{Subscriptions: 1}, feed, nil).NewSession(context.Background(), p)
	ended := make(chan error)
	go func() { ended <- s.Run() }()
	id := p.call(t, `{"jsonrpc":"2.0","id":1,"method":"eth_subscribe"}`)
	if !strings.HasPrefix(id, "0x") {
		t.Fatalf("id %q", id)
	}
	feed <- `{"n":1}`
	want := `{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"` + id + `","result":{"n":1}}}`
	if got := string(<-p.out); got != want {
		t.Fatalf("got %s", got)
	}
	if got := p.call(t, `{"jsonrpc":"2.0","id":2,"method":"eth_subscribe"}`); !strings.Contains(got, "too many subscriptions") {
		t.Errorf("second subscription: %s", got)
	}
	for i, want := range []string{"true", "false"} {
		if got := p.call(t, `{"jsonrpc":"2.0","id":3,"method":"eth_unsubscribe","params":["`+id+`"]}`); got != want {
			t.Errorf("unsubscribe %d: %s", i, got)
		}
	}
	close(p.in)
	if err := <-ended; !errors.Is(err, io.EOF) {
		t.Errorf("ended with %v", err)
	}
}

// A client that does not read its notifications loses the connection, with the
// reason, and costs no more than the bound of its queue.
func TestSlowConsumer(t *testing.T) {
	feed := make(chan string)
	p := newPipe()
	s := subscriber(Limits{QueueItems: 10}, feed, nil).NewSession(context.Background(), p)
	ended := make(chan error)
	go func() { ended <- s.Run() }()
	p.call(t, `{"jsonrpc":"2.0","id":1,"method":"eth_subscribe"}`)
	sent := 0
	for {
		select {
		case feed <- `1`:
			sent++
			continue
		case err := <-ended:
			if !errors.Is(err, ErrSlow) || !errors.Is(p.reason, ErrSlow) {
				t.Errorf("ended with %v, told the client %v", err, p.reason)
			}
		}
		break
	}
	if sent < 10 || sent > 30 {
		t.Errorf("the connection was closed after %d notifications of a queue of 10", sent)
	}
}

// holding is a session with a call at work until it is released.
func holding() (s *Session, p *pipe, release chan struct{}, ended chan error) {
	release, p, ended = make(chan struct{}), newPipe(), make(chan error)
	s = subscriber(Limits{}, nil, release).NewSession(context.Background(), p)
	go func() { ended <- s.Run() }()
	p.in <- []byte(`{"jsonrpc":"2.0","id":7,"method":"hold"}`)
	for len(s.slots) == 0 {
		runtime.Gosched() // until the call is at work
	}
	return s, p, release, ended
}

// Drain lets a call at work end and its answer go out, and starts no other.
func TestDrain(t *testing.T) {
	s, p, release, ended := holding()
	drained := make(chan struct{})
	go func() { s.Drain(context.Background()); close(drained) }()
	for len(s.slots) < cap(s.slots) && s.ctx.Err() == nil {
		runtime.Gosched() // until it waits for the call
	}
	close(release)
	select {
	case got := <-p.out:
		if string(got) != `{"jsonrpc":"2.0","id":7,"result":"held"}` {
			t.Errorf("got %s", got)
		}
	case <-p.closed:
		t.Error("the connection was closed before the answer")
	}
	<-drained
	if err := <-ended; !errors.Is(err, ErrDrained) || !errors.Is(p.reason, ErrDrained) {
		t.Errorf("ended with %v, told the client %v", err, p.reason)
	}
}

func TestDrainGivesUp(t *testing.T) {
	s, p, release, ended := holding()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s.Drain(ctx)
	<-p.closed
	close(release)
	if err := <-ended; !errors.Is(err, ErrDrained) {
		t.Errorf("ended with %v", err)
	}
}

// Drain does not wait for what nobody will write: the client left.
func TestDrainOfAnEndedSession(t *testing.T) {
	for range 100 {
		p := newPipe()
		s := subscriber(Limits{InFlight: 1}, nil, nil).NewSession(context.Background(), p)
		close(p.in)
		if err := s.Run(); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		s.Drain(context.Background())
	}
}

func TestNoSubscriptionWithoutSession(t *testing.T) {
	d := subscriber(Limits{}, nil, nil)
	if got := serve(d, `{"jsonrpc":"2.0","id":1,"method":"eth_subscribe"}`); !strings.Contains(got, `"code":-32601,"message":"notifications not supported"`) {
		t.Errorf("got %s", got)
	}
}

// Nothing follows the answer to eth_unsubscribe, even from a subscription that
// has not noticed its end.
func TestNothingAfterUnsubscribe(t *testing.T) {
	d := subscriber(Limits{}, nil, nil)
	feed, told := make(chan string), make(chan error)
	Handle(d, "stubborn", func(ctx context.Context, _ *caller.Caller, _ *struct{}) (any, error) {
		id, err := Subscribe(ctx, func(_ context.Context, n *Notifier) error {
			for text := range feed {
				told <- n.Notify([]byte(text))
			}
			return nil
		})
		return string(id), err
	})
	p := newPipe()
	s := d.NewSession(context.Background(), p)
	ended := make(chan error)
	go func() { ended <- s.Run() }()
	id := p.call(t, `{"jsonrpc":"2.0","id":1,"method":"stubborn"}`)
	p.call(t, `{"jsonrpc":"2.0","id":2,"method":"eth_unsubscribe","params":["`+id+`"]}`)
	feed <- `1`
	if err := <-told; !errors.Is(err, context.Canceled) {
		t.Errorf("Notify: %v", err)
	}
	close(feed)
	close(p.in)
	<-ended
}

func TestOutboxIsBounded(t *testing.T) {
	for name, limits := range map[string]Limits{
		"items": {QueueItems: 2, QueueBytes: 1000},
		"bytes": {QueueItems: 1000, QueueBytes: 20},
	} {
		o := newOutbox(limits)
		ten := parcel{parts: [][]byte{make([]byte, 3), make([]byte, 5), make([]byte, 2)}, news: true}
		large := parcel{parts: [][]byte{make([]byte, 100)}, news: true}
		fits := 0
		for o.offer(ten) {
			fits++
		}
		if fits != 2 {
			t.Errorf("%s: %d parcels of ten bytes fit, not 2", name, fits)
		}
		taken, err := o.take(t.Context(), nil)
		if err != nil || len(taken) != 2 || o.offer(ten) {
			t.Errorf("%s: %d taken, %v; what the writer holds must count", name, len(taken), err)
		}
		answer := parcel{parts: large.parts}
		if !o.offer(answer) {
			t.Errorf("%s: notifications leave no room for an answer", name)
		}
		for _, p := range taken {
			o.written(p)
		}
		if !o.offer(large) {
			t.Errorf("%s: a large parcel must fit alone, with an answer before it", name)
		}
		if o.offer(ten) && name == "bytes" {
			t.Error("something fits behind a parcel larger than the bound")
		}
	}
}

// parts is a transport that keeps what was written as it came.
type parts struct {
	*pipe
	last [][]byte
}

func (p *parts) Write(message ...[]byte) error {
	p.last = message
	return p.pipe.Write(message...)
}

// A large notification is not copied for each session.
func TestNotificationIsShared(t *testing.T) {
	for size, shared := range map[int]bool{10: false, 2 * smallMessage: true} {
		text := bytes.Repeat([]byte("1"), size)
		d := New(Limits{}, nil, slog.New(slog.DiscardHandler))
		Handle(d, "eth_subscribe", func(ctx context.Context, _ *caller.Caller, _ *struct{}) (any, error) {
			id, err := Subscribe(ctx, func(_ context.Context, n *Notifier) error { return n.Notify(text[:5], text[5:]) })
			return string(id), err
		})
		p := &parts{pipe: newPipe()}
		s := d.NewSession(context.Background(), p)
		ended := make(chan error)
		go func() { ended <- s.Run() }()
		id := p.call(t, `{"jsonrpc":"2.0","id":1,"method":"eth_subscribe"}`)
		want := `{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"` + id + `","result":` + string(text) + `}}`
		if got := string(<-p.out); got != want {
			t.Errorf("got %s", got)
		}
		close(p.in)
		<-ended
		if got := len(p.last) == 4 && &p.last[1][0] == &text[0]; got != shared {
			t.Errorf("%d bytes in %d parts are shared: %v", size, len(p.last), got)
		}
	}
}
