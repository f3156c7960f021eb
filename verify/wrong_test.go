package verify

import (
	"context"
	"testing"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/proof"
)

// TestWrongLedgers checks ledgers that a node with all keys wrote wrongly: every
// signature and hash is right, and one rule is broken.
func TestWrongLedgers(t *testing.T) {
	rememberVerdicts(t)
	begun := func(a *author) { // genesis and three blocks in view 2
		a.genesis(nil)
		a.elect(2)
		a.transactions(1, false)
		a.transactions(2, true)
		a.transactions(1, false)
	}
	genesis := func(change func(*author, *format.Genesis)) func(*author) {
		return func(a *author) { a.genesis(func(g *format.Genesis) { change(a, g) }) }
	}
	recovery := func(change func(*author, *format.Recovery)) func(*author) {
		return func(a *author) {
			begun(a)
			a.recovery(4, func(r *format.Recovery) { change(a, r) })
		}
	}
	header := func(change func(*format.Header)) func(*author) {
		return func(a *author) {
			begun(a)
			a.wrong = change
			a.transactions(1, false)
		}
	}
	record := func(d draft) func(*author) {
		return func(a *author) {
			begun(a)
			a.block(false, false, d)
		}
	}
	public := func(table, key string, value []byte) draft {
		d := transaction(1)
		d.public = []format.Write{{Table: table, Key: []byte(key), Value: value}}
		return d
	}
	for name, c := range map[string]struct {
		write  func(*author)
		code   Code
		height uint64
	}{
		"no entry":                {func(*author) {}, LedgerEmpty, 0},
		"begins with raft-empty":  {func(a *author) { a.elect(1); a.genesis(nil) }, EntryTerm, 0},
		"begins in term 2":        {func(a *author) { a.term = 2; a.genesis(nil) }, EntryTerm, 0},
		"begins without genesis":  {func(a *author) { a.newNode(); a.transactions(1, false) }, RecordKind, 0},
		"genesis not alone":       {genesisWithTransaction, RecordKind, 0},
		"two geneses":             {func(a *author) { begun(a); a.genesis(nil) }, RecordKind, 4},
		"block behind in term 1":  {func(a *author) { a.genesis(nil); a.transactions(1, false) }, EntryTerm, 1},
		"no raft-empty":           {func(a *author) { a.genesis(nil); a.term = 2; a.transactions(1, false) }, EntryTerm, 1},
		"term runs back":          {func(a *author) { begun(a); a.elect(5); a.elect(4) }, EntryTerm, 4},
		"unknown mode":            {genesis(func(_ *author, g *format.Genesis) { g.Mode = "x" }), ServiceDocument, 0},
		"format from the future":  {genesis(func(_ *author, g *format.Genesis) { g.Format = 9 }), FormatRecord, 0},
		"short checkpoint key":    {genesis(func(_ *author, g *format.Genesis) { g.Checkpoint = g.Checkpoint[:31] }), ServiceDocument, 0},
		"no raft id":              {genesis(func(_ *author, g *format.Genesis) { g.Node.RaftID = 0 }), NodeRecord, 0},
		"no service key":          {genesis(func(_ *author, g *format.Genesis) { g.ServiceKey = nil }), ServiceEndorsement, 0},
		"another service key":     {genesis(func(a *author, g *format.Genesis) { g.ServiceKey = spki(a.t, a.key()) }), ServiceEndorsement, 0},
		"checkpoint not endorsed": {genesis(func(_ *author, g *format.Genesis) { g.CheckpointEndorsement = nil }), ServiceEndorsement, 0},
		"node not endorsed":       {genesis(func(_ *author, g *format.Genesis) { g.Node.Endorsement = g.CheckpointEndorsement }), ServiceEndorsement, 0},
		"endorsed for another id": {genesis(func(_ *author, g *format.Genesis) { g.Node.RaftID = 2 }), ServiceEndorsement, 0},
		"no HPKE key":             {genesis(func(_ *author, g *format.Genesis) { g.Node.HPKEKey = nil }), ServiceDocument, 0},
		"evidence of other keys": {genesis(func(a *author, g *format.Genesis) {
			g.Evidence = a.evidence(attest.ReportData{1})
		}), ServiceEvidence, 0},
		"no evidence":          {genesis(func(_ *author, g *format.Genesis) { g.Evidence = nil }), ServiceEvidence, 0},
		"no policy":            {genesis(func(_ *author, g *format.Genesis) { g.Policy = nil }), ServiceEvidence, 0},
		"production, sim tier": {func(a *author) { a.mode = format.ModeProduction; a.genesis(nil) }, ServiceEvidence, 0},
		"policy forbids":       {genesis(policyOfAnother), ServiceEvidence, 0},
		"evidence in 2080":     {func(a *author) { a.time = 3471292800e9; a.genesis(nil) }, ServiceEvidence, 0},

		"height skipped":     {header(func(h *format.Header) { h.Height++ }), BlockHeight, 4},
		"another view":       {header(func(h *format.Header) { h.View++ }), BlockView, 4},
		"another prefix":     {header(func(h *format.Header) { h.Prefix[0]++ }), BlockPrefix, 4},
		"another previous":   {header(func(h *format.Header) { h.Previous[0]++ }), BlockPrevious, 4},
		"seqno skipped":      {header(func(h *format.Header) { h.FirstSeqno++; h.TreeSize++ }), BlockSeqno, 4},
		"time runs back":     {header(func(h *format.Header) { h.Time -= 1e13 }), BlockTime, 4},
		"time overflows":     {header(func(h *format.Header) { h.Time = 1 << 63 }), BlockTime, 4},
		"committed back":     {header(func(h *format.Header) { h.Committed = 1 }), BlockCommitted, 4},
		"another root":       {header(func(h *format.Header) { h.Root[0]++ }), BlockRoot, 4},
		"another writer":     {header(func(h *format.Header) { h.Writer[0]++ }), BlockWriter, 4},
		"another node signs": {func(a *author) { begun(a); a.newNode(); a.transactions(1, false) }, BlockWriter, 4},
		"another key signs":  {func(a *author) { begun(a); a.node = a.key(); a.transactions(1, false) }, BlockSignature, 4},
		"another service id": {func(a *author) { begun(a); a.id[0]++; a.transactions(1, false) }, BlockSignature, 4},

		"unknown kind":              {record(draft{kind: 9}), RecordKind, 4},
		"private table in public":   {record(public("x", "k", []byte{1})), RecordPublic, 4},
		"service table in between":  {record(public(format.TableService, "x", []byte{1})), ServiceDocument, 4},
		"genesis written later":     {record(public(format.TableService, format.KeyGenesis, []byte{1})), ServiceDocument, 4},
		"level in a transaction":    {record(public(format.TableFormat, format.KeyLevel, format.Encode(uint64(9)))), FormatRecord, 4},
		"snapshot without document": {record(draft{kind: format.KindSnapshot}), ServiceDocument, 4},
		"snapshot of the future":    {record(snapshot(4)), ServiceDocument, 4},
		"snapshot document in a transaction": {record(draft{kind: format.KindTransaction, public: snapshot(1).public}),
			ServiceDocument, 4},
		"recovery without document": {record(draft{kind: format.KindRecovery}), ServiceDocument, 4},

		"another count":          {recovery(func(_ *author, r *format.Recovery) { r.Count++ }), RecoveryHead, 4},
		"another old height":     {recovery(func(_ *author, r *format.Recovery) { r.Height-- }), RecoveryHead, 4},
		"another old head":       {recovery(func(_ *author, r *format.Recovery) { r.Header[0]++ }), RecoveryHead, 4},
		"another old prefix":     {recovery(func(_ *author, r *format.Recovery) { r.Prefix[0]++ }), RecoveryHead, 4},
		"another old root":       {recovery(func(_ *author, r *format.Recovery) { r.Root[0]++ }), RecoveryHead, 4},
		"view only one above":    {func(a *author) { begun(a); a.recovery(3, nil) }, RecoveryHead, 4},
		"recovery within a view": {recoveryWithinView, RecoveryHead, 5},
		"unknown route":          {recovery(func(_ *author, r *format.Recovery) { r.Route = "x" }), RecoveryRule, 4},
		"sealing with a new key": {recovery(func(_ *author, r *format.Recovery) { r.ServiceKey = []byte{1} }), RecoveryRule, 4},
		"sealing not allowed": {func(a *author) {
			a.genesis(func(g *format.Genesis) { g.Sealing = false })
			a.recovery(3, nil)
		}, RecoveryRule, 1},
		"raft id skipped":       {func(a *author) { begun(a); a.raftID = 2; a.recovery(4, nil) }, RecoveryRule, 4},
		"service key alone":     {recovery(func(a *author, r *format.Recovery) { r.Route, r.ServiceKey = format.RouteShares, spki(a.t, a.key()) }), ServiceEndorsement, 4},
		"service key unsigned":  {recovery(foreignServiceKey), ServiceEndorsement, 4},
		"recovered node alone":  {recovery(func(_ *author, r *format.Recovery) { r.Node.Endorsement = nil }), ServiceEndorsement, 4},
		"evidence of genesis":   {recovery(func(a *author, r *format.Recovery) { r.Evidence = a.evidence(a.binding().ReportData()) }), ServiceEvidence, 4},
		"old node writes":       {oldNodeWrites, BlockWriter, 5},
		"node key again":        {nodeKeyAgain, ServiceDocument, 4},
		"service key as a node": {serviceAsNode, ServiceDocument, 0},

		"config that is no config":  {func(a *author) { begun(a); a.entry(format.EntryRaftConfig, []byte{1}) }, ConfigFormat, 4},
		"raft-empty that is no one": {func(a *author) { begun(a); a.entry(format.EntryRaftEmpty, []byte{1}) }, EntryBody, 4},
		"block that is none":        {func(a *author) { begun(a); a.entry(format.EntryBlock, []byte{1}) }, BlockFormat, 4},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAuthor(t, name)
			c.write(a)
			r := report(t, a, Options{})
			if r.Result != Invalid {
				t.Fatalf("%s, head %+v", r.Result, r.Head)
			}
			if f := r.Findings[0]; f.Code != c.code || f.Height != c.height || len(r.Findings) != 1 {
				t.Errorf("%v, want %s in block %d", r.Findings, c.code, c.height)
			}
		})
	}
}

func report(t testing.TB, a *author, o Options) *Report {
	t.Helper()
	o.AllowSimulated = true
	r, err := Ledger(context.Background(), a.files(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func genesisWithTransaction(a *author) {
	a.newNode()
	g := draft{kind: format.KindGenesis, public: []format.Write{{Table: format.TableService, Key: []byte(format.KeyGenesis), Value: []byte{1}}}}
	a.block(false, false, g, transaction(1))
}

func policyOfAnother(a *author, g *format.Genesis) {
	p, err := attest.DecodePolicy(a.policy)
	if err != nil {
		a.t.Fatal(err)
	}
	p.Profiles[0].Measurements[0].Digest[0]++
	if g.Policy, err = p.Encode(); err != nil {
		a.t.Fatal(err)
	}
}

func recoveryWithinView(a *author) {
	a.genesis(nil)
	a.elect(2)
	for range 3 {
		a.transactions(1, false)
	}
	a.elect(4)
	a.transactions(1, false) // before the recovery of the same view
	prefix := a.prefix
	a.recovery(4, func(r *format.Recovery) { r.Prefix = prefix })
}

func foreignServiceKey(a *author, r *format.Recovery) {
	key := a.key()
	r.Route, r.ServiceKey = format.RouteShares, spki(a.t, key)
	r.ServiceEndorsement = a.endorse(key, proof.PurposeService, r.ServiceKey, r.Count) // by itself
}

func oldNodeWrites(a *author) {
	a.genesis(nil)
	a.elect(2)
	for range 3 {
		a.transactions(1, false)
	}
	old, self := a.node, a.self
	a.recovery(4, nil)
	a.node, a.self = old, self
	a.transactions(1, false)
}

func nodeKeyAgain(a *author) {
	a.genesis(nil)
	a.elect(2)
	for range 3 {
		a.transactions(1, false)
	}
	old, key, hpke := a.node, a.self.Key, a.self.HPKEKey
	a.recovery(4, func(r *format.Recovery) {
		a.node = old
		a.self.Key, a.self.HPKEKey = key, hpke
		a.self.Endorsement = a.endorse(a.service, proof.PurposeNode, key, a.raftID)
		r.Node = a.self
		r.Evidence = a.evidence(attest.RecoveryBinding{GenesisBinding: a.binding(), OldHead: a.lastHash}.ReportData())
	})
}

func serviceAsNode(a *author) {
	a.genesis(func(g *format.Genesis) {
		a.node, a.self.Key = a.service, g.ServiceKey
		a.self.Endorsement = a.endorse(a.service, proof.PurposeNode, a.self.Key, a.raftID)
		g.Node = a.self
		g.Evidence = a.evidence(a.binding().ReportData())
	})
}
