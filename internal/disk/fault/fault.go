// Package fault is a disk that does what a test says.
//
// It asks the test before each operation of another disk, and an error is the
// operation's answer. It promises nothing else: what is not refused is the other
// disk's.
package fault

import (
	"io"

	"github.com/coco-consortium/coco/internal/disk"
)

// Kind is what an operation does.
type Kind int

// The kinds of operations. Those from Create on change the disk.
const (
	Open Kind = iota
	ReadDir
	Read
	Size
	Create
	MkdirAll
	Remove
	Rename
	SyncDir
	Lock
	Write
	Truncate
	Sync
)

// Op is an operation that is about to be done.
type Op struct {
	Kind Kind
	Name string // of the file or directory; of a rename, the old one
}

// Writes reports that the operation changes the disk.
func (o Op) Writes() bool { return o.Kind >= Create }

// Wrap gives a disk that asks before each operation but closing. ask may be called
// by several goroutines at once.
func Wrap(files disk.FS, ask func(Op) error) disk.FS { return &tree{files, ask} }

type tree struct {
	files disk.FS
	ask   func(Op) error
}

func (t *tree) open(kind Kind, name string, open func(string) (disk.File, error)) (disk.File, error) {
	if err := t.ask(Op{kind, name}); err != nil {
		return nil, err
	}
	f, err := open(name)
	if err != nil {
		return nil, err
	}
	return &file{f, name, t.ask}, nil
}

func (t *tree) Create(name string) (disk.File, error) { return t.open(Create, name, t.files.Create) }

func (t *tree) Open(name string) (disk.File, error) { return t.open(Open, name, t.files.Open) }

func (t *tree) OpenRead(name string) (disk.File, error) { return t.open(Open, name, t.files.OpenRead) }

func (t *tree) ReadDir(dir string) ([]string, error) {
	if err := t.ask(Op{ReadDir, dir}); err != nil {
		return nil, err
	}
	return t.files.ReadDir(dir)
}

func (t *tree) MkdirAll(dir string) error {
	if err := t.ask(Op{MkdirAll, dir}); err != nil {
		return err
	}
	return t.files.MkdirAll(dir)
}

func (t *tree) Remove(name string) error {
	if err := t.ask(Op{Remove, name}); err != nil {
		return err
	}
	return t.files.Remove(name)
}

func (t *tree) Rename(from, to string) error {
	if err := t.ask(Op{Rename, from}); err != nil {
		return err
	}
	return t.files.Rename(from, to)
}

func (t *tree) SyncDir(dir string) error {
	if err := t.ask(Op{SyncDir, dir}); err != nil {
		return err
	}
	return t.files.SyncDir(dir)
}

func (t *tree) Lock(name string) (io.Closer, error) {
	if err := t.ask(Op{Lock, name}); err != nil {
		return nil, err
	}
	return t.files.Lock(name)
}

type file struct {
	disk.File
	name string
	ask  func(Op) error
}

func (f *file) ReadAt(b []byte, offset int64) (int, error) {
	if err := f.ask(Op{Read, f.name}); err != nil {
		return 0, err
	}
	return f.File.ReadAt(b, offset)
}

func (f *file) WriteAt(b []byte, offset int64) (int, error) {
	if err := f.ask(Op{Write, f.name}); err != nil {
		return 0, err
	}
	return f.File.WriteAt(b, offset)
}

func (f *file) Truncate(size int64) error {
	if err := f.ask(Op{Truncate, f.name}); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f *file) Sync() error {
	if err := f.ask(Op{Sync, f.name}); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *file) Size() (int64, error) {
	if err := f.ask(Op{Size, f.name}); err != nil {
		return 0, err
	}
	return f.File.Size()
}
