package crash

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"syscall"
)

// Crash is the disk as it may look after the power is lost now. The disk itself
// is left as it is, so that one state gives many outcomes.
func (d *Disk) Crash(seed uint64) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	after := New()
	s := survivor{random: random(seed), done: map[*node]*node{}}
	after.root = s.copy(d.root)
	return after
}

// Restart ends the process but not the machine: everything written is still
// there, and what was not synced can still be lost. The old disk is dead.
func (d *Disk) Restart() *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
	after := New()
	after.root = d.root
	return after
}

func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x636f636f)) }

// file is an open file.
type file struct {
	disk     *Disk
	node     *node
	name     string
	writable bool
	closed   bool
}

// change wants the disk's lock and starts a write-like operation of the file.
func (f *file) change(op string) error {
	if f.closed {
		return &fs.PathError{Op: op, Path: f.name, Err: fs.ErrClosed}
	}
	if !f.writable {
		return &fs.PathError{Op: op, Path: f.name, Err: fs.ErrPermission}
	}
	return f.disk.change(op, f.name)
}

func (f *file) ReadAt(p []byte, offset int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.readable("read"); err != nil {
		return 0, err
	}
	if offset < 0 {
		return 0, &fs.PathError{Op: "read", Path: f.name, Err: errors.New("negative offset")}
	}
	if offset >= int64(len(f.node.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.node.data[offset:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) WriteAt(p []byte, offset int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.change("write"); err != nil {
		return 0, err
	}
	if offset < 0 {
		return 0, &fs.PathError{Op: "write", Path: f.name, Err: errors.New("negative offset")}
	}
	fits, err := f.grow(offset + int64(len(p)))
	n := max(min(len(p), int(fits-offset)), 0)
	if n > 0 {
		f.node.change(write{offset: offset, data: slices.Clone(p[:n])})
	}
	return n, err
}

func (f *file) Truncate(size int64) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.change("truncate"); err != nil {
		return err
	}
	if size < 0 {
		return &fs.PathError{Op: "truncate", Path: f.name, Err: errors.New("negative size")}
	}
	if _, err := f.grow(size); err != nil {
		return err
	}
	f.node.change(write{offset: size, truncate: true})
	return nil
}

// grow takes the space to make the file size bytes long and gives the size that
// it may have.
func (f *file) grow(size int64) (int64, error) {
	d, now := f.disk, int64(len(f.node.data))
	if d.space < 0 {
		return size, nil
	}
	if size-now > d.space {
		size = now + d.space
		d.space = 0
		return size, &fs.PathError{Op: "write", Path: f.name, Err: syscall.ENOSPC}
	}
	if size > now {
		d.space -= size - now
	}
	return size, nil
}

func (f *file) Sync() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.closed || !f.writable {
		return f.readable("sync")
	}
	if err := f.change("sync"); err != nil {
		return err
	}
	if seed := f.disk.failSync; seed != 0 {
		f.disk.failSync = 0
		f.node.failSync(random(seed))
		return &fs.PathError{Op: "sync", Path: f.name, Err: syscall.EIO}
	}
	f.node.sync()
	return nil
}

func (f *file) Size() (int64, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.readable("size"); err != nil {
		return 0, err
	}
	return int64(len(f.node.data)), nil
}

func (f *file) Close() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.closed {
		return &fs.PathError{Op: "close", Path: f.name, Err: fs.ErrClosed}
	}
	f.closed = true
	return nil
}

func (f *file) readable(op string) error {
	switch {
	case f.closed:
		return &fs.PathError{Op: op, Path: f.name, Err: fs.ErrClosed}
	case f.disk.dead:
		return ErrCut
	}
	return nil
}
