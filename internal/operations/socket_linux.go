package operations

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// within gives a short name for a directory, good until done: the address of a
// socket holds 107 bytes (unix(7)), and data directories may lie deeper.
func within(dir string) (short string, done func(), err error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", nil, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	return fmt.Sprintf("/proc/self/fd/%d", fd), func() { unix.Close(fd) }, nil
}

// private sets the mode that a socket's name gets when it is bound.
func private(fd uintptr) error { return unix.Fchmod(int(fd), 0o600) }
