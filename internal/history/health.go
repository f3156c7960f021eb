package history

import (
	"errors"
	"log/slog"
	"sync"
	"time"
)

// health is that of an index's files. What the disk refuses is tried again
// after a while, so that a full disk costs no processor and the index goes on by
// itself when there is space.
type health struct {
	log   *slog.Logger
	retry time.Duration

	failed  chan struct{} // closed when the index cannot be written any more
	stopped chan struct{} // closed when the index closes

	mu  sync.Mutex
	err error // why failed is closed
}

// errStopped ends what is done in the background when the index closes.
var errStopped = errors.New("the index is closed")

func newHealth(log *slog.Logger) *health {
	return &health{log: log, retry: time.Second, failed: make(chan struct{}), stopped: make(chan struct{})}
}

// setback notes a failed try.
func (h *health) setback(err error) {
	h.log.Warn("history index: the disk refused a write", "error", err)
}

// fail ends the index for good.
func (h *health) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil {
		return
	}
	h.err = err
	close(h.failed)
	h.log.Warn("history index: it cannot be written any more", "error", err)
}

// failure is why the index cannot be written any more, or nil.
func (h *health) failure() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

func (h *health) stop() { close(h.stopped) }

func (h *health) ended() bool {
	select {
	case <-h.stopped:
		return true
	default:
		return false
	}
}
