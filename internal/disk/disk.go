// Package disk is the file layer under everything that must survive a crash.
//
// It is one small interface with the few operations whose durability the rooms
// above reason about: positioned reads and writes, truncation, sync of a file,
// sync of a directory, rename. The operating system's file system implements it
// here; a crash double that loses, reorders and tears what was not synced
// implements it in disk/crash, and disk/fault refuses what a test says. Names are slash separated and relative to the
// root that the file system was opened at.
package disk

import (
	"errors"
	"io"
	"io/fs"
	"path"

	"github.com/coco-consortium/coco/internal/planted"
)

// File is an open file. Writes are durable after Sync returns nil and not
// before; after a failed Sync nothing may be assumed of any write since the
// last good one.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Truncate changes the size; bytes beyond the old size read as zero.
	Truncate(size int64) error
	// Sync makes every completed write and the size durable (fdatasync).
	Sync() error
	// Size is the current size in bytes.
	Size() (int64, error)
}

// FS is a tree of files. A created, renamed or removed name is durable only
// after SyncDir of its directory.
type FS interface {
	// Create makes a new file for reading and writing; it fails with
	// fs.ErrExist when the name is taken.
	Create(name string) (File, error)
	// Open opens an existing file for reading and writing.
	Open(name string) (File, error)
	// OpenRead opens an existing file for reading only.
	OpenRead(name string) (File, error)
	// ReadDir lists the names in a directory in order.
	ReadDir(dir string) ([]string, error)
	MkdirAll(dir string) error
	Remove(name string) error
	Rename(from, to string) error
	SyncDir(dir string) error
	// Lock takes an exclusive lock that ends with the process; it fails with
	// ErrLocked when another process holds it. The file holds that process's number.
	Lock(name string) (io.Closer, error)
}

// ErrLocked says that another process holds a lock.
var ErrLocked = errors.New("locked by another process")

// SyncDir syncs a directory; every room calls this rather than the method, so
// that the planted bug has one place.
func SyncDir(f FS, dir string) error {
	if planted.Is(planted.SkipDirectorySync) {
		return nil
	}
	return f.SyncDir(dir)
}

// MakeDir makes a directory and those above it, and makes each name durable.
func MakeDir(f FS, dir string) error {
	if err := f.MkdirAll(dir); err != nil {
		return err
	}
	for dir = path.Clean(dir); dir != "." && dir != "/"; {
		dir = path.Dir(dir)
		if err := SyncDir(f, dir); err != nil {
			return err
		}
	}
	return nil
}

// ReadFile reads a whole file of at most limit bytes.
func ReadFile(f FS, name string, limit int64) ([]byte, error) {
	file, err := f.OpenRead(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	size, err := file.Size()
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("file is larger than its limit")}
	}
	data := make([]byte, size)
	if _, err := file.ReadAt(data, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return data, nil
}

// WriteFile replaces a file so that after a crash either the old or the new
// content is there: write beside it, sync, rename, sync the directory.
func WriteFile(f FS, name string, data []byte) error {
	temp := name + ".new"
	if err := f.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := f.Create(temp)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(data, 0)
	if err == nil {
		err = file.Sync()
	}
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = f.Rename(temp, name)
	}
	if err == nil {
		err = SyncDir(f, path.Dir(name))
	}
	return err
}
