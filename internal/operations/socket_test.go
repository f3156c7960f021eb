package operations

import (
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/problem"
)

// serve answers for a node on the socket of a directory until the test ends.
func serve(t *testing.T, data string, n *fake) {
	t.Helper()
	l, err := Listen(data)
	if err != nil {
		t.Fatal(err)
	}
	s := Server(Local(Observe(n, nil), Control(n, Options{})))
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() { s.Close(); <-done })
}

// TestSocket binds and connects below a path that is longer than an address of
// a socket, with a mode that lets only the owner in.
func TestSocket(t *testing.T) {
	data := filepath.Join(t.TempDir(), strings.Repeat("deep", 40))
	n := &fake{status: three()}
	serve(t, data, n)
	info, err := os.Stat(filepath.Join(data, Socket))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("the socket's mode is %v", info.Mode())
	}
	c := Dial(data)
	defer c.Close()
	s, err := c.Status(t.Context())
	if err != nil || s.View != 3 || len(s.Nodes) != 3 || len(s.Warnings) == 0 {
		t.Errorf("%+v: %v", s, err)
	}
	if err := c.Post(t.Context(), "/retire", url.Values{"node": {"2"}}); err != nil || n.told[0] != "retire 2" {
		t.Errorf("told %v: %v", n.told, err)
	}
	n.refuse = problem.New("LAST_VOTER", "it is the last voter", "add a node first").From(errors.New("one of one"))
	err = c.Post(t.Context(), "/drain", nil)
	var p *problem.Error
	if !errors.As(err, &p) || p.Code != "LAST_VOTER" || p.Next != "add a node first" || p.Cause.Error() != "one of one" {
		t.Errorf("the refusal came as %v", err)
	}
	if err := c.Post(t.Context(), "/pause", nil); !errors.Is(err, ErrDevelopment) {
		t.Errorf("pause: %v", err)
	}
	if err := c.Post(t.Context(), "/no-such", nil); !errors.Is(err, ErrAnswer) {
		t.Errorf("an unknown command: %v", err)
	}
	if _, err := Listen(data); !errors.Is(err, ErrSocketTaken) {
		t.Errorf("a second listener: %v", err)
	}
}

// TestSocketLeftBehind replaces what a killed process left, and removes its own.
func TestSocketLeftBehind(t *testing.T) {
	data := t.TempDir()
	first, err := Listen(data)
	if err != nil {
		t.Fatal(err)
	}
	first.(*socket).Listener.Close() // the name stays, as after a kill
	c := Dial(data)
	if _, err := c.Status(t.Context()); !errors.Is(err, ErrUnreachable) {
		t.Errorf("a socket that nobody listens on: %v", err)
	}
	second, err := Listen(data)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(data, Socket)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the name is still there: %v", err)
	}
	if _, err := Dial(data).Status(t.Context()); !errors.Is(err, ErrUnreachable) {
		t.Errorf("no socket: %v", err)
	}
	if _, err := Dial(filepath.Join(data, "none")).Status(t.Context()); !errors.Is(err, ErrUnreachable) {
		t.Errorf("no directory: %v", err)
	}
}
