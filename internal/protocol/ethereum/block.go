package ethereum

import (
	"bytes"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// Block is an Ethereum block with everything that happened in it. The lists have
// one element for each transaction. It is shared and never changed.
type Block struct {
	Header       *types.Header
	Hash         common.Hash
	Transactions []*Transaction
	Receipts     []*types.Receipt // complete: logs, hashes and indices included
	Outcomes     []*Outcome
	TxIDs        []sequencer.TxID
	Uncles       []*types.Header   // of a foreign chain; this ledger has none
	Withdrawals  types.Withdrawals // likewise
	Size         uint64            // bytes of the block in RLP
}

// Number is the block's number, the ledger's height.
func (b *Block) Number() uint64 { return b.Header.Number.Uint64() }

// entry is a transaction of a block in the making: as sent, and what became of it.
type entry struct {
	raw            []byte
	tx             *types.Transaction
	hash           common.Hash
	outcome        *Outcome
	logs           []*types.Log
	encodedOutcome []byte
	encodedEvents  []byte
}

// FromCommitted gives the Ethereum block of a block that is being published, as
// LazyOf does, decoded.
func FromCommitted(c *sequencer.Committed) (*Block, error) {
	l, err := LazyOf(c)
	if err != nil {
		return nil, err
	}
	return l.Block()
}

// Decode gives the Ethereum block of an opened block of the ledger. It executes
// nothing.
func Decode(b *envelope.Block) (*Block, error) {
	l, err := Lazy(b)
	if err != nil {
		return nil, err
	}
	return l.Block()
}

// decode reads a transaction's record and checks it.
func (e *entry) decode(height uint64, p *format.Private) error {
	*e = entry{raw: p.Request, encodedOutcome: p.Outcome, encodedEvents: p.Events}
	var err error
	if e.tx, err = decodeTransaction(p.Request); err != nil {
		return err
	}
	if e.hash = crypto.Keccak256Hash(p.Request); !bytes.Equal(e.hash[:], p.NativeID) {
		return errDecode(height, "a transaction has another hash than its record says")
	}
	if e.outcome, err = decodeOutcome(p.Outcome); err != nil {
		return errDecode(height, err.Error())
	}
	if e.logs, err = decodeEvents(p.Events); err != nil {
		return errDecode(height, err.Error())
	}
	return nil
}

// isOurs reports whether a record is a transaction of this protocol.
func isOurs(r *envelope.Record) bool {
	if r.Prelude.Kind != format.KindTransaction {
		return false
	}
	for _, e := range r.Prelude.Effects {
		if e.Protocol == Protocol {
			return true
		}
	}
	return false
}

func txIDs(b *envelope.Block) []sequencer.TxID {
	ids := make([]sequencer.TxID, 0, len(b.Records))
	for i := range b.Records {
		if r := &b.Records[i]; isOurs(r) {
			ids = append(ids, sequencer.TxID{View: r.Prelude.View, Seqno: r.Prelude.Seqno})
		}
	}
	return ids
}

// assemble puts a block together, whose header has a hash and a length in RLP.
func assemble(h *types.Header, hash common.Hash, length int, entries []entry) *Block {
	b := &Block{
		Header: h, Hash: hash, Size: size(length, entries),
		Transactions: make([]*Transaction, len(entries)),
		Receipts:     make([]*types.Receipt, len(entries)),
		Outcomes:     make([]*Outcome, len(entries)),
	}
	var gas uint64
	var logs uint
	transactions, receipts, free := make([]Transaction, len(entries)), make([]types.Receipt, len(entries)), new(big.Int)
	for i := range entries {
		e := &entries[i]
		gas += e.outcome.GasUsed
		r := &receipts[i]
		*r = types.Receipt{
			Type: e.tx.Type(), Status: e.outcome.Status, CumulativeGasUsed: gas, Logs: e.logs,
			TxHash: e.hash, GasUsed: e.outcome.GasUsed, EffectiveGasPrice: free,
			BlockHash: b.Hash, BlockNumber: h.Number, TransactionIndex: uint(i),
		}
		if e.outcome.Created != nil {
			r.ContractAddress = common.Address(e.outcome.Created)
		}
		for _, l := range e.logs {
			l.BlockNumber, l.BlockHash, l.BlockTimestamp = h.Number.Uint64(), b.Hash, h.Time
			l.TxHash, l.TxIndex, l.Index = r.TxHash, uint(i), logs
			logs++
		}
		transactions[i] = Transaction{e.tx, e.outcome.From, e.hash}
		b.Transactions[i], b.Receipts[i], b.Outcomes[i] = &transactions[i], r, e.outcome
	}
	return b
}

// size is the length of a block in RLP: the list of its header, transactions,
// uncles and withdrawals, of which the last two are empty lists of one byte.
func size(header int, entries []entry) uint64 {
	var transactions uint64
	for i := range entries {
		if raw := entries[i].raw; raw[0] >= 0xc0 { // a legacy transaction is a list itself
			transactions += uint64(len(raw))
		} else {
			transactions += rlp.BytesSize(raw)
		}
	}
	return rlp.ListSize(uint64(header) + rlp.ListSize(transactions) + 2)
}
