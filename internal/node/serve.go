package node

import (
	"context"
	"net"

	"github.com/coco-consortium/coco/internal/server"
)

// Listen opens the address where a node serves.
func Listen(address string) (net.Listener, error) { return server.Listen(address) }

// Serve answers clients on l until Shutdown.
func (n *Node) Serve(l net.Listener) error { return n.server.Serve(l) }

// Shutdown takes no more requests and lets those under way finish.
func (n *Node) Shutdown(ctx context.Context) error { return n.server.Shutdown(ctx) }
