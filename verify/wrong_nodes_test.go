package verify

import (
	"errors"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/attest/sim"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
)

const (
	pending = format.NodePending
	learner = format.NodeLearner
	voter   = format.NodeVoter
	retired = format.NodeRetired
)

// grown writes three nodes: 1 and 2 are voters, 3 is a learner, in the table and
// in Raft's configuration. Block 4 is due, and record 7, in view 2; record 6
// changed the nodes last.
func grown(a *author) {
	a.genesis(nil)
	a.elect(2)
	a.transactions(1, false)
	a.block(false, false, a.members(a.candidate(learner, nil), a.candidate(pending, nil)), transaction(1))
	a.config(2, 3, 2, format.ConfigChange{Type: 3, RaftID: 2})
	a.config(2, 3, 0)
	a.block(false, false, transaction(1), a.members(a.as(2, voter), a.as(3, learner)))
	a.config(2, 6, 2, format.ConfigChange{Type: 0, RaftID: 2}, format.ConfigChange{Type: 3, RaftID: 3})
	a.config(2, 6, 0)
}

// TestWrongNodes checks ledgers of several nodes in which one rule about nodes is
// broken, by a node that holds every key. The code by which nodes follow their
// ledger must refuse each of them at the same block.
func TestWrongNodes(t *testing.T) {
	rememberVerdicts(t)
	record := func(nodes func(*author) []*format.NodeInfo) func(*author) {
		return func(a *author) {
			grown(a)
			a.block(false, false, a.members(nodes(a)...))
		}
	}
	one := func(change func(*author) *format.NodeInfo) func(*author) {
		return record(func(a *author) []*format.NodeInfo { return []*format.NodeInfo{change(a)} })
	}
	moved := func(raftID uint64, status format.NodeStatus) func(*author) {
		return one(func(a *author) *format.NodeInfo { return a.as(raftID, status) })
	}
	joined := func(status format.NodeStatus, change func(*format.NodeInfo)) func(*author) {
		return one(func(a *author) *format.NodeInfo { return a.candidate(status, change) })
	}
	after := func(status format.NodeStatus, change func(*author, *format.NodeInfo)) func(*author) { // it was attested
		return one(func(a *author) *format.NodeInfo {
			n := a.candidate(status, nil)
			change(a, n)
			return n
		})
	}
	altered := func(change func(*format.NodeInfo)) func(*author) {
		return one(func(a *author) *format.NodeInfo {
			n := a.as(3, voter)
			change(n)
			return n
		})
	}
	drafted := func(d draft) func(*author) {
		return func(a *author) { grown(a); a.block(false, false, d) }
	}
	public := func(kind format.RecordKind, writes ...format.Write) func(*author) {
		return drafted(draft{kind: kind, public: writes})
	}
	row := func(raftID uint64, value []byte) format.Write {
		return format.Write{Table: format.TableNodes, Key: format.NodeKey(raftID), Value: value}
	}
	wrote := func(raftID uint64) func(*author) {
		return func(a *author) { grown(a); a.elect(3); a.lead(raftID); a.transactions(1, false) }
	}
	recovered := func(change func(*author, []*format.NodeInfo) []*format.NodeInfo) func(*author) {
		return func(a *author) {
			grown(a)
			a.wrongNodes = func(nodes []*format.NodeInfo) []*format.NodeInfo { return change(a, nodes) }
			a.recovery(4, nil)
		}
	}
	founded := func(change func(*author, []*format.NodeInfo) []*format.NodeInfo) func(*author) {
		return func(a *author) {
			a.wrongNodes = func(nodes []*format.NodeInfo) []*format.NodeInfo { return change(a, nodes) }
			a.genesis(nil)
		}
	}
	// asked configures Raft behind a record, 2.7, that makes node 3 a voter, retires
	// node 2 and takes node 4 in as pending and node 5 as a learner.
	asked := func(write func(*author)) func(*author) {
		return func(a *author) {
			grown(a)
			a.block(false, false, a.members(a.as(2, retired), a.as(3, voter), a.candidate(pending, nil), a.candidate(learner, nil)))
			write(a)
		}
	}
	changes := func(list ...format.ConfigChange) func(*author) {
		return asked(func(a *author) { a.config(2, 7, 2, list...) })
	}
	add := func(id uint64) format.ConfigChange { return format.ConfigChange{RaftID: id} }
	remove := func(id uint64) format.ConfigChange { return format.ConfigChange{Type: 1, RaftID: id} }
	learn := func(id uint64) format.ConfigChange { return format.ConfigChange{Type: 3, RaftID: id} }

	for name, c := range map[string]struct {
		write  func(*author)
		code   Code
		height uint64
	}{
		"raft id skipped":       {joined(learner, func(n *format.NodeInfo) { n.Node.RaftID++ }), NodeChange, 4},
		"raft id of another":    {joined(learner, func(n *format.NodeInfo) { n.Node.RaftID = 3 }), NodeChange, 4},
		"joins as a voter":      {joined(voter, nil), NodeChange, 4},
		"joins as retired":      {joined(retired, nil), NodeChange, 4},
		"joins without address": {joined(learner, func(n *format.NodeInfo) { n.Address = "" }), NodeChange, 4},
		"endless address":       {joined(learner, func(n *format.NodeInfo) { n.Client = strings.Repeat("x", 261) }), NodeRecord, 4},
		"no status":             {joined(0, nil), NodeRecord, 4},
		"unknown status":        {joined(5, nil), NodeRecord, 4},
		"short HPKE key":        {joined(learner, func(n *format.NodeInfo) { n.Node.HPKEKey = n.Node.HPKEKey[:31] }), ServiceDocument, 4},
		"key of a node": {one(func(a *author) *format.NodeInfo {
			return a.candidate(learner, func(n *format.NodeInfo) { n.Node.Key = a.peers[2].info.Node.Key })
		}), ServiceDocument, 4},
		"key of the service": {one(func(a *author) *format.NodeInfo {
			return a.candidate(learner, func(n *format.NodeInfo) { n.Node.Key = spki(a.t, a.service) })
		}), ServiceDocument, 4},
		"not endorsed": {after(learner, func(_ *author, n *format.NodeInfo) { n.Node.Endorsement = nil }), ServiceEndorsement, 4},
		"endorsed for another id": {after(pending, func(a *author, n *format.NodeInfo) {
			n.Node.Endorsement = a.peers[1].info.Node.Endorsement
		}), ServiceEndorsement, 4},
		"no evidence":            {after(learner, func(_ *author, n *format.NodeInfo) { n.Evidence = nil }), ServiceEvidence, 4},
		"evidence of another":    {after(learner, func(a *author, n *format.NodeInfo) { n.Evidence = a.peers[2].info.Evidence }), ServiceEvidence, 4},
		"another session":        {after(pending, func(_ *author, n *format.NodeInfo) { n.Session[0]++ }), ServiceEvidence, 4},
		"another HPKE key":       {after(learner, func(_ *author, n *format.NodeInfo) { n.Node.HPKEKey[0]++ }), ServiceEvidence, 4},
		"evidence of a recovery": {after(learner, evidenceOfGenesis), ServiceEvidence, 4},
		"pending to voter": {func(a *author) {
			grown(a)
			a.block(false, false, a.members(a.candidate(pending, nil)), a.members(a.as(4, voter)))
		}, NodeChange, 4},
		"voter to learner":   {moved(2, learner), NodeChange, 4},
		"voter to pending":   {moved(2, pending), NodeChange, 4},
		"learner to pending": {moved(3, pending), NodeChange, 4},
		"learner to learner": {moved(3, learner), NodeChange, 4},
		"back from retirement": {func(a *author) {
			grown(a)
			a.block(false, false, a.members(a.as(3, retired)))
			a.block(false, false, a.members(a.as(3, learner)))
		}, NodeChange, 5},
		"address changes":     {altered(func(n *format.NodeInfo) { n.Address = "x:1" }), NodeChange, 4},
		"client changes":      {altered(func(n *format.NodeInfo) { n.Client = "x:1" }), NodeChange, 4},
		"evidence changes":    {altered(func(n *format.NodeInfo) { n.Evidence = nil }), NodeChange, 4},
		"session changes":     {altered(func(n *format.NodeInfo) { n.Session[0]++ }), NodeChange, 4},
		"key changes":         {altered(func(n *format.NodeInfo) { n.Node.Key = nil }), NodeChange, 4},
		"endorsement changes": {altered(func(n *format.NodeInfo) { n.Node.Endorsement = []byte{1} }), NodeChange, 4},
		"last voters retire":  {record(func(a *author) []*format.NodeInfo { return []*format.NodeInfo{a.as(1, retired), a.as(2, retired)} }), NodeChange, 4},
		"retires its writer":  {moved(1, retired), BlockWriter, 4},
		"no node":             {public(format.KindMembership), NodeRecord, 4},
		"out of order":        {record(func(a *author) []*format.NodeInfo { return []*format.NodeInfo{a.as(3, voter), a.as(2, retired)} }), NodeRecord, 4},
		"one node twice":      {record(func(a *author) []*format.NodeInfo { return []*format.NodeInfo{a.as(3, voter), a.as(3, retired)} }), NodeRecord, 4},
		"another key of the row": {func(a *author) {
			grown(a)
			a.block(false, false, draft{kind: format.KindMembership, public: []format.Write{row(4, format.Encode(a.as(3, voter)))}})
		}, NodeRecord, 4},
		"a node is deleted":     {public(format.KindMembership, row(3, nil)), NodeRecord, 4},
		"a row that is none":    {public(format.KindMembership, row(3, []byte{1})), NodeRecord, 4},
		"another table":         {public(format.KindMembership, format.Write{Table: "public:x", Key: []byte{1}, Value: []byte{1}}), NodeRecord, 4},
		"nodes in transactions": {func(a *author) { grown(a); a.block(false, false, changedBy(a, format.KindTransaction)) }, NodeRecord, 4},
		"nodes in a snapshot record": {func(a *author) {
			grown(a)
			d := snapshot(1)
			d.public = append(d.public, nodeWrites(a.as(3, voter))...)
			a.block(false, false, d)
		}, NodeRecord, 4},
		"claims with it": {func(a *author) {
			grown(a)
			d := a.members(a.as(3, voter))
			d.claims = transaction(1).claims
			a.block(false, false, d)
		}, NodeRecord, 4},

		"a learner writes": {wrote(3), BlockWriter, 4},
		"a retired one writes": {func(a *author) {
			grown(a)
			a.block(false, false, a.members(a.as(2, retired)))
			a.elect(3)
			a.lead(2)
			a.transactions(1, false)
		}, BlockWriter, 5},
		"a newcomer writes": {func(a *author) {
			grown(a)
			d := a.members(a.candidate(learner, nil))
			a.lead(4)
			a.block(false, false, d)
		}, BlockWriter, 4},
		"an old voter writes after a recovery": {func(a *author) { grown(a); a.recovery(4, nil); a.elect(5); a.lead(2); a.transactions(1, false) }, BlockWriter, 5},

		"genesis without node": {founded(func(*author, []*format.NodeInfo) []*format.NodeInfo { return nil }), NodeRecord, 0},
		"genesis of a learner": {founded(func(_ *author, n []*format.NodeInfo) []*format.NodeInfo { n[0].Status = learner; return n }), NodeChange, 0},
		"genesis elsewhere":    {founded(func(_ *author, n []*format.NodeInfo) []*format.NodeInfo { n[0].Address = "x:1"; return n }), NodeChange, 0},
		"genesis of two": {founded(func(a *author, n []*format.NodeInfo) []*format.NodeInfo {
			return append(n, a.candidate(voter, nil))
		}), NodeChange, 0},
		"recovery without node":      {recovered(func(*author, []*format.NodeInfo) []*format.NodeInfo { return nil }), NodeRecord, 4},
		"recovery leaves a voter":    {recovered(func(_ *author, n []*format.NodeInfo) []*format.NodeInfo { return n[1:] }), NodeChange, 4},
		"recovery retires nobody":    {recovered(func(_ *author, n []*format.NodeInfo) []*format.NodeInfo { return n[3:] }), NodeChange, 4},
		"recovery of a learner":      {recovered(func(_ *author, n []*format.NodeInfo) []*format.NodeInfo { n[3].Status = learner; return n }), NodeChange, 4},
		"recovery elsewhere":         {recovered(func(_ *author, n []*format.NodeInfo) []*format.NodeInfo { n[3].Client = "x:1"; return n }), NodeChange, 4},
		"recovery keeps the learner": {recovered(func(_ *author, n []*format.NodeInfo) []*format.NodeInfo { n[2].Status = learner; return n }), NodeChange, 4},
		"recovery of a joint configuration is left": {asked(func(a *author) {
			a.config(2, 7, 2, remove(2), add(3))
			a.recovery(4, nil)
			a.config(2, 7, 0)
		}), ConfigChange, 6},

		"config of no record":      {asked(func(a *author) { a.config(2, 99, 2, add(3)) }), ConfigTxID, 5},
		"config of another view":   {asked(func(a *author) { a.config(3, 7, 2, add(3)) }), ConfigTxID, 5},
		"config of an older one":   {asked(func(a *author) { a.config(2, 6, 2, add(3)) }), ConfigTxID, 5},
		"config of a later record": {asked(func(a *author) { a.transactions(1, false); a.config(2, 11, 2, add(3)) }), ConfigTxID, 6},
		"not joint":                {asked(func(a *author) { a.config(2, 7, 0, add(3)) }), ConfigChange, 5},
		"two joint":                {asked(func(a *author) { a.config(2, 7, 2, add(3)); a.config(2, 7, 2, remove(2)) }), ConfigChange, 5},
		"leave alone":              {asked(func(a *author) { a.config(2, 7, 0) }), ConfigChange, 5},
		"leave another":            {asked(func(a *author) { a.config(2, 7, 2, add(3)); a.config(2, 6, 0) }), ConfigChange, 5},
		"leave as if to enter":     {asked(func(a *author) { a.config(2, 7, 2, add(3)); a.config(2, 7, 2) }), ConfigChange, 5},
		"change a stranger":        {changes(add(7)), ConfigChange, 5},
		"change of node 0":         {changes(add(0)), ConfigChange, 5},
		"change one twice":         {changes(add(3), add(3)), ConfigChange, 5},
		"change of unknown type":   {changes(format.ConfigChange{Type: 2, RaftID: 3}), ConfigChange, 5},
		"add a voter again":        {changes(add(1)), ConfigChange, 5},
		"add a learner as a voter": {changes(add(5)), ConfigChange, 5},
		"add a pending node":       {changes(learn(4)), ConfigChange, 5},
		"add a retired node":       {changes(add(2)), ConfigChange, 5},
		"learn twice":              {changes(learn(3)), ConfigChange, 5},
		"make a voter a learner":   {changes(learn(1)), ConfigChange, 5},
		"remove a voter":           {changes(remove(1)), ConfigChange, 5},
		"remove a stranger":        {changes(remove(4)), ConfigChange, 5},
		"changed by another while joint": {asked(func(a *author) {
			a.config(2, 7, 2, add(3))
			a.block(false, false, a.members(a.as(5, retired)))
			a.config(2, 8, 2, remove(2))
		}), ConfigChange, 6},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAuthor(t, name)
			c.write(a)
			isWrong(t, a, c.code, c.height)
		})
	}
}

// isWrong holds the check to the one finding of a ledger, and the code by which
// nodes follow theirs to the same block.
func isWrong(t *testing.T, a *author, code Code, at uint64) {
	t.Helper()
	r := report(t, a, Options{})
	if r.Result != Invalid || len(r.Findings) != 1 {
		t.Fatalf("%s, %v, head %+v", r.Result, r.Findings, r.Head)
	}
	if f := r.Findings[0]; f.Code != code || f.Height != at {
		t.Errorf("%v, want %s in block %d", f, code, at)
	}
	if height, err := followed(a); err == nil || height != at ||
		!errors.Is(err, lineage.ErrChain) && !errors.Is(err, format.ErrFormat) {
		t.Errorf("a node stops before block %d: %v", height, err)
	}
}

func changedBy(a *author, kind format.RecordKind) draft {
	d := a.members(a.as(3, voter))
	d.kind = kind
	return d
}

func evidenceOfGenesis(a *author, n *format.NodeInfo) {
	self := a.self
	a.self = n.Node
	n.Evidence = a.evidence(a.binding().ReportData())
	a.self = self
}

// followed gives the ledger to the code by which nodes follow it. It says which
// block is due where that stops.
func followed(a *author) (height uint64, err error) {
	line := lineage.New(sim.Roots())
	var prefix format.Hash
	for i := range a.entries {
		e := &a.entries[i]
		if e.Kind == format.EntryBlock {
			err = line.Extend(e, prefix)
		} else {
			err = line.Pass(e, prefix)
		}
		if err != nil {
			return height, err
		}
		if e.Kind == format.EntryBlock {
			height++
		}
		prefix = format.NextPrefix(prefix, e)
	}
	return height, nil
}

// TestRightNodes checks what a correct network may do that is unusual.
func TestRightNodes(t *testing.T) {
	rememberVerdicts(t)
	for name, write := range map[string]func(*author){
		"grown": grown,
		"a pending node is refused": func(a *author) {
			grown(a)
			a.block(false, false, a.members(a.candidate(pending, nil)))
			a.block(false, false, a.members(a.as(4, retired)))
		},
		"a whole life in a block": func(a *author) {
			grown(a)
			n := a.candidate(pending, nil)
			a.block(false, false, a.members(n), transaction(1), a.members(a.as(4, learner)), a.members(a.as(4, voter)), a.members(a.as(4, retired)))
		},
		"the new primary retires the old": func(a *author) {
			grown(a)
			a.elect(3)
			a.lead(2)
			a.block(false, false, a.members(a.as(1, retired)))
			a.config(3, 7, 2, format.ConfigChange{Type: 1, RaftID: 1})
			a.elect(4)
			a.config(3, 7, 0)
			a.transactions(1, false)
		},
		"nodes change while the configuration is joint": func(a *author) {
			grown(a)
			a.block(false, false, a.members(a.as(3, voter)))
			a.config(2, 7, 2, format.ConfigChange{RaftID: 3})
			a.block(false, false, a.members(a.candidate(learner, nil)))
			a.config(2, 7, 0)
			a.config(2, 8, 2, format.ConfigChange{Type: 3, RaftID: 4})
			a.config(2, 8, 0)
			a.transactions(1, false)
		},
		"recovery out of a joint configuration": func(a *author) {
			grown(a)
			a.block(false, false, a.members(a.as(3, voter)))
			a.config(2, 7, 2, format.ConfigChange{RaftID: 3})
			a.recovery(4, nil)
			a.block(false, false, a.members(a.candidate(learner, nil)))
			a.config(4, 9, 2, format.ConfigChange{Type: 3, RaftID: 5})
			a.config(4, 9, 0)
			a.transactions(1, false)
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAuthor(t, name)
			write(a)
			if r := report(t, a, Options{}); r.Result != Valid || r.Unbound > 4 {
				t.Fatalf("%s %v", r.Result, r.Findings)
			}
			nodeAgrees(t, a)
		})
	}
}
