package node

import (
	"log/slog"
	"time"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/operations"
	"github.com/coco-consortium/coco/internal/sequencer"
	"github.com/coco-consortium/coco/internal/telemetry"
)

// Founding is how a process takes its place in a network.
type Founding string

// The ways to begin.
const (
	// Continues founds a network in an empty directory, and recovers the one whose
	// ledger it finds: what a network of one does at every start.
	Continues Founding = "continue"
	// Founds a network; the directory must be empty.
	Founds Founding = "found"
	// Joins a running network, and reuses the ledger that the directory has of it.
	Joins Founding = "join"
	// Recovers a network none of whose nodes is left; the directory must have its
	// ledger.
	Recovers Founding = "recover"
)

// Config is how a node runs. Data is required; Default fills the rest.
type Config struct {
	Data     string  // directory, for what lies outside FS
	FS       disk.FS // the files below Data
	Past     Past
	NoIndex  bool // keep no history index: older transactions and logs cannot be found
	Clock    func() time.Time
	Logger   *slog.Logger
	Version  string // of the program, for clients that ask
	Timing   Timing
	Limits   sequencer.Limits
	Snapshot Cadence
	Origins  []string // web origins whose pages may ask, see server.Options
	Hosts    []string // names under which the node answers, see server.Options

	Founding  Founding
	Join      Join
	Force     bool   // recover although nodes of the network may run
	Peer      string // host:port where other nodes reach it; port 0 takes a free one; "" for a node that stays alone
	Advertise string // host:port that other nodes are told, by default the listener's
	Client    string // host:port that people are told, where clients reach the node
	// Transfer bounds what nodes that catch up take from this one, in bytes a
	// second; 0 is no bound.
	Transfer int64

	// Arriving, if not nil, is called once the process holds its directory, with
	// what answers for the node until Start returns. Start fails when it does.
	Arriving func(operations.Node) error

	Metrics *telemetry.Metrics // instruments of this node; nil measures nothing
	Tracer  *telemetry.Tracer  // nil records nothing
}

// Join says how to find the network to join.
type Join struct {
	Peers   []string // host:port of nodes to ask
	Service []byte   // PEM of the network's service certificate, which says that they are the right ones
}

// Timing is consensus's sense of time. The defaults fit one data centre.
type Timing struct {
	Tick      time.Duration // heartbeats go out this often
	Election  int           // ticks without a leader after which a node campaigns, up to twice as many
	Heartbeat int           // ticks between heartbeats
	Silence   time.Duration // after which a learner that is not heard of is retired, 0 for membership.Silence
}

// Cadence says when a snapshot is taken: when so many records and so many bytes
// of them were committed since the last one, and as many bytes as it took.
type Cadence struct {
	Records uint64
	Bytes   uint64
}

// Default is the configuration of a development node in a directory.
func Default(data string) Config {
	return Config{Data: data, FS: disk.OS(data), Clock: time.Now, Version: "coco", Founding: Continues,
		Logger: slog.New(slog.DiscardHandler), Timing: Timing{Tick: 50 * time.Millisecond, Election: 8, Heartbeat: 1}, Limits: sequencer.DefaultLimits,
		Snapshot: Cadence{Records: 10_000, Bytes: 8 << 20},
		Past:     Past{Blocks: 90_000, Bytes: 1 << 30}}
}
