package operations

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/coco-consortium/coco/internal/problem"
)

// Socket is where, below a data directory, whoever runs a node reaches it.
const Socket = "node/operator.sock"

// Problems of the socket.
var (
	ErrSocketTaken = problem.New("OPERATOR_TAKEN", "another process answers on this data directory's operator socket",
		"stop the other process, or use another directory")
	ErrSocket = problem.New("OPERATOR_SOCKET", "the operator socket cannot be made",
		"check that the directory is on a file system of this machine that allows sockets, and who owns it")
	ErrUnreachable = problem.New("OPERATOR_UNREACHABLE", "no node of this data directory answers",
		"start it, or name the directory of one that runs with --data")
	ErrDenied = problem.New("OPERATOR_DENIED", "this user may not give commands to the node",
		"run the command as the user that runs the node")
)

// Listen opens the operator socket of a data directory. Only the user that runs
// the process can open it. A socket that a killed process left is replaced; whoever
// calls holds the directory's lock, or knows that nobody else is starting there.
func Listen(data string) (net.Listener, error) {
	dir, name := filepath.Split(filepath.Join(data, filepath.FromSlash(Socket)))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, ErrSocket.From(err)
	}
	if err := Free(data); err != nil {
		return nil, err
	}
	if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, ErrSocket.From(err)
	}
	short, done, err := within(dir)
	if err != nil {
		return nil, ErrSocket.From(err)
	}
	defer done()
	// The mode is set before the name exists, so that nobody else ever connects.
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		if failed := c.Control(func(fd uintptr) { err = private(fd) }); failed != nil {
			return failed
		}
		return err
	}}
	l, err := config.Listen(context.Background(), "unix", filepath.Join(short, name))
	if err != nil {
		return nil, ErrSocket.From(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // by a path that ends with this function
	s := &socket{Listener: l, path: filepath.Join(dir, name)}
	if err := os.Chmod(s.path, 0o600); err != nil {
		s.Close()
		return nil, ErrSocket.From(err)
	}
	return s, nil
}

// Free says that nobody answers on the socket of a data directory, or
// ErrSocketTaken.
func Free(data string) error {
	c, err := dial(context.Background(), data)
	if err != nil {
		return nil
	}
	c.Close()
	return ErrSocketTaken
}

// socket removes its name when it is closed.
type socket struct {
	net.Listener
	path string
}

func (s *socket) Close() error {
	err := s.Listener.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return errors.Join(err, os.Remove(s.path))
}

// dial connects to the socket of a data directory.
func dial(ctx context.Context, data string) (net.Conn, error) {
	dir, name := filepath.Split(filepath.Join(data, filepath.FromSlash(Socket)))
	short, done, err := within(dir)
	if err != nil {
		return nil, err
	}
	defer done()
	var d net.Dialer
	return d.DialContext(ctx, "unix", filepath.Join(short, name))
}

// Server is an HTTP server of operations: its limits suit a few clients that may
// be slow, never many.
func Server(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second,
		WriteTimeout: commandTime + 30*time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
}
