package snapshot

import (
	"fmt"

	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/ledger"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
)

// Limits on a manifest and on what it describes.
const (
	maxManifest = 64 << 20               // bytes
	maxFrame    = kv.MaxValue + frameFit // bytes of a sealed frame
	maxDomains  = 1 << 10
	maxName     = 128 // bytes in a domain's name
)

// Meta is the place in the ledger that a snapshot is of, and what is known there
// that the state does not hold.
type Meta struct {
	_       struct{}       `cbor:",toarray"`
	Height  uint64         // of the block after which the state is
	View    uint64         // of that block
	Seqno   uint64         // of its last record; the tree has that many leaves
	Time    uint64         // of that block, nanoseconds since 1970 UTC
	Block   format.Hash    // block hash
	Index   uint64         // of the block's entry
	Prefix  format.Hash    // prefix hash after that entry
	Edge    ledger.Edge    // right edge of the tree with that block
	Changed lineage.TxID   // the last record that changed the table of nodes
	Config  lineage.Config // Raft's configuration behind that entry
}

// Manifest describes a snapshot and binds its frames. It is stored in
// deterministic CBOR; its SHA-256 is what the ledger records. It holds no rows,
// only the names of tables.
type Manifest struct {
	_       struct{} `cbor:",toarray"`
	Format  uint64   // level in force in the state
	ID      [16]byte // random, new for every snapshot
	Meta    Meta
	Tables  []string // in order; rows name them by number
	Domains []Domain // in the order of their frames in the file
}

// Domain is the part of a snapshot that one key domain can open.
type Domain struct {
	_      struct{} `cbor:",toarray"`
	Name   string
	Epoch  uint64 // of the secret that its key comes from
	Frames []Frame
}

// Frame is a sealed frame as stored.
type Frame struct {
	_      struct{} `cbor:",toarray"`
	Size   uint64   // bytes
	Digest format.Hash
}

// Encode is the manifest as stored.
func (m *Manifest) Encode() []byte { return format.Encode(m) }

// DecodeManifest decodes a stored manifest and checks what can be checked of it
// alone. It fails with format.ErrFormat, or format.ErrNewer.
func DecodeManifest(data []byte) (*Manifest, error) {
	bad := func(what string, args ...any) (*Manifest, error) {
		return nil, format.ErrFormat.From(fmt.Errorf("snapshot manifest: "+what, args...))
	}
	if len(data) > maxManifest {
		return bad("%d bytes", len(data))
	}
	var m Manifest
	if err := format.DecodeLevelled(data, &m); err != nil {
		return nil, err
	}
	if err := m.Meta.Edge.Check(); err != nil {
		return nil, err
	}
	switch {
	case m.Meta.Edge.Size() != m.Meta.Seqno:
		return bad("a tree of %d leaves for %d records", m.Meta.Edge.Size(), m.Meta.Seqno)
	case m.Meta.Seqno <= m.Meta.Height || m.Meta.Index <= m.Meta.Height:
		return bad("block %d with %d records, entry %d", m.Meta.Height, m.Meta.Seqno, m.Meta.Index)
	case len(m.Meta.Config.Voters) == 0 || m.Meta.Changed.Seqno > m.Meta.Seqno || m.Meta.Config.Check() != nil:
		return bad("configuration %+v after record %v", m.Meta.Config, m.Meta.Changed)
	case len(m.Tables) > kv.MaxTables:
		return bad("%d tables", len(m.Tables))
	case len(m.Domains) == 0 || len(m.Domains) > maxDomains:
		return bad("%d domains", len(m.Domains))
	}
	for i, name := range m.Tables {
		if i > 0 && name <= m.Tables[i-1] || len(name) > kv.MaxTableName {
			return bad("table %q is out of order", name)
		}
	}
	for i := range m.Domains {
		d := &m.Domains[i]
		if i > 0 && d.Name <= m.Domains[i-1].Name || len(d.Name) > maxName || d.Epoch == 0 || len(d.Frames) == 0 {
			return bad("domain %q", d.Name)
		}
		for _, f := range d.Frames {
			if f.Size < sealOverhead || f.Size > maxFrame {
				return bad("a frame of %d bytes", f.Size)
			}
		}
	}
	return &m, nil
}

// size is the size of the frames' file in bytes.
func (m *Manifest) size() int64 {
	var size int64
	for i := range m.Domains {
		for _, f := range m.Domains[i].Frames {
			size += int64(f.Size)
		}
	}
	return size
}
