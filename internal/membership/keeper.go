package membership

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdh"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/proof"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// Network is the network as a node sees it.
type Network interface {
	// Leader is the raft id of the primary, 0 when none is known.
	Leader() uint64
	// View is the view in which this node seals, 0 when it does not. Members and
	// Head have everything that was committed before it.
	View() uint64
	// Members are the nodes of the committed ledger.
	Members() lineage.Members
	// Level is the format level in force in the committed ledger.
	Level() uint64
	// Record submits a record that may be sealed in a view only, and waits until
	// its outcome is known, however long: the next change begins with what it left.
	Record(view uint64, d *envelope.Draft) error
	// Head is the height of the committed ledger and the index of its entry.
	Head() (height, index uint64)
	// Match is how far a node's log is known to go, and whether it was heard of
	// within an election timeout. Only the primary knows.
	Match(raftID uint64) (index uint64, active bool)
	// Transfer hands leadership to the best other voter and waits until this node
	// leads no more.
	Transfer(context.Context) error
}

// Keeper is the primary's part in membership. Any node may have one; on those
// that do not lead it refuses.
type Keeper struct {
	ID     uint64 // this node's raft id
	Bundle *keys.Bundle
	// Export seals the bundle to a node's key, bound to a context.
	Export  func(to *ecdh.PublicKey, context []byte) ([]byte, error)
	Rule    Rule
	Network Network
	Clock   func() time.Time
	// Lag is how many entries a node may be behind when it becomes a voter.
	Lag uint64
	// Silence is how long a learner may be silent, see Tidy; 0 is the constant Silence.
	Silence time.Duration

	mu       sync.Mutex           // one change at a time
	silentIn uint64               // the view in which silent was counted
	silent   map[uint64]time.Time // learners of which nothing is heard, since when
}

// begin locks the keeper for one change in the view that it returns.
func (k *Keeper) begin() (view uint64, err error) {
	k.mu.Lock()
	if view = k.Network.View(); view == 0 {
		k.mu.Unlock()
		return 0, sequencer.ErrNotPrimary
	}
	return view, nil
}

// Admit takes a node in, or says how far it got when it asked before. key is the
// SHA-256 of the key that holds the session.
func (k *Keeper) Admit(r *Request, key, session format.Hash) (*Answer, error) {
	if k.Network.View() == 0 {
		return nil, sequencer.ErrNotPrimary
	}
	if err := r.valid(); err != nil {
		return nil, err
	}
	if format.Sum(r.Key) != key {
		return nil, ErrRefused.From(fmt.Errorf("the session is held by another key than the node's"))
	}
	status, err := k.Rule.Judge(r, session, k.Clock())
	if err != nil {
		return nil, err
	}
	view, err := k.begin()
	if err != nil {
		return nil, err
	}
	defer k.mu.Unlock()
	members := k.Network.Members()
	known := k.byKey(members, r.Key)
	if level := k.Network.Level(); r.Reads < level {
		return nil, ErrRefused.From(fmt.Errorf("the node reads format levels up to %d, the network's level is %d: start a newer build of coco on it", r.Reads, level))
	}
	if known == nil {
		if known, err = k.introduce(view, members, r, status, session); err != nil {
			return nil, err
		}
	}
	return k.answer(known)
}

func (k *Keeper) byKey(members lineage.Members, key []byte) *format.NodeInfo {
	for _, n := range members.All() {
		if bytes.Equal(n.Node.Key, key) {
			return n
		}
	}
	return nil
}

func (k *Keeper) introduce(view uint64, members lineage.Members, r *Request, status format.NodeStatus, session format.Hash) (*format.NodeInfo, error) {
	id := members.Highest() + 1
	endorsement, err := proof.Endorse(k.Bundle.ServiceKey, proof.Subject{
		Service: k.Bundle.Service.ID, Mode: k.Bundle.Service.Mode, Purpose: proof.PurposeNode, Key: r.Key, Number: id})
	if err != nil {
		return nil, err
	}
	n := &format.NodeInfo{Node: format.Node{RaftID: id, Key: r.Key, HPKEKey: r.HPKEKey, Reads: r.Reads, Endorsement: endorsement},
		Status: status, Address: r.Address, Client: r.Client, Evidence: r.Evidence, Session: session}
	return n, k.record(view, n)
}

// answer tells a node where it stands, and once it is trusted, everything.
func (k *Keeper) answer(n *format.NodeInfo) (*Answer, error) {
	a := &Answer{Status: n.Status, RaftID: n.Node.RaftID, Peers: k.peers(n.Node.RaftID)}
	if n.Status != format.NodeLearner && n.Status != format.NodeVoter {
		return a, nil
	}
	to, err := ecdh.X25519().NewPublicKey(n.Node.HPKEKey)
	if err != nil {
		return nil, ErrRefused.From(err)
	}
	if a.Secrets, err = k.Export(to, context256(k.Bundle.Service.ID, n.Node.Key)); err != nil {
		return nil, err
	}
	a.Height, a.Index = k.Network.Head()
	return a, nil
}

// context256 is what sealed secrets are bound to: the service and the node.
func context256(service format.ServiceID, key []byte) []byte {
	sum := format.Sum([]byte("coco/join/secrets/1"), service[:], key)
	return sum[:]
}

func (k *Keeper) peers(but uint64) []Peer {
	var peers []Peer
	for _, n := range k.Network.Members().All() {
		if n.Status == format.NodeVoter && n.Node.RaftID != but {
			peers = append(peers, Peer{RaftID: n.Node.RaftID, Address: n.Address, Key: format.Sum(n.Node.Key)})
		}
	}
	return peers
}

// Promote makes a learner a voter, and retires the processes before it on its
// directory in the same record, so that the number of voters stays. While one of
// them is still heard of it refuses, and with ErrNoMajorityLeft what would stop the
// network.
func (k *Keeper) Promote(raftID uint64, p *Promotion) error {
	view, err := k.begin()
	if err != nil {
		return err
	}
	defer k.mu.Unlock()
	members := k.Network.Members()
	n := members.Get(raftID)
	switch {
	case n == nil || n.Status == format.NodePending || n.Status == format.NodeRetired:
		return ErrUnknownNode.From(fmt.Errorf("node %d is not a learner", raftID))
	case n.Status == format.NodeVoter:
		return nil
	}
	_, head := k.Network.Head()
	if match, active := k.Network.Match(raftID); !active || match+k.Lag < head {
		return ErrBehind.From(fmt.Errorf("node %d has %d of %d entries", raftID, match, head))
	}
	changed := []*format.NodeInfo{with(n, format.NodeVoter)}
	for _, id := range p.Replaces {
		old := members.Get(id)
		if old == nil || old.Status == format.NodeRetired || id == raftID || id == k.ID {
			continue
		}
		if _, active := k.Network.Match(id); active {
			return ErrBehind.From(fmt.Errorf("node %d, which it replaces, was heard of a moment ago", id))
		}
		changed = append(changed, with(old, format.NodeRetired))
	}
	if err := k.keepsMajority(members, changed...); err != nil {
		return err
	}
	return k.record(view, changed...)
}

// Retire ends a node's part in the network. A primary hands leadership over
// first, so that it never seals its own retirement, and says sequencer.ErrNotPrimary.
// ErrNoMajorityLeft refuses what would stop the network.
func (k *Keeper) Retire(ctx context.Context, raftID uint64) error {
	view, err := k.begin()
	if err != nil {
		return err
	}
	defer k.mu.Unlock()
	members := k.Network.Members()
	n := members.Get(raftID)
	voters := members.IDs(format.NodeVoter)
	switch {
	case n == nil:
		return ErrUnknownNode.From(fmt.Errorf("node %d", raftID))
	case n.Status == format.NodeRetired:
		return nil
	case len(voters) == 1 && voters[0] == raftID:
		return ErrLastVoter
	}
	gone := with(n, format.NodeRetired)
	if err := k.keepsMajority(members, gone); err != nil {
		return err
	}
	if raftID == k.ID {
		if err := k.Network.Transfer(ctx); err != nil {
			return err
		}
		return sequencer.ErrNotPrimary
	}
	return k.record(view, gone)
}

// Raise raises the format level. It refuses while a node that is not retired does
// not read the new one, a pending node included, and names those nodes.
func (k *Keeper) Raise(level uint64) error {
	view, err := k.begin()
	if err != nil {
		return err
	}
	defer k.mu.Unlock()
	switch now := k.Network.Level(); {
	case level == now:
		return nil
	case level < now:
		return ErrFormat.From(fmt.Errorf("level %d is in force already", now))
	}
	var behind []string
	for _, n := range k.Network.Members().All() {
		if n.Status != format.NodeRetired && n.Node.Reads < level {
			behind = append(behind, fmt.Sprintf("node %d at %s reads up to %d", n.Node.RaftID, cmp.Or(n.Address, "no address"), n.Node.Reads))
		}
	}
	if len(behind) > 0 {
		return ErrFormat.From(fmt.Errorf("level %d: %s", level, strings.Join(behind, ", ")))
	}
	return k.Network.Record(view, &envelope.Draft{Kind: format.KindFormat, Public: []format.Write{
		{Table: format.TableFormat, Key: []byte(format.KeyLevel), Value: format.Encode(level)}}})
}

func with(n *format.NodeInfo, status format.NodeStatus) *format.NodeInfo {
	changed := *n
	changed.Status = status
	return &changed
}

func (k *Keeper) record(view uint64, nodes ...*format.NodeInfo) error {
	slices.SortFunc(nodes, func(a, b *format.NodeInfo) int { return int(a.Node.RaftID) - int(b.Node.RaftID) })
	d := &envelope.Draft{Kind: format.KindMembership}
	for _, n := range nodes {
		d.Public = append(d.Public, format.Write{Table: format.TableNodes, Key: format.NodeKey(n.Node.RaftID), Value: format.Encode(n)})
	}
	return k.Network.Record(view, d)
}
