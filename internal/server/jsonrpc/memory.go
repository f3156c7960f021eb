package jsonrpc

import (
	"context"
	"errors"

	"golang.org/x/sync/semaphore"
)

// Large messages are what can fill a node's memory: a client that sends many,
// or asks for many and does not read them. Limits.Memory bounds what those of all
// clients take together; whatever does not fit is refused at once. Messages
// below smallMessage do not count: connections and calls at work bound those.
const smallMessage = 8 << 10

// ErrCrowded refuses a message for which there is no memory now.
var ErrCrowded = errors.New("the node holds as many large messages as it may; try again in a moment, or send smaller ones")

var errCrowded = &Error{Code: CodeLimit, Message: ErrCrowded.Error()}

// Room is the memory of one request and its response. A nil room has no bound.
type Room struct {
	total *semaphore.Weighted
	held  int64
}

// Room gives an empty room, to be freed.
func (d *Dispatcher) Room() *Room { return &Room{total: d.memory} }

// Grow reports whether the message may take so many bytes in all.
func (r *Room) Grow(bytes int) bool {
	if r == nil || bytes <= smallMessage || int64(bytes) <= r.held {
		return true
	}
	if !r.total.TryAcquire(int64(bytes) - r.held) {
		return false
	}
	r.held = int64(bytes)
	return true
}

// Free gives the room back. It may be used again.
func (r *Room) Free() {
	if r != nil && r.held > 0 {
		r.total.Release(r.held)
		r.held = 0
	}
}

type roomKey struct{}

// WithRoom has Serve account for its response in a room, on top of the request.
func WithRoom(ctx context.Context, r *Room) context.Context {
	return context.WithValue(ctx, roomKey{}, r)
}
