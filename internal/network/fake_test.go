package network

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/node"
	"github.com/coco-consortium/coco/internal/operations"
)

// world is a network of nodes that are none: one table, and directories with
// nothing but a service's certificate and the end of a log.
type world struct {
	mu      sync.Mutex
	table   []operations.Peer
	view    uint64
	index   uint64
	live    map[uint64]*pretender
	history []string
	// slow, if not nil, is called while a node joins, which is a learner by then.
	slow func(ctx context.Context) error
	// refuses is what it says to retire, nil to do it.
	refuses error
}

func newWorld() *world { return &world{live: map[uint64]*pretender{}} }

func (w *world) launcher() Launcher {
	return Launcher{Launch: w.launch, Head: head}
}

func head(data string) (p Position, err error) {
	text, err := os.ReadFile(filepath.Join(data, "node", "ledger", "end"))
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	return Position{binary.BigEndian.Uint64(text), binary.BigEndian.Uint64(text[8:])}, nil
}

func setHead(t *testing.T, data string, p Position) {
	t.Helper()
	text := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, p.Term), p.Index)
	if err := errors.Join(os.MkdirAll(filepath.Join(data, "node", "ledger"), 0o700), os.WriteFile(filepath.Join(data, "node", "ledger", "end"), text, 0o600)); err != nil {
		t.Fatal(err)
	}
}

func (w *world) launch(ctx context.Context, p Plan) (Member, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.history = append(w.history, fmt.Sprintf("%s %d", p.Founding, p.Number))
	id := uint64(len(w.table) + 1)
	switch p.Founding {
	case Join:
		if len(p.Peers) == 0 || string(p.Service) != "service" {
			return nil, fmt.Errorf("joins %v of %q", p.Peers, p.Service)
		}
	case Recover:
		for i := range w.table {
			w.table[i].State = operations.StateRetired
		}
	}
	if p.Founding == Join && w.slow != nil {
		w.table = append(w.table, operations.Peer{Place: operations.Place{RaftID: id, Client: p.Client}, State: operations.StateLearner})
		w.mu.Unlock()
		err := w.slow(ctx)
		w.mu.Lock()
		if err != nil {
			return nil, err
		}
		w.table = w.table[:id-1]
	}
	w.table = append(w.table, operations.Peer{Place: operations.Place{RaftID: id, Address: fmt.Sprint("127.0.0.1:", 7000+id), Client: p.Client}, State: operations.StateVoter, Active: true})
	w.view++
	w.index++
	m := &pretender{world: w, id: id, done: make(chan struct{}), data: p.Data}
	w.live[id] = m
	return m, errors.Join(os.MkdirAll(filepath.Join(p.Data, "node", "ledger"), 0o700), os.WriteFile(filepath.Join(p.Data, "service.pem"), []byte("service"), 0o600))
}

// pretender is a node of the world.
type pretender struct {
	world  *world
	id     uint64
	data   string
	done   chan struct{}
	server http.Server
	paused bool
	apart  []uint64
}

func (m *pretender) Status() operations.Status {
	w := m.world
	w.mu.Lock()
	defer w.mu.Unlock()
	s := operations.Status{Platform: "simulated", RaftID: m.id, Role: operations.RoleFollower, View: w.view, Paused: m.paused,
		Ledger: operations.Ledger{Height: w.index, Commit: w.index, Applied: w.index, Index: w.index}, Nodes: slices.Clone(w.table)}
	for i := range s.Nodes {
		p := &s.Nodes[i]
		_, p.Active = w.live[p.RaftID]
		if p.Active && s.Leader == nil && p.State == operations.StateVoter {
			s.Leader = &p.Place
		}
		if p.RaftID == m.id {
			p.Self, s.State = true, p.State
		}
	}
	if s.Leader != nil && s.Leader.RaftID == m.id {
		s.Role = operations.RoleLeader
	}
	return s
}

func (m *pretender) Live() error                 { return nil }
func (m *pretender) Ready() error                { return nil }
func (m *pretender) Drain(context.Context) error { return nil }

func (m *pretender) note(format string, args ...any) {
	m.world.mu.Lock()
	defer m.world.mu.Unlock()
	m.world.history = append(m.world.history, fmt.Sprintf(format, args...))
}

func (m *pretender) Retire(_ context.Context, id uint64) error {
	m.note("retire %d", id)
	m.world.mu.Lock()
	defer m.world.mu.Unlock()
	if m.world.refuses != nil {
		return m.world.refuses
	}
	m.world.table[id-1].State = operations.StateRetired
	return nil
}
func (m *pretender) RaiseFormat(_ context.Context, level uint64) error {
	m.note("raise the format level to %d", level)
	return nil
}
func (m *pretender) Pause()               { m.paused = true }
func (m *pretender) Resume()              { m.paused = false }
func (m *pretender) Isolate(ids []uint64) { m.apart = append(m.apart, ids...) }
func (m *pretender) Heal()                { m.apart = nil }

func (m *pretender) Serve(l net.Listener) error {
	m.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, m.id) })
	if err := m.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
func (m *pretender) Shutdown(ctx context.Context) error { return m.server.Shutdown(ctx) }
func (m *pretender) Stop(context.Context) error {
	m.world.mu.Lock()
	defer m.world.mu.Unlock()
	delete(m.world.live, m.id)
	close(m.done)
	text := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, m.world.view), m.world.index)
	return os.WriteFile(filepath.Join(m.data, "node", "ledger", "end"), text, 0o600)
}
func (m *pretender) ChainID() uint64          { return 49344 }
func (m *pretender) Accounts() []node.Account { return nil }

// start starts a network of the world that ends with the test.
func start(t *testing.T, w *world, data string, nodes int) *Network {
	t.Helper()
	n, err := Start(t.Context(), Config{Data: data, Nodes: nodes, RPC: "127.0.0.1:0", Operations: true, Logger: slog.New(slog.DiscardHandler), Now: time.Now}, w.launcher())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return n
}
