package jsonrpc

import (
	"context"
	"net/url"
)

type wishKey struct{}

// WithWishes gives a context with what a client added to the node's URL
// (http://HOST:PORT/?NAME=VALUE). It is how tools that nobody can change ask for
// another behaviour. Names that no method knows mean nothing.
func WithWishes(ctx context.Context, wishes url.Values) context.Context {
	return context.WithValue(ctx, wishKey{}, wishes)
}

// Wish is the value of a wish, or "".
func Wish(ctx context.Context, name string) string {
	wishes, _ := ctx.Value(wishKey{}).(url.Values)
	return wishes.Get(name)
}
