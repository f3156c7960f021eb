package vault

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// files are the steps by which a file comes to be; the tests cut the power at
// each of them.
type files interface {
	write(path string, data []byte) error // makes a file that must not exist
	sync(path string) error               // makes a file's content, or a directory's names, durable
	link(from, to string) error           // gives a file a name that must not exist
	remove(path string) error
}

// system is the operating system's.
type system struct{}

func (system) write(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

func (system) sync(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (system) link(from, to string) error { return os.Link(from, to) }
func (system) remove(path string) error   { return os.Remove(path) }

const draftPrefix = ".draft-"

// place makes a file durably and whole: nobody ever sees half of it, also after
// a power cut. It fails with fs.ErrExist when the name is taken.
func place(f files, path string, data []byte) error {
	dir := filepath.Dir(path)
	draft := filepath.Join(dir, draftPrefix+rand.Text())
	err := f.write(draft, data)
	if err == nil {
		err = f.sync(draft)
	}
	if err == nil {
		err = f.link(draft, path)
	}
	if err == nil {
		err = f.sync(dir)
	}
	_ = f.remove(draft) // what stays is swept when the vault is opened
	return err
}

// lock keeps other processes out until the returned function is called or the
// process ends.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX); err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, unix.EINTR) {
			return nil, errors.Join(err, f.Close())
		}
	}
}
