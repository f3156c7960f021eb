package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/coco-consortium/coco/internal/operations"
)

// member is one node's place in the network, whether it runs or not. Its fields
// are the network's, under mu; snapshot gives a copy to work with.
type member struct {
	number  int
	data    string
	rpc     string // where clients reach it, or did last
	metrics string // where operations listen
	raftID  uint64 // of the process that runs, or ran last
	phase   string // what is done to it, empty when nothing is

	successor int // the node that is to take its place and is a voter already; 0: none

	node       Member       // nil: stopped
	observe    http.Handler // what operations show of it
	operations []*http.Server
	serving    *sync.WaitGroup
}

func (m *member) snapshot() *member { c := *m; return &c }

// launch starts a node. The caller holds work, or the network is not shared yet.
func (n *Network) launch(ctx context.Context, m *member, f Founding) error {
	plan := Plan{Number: m.number, Data: m.data, Founding: f}
	if f == Join {
		var err error
		if plan.Service, err = n.service(); err != nil {
			return err
		}
		plan.Peers = n.peers(m.number)
	}
	l, err := n.address(m)
	if err != nil {
		return err
	}
	plan.Client = l.Addr().String()
	n.change(func() { m.phase, m.rpc = string(f), plan.Client })
	defer n.change(func() { m.phase = "" })
	running, err := n.launcher.Launch(ctx, plan)
	if err != nil {
		l.Close()
		return fmt.Errorf("node %d: %w", m.number, err)
	}
	next := member{number: m.number, data: m.data, rpc: plan.Client, node: running, serving: new(sync.WaitGroup), phase: string(f)}
	next.raftID = running.Status().RaftID
	next.serving.Go(func() {
		if err := running.Serve(l); err != nil && !errors.Is(err, net.ErrClosed) {
			select {
			case n.fault <- fmt.Errorf("node %d: %w", next.number, err):
			default:
			}
		}
	})
	err = n.observe(&next)
	n.change(func() { *m = next })
	n.cut()
	return err
}

func (n *Network) change(do func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	do()
}

// observe serves a node's operations: on a port if that is wanted, and on the
// socket of its own directory, unless that is the network's.
func (n *Network) observe(m *member) error {
	var metrics http.Handler
	if n.launcher.Metrics != nil {
		metrics = n.launcher.Metrics(m.number, m.node)
	}
	m.observe = operations.Observe(m.node, metrics)
	serve := func(l net.Listener, h http.Handler) {
		s := operations.Server(h)
		m.operations = append(m.operations, s)
		m.serving.Go(func() { s.Serve(l) })
	}
	if n.config.Operations {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		m.metrics = l.Addr().String()
		serve(l, operations.Web(m.observe, nil))
	}
	if m.number == 1 {
		return nil
	}
	l, err := operations.Listen(m.data)
	if err != nil {
		return err
	}
	stop := func() { go n.StopNode(context.Background(), m.number) }
	serve(l, operations.Local(m.observe, operations.Control(m.node, operations.Options{Development: true, Stop: stop})))
	return nil
}

// peers are the addresses of running nodes that may take a node in.
func (n *Network) peers(number int) []string {
	var list []string
	for _, m := range n.running() {
		if !n.together(m.number, number) {
			continue
		}
		s := m.node.Status()
		for _, p := range s.Nodes {
			if p.Self && p.Address != "" {
				list = append(list, p.Address)
			}
		}
	}
	return list
}

// shutdown takes no more requests. Clients have half a second to take their
// answers; who is slower is cut off.
func (m *member) shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	for _, s := range m.operations {
		s.Close()
	}
	if err := m.node.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

func (m *member) stop(ctx context.Context) error {
	err := m.node.Stop(ctx)
	m.serving.Wait()
	return err
}
