package server

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"

	"github.com/coco-consortium/coco/internal/problem"
)

// Listen opens a TCP listener at host:port; port 0 takes any free one. The
// problems are PORT_TAKEN, PORT_DENIED and ADDRESS_INVALID.
func Listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, problem.Newf("PORT_TAKEN",
			"stop the program that uses it, or choose another port, for example --rpc 127.0.0.1:0 for any free one",
			"another program already listens on %s", address).From(err)
	case errors.Is(err, syscall.EACCES):
		return nil, problem.Newf("PORT_DENIED",
			"choose a port above 1023, for example --rpc 127.0.0.1:8545",
			"this user may not listen on %s", address).From(err)
	}
	return nil, problem.Newf("ADDRESS_INVALID",
		"give an address of this machine as HOST:PORT, for example --rpc 127.0.0.1:8545",
		"cannot listen on %q", address).From(err)
}

// bounded is a listener that keeps at most a number of connections open; the
// next ones wait in the system's queue.
type bounded struct {
	net.Listener
	places chan struct{}
	closed chan struct{}
	once   sync.Once
}

func bound(l net.Listener, connections int) *bounded {
	return &bounded{Listener: l, places: make(chan struct{}, connections), closed: make(chan struct{})}
}

// Accept waits for a place and then for a connection.
func (b *bounded) Accept() (net.Conn, error) {
	select {
	case b.places <- struct{}{}:
	case <-b.closed:
		return nil, fmt.Errorf("accept: %w", net.ErrClosed)
	}
	c, err := b.Listener.Accept()
	if err != nil {
		<-b.places
		return nil, err
	}
	return &placed{Conn: c, leave: func() { <-b.places }}, nil
}

// Close stops accepting.
func (b *bounded) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.Listener.Close()
}

// placed is a connection that gives its place back when it is closed.
type placed struct {
	net.Conn
	once  sync.Once
	leave func()
}

func (p *placed) Close() error {
	err := p.Conn.Close()
	p.once.Do(p.leave)
	return err
}
