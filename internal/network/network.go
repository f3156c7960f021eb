package network

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/coco-consortium/coco/internal/node"
	"github.com/coco-consortium/coco/internal/operations"
	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/server"
)

// Config is how a network runs.
type Config struct {
	Data       string
	Nodes      int    // 0: as many as the directory has, one in a new one
	RPC        string // where node 1 serves clients, HOST:PORT; the others take the free ports behind it
	Operations bool   // also serve operations on a free port of 127.0.0.1 for each node
	Logger     *slog.Logger
	Now        func() time.Time
}

// Network is a running development network.
type Network struct {
	config   Config
	launcher Launcher
	socket   *http.Server

	work     sync.Mutex // one command at a time
	mu       sync.Mutex // of what follows
	register register
	members  []*member // in order of their numbers, stopped ones too
	fault    chan error
	apart    []int // cut off by Partition
	over     bool  // nothing is started any more
	stopped  chan struct{}
	end      sync.Once
	serving  sync.WaitGroup
}

// Start founds a network, or starts the one that is in the directory, and returns
// when every node serves.
func Start(ctx context.Context, c Config, l Launcher) (*Network, error) {
	if err := node.Free(c.Data); err != nil {
		return nil, err
	}
	if err := operations.Free(c.Data); err != nil {
		return nil, node.ErrLocked.From(err)
	}
	known, err := readRegister(c.Data)
	if err != nil {
		return nil, err
	}
	all, err := known.want(c.Nodes)
	if err != nil {
		return nil, err
	}
	n := &Network{config: c, launcher: l, register: all, fault: make(chan error, 1), stopped: make(chan struct{})}
	for _, number := range all.Nodes {
		n.members = append(n.members, &member{number: number, data: dataOf(c.Data, number)})
	}
	if err := n.begin(ctx, known); err != nil {
		return nil, errors.Join(err, n.Stop(context.WithoutCancel(ctx)))
	}
	return n, nil
}

// begin starts all nodes. Commands wait until it is done; who asks for the
// overview sees how far it is.
func (n *Network) begin(ctx context.Context, known register) error {
	n.work.Lock()
	defer n.work.Unlock()
	first, founding, err := n.first(known, nil)
	if err != nil {
		return err
	}
	if err := n.launch(ctx, first, founding); err != nil {
		return err
	}
	if err := n.listen(); err != nil {
		return err
	}
	if len(n.members) > 1 || len(n.register.Retired) > 0 {
		if err := n.register.write(n.config.Data); err != nil {
			return err
		}
	}
	for _, m := range n.members {
		if m != first {
			if err := n.launch(ctx, m, Join); err != nil {
				return err
			}
		}
	}
	return n.settle(ctx)
}

// first is the node that begins: node 1 of a new network, otherwise the one whose
// log is the most up to date, and of equal ones the preferred. Any log that a majority had acknowledged an entry
// to is no shorter than that. A directory that cannot be read is no reason to
// wait, as its node joins the others, unless so many are that what they alone had
// would be lost.
func (n *Network) first(known register, preferred *member) (*member, Founding, error) {
	var best *member
	var at Position
	var there, unreadable int
	var broken error
	for _, m := range n.members {
		if !slices.Contains(known.Nodes, m.number) {
			continue
		}
		head, err := n.launcher.Head(m.data)
		if errors.Is(err, node.ErrLocked) {
			return nil, "", err
		}
		if err != nil {
			n.config.Logger.Warn("a node's ledger cannot be read; its node does not begin", "node", m.number, "err", err)
			unreadable++
			broken = err
			continue
		}
		if head != (Position{}) {
			there++
		}
		if head != (Position{}) && (best == nil || at.less(head) || m == preferred && at == head) {
			best, at = m, head
		}
	}
	switch {
	case unreadable == 1 && there == 0:
		return nil, "", broken
	case unreadable > 0 && there <= (there+unreadable)/2:
		return nil, "", ErrUnreadable.From(fmt.Errorf("%d of %d ledgers cannot be read", unreadable, there+unreadable))
	case best == nil:
		return n.members[0], Found, nil
	}
	return best, Recover, nil
}

// listen opens the operator socket of the network, which answers for it and for
// node 1.
func (n *Network) listen() error {
	l, err := operations.Listen(n.config.Data)
	if err != nil {
		return err
	}
	n.socket = operations.Server(n.handler())
	n.serving.Go(func() { n.socket.Serve(l) })
	return nil
}

// patience is how long the start waits until every node is a voter.
const patience = time.Minute

// settle waits until the nodes that run are voters and know their leader. A
// network that does not get there in time runs as it is: its status says why.
func (n *Network) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for !n.settled() {
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				n.config.Logger.Warn("not every node is a voter yet; coco network status says why")
				return nil
			}
			return ctx.Err()
		case err := <-n.fault:
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

func (n *Network) settled() bool {
	for _, m := range n.running() {
		if s := m.node.Status(); s.State != operations.StateVoter || s.Leader == nil {
			return false
		}
	}
	return true
}

// running are the nodes that run at the moment.
func (n *Network) running() []*member {
	n.mu.Lock()
	defer n.mu.Unlock()
	var list []*member
	for _, m := range n.members {
		if m.node != nil {
			list = append(list, m.snapshot())
		}
	}
	return list
}

// Node gives the running node with the lowest number: what holds of the whole
// network can be asked there.
func (n *Network) Node() (Member, bool) {
	for _, m := range n.running() {
		return m.node, true
	}
	return nil, false
}

// Fault is sent why a node's listener ended; Stopped is closed when the network
// was told to stop on its socket.
func (n *Network) Fault() <-chan error      { return n.fault }
func (n *Network) Stopped() <-chan struct{} { return n.stopped }

// Stop ends all nodes: first none takes requests any more, then all stop
// together, so that the last ones do not wait for a majority.
func (n *Network) Stop(ctx context.Context) error {
	if n.socket != nil {
		n.socket.Close() // which ends the commands under way
	}
	n.work.Lock()
	defer n.work.Unlock()
	running := n.running()
	errs := make([]error, len(running))
	var group sync.WaitGroup
	for i, m := range running {
		group.Go(func() { errs[i] = m.shutdown(ctx) })
	}
	group.Wait()
	for i, m := range running {
		group.Go(func() { errs[i] = errors.Join(errs[i], m.stop(ctx)) })
	}
	group.Wait()
	n.mu.Lock()
	for _, m := range n.members {
		m.node = nil
	}
	n.over = true
	n.mu.Unlock()
	n.serving.Wait()
	return errors.Join(errs...)
}

// address is where a node's clients reach it: where they did before, if that is
// free, or the first free port behind node 1's.
func (n *Network) address(m *member) (net.Listener, error) {
	if m.rpc != "" {
		if l, err := server.Listen(m.rpc); err == nil {
			return l, nil
		}
	}
	host, text, err := net.SplitHostPort(n.config.RPC)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 || m == n.members[0] {
		return server.Listen(n.config.RPC)
	}
	for next := port + 1; next < min(port+100, 1<<16); next++ {
		if n.promised(next) {
			continue
		}
		l, err := server.Listen(net.JoinHostPort(host, strconv.FormatUint(next, 10)))
		if err == nil || problem.CodeOf(err) != "PORT_TAKEN" {
			return l, err
		}
	}
	return server.Listen(net.JoinHostPort(host, "0"))
}

// promised says that a stopped node had a port and should find it again.
func (n *Network) promised(port uint64) bool {
	return slices.ContainsFunc(n.members, func(m *member) bool {
		_, text, err := net.SplitHostPort(m.rpc)
		return err == nil && text == strconv.FormatUint(port, 10)
	})
}

// service is the certificate of the service, from the directory of any node.
func (n *Network) service() ([]byte, error) {
	var errs []error
	for _, m := range n.members {
		text, err := os.ReadFile(filepath.Join(m.data, "service.pem"))
		if err == nil {
			return text, nil
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("no node has the service's certificate: %w", errors.Join(errs...))
}
