package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/coco-consortium/coco/internal/attest/sim"
	"github.com/coco-consortium/coco/internal/cli/nodefile"
	"github.com/coco-consortium/coco/internal/node"
	"github.com/coco-consortium/coco/internal/operations"
	"github.com/coco-consortium/coco/internal/telemetry"
)

// foundings are what the commands ask of a node.
var foundings = map[string]node.Founding{"start": node.Continues, "join": node.Joins, "recover": node.Recovers}

// settings are what node.yaml says to a node.
func settings(f nodefile.File, founding node.Founding, logs io.Writer) (node.Config, error) {
	c := node.Default(f.Data)
	c.Founding, c.Version, c.Logger = founding, clientVersion(), logger(f.Log, logs)
	c.Peer, c.Advertise, c.Client = f.Peer.Listen, f.Peer.Advertise, f.Client.Advertise
	c.Origins, c.Hosts = f.Client.Origins, append([]string{"localhost"}, f.Client.Hosts...)
	c.Timing = node.Timing{Tick: time.Duration(f.Timing.Tick), Election: f.Timing.Election, Heartbeat: f.Timing.Heartbeat}
	c.Snapshot = node.Cadence{Records: f.Snapshot.Records, Bytes: uint64(f.Snapshot.Bytes)}
	c.Past.Blocks, c.Past.Bytes = f.State.Blocks, uint64(f.State.Bytes)
	c.NoIndex = !f.History
	c.Transfer = int64(f.Transfer.Rate)
	c.Metrics = telemetry.New()
	if founding == node.Joins {
		if len(f.Join.Peers) == 0 {
			return c, nodefile.ErrFile.From(errors.New("join: name the network's nodes in join.peers and its certificate in join.service"))
		}
		pem, err := os.ReadFile(f.Join.Service)
		if err != nil {
			return c, node.ErrJoinService.From(err)
		}
		c.Join = node.Join{Peers: f.Join.Peers, Service: pem}
	}
	var err error
	c.Tracer, err = telemetry.NewTracer(telemetry.Tracing{Endpoint: f.Tracing.Endpoint, Ratio: f.Tracing.Ratio, Version: release(),
		Failed: func(err error) { c.Logger.Warn("traces are lost", "err", err) }})
	return c, err
}

// runNode runs a node until it is told to stop.
func runNode(ctx context.Context, command string, f nodefile.File, asJSON, force bool, out, errOut io.Writer) (err error) {
	if err := node.Free(f.Data); err != nil {
		return err
	}
	if err := operations.Free(f.Data); err != nil {
		return node.ErrLocked.From(err)
	}
	c, err := settings(f, foundings[command], errOut)
	if err != nil {
		return err
	}
	c.Force = force
	defer func() { err = errors.Join(err, flush(c.Tracer)) }()
	clients, err := node.Listen(f.Client.Listen)
	if err != nil {
		return err
	}
	defer clients.Close()
	if c.Client == "" {
		c.Client = clients.Addr().String()
	}
	var web net.Listener
	if f.Operations.Listen != "" {
		if web, err = node.Listen(f.Operations.Listen); err != nil {
			return err
		}
		defer web.Close()
	}
	var entries net.Listener
	var authorities []byte
	if f.KeyValue.Listen != "" {
		if authorities, err = os.ReadFile(f.KeyValue.Clients); err != nil {
			return node.ErrClients.From(err)
		}
		if entries, err = node.Listen(f.KeyValue.Listen); err != nil {
			return err
		}
		defer entries.Close()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := running{ended: make(chan error, 4)}
	defer func() { err = errors.Join(err, r.stop(context.WithoutCancel(ctx))) }()
	c.Arriving = func(arriving operations.Node) error {
		return r.open(f, web, operations.NewDesk(arriving, operations.Options{Development: sim.Included, Stop: cancel}), c.Metrics)
	}
	n, err := node.Start(ctx, c)
	if err != nil {
		return begun(ctx, err)
	}
	r.node = n
	r.desk.Serves(n)
	if entries != nil {
		host, _, _ := net.SplitHostPort(entries.Addr().String())
		s, err := n.KeyValue(authorities, append([]string{"localhost", host}, f.KeyValue.Hosts...))
		if err != nil {
			return err
		}
		r.serve(entries, s)
	}
	r.group.Go(func() { r.end(n.Serve(clients)) })
	if err := r.announce(f, clients, entries, web, asJSON, out); err != nil {
		return err
	}
	for ended := n.Ended(); ; {
		select {
		case <-ctx.Done():
			return nil
		case err := <-r.ended:
			return err
		case <-ended:
			if n.Retired() {
				_, err := fmt.Fprintln(errOut, "the network has retired this node; it ends")
				return err
			}
			ended = nil // reads go on without consensus
		}
	}
}

// running is a node with what serves it.
type running struct {
	node    *node.Node // nil until it serves
	desk    *operations.Desk
	servers []server
	group   sync.WaitGroup
	ended   chan error
}

// open lets the node be asked and stopped, on the socket of its directory and on
// web if that is wanted.
func (r *running) open(f nodefile.File, web net.Listener, desk *operations.Desk, metrics *telemetry.Metrics) error {
	socket, err := operations.Listen(f.Data)
	if err != nil {
		return err
	}
	r.desk = desk
	metrics.Register(operations.Collector(desk))
	observe := operations.Observe(desk, metrics.Handler())
	r.serve(socket, operations.Server(operations.Local(observe, desk)))
	if web != nil {
		r.serve(web, operations.Server(operations.Web(observe, f.Operations.Hosts)))
	}
	return nil
}

// server is an HTTP server.
type server interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
	Close() error
}

func (r *running) serve(l net.Listener, s server) {
	r.servers = append(r.servers, s)
	r.group.Go(func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			r.end(err)
		}
	})
}

func (r *running) end(err error) {
	select {
	case r.ended <- err:
	default:
	}
}

// stop ends the node. Clients have half a second to take their answers.
func (r *running) stop(ctx context.Context) error {
	var errs []error
	for _, s := range r.servers {
		errs = append(errs, s.Close())
	}
	if r.node != nil {
		drain, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
		defer cancel()
		if err := r.node.Shutdown(drain); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			errs = append(errs, err)
		}
		errs = append(errs, r.node.Stop(ctx))
	}
	r.group.Wait()
	return errors.Join(errs...)
}

func flush(t *telemetry.Tracer) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := t.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// readyLine is the line of coco node start|join|recover --json.
type readyLine struct {
	RPC        string `json:"rpc"`
	WS         string `json:"ws"`
	Peer       string `json:"peer"`                 // HOST:PORT that other nodes are told
	KeyValue   string `json:"keyvalue,omitempty"`   // base of /kv/KEY
	Operations string `json:"operations,omitempty"` // base of /status and the others
	Data       string `json:"data"`
	ChainID    uint64 `json:"chainId"`
	Service    string `json:"service"` // hex of the service id
	RaftID     uint64 `json:"raftId"`
}

func (r *running) announce(f nodefile.File, clients, entries, web net.Listener, asJSON bool, out io.Writer) error {
	s := r.node.Status()
	line := readyLine{RPC: "http://" + clients.Addr().String(), WS: "ws://" + clients.Addr().String(), Data: f.Data,
		ChainID: r.node.ChainID(), Service: s.Service, RaftID: s.RaftID}
	for _, p := range s.Nodes {
		if p.Self {
			line.Peer = p.Address
		}
	}
	if entries != nil {
		line.KeyValue = "https://" + entries.Addr().String()
	}
	if web != nil {
		line.Operations = "http://" + web.Addr().String()
	}
	if asJSON {
		return json.NewEncoder(out).Encode(line)
	}
	warning := ""
	if s.Platform == "simulated" {
		warning = "  WARNING    the platform is SIMULATED: whoever can read the data directory can read everything\n"
	}
	if line.KeyValue != "" {
		warning = "  entries    " + line.KeyValue + "/kv/KEY, for clients with a certificate\n" + warning
	}
	if line.Operations != "" {
		warning = "  metrics    " + line.Operations + "/metrics, /status, /livez, /readyz\n" + warning
	}
	_, err := fmt.Fprintf(out, `node %d of service %s serves
  JSON-RPC   %s and %s, chain id %d
  peers      %s is where other nodes join and replicate
  data       %s
  service    %s is what others join with
%sStop with Ctrl+C; coco node drain first hands leadership over.
`, line.RaftID, line.Service, line.RPC, line.WS, line.ChainID, line.Peer, line.Data, filepath.Join(line.Data, "service.pem"), warning)
	return err
}
