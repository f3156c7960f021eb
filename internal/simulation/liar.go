package simulation

import (
	"slices"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/founding"
	"github.com/coco-consortium/coco/internal/proof"
)

// liar makes a primary send blocks that are wrong, each properly signed by its
// own key but in one way: what a broken or hostile platform could do.
type liar struct {
	world *world
	who   *process
	until time.Duration
	kind  int
}

// The ways to lie.
const (
	wrongRoot = iota
	wrongLink
	wrongPrefix
	wrongSignature
	wrongWriter
	fewerRecords
	lies
)

// lie gives the message as the liar sends it.
func (l *liar) lie(p *process, m *raftpb.Message) *raftpb.Message {
	if l.who != p || l.world.now >= l.until || m.GetType() != raftpb.MsgApp {
		return m
	}
	for i, e := range m.GetEntries() {
		if e.GetType() != raftpb.EntryNormal || len(e.GetData()) == 0 {
			continue
		}
		body, ok := l.forge(p, e.GetData())
		if !ok {
			continue
		}
		forged, ok := proto.Clone(m).(*raftpb.Message)
		if !ok {
			return m
		}
		forged.Entries[i].Data = body
		l.world.note("%v sends a wrong block as entry %d", p, e.GetIndex())
		return forged
	}
	return m
}

func (l *liar) forge(p *process, body []byte) ([]byte, bool) {
	raw, h, err := format.DecodeBlock(body)
	if err != nil || h.Writer != p.identity.Writer() {
		return nil, false
	}
	signer := p.identity
	switch l.kind {
	case wrongRoot:
		h.Root[0] ^= 1
	case wrongLink:
		h.Previous[0] ^= 1
	case wrongPrefix:
		h.Prefix[0] ^= 1
	case wrongWriter:
		if signer, err = founding.NewProcess(); err != nil {
			return nil, false
		}
		h.Writer = signer.Writer()
	case fewerRecords:
		if h.Count < 2 {
			h.Root[1] ^= 1
		} else {
			raw.Records = slices.Clone(raw.Records[:h.Count-1])
			h.Count--
			h.TreeSize--
		}
	}
	raw.Header = h.Encode()
	if raw.Signature, err = proof.SignRoot(signer.Signer, h.Writer, l.world.service.bundle.Service.ID, raw.Header, h.Root); err != nil {
		return nil, false
	}
	if l.kind == wrongSignature {
		raw.Signature[len(raw.Signature)-1] ^= 1
	}
	return raw.Encode(), true
}
