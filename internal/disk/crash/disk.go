// Package crash is a disk in memory that loses power.
//
// It implements disk.FS with the promises of disk.File and disk.FS and nothing
// beyond them. Crash gives the disk as it may look after a power loss: of what
// was not synced, each 512-byte sector holds some earlier or later write of its
// own, independent of every other sector (so writes are lost, reordered and
// torn), now and then torn inside as well, sizes likewise, and each unsynced
// change of a directory is kept or lost by itself. Choices come from a seed alone.
//
// It does not model damaged data that was synced or a kernel that forgets a
// sync; package ledger tests damage by flipping bits.
package crash

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"sync"
	"syscall"

	"github.com/coco-consortium/coco/internal/disk"
)

// Sector is the unit in which writes are kept, lost and reordered, in bytes.
const Sector = 512

// ErrCut says that the process of this disk is dead (see Cut and Crash).
var ErrCut = errors.New("crash: the process is dead")

// Disk is a disk.FS in memory. Its methods are safe for concurrent use.
type Disk struct {
	mu    sync.Mutex
	root  *node
	locks map[string]bool

	ops  int // write-like operations so far
	cut  int // the operation that fails and ends the process, 0 for none
	dead bool

	space    int64 // bytes that files may still grow, -1 for any number
	readOnly bool
	failSync uint64 // seed of the next sync's failure, 0 for none
}

var _ disk.FS = (*Disk)(nil)

// New makes an empty disk.
func New() *Disk {
	return &Disk{root: newDirectory(), locks: map[string]bool{}, space: -1}
}

// Ops counts the write-like operations so far: create, write, truncate, sync,
// make, remove and rename, and sync of a directory.
func (d *Disk) Ops() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ops
}

// Cut ends the process at its n-th write-like operation from now on, counted
// from 1: that one and everything after it fails with ErrCut and does nothing.
func (d *Disk) Cut(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cut = d.ops + n
}

// LimitSpace leaves files bytes to grow; what would grow beyond fails with ENOSPC.
func (d *Disk) LimitSpace(bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.space = bytes
}

// SetReadOnly makes every write-like operation fail with EROFS, or ends that.
func (d *Disk) SetReadOnly(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.readOnly = on
}

// FailNextSync makes the next sync of a file fail with EIO. As in Linux the
// unsynced writes then count as clean: they can be read until the crash, some
// are lost in it (seed, not 0, chooses), and later syncs do not repeat them.
func (d *Disk) FailNextSync(seed uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failSync = seed
}

// change wants the lock and starts a write-like operation.
func (d *Disk) change(op, name string) error {
	if d.dead {
		return ErrCut
	}
	d.ops++
	switch {
	case d.cut != 0 && d.ops >= d.cut:
		d.dead = true
		return ErrCut
	case d.readOnly:
		return &fs.PathError{Op: op, Path: name, Err: syscall.EROFS}
	}
	return nil
}

// find walks to a name; nil when it is not there.
func (d *Disk) find(name string) *node {
	at := d.root
	for _, part := range parts(name) {
		if at = at.entries[part]; at == nil {
			return nil
		}
	}
	return at
}

func (d *Disk) directory(op, name string) (*node, error) {
	dir := d.find(name)
	if dir == nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	if !dir.isDir() {
		return nil, &fs.PathError{Op: op, Path: name, Err: syscall.ENOTDIR}
	}
	return dir, nil
}

// Create implements disk.FS.
func (d *Disk) Create(name string) (disk.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.change("create", name); err != nil {
		return nil, err
	}
	dir, err := d.directory("create", path.Dir(name))
	if err != nil {
		return nil, err
	}
	base := path.Base(name)
	if dir.entries[base] != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	n := new(node)
	dir.link(base, n)
	return &file{disk: d, node: n, name: name, writable: true}, nil
}

// Open implements disk.FS.
func (d *Disk) Open(name string) (disk.File, error) { return d.open(name, true) }

// OpenRead implements disk.FS.
func (d *Disk) OpenRead(name string) (disk.File, error) { return d.open(name, false) }

func (d *Disk) open(name string, writable bool) (disk.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.find(name)
	switch {
	case d.dead:
		return nil, ErrCut
	case n == nil:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case n.isDir():
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EISDIR}
	case writable && d.readOnly:
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EROFS}
	}
	return &file{disk: d, node: n, name: name, writable: writable}, nil
}

// ReadDir implements disk.FS.
func (d *Disk) ReadDir(name string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return nil, ErrCut
	}
	dir, err := d.directory("readdir", name)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(dir.entries))
	for n := range dir.entries {
		names = append(names, n)
	}
	slices.Sort(names)
	return names, nil
}

// MkdirAll implements disk.FS. Each new directory is an unsynced change of the
// one above it.
func (d *Disk) MkdirAll(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := d.root
	for _, part := range parts(name) {
		next := at.entries[part]
		if next == nil {
			if err := d.change("mkdir", name); err != nil {
				return err
			}
			next = newDirectory()
			at.link(part, next)
		}
		if !next.isDir() {
			return &fs.PathError{Op: "mkdir", Path: name, Err: syscall.ENOTDIR}
		}
		at = next
	}
	if d.dead {
		return ErrCut
	}
	return nil
}

// Remove implements disk.FS.
func (d *Disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.find(name)
	if n == nil && !d.dead {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	if err := d.change("remove", name); err != nil {
		return err
	}
	if len(n.entries) > 0 {
		return &fs.PathError{Op: "remove", Path: name, Err: syscall.ENOTEMPTY}
	}
	d.find(path.Dir(name)).unlink(path.Base(name))
	if !n.isDir() && d.space >= 0 {
		d.space += int64(len(n.data))
	}
	return nil
}

// Rename implements disk.FS, within one directory.
func (d *Disk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.change("rename", from); err != nil {
		return err
	}
	dir, err := d.directory("rename", path.Dir(from))
	if err != nil {
		return err
	}
	n := dir.entries[path.Base(from)]
	if n == nil {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	if path.Dir(from) != path.Dir(to) {
		return &fs.PathError{Op: "rename", Path: to, Err: syscall.EXDEV}
	}
	dir.rename(path.Base(from), path.Base(to), n)
	return nil
}

// SyncDir implements disk.FS.
func (d *Disk) SyncDir(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.change("sync", name); err != nil {
		return err
	}
	dir, err := d.directory("sync", name)
	if err != nil {
		return err
	}
	dir.syncNames()
	return nil
}

// Lock implements disk.FS. A lock ends with its process: Crash and Restart drop it.
func (d *Disk) Lock(name string) (io.Closer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return nil, ErrCut
	}
	if d.locks[name] {
		return nil, disk.ErrLocked
	}
	dir, err := d.directory("lock", path.Dir(name))
	if err != nil {
		return nil, err
	}
	if dir.entries[path.Base(name)] == nil {
		dir.link(path.Base(name), new(node))
	}
	d.locks[name] = true
	return &lock{d, name}, nil
}

type lock struct {
	disk *Disk
	name string
}

func (l *lock) Close() error {
	l.disk.mu.Lock()
	defer l.disk.mu.Unlock()
	delete(l.disk.locks, l.name)
	return nil
}

func parts(name string) []string {
	name = path.Clean(name)
	if name == "." || name == "/" {
		return nil
	}
	var list []string
	for name != "." && name != "/" {
		list = append(list, path.Base(name))
		name = path.Dir(name)
	}
	slices.Reverse(list)
	return list
}
