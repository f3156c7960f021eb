package jsonrpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/server/caller"
)

// A patient notifier waits for a client that reads slowly, beside calls that are
// answered, and loses nothing.
func TestPatience(t *testing.T) {
	const n = 200
	d := New(Limits{QueueItems: 4}, nil, slog.New(slog.DiscardHandler))
	Handle(d, "eth_subscribe", func(ctx context.Context, _ *caller.Caller, _ *struct{}) (any, error) {
		id, err := Subscribe(ctx, func(ctx context.Context, notifier *Notifier) error {
			notifier.Patient()
			for i := range n {
				if err := notifier.Notify(fmt.Append(nil, i)); err != nil {
					return err
				}
			}
			<-ctx.Done()
			return nil
		})
		return string(id), err
	})
	p := newPipe()
	ended := make(chan error)
	go func() { ended <- d.NewSession(context.Background(), p).Run() }()
	subscribe := []byte(`{"jsonrpc":"2.0","id":1,"method":"eth_subscribe"}`)
	go func() {
		for range 3 {
			p.in <- subscribe
		}
	}()
	next := map[string]int{}
	for told := 0; told < 3*n; {
		text := string(<-p.out)
		_, rest, ok := strings.Cut(text, `"subscription":"`)
		if !ok {
			continue // an answer
		}
		id, _, _ := strings.Cut(rest, `"`)
		if want := fmt.Sprintf(`"result":%d}}`, next[id]); !strings.HasSuffix(text, want) {
			t.Fatalf("got %s, want %s", text, want)
		}
		next[id]++
		told++
	}
	close(p.in)
	<-ended
}

// One that waits ends with its session.
func TestPatienceEnds(t *testing.T) {
	d := New(Limits{QueueItems: 1}, nil, slog.New(slog.DiscardHandler))
	stopped := make(chan error, 1)
	Handle(d, "eth_subscribe", func(ctx context.Context, _ *caller.Caller, _ *struct{}) (any, error) {
		id, err := Subscribe(ctx, func(ctx context.Context, notifier *Notifier) (err error) {
			for notifier.Patient(); err == nil; {
				err = notifier.Notify([]byte("1"))
			}
			stopped <- err
			return err
		})
		return string(id), err
	})
	p := newPipe()
	ended := make(chan error)
	go func() { ended <- d.NewSession(context.Background(), p).Run() }()
	p.in <- []byte(`{"jsonrpc":"2.0","id":1,"method":"eth_subscribe"}`)
	<-p.out
	<-p.out // the rest is never read
	p.Close(nil)
	if err := <-stopped; !errors.Is(err, context.Canceled) {
		t.Errorf("stopped with %v", err)
	}
	<-ended
}

// What is to be confirmed is confirmed once for a request, for those who wish it,
// and not for methods that are excepted.
func TestConfirm(t *testing.T) {
	d := New(Limits{}, nil, slog.New(slog.DiscardHandler))
	answer := func(context.Context, *caller.Caller, *struct{}) (any, error) { return true, nil }
	for _, name := range []string{"read", "peek", "fixed"} {
		Handle(d, name, answer)
	}
	asked, fail := 0, error(nil)
	d.Confirm("read", "linearizable", func(context.Context) error { asked++; return fail }, "fixed")
	call := func(method string) string { return `{"jsonrpc":"2.0","id":1,"method":"` + method + `"}` }
	wish := WithWishes(t.Context(), url.Values{"read": {"linearizable"}})
	other := WithWishes(t.Context(), url.Values{"read": {"quickly"}})
	const good, bad = `{"jsonrpc":"2.0","id":1,"result":true}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"internal error"}}`
	for _, c := range []struct {
		ctx     context.Context
		request string
		asked   int
		want    string
		fail    error
	}{
		{t.Context(), call("read"), 0, good, nil},
		{other, call("read"), 0, good, nil},
		{wish, call("fixed"), 0, good, errors.New("no")},
		{wish, call("read"), 1, good, nil},
		{wish, call("read"), 1, bad, errors.New("no")},
		{wish, "[" + call("read") + "," + call("peek") + "," + call("read") + "]", 1, "[" + good + "," + good + "," + good + "]", nil},
		{wish, "[" + call("fixed") + "," + call("peek") + "," + call("read") + "]", 1, "[" + good + "," + bad + "," + bad + "]", errors.New("no")},
	} {
		asked, fail = 0, c.fail
		if got := string(d.Serve(c.ctx, []byte(c.request), nil)); got != c.want || asked != c.asked {
			t.Errorf("%s: asked %d times: %s", c.request, asked, got)
		}
	}
}
