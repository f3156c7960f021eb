package history

import (
	"errors"
	"log/slog"
	"sync"
	"time"
)

// disk is the health of an index's files. What the disk refuses is tried again
// after a while, so that a full disk costs no processor and the index goes on by
// itself when there is space.
type disk struct {
	log   *slog.Logger
	retry time.Duration

	failed  chan struct{} // closed when the index cannot be written any more
	stopped chan struct{} // closed when the index closes

	mu  sync.Mutex
	err error // why failed is closed
}

// errStopped ends what is done in the background when the index closes.
var errStopped = errors.New("the index is closed")

func newDisk(log *slog.Logger) *disk {
	return &disk{log: log, retry: time.Second, failed: make(chan struct{}), stopped: make(chan struct{})}
}

// setback notes a failed try.
func (d *disk) setback(err error) {
	d.log.Warn("history index: the disk refused a write", "error", err)
}

// fail ends the index for good.
func (d *disk) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return
	}
	d.err = err
	close(d.failed)
	d.log.Warn("history index: it cannot be written any more", "error", err)
}

// failure is why the index cannot be written any more, or nil.
func (d *disk) failure() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

func (d *disk) stop() { close(d.stopped) }

func (d *disk) ended() bool {
	select {
	case <-d.stopped:
		return true
	default:
		return false
	}
}
