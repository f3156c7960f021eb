package ethereum

import (
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// LazyBlock is a committed block that is decoded when somebody first asks for more
// than its header and its transactions' hashes: on a node that did not execute it,
// often nobody does. It is shared and, to those who use it, never changes.
//
// Making one checks what follows from the header alone and how long the hashes
// are. That a record's bytes hash to its native id, that outcomes and events
// decode, and that transactionsRoot and receiptsRoot fit the records, is checked
// when the block is decoded, before anything of it is shown. Nothing rests on it
// earlier: records and block section are bound to the header of the ledger that
// the primary signed (its tree and its section digest), which was verified before
// the block was kept, and what is applied to the state is the records' write sets.
type LazyBlock struct {
	Header *types.Header
	Hash   common.Hash
	Bytes  uint64 // about those of its encoding, of header, requests and events
	Logs   uint64 // how many there are; a bound if the block does not decode

	hashes []common.Hash // of the transactions; nil where the block was there from the beginning

	once    sync.Once
	section []byte
	records []*format.Private // of this protocol
	ids     []sequencer.TxID
	block   *Block
	err     error
}

// Ready is a LazyBlock of a block that is decoded already.
func Ready(b *Block) *LazyBlock {
	l := &LazyBlock{Header: b.Header, Hash: b.Hash, Bytes: b.Size, block: b}
	for _, r := range b.Receipts {
		l.Logs += uint64(len(r.Logs))
		for _, log := range r.Logs {
			l.Bytes += uint64(len(log.Data))
		}
	}
	l.once.Do(func() {})
	return l
}

// Lazy gives the Ethereum block of an opened block of the ledger, not decoded yet.
func Lazy(b *envelope.Block) (*LazyBlock, error) {
	height := b.Header.Height
	section := b.Section.Of(Protocol)
	if section == nil {
		return nil, errDecode(height, "it has no Ethereum header")
	}
	h, err := decodeHeader(section, height)
	if err != nil {
		return nil, err
	}
	n := len(b.Records)
	l := &LazyBlock{Header: h, Hash: crypto.Keccak256Hash(section), Bytes: uint64(len(section)), section: section,
		hashes: make([]common.Hash, 0, n), records: make([]*format.Private, 0, n), ids: make([]sequencer.TxID, 0, n)}
	for i := range b.Records {
		r := &b.Records[i]
		if !isOurs(r) {
			continue
		}
		p := r.Private
		if len(p.NativeID) != common.HashLength {
			return nil, errDecode(height, "the native id of a record is no hash")
		}
		l.hashes = append(l.hashes, common.Hash(p.NativeID))
		l.records = append(l.records, p)
		l.ids = append(l.ids, sequencer.TxID{View: r.Prelude.View, Seqno: r.Prelude.Seqno})
		l.Bytes += uint64(len(p.Request) + len(p.Events))
		l.Logs += countEvents(p.Events)
	}
	return l, nil
}

// LazyOf gives the Ethereum block of a block that is being published: the one that
// this process executed, or else one that its records tell of when it is asked. It
// is left with c, since several followers, who are told one after the other, ask
// for it.
func LazyOf(c *sequencer.Committed) (*LazyBlock, error) {
	switch known := c.Artefacts[Protocol].(type) {
	case *LazyBlock:
		return known, nil
	case *Block:
		if known.TxIDs == nil {
			known.TxIDs = txIDs(c.Block)
		}
		return Ready(known), nil
	}
	l, err := Lazy(c.Block)
	if err == nil && c.Artefacts == nil {
		c.Artefacts = map[string]any{Protocol: l}
	}
	return l, err
}

// Number is the block's number, the ledger's height.
func (l *LazyBlock) Number() uint64 { return l.Header.Number.Uint64() }

// Count is the number of its transactions.
func (l *LazyBlock) Count() int {
	if l.hashes == nil {
		return len(l.block.Receipts)
	}
	return len(l.hashes)
}

// TxHash is the hash of a transaction.
func (l *LazyBlock) TxHash(i int) common.Hash {
	if l.hashes == nil {
		return l.block.Receipts[i].TxHash
	}
	return l.hashes[i]
}

// Block gives the whole block. The error is ErrBlock.
func (l *LazyBlock) Block() (*Block, error) {
	l.once.Do(func() {
		l.block, l.err = l.decode()
		l.section, l.records, l.ids = nil, nil, nil
	})
	return l.block, l.err
}

func (l *LazyBlock) decode() (*Block, error) {
	entries := make([]entry, len(l.records))
	for i, p := range l.records {
		if err := entries[i].decode(l.Number(), p); err != nil {
			return nil, err
		}
	}
	h := l.Header
	if transactionsRoot(entries) != h.TxHash || receiptsCommitment(h.MixDigest, entries) != h.ReceiptHash {
		return nil, errDecode(l.Number(), "its transactions are not those of its Ethereum header")
	}
	block := assemble(h, l.Hash, len(l.section), entries)
	block.TxIDs = l.ids
	return block, nil
}
