package consensus

import (
	"errors"
	"fmt"
	"log/slog"
	"math"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/planted"
)

// Driver is the step machine around Raft. One goroutine uses it.
type Driver struct {
	id    uint64
	raft  *raft.RawNode
	store *storage

	tail    []Position // entries that are not handed on as committed, behind base
	base    Position   // the last entry handed on
	durable uint64     // highest index known durable here
	held    []format.Entry
	term    uint64 // last term and vote given to the log writer
	vote    uint64

	leading uint64 // term in which this node leads, 0 when it does not
	first   uint64 // index of its first entry in that term, 0 until seen
	ready   bool   // that entry is committed: sealing is allowed
	over    uint64 // term in which a proposal was refused: nothing more is sealed in it
	lead    *Lead  // change to report
	outbox  []*raftpb.Message
}

// Options are the driver's timing, in ticks, and its log.
type Options struct {
	ElectionTicks  int // followers wait one to two times this for a leader
	HeartbeatTicks int
	Logger         *slog.Logger
}

// New makes a driver on an adopted log.
func New(log Log, start Start, o Options) (*Driver, error) {
	store := newStorage(log, start)
	node, err := raft.NewRawNode(&raft.Config{
		ID: start.ID, ElectionTick: o.ElectionTicks, HeartbeatTick: o.HeartbeatTicks,
		Storage: store, Applied: start.Last.Index, AsyncStorageWrites: true,
		MaxSizePerMsg: 1 << 20, MaxUncommittedEntriesSize: 0, MaxCommittedSizePerReady: math.MaxUint64,
		MaxInflightMsgs: 256, CheckQuorum: true, PreVote: true, ReadOnlyOption: raft.ReadOnlySafe,
		DisableProposalForwarding: true, Logger: quiet{o.Logger},
	})
	if err != nil {
		return nil, err
	}
	return &Driver{id: start.ID, raft: node, store: store, base: start.Last, durable: start.Last.Index, term: start.Term}, nil
}

// Campaign asks to lead at once instead of after an election timeout.
func (d *Driver) Campaign() error { return d.raft.Campaign() }

// Tick tells that one tick of time went by.
func (d *Driver) Tick() { d.raft.Tick() }

// Step takes a message of another node.
func (d *Driver) Step(m *raftpb.Message) error { return d.raft.Step(m) }

// Appended tells that a's vote and entries are durable.
func (d *Driver) Appended(a *Append) error {
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
// this node does not lead view, and ends the view when anything fails after, so
// that no second block is ever sealed for that view and height.
func (d *Driver) Propose(view uint64, seal func(Position) ([]byte, error)) (Position, error) {
	if !d.ready || d.leading != view || d.over == view {
		return Position{}, ErrNotLeader
	}
	if d.raft.BasicStatus().LeadTransferee != 0 {
		d.endView()
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
	next := format.Entry{Index: at.Index + 1, Term: view, Kind: format.EntryBlock, Body: body}
	p := Position{Index: next.Index, Term: view, Prefix: format.NextPrefix(at.Prefix, &next)}
	d.tail = append(d.tail, p)
	return p, nil
}

// endView makes Raft leave its term: it sees an answer of a later one.
func (d *Driver) endView() {
	if planted.Is(planted.ResealInOneView) {
		return
	}
	d.over = d.leading
	next := d.raft.BasicStatus().GetTerm() + 1
	// A stale term cannot come from here, so Step has nothing to refuse.
	_ = d.raft.Step(&raftpb.Message{Type: raftpb.MsgAppResp.Enum(), From: new(d.id), To: new(d.id), Term: new(next)})
}

// last is the position of the log's last entry.
func (d *Driver) last() Position {
	if n := len(d.tail); n > 0 {
		return d.tail[n-1]
	}
	return d.base
}

// Ready collects what is to be done. It reports false when there is nothing.
func (d *Driver) Ready() (Effects, bool, error) {
	var e Effects
	e.Messages, d.outbox = d.outbox, nil
	for d.raft.HasReady() {
		r := d.raft.Ready()
		if err := d.take(&r, &e); err != nil {
			return e, false, err
		}
	}
	d.release(&e)
	e.Lead, d.lead = d.lead, nil
	return e, len(e.Appends)+len(e.Committed)+len(e.Messages) > 0 || e.Lead != nil, nil
}

func (d *Driver) take(r *raft.Ready, e *Effects) error {
	d.follow()
	for _, entry := range r.Entries {
		if err := d.extend(entry); err != nil {
			return err
		}
	}
	for _, m := range r.Messages {
		switch m.GetTo() {
		case raft.LocalAppendThread:
			a, err := d.append(m)
			if err != nil {
				return err
			}
			if planted.Is(planted.AckBeforeSync) {
				early := *a
				if err := d.Appended(&early); err != nil {
					return err
				}
				a.raft, a.responses = nil, nil
			}
			e.Appends = append(e.Appends, a)
		case raft.LocalApplyThread:
			if err := d.commit(m); err != nil {
				return err
			}
		default:
			e.Messages = append(e.Messages, m)
		}
	}
	return nil
}

// follow notes who leads. It asks for the status each time, since Raft does not
// report a node that led, lost and leads again in between.
func (d *Driver) follow() {
	status := d.raft.BasicStatus()
	leading := uint64(0)
	if status.RaftState == raft.StateLeader {
		leading = status.GetTerm()
	}
	if leading == d.leading {
		return
	}
	if d.ready {
		d.lead = &Lead{}
	}
	d.leading, d.first, d.ready = leading, 0, false
}

// extend notes the position of an entry that Raft put at the tail of its log,
// unless Propose has noted it.
func (d *Driver) extend(entry *raftpb.Entry) error {
	e, err := toEntry(entry)
	if err != nil {
		return err
	}
	if e.Kind == format.EntryRaftEmpty && e.Term == d.leading && d.first == 0 {
		d.first = e.Index
	}
	if e.Index <= d.base.Index {
		return fmt.Errorf("raft appends at %d, behind committed entry %d", e.Index, d.base.Index)
	}
	if at := e.Index - d.base.Index - 1; at < uint64(len(d.tail)) {
		if d.tail[at].Term == e.Term {
			return nil
		}
		d.tail = d.tail[:at]
		d.durable = min(d.durable, e.Index-1)
	}
	before := d.last()
	if before.Index+1 != e.Index {
		return fmt.Errorf("raft appends at %d, the log ends at %d", e.Index, before.Index)
	}
	d.tail = append(d.tail, Position{Index: e.Index, Term: e.Term, Prefix: format.NextPrefix(before.Prefix, &e)})
	return nil
}

func (d *Driver) append(m *raftpb.Message) (*Append, error) {
	a := &Append{raft: m.GetEntries(), responses: m.GetResponses()}
	if term, vote := m.GetTerm(), m.GetVote(); m.Term != nil && (term != d.term || vote != d.vote) {
		a.Term, a.Vote = term, vote
		d.term, d.vote = term, vote
	}
	for _, entry := range a.raft {
		e, err := toEntry(entry)
		if err != nil {
			return nil, err
		}
		a.Entries = append(a.Entries, e)
	}
	return a, nil
}

// commit takes committed entries. They are held until durable here, and
// configuration changes take effect.
func (d *Driver) commit(m *raftpb.Message) error {
	for _, entry := range m.GetEntries() {
		e, err := toEntry(entry)
		if err != nil {
			return err
		}
		if e.Kind == format.EntryRaftConfig {
			var config format.RaftConfig
			if err := format.Decode(e.Body, &config); err != nil {
				return err
			}
			d.raft.ApplyConfChange(confChange(&config))
		}
		d.held = append(d.held, e)
	}
	return d.respond(m.GetResponses())
}

// release hands held entries on once they are durable.
func (d *Driver) release(e *Effects) {
	n := 0
	for n < len(d.held) && d.held[n].Index <= d.durable {
		n++
	}
	if n == 0 {
		return
	}
	e.Committed = append(e.Committed, d.held[:n]...)
	d.held = d.held[n:]
	d.base = d.tail[n-1]
	d.tail = d.tail[n:]
	d.store.release(d.base.Index)
	if d.leading != 0 && !d.ready && d.first != 0 && d.base.Index >= d.first {
		d.ready = true
		d.lead = &Lead{View: d.leading}
	}
}

// respond gives Raft the answers of its own storage; answers to other nodes
// leave with the next effects.
func (d *Driver) respond(responses []*raftpb.Message) error {
	for _, m := range responses {
		if m.GetTo() != d.id {
			d.outbox = append(d.outbox, m)
			continue
		}
		if err := d.raft.Step(m); err != nil {
			return err
		}
	}
	return nil
}

// quiet passes Raft's warnings and errors on and drops the rest.
type quiet struct{ log *slog.Logger }

func (quiet) Debug(...any)          {}
func (quiet) Debugf(string, ...any) {}
func (quiet) Info(...any)           {}
func (quiet) Infof(string, ...any)  {}

func (q quiet) Warning(v ...any)            { q.log.Warn(fmt.Sprint(v...)) }
func (q quiet) Warningf(f string, v ...any) { q.log.Warn(fmt.Sprintf(f, v...)) }
func (q quiet) Error(v ...any)              { q.log.Error(fmt.Sprint(v...)) }
func (q quiet) Errorf(f string, v ...any)   { q.log.Error(fmt.Sprintf(f, v...)) }
func (q quiet) Fatal(v ...any)              { panic(fmt.Sprint(v...)) }
func (q quiet) Fatalf(f string, v ...any)   { panic(fmt.Sprintf(f, v...)) }
func (q quiet) Panic(v ...any)              { panic(fmt.Sprint(v...)) }
func (q quiet) Panicf(f string, v ...any)   { panic(fmt.Sprintf(f, v...)) }
