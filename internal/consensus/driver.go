package consensus

import (
	crand "crypto/rand"
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/planted"
)

// Driver is the step machine around Raft. One goroutine uses it. Every input is
// carried through at once; what it asks of the caller waits in Ready.
type Driver struct {
	id    uint64
	o     Options
	raft  *raft.RawNode
	store *storage
	line  *lineage.Tail // the log's lineage, committed and not

	tail    []Position // entries that are not handed on as committed, behind base
	base    Position   // the last entry handed on
	durable uint64     // highest index known durable here
	held    []format.Entry
	fresh   fresh  // the newest entries that were translated
	term    uint64 // last term and vote given to the log writer
	vote    uint64

	config   lineage.Config // as Raft has it: of the entries applied
	recovers bool           // Start.Recovers, until the recovery is committed
	timer    timer
	disk     disk

	leading  uint64            // term in which this node leads, 0 when it does not
	first    uint64            // index of its first entry in that term, 0 until seen
	ready    bool              // that entry is committed
	sealing  bool              // and this node may seal
	over     uint64            // term that this node ended: nothing more is sealed in it
	handing  uint64            // term in which leadership is being handed over
	changing uint64            // index of the last change of configuration proposed in this term
	rejected map[uint64]uint64 // in this term: voters that refuse a block, and its index
	blocked  int               // ticks since the commit index moved while there are such voters
	stays    uint64            // where it stays
	asked    uint64            // highest read that heartbeats of this term asked about

	refused uint64 // messages not given to Raft
	effects Effects
	fault   error
}

// Options are the driver's timing, in ticks, and its surroundings.
type Options struct {
	ElectionTicks  int // followers wait one to two times this for a leader
	HeartbeatTicks int
	// DiskTicks is for how long the disk may make no progress before this node
	// gives leadership away and stands for it no more, by default two times
	// ElectionTicks.
	DiskTicks int
	Logger    *slog.Logger
	// Clock judges the time of live blocks, by default time.Now.
	Clock func() time.Time
	// Random spreads election timeouts; by default it is seeded by the system.
	Random *rand.Rand
	// MaxMessage is how many bytes of entries one message carries (one entry
	// at least), by default 1 MiB; MaxInflight how many bytes are under way to
	// one node, by default 8 MiB.
	MaxMessage  uint64
	MaxInflight uint64
}

func (o *Options) fill() {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Random == nil {
		var seed [32]byte
		crand.Read(seed[:])
		o.Random = rand.New(rand.NewChaCha8(seed))
	}
	if o.DiskTicks == 0 {
		o.DiskTicks = 2 * o.ElectionTicks
	}
	if o.MaxMessage == 0 {
		o.MaxMessage = 1 << 20
	}
	if o.MaxInflight == 0 {
		o.MaxInflight = 8 << 20
	}
}

// New makes a driver on an adopted log.
func New(log Log, start Start, o Options) (*Driver, error) {
	o.fill()
	if start.Line == nil {
		return nil, errors.New("consensus begins without the lineage of its log")
	}
	config := start.Line.Identity.Config
	if start.Recovers {
		config = lineage.Alone(start.ID)
	}
	store := newStorage(log, start, config, o.Logger)
	node, err := raft.NewRawNode(&raft.Config{
		ID: start.ID, ElectionTick: o.ElectionTicks, HeartbeatTick: o.HeartbeatTicks,
		Storage: store, Applied: start.Last.Index, AsyncStorageWrites: true,
		MaxSizePerMsg: o.MaxMessage, MaxInflightMsgs: 256, MaxInflightBytes: max(o.MaxInflight, o.MaxMessage),
		MaxUncommittedEntriesSize: 0, MaxCommittedSizePerReady: math.MaxUint64,
		CheckQuorum: true, PreVote: true, ReadOnlyOption: raft.ReadOnlySafe, StepDownOnRemoval: true,
		DisableProposalForwarding: true, DisableConfChangeValidation: planted.Is(planted.OneOfJointPair),
		Logger: quiet{o.Logger},
	})
	if err != nil {
		return nil, err
	}
	d := &Driver{id: start.ID, o: o, raft: node, store: store, base: start.Last, durable: start.Last.Index, term: start.Term,
		line: lineage.NewTail(start.Line, start.Last.Index, start.Last.Prefix), config: config, recovers: start.Recovers}
	d.timer.watch(d)
	return d, nil
}

// Campaign asks to lead at once instead of after an election timeout.
func (d *Driver) Campaign() error {
	err := d.raft.Campaign()
	d.pump()
	return err
}

// Tick tells that one tick of time went by.
func (d *Driver) Tick() {
	d.disk.tick()
	d.yield()
	d.timer.tick(d)
	d.unblock()
	d.pump()
}

// Appended tells that a's vote and entries are durable.
func (d *Driver) Appended(a *Append) error {
	d.disk.wrote()
	err := d.stored(a)
	d.pump()
	return err
}

func (d *Driver) stored(a *Append) error {
	d.store.add(a.raft)
	for i := len(a.raft) - 1; i >= 0; i-- {
		index := a.raft[i].GetIndex()
		if index <= d.base.Index {
			break
		}
		// An entry that was replaced meanwhile is durable in vain.
		if at := index - d.base.Index - 1; at < uint64(len(d.tail)) && d.tail[at].Term == a.raft[i].GetTerm() {
			d.durable = max(d.durable, index)
			break
		}
	}
	return d.respond(a.responses)
}

// Propose seals and proposes a block as the next entry: seal gets the position
// before it and gives the body. It fails with ErrNotLeader before sealing when
// this node may not seal in view, and ends the view when anything fails after, so
// that no second block is ever sealed for that view and height.
func (d *Driver) Propose(view uint64, seal func(Position) ([]byte, error)) (Position, error) {
	if !d.sealing || d.leading != view || d.over == view || d.fault != nil {
		return Position{}, ErrNotLeader
	}
	at := d.last()
	body, err := seal(at)
	if err != nil {
		d.endView()
		return Position{}, err
	}
	if err := d.raft.Propose(body); err != nil {
		d.endView()
		return Position{}, errors.Join(ErrRefused, err)
	}
	d.pump()
	if d.fault != nil {
		return Position{}, errors.Join(ErrRefused, d.fault)
	}
	return d.position(at.Index + 1), nil
}

// endView makes Raft leave its term: it sees an answer of a later one.
func (d *Driver) endView() {
	if planted.Is(planted.ResealInOneView) {
		return
	}
	d.over = d.leading
	next := d.raft.BasicStatus().GetTerm() + 1
	// A stale term cannot come from here, so Step has nothing to refuse but a
	// node that leads without being in the configuration, which cannot stay.
	_ = d.raft.Step(&raftpb.Message{Type: raftpb.MsgAppResp.Enum(), From: new(d.id), To: new(d.id), Term: new(next)})
	d.pump()
}

// last is the position of the log's last entry.
func (d *Driver) last() Position {
	if n := len(d.tail); n > 0 {
		return d.tail[n-1]
	}
	return d.base
}

// position is that of an entry which is not handed on, or was the last to be.
func (d *Driver) position(index uint64) Position {
	if index <= d.base.Index {
		return d.base
	}
	return d.tail[index-d.base.Index-1]
}

// matches reports whether the log has an entry of this index and term.
func (d *Driver) matches(index, term uint64) bool {
	switch at := index - d.base.Index; {
	case index < d.base.Index:
		stored, err := d.store.Term(index)
		return err == nil && stored == term
	case at == 0:
		return d.base.Term == term
	default:
		return at <= uint64(len(d.tail)) && d.tail[at-1].Term == term
	}
}

// Backfilled tells that the log begins at an earlier index now.
func (d *Driver) Backfilled(first uint64) { d.store.extend(first) }

// Unreachable tells that messages to a node were lost.
func (d *Driver) Unreachable(id uint64) { d.raft.ReportUnreachable(id) }

// Ready collects what is to be done. It reports false when there is nothing. An
// error ends the driver.
func (d *Driver) Ready() (Effects, bool, error) {
	e := d.effects
	d.effects = Effects{}
	return e, !e.empty(), d.fault
}
