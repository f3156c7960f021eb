package history

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// disk is the file system under the storage engine together with the engine's
// health. The engine tries a failed flush again at once and for ever; disk
// makes each try wait a little, so that a full disk costs no processor, and the
// index goes on by itself when there is space. What the engine calls fatal ends
// the index and not the process.
type disk struct {
	vfs.FS
	log   *slog.Logger
	retry time.Duration

	failed  chan struct{} // closed when the index cannot be written any more
	stopped chan struct{} // closed when the index closes

	mu      sync.Mutex
	err     error         // why failed is closed
	latest  error         // the last trouble
	trouble chan struct{} // closed and replaced at each failed try
	pause   bool          // the last try failed
}

func newDisk(fs vfs.FS, log *slog.Logger) *disk {
	return &disk{
		FS: fs, log: log, retry: time.Second,
		failed: make(chan struct{}), stopped: make(chan struct{}), trouble: make(chan struct{}),
	}
}

// MkdirAll makes the index's directory, which the engine syncs into its parent.
func (d *disk) MkdirAll(dir string, _ os.FileMode) error { return d.FS.MkdirAll(dir, 0o700) }

// Lock names a lock that another holds for what it is: nothing is wrong with the index.
func (d *disk) Lock(name string) (io.Closer, error) {
	lock, err := d.FS.Lock(name)
	if err != nil {
		return nil, ErrUnavailable.From(err)
	}
	return lock, nil
}

// Create waits before the next try when the last one failed.
func (d *disk) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	d.mu.Lock()
	pause := d.pause
	d.pause = false
	d.mu.Unlock()
	var after <-chan time.Time
	if d.failure() == nil {
		if !pause {
			return d.FS.Create(name, category)
		}
		after = time.After(d.retry)
	}
	select {
	case <-after: // never, after a failure
		return d.FS.Create(name, category)
	case <-d.stopped:
		return nil, errStopped
	}
}

// events is what the engine reports.
func (d *disk) events() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: d.setback,
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			d.fail(ErrDamaged.From(errors.New(info.String())))
		},
		PossibleAPIMisuse: func(info pebble.PossibleAPIMisuseInfo) { d.Errorf("%s", info) },
	}
}

// setback notes a failed try.
func (d *disk) setback(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.latest, d.pause = damaged(err), true
	close(d.trouble)
	d.trouble = make(chan struct{})
	d.log.Warn("history index: the disk refused a write", "error", err)
}

// fail ends the index for good.
func (d *disk) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return
	}
	d.err, d.latest = err, err
	close(d.failed)
	close(d.trouble)
	d.trouble = make(chan struct{})
	d.log.Warn("history index: it cannot be written any more", "error", err)
}

// failure is why the index cannot be written any more, or nil.
func (d *disk) failure() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

// last is the last trouble.
func (d *disk) last() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.latest
}

// troubles is closed at the next trouble.
func (d *disk) troubles() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.trouble
}

func (d *disk) stop() { close(d.stopped) }

// Infof, Errorf and Fatalf are the engine's logger.
func (d *disk) Infof(format string, args ...any) {
	d.log.Debug("history index: " + fmt.Sprintf(format, args...))
}

// Errorf is for errors that the engine lives on with.
func (d *disk) Errorf(format string, args ...any) { d.Infof(format, args...) }

// Fatalf is called after a write of the engine's own book-keeping failed. The
// files may then hold the write or not: the next start finds out.
func (d *disk) Fatalf(format string, args ...any) {
	d.fail(ErrUnavailable.From(fmt.Errorf(format, args...)))
}
