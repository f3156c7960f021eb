package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// OS is the operating system's file system below root. Files are created
// readable by their owner only, directories likewise.
func OS(root string) FS { return osFS{root} }

type osFS struct{ root string }

type osFile struct{ *os.File }

func (f osFS) at(name string) string { return filepath.Join(f.root, filepath.FromSlash(name)) }

func (f osFS) open(name string, flag int) (File, error) {
	file, err := os.OpenFile(f.at(name), flag, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{file}, nil
}

func (f osFS) Create(name string) (File, error) {
	return f.open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

func (f osFS) Open(name string) (File, error) { return f.open(name, os.O_RDWR) }

func (f osFS) OpenRead(name string) (File, error) { return f.open(name, os.O_RDONLY) }

func (f osFS) ReadDir(dir string) ([]string, error) {
	entries, err := os.ReadDir(f.at(dir))
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

func (f osFS) MkdirAll(dir string) error    { return os.MkdirAll(f.at(dir), 0o700) }
func (f osFS) Remove(name string) error     { return os.Remove(f.at(name)) }
func (f osFS) Rename(from, to string) error { return os.Rename(f.at(from), f.at(to)) }

func (f osFS) SyncDir(dir string) error {
	d, err := os.Open(f.at(dir))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (f osFS) Lock(name string) (io.Closer, error) {
	file, err := os.OpenFile(f.at(name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer file.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w%s", ErrLocked, holder(file))
		}
		return nil, err
	}
	// Who holds it is for people to read; the lock holds without.
	if file.Truncate(0) == nil {
		file.WriteString(strconv.Itoa(os.Getpid()) + "\n")
	}
	return file, nil
}

// holder names the process that wrote its number into a locked file.
func holder(file *os.File) string {
	var text [20]byte
	n, _ := file.ReadAt(text[:], 0)
	if pid, err := strconv.Atoi(strings.TrimSpace(string(text[:n]))); err == nil {
		return fmt.Sprintf(", which has the number %d", pid)
	}
	return ""
}

func (f osFile) Sync() error { return unix.Fdatasync(int(f.Fd())) }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
