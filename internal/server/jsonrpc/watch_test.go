package jsonrpc

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/server/caller"
)

type markKey struct{}

// TestWatch: who watches sees each call of a registered method and its end, gives
// it a context, and never hears of names that clients made up.
func TestWatch(t *testing.T) {
	var seen []string
	d := New(Limits{}, nil, slog.New(slog.DiscardHandler))
	Handle(d, "x_good", func(ctx context.Context, _ *caller.Caller, _ *struct{}) (any, error) {
		return ctx.Value(markKey{}), nil
	})
	Handle(d, "x_bad", func(context.Context, *caller.Caller, *struct{}) (any, error) { return nil, errors.New("no") })
	d.Watch(func(ctx context.Context, method string) (context.Context, func(error)) {
		return context.WithValue(ctx, markKey{}, "marked"), func(err error) {
			if err != nil {
				method += " failed"
			}
			seen = append(seen, method)
		}
	})
	answer := string(d.Serve(t.Context(), []byte(`[{"jsonrpc":"2.0","id":1,"method":"x_good"},{"jsonrpc":"2.0","id":2,"method":"x_bad"},{"jsonrpc":"2.0","id":3,"method":"made_up"}]`), nil))
	if got := strings.Join(seen, ", "); got != "x_good, x_bad failed" || !strings.Contains(answer, `"marked"`) {
		t.Errorf("seen %s, answered %s", got, answer)
	}
}
