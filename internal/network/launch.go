package network

import (
	"context"
	"net"
	"net/http"

	"github.com/coco-consortium/coco/internal/node"
	"github.com/coco-consortium/coco/internal/operations"
)

// Founding says how a node begins.
type Founding string

// The ways to begin.
const (
	Found   Founding = "found"   // a new network
	Recover Founding = "recover" // a network none of whose nodes runs
	Join    Founding = "join"    // a network that runs
)

// Plan is what a node needs to begin.
type Plan struct {
	Number   int // in the network, from 1
	Data     string
	Founding Founding
	Peers    []string // addresses of running nodes, to join
	Service  []byte   // certificate of the service, PEM, to join
	Client   string   // address where its clients reach it
}

// Member is a running node, *node.Node.
type Member interface {
	operations.Node
	operations.Controlled
	Serve(net.Listener) error
	Shutdown(context.Context) error
	Stop(context.Context) error
	ChainID() uint64
	Accounts() []node.Account
}

// Position is the end of a log, by which Raft compares logs.
type Position struct{ Term, Index uint64 }

// less says that o is more up to date (Raft section 5.4.1).
func (p Position) less(o Position) bool {
	return p.Term < o.Term || p.Term == o.Term && p.Index < o.Index
}

// Launcher makes nodes.
type Launcher struct {
	// Launch starts a node and returns when it serves.
	Launch func(ctx context.Context, p Plan) (Member, error)
	// Head reads the end of the log in the data directory of a node that does not run.
	Head func(data string) (Position, error)
	// Metrics gives what answers /metrics for a node that was launched; nil: nothing does.
	Metrics func(number int, m Member) http.Handler
}
