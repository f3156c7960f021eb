package server

import (
	"errors"
	"net"
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
