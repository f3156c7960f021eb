package ethereum

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/evm"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// ErrBlockHash says that a contract asked for a block hash that could not be read.
var ErrBlockHash = problem.New("BLOCK_HASH", "the hash of an earlier block cannot be read",
	"send the transaction again; if this recurs, check the ledger with coco ledger verify")

// part is the Ethereum part of the open block.
type part struct {
	room     *Room
	header   *types.Header
	executor *evm.Executor
	entries  []entry
	gas      uint64
	fault    error // why BLOCKHASH had no answer
}

func newPart(r *Room, slot *sequencer.Slot, parent common.Hash) *part {
	p := &part{room: r, header: newHeader(slot, parent), entries: r.entries}
	r.entries = nil
	p.executor = r.machine.Executor(r.machine.Block(p.header, p.blockHash), nil)
	return p
}

// blockHash answers BLOCKHASH.
func (p *part) blockHash(number uint64) common.Hash {
	hash, err := p.room.hash(number)
	if err != nil {
		p.fault = err
	}
	return hash
}

// Execute implements sequencer.Part.
func (p *part) Execute(tx *kv.Tx, r *sequencer.Request) (*sequencer.Result, error) {
	t, err := p.decoded(r)
	if err != nil {
		return nil, err
	}
	p.fault = nil
	result, err := p.executor.Apply(tx, evm.MessageOf(t.Transaction, t.From))
	if err != nil {
		return nil, err
	}
	if p.fault != nil {
		return nil, ErrBlockHash.From(p.fault)
	}
	e := entry{raw: r.Bytes, tx: t.Transaction, hash: t.Hash(), outcome: outcomeOf(t, result), logs: normal(result.Logs)}
	e.encodedOutcome = encodeOutcome(e.outcome)
	e.encodedEvents = encodeEvents(e.logs)
	p.entries = append(p.entries, e)
	p.gas += result.GasUsed
	claims := claimsOf(p.header.Number.Uint64(), &e)
	return &sequencer.Result{
		Outcome: e.encodedOutcome, Events: e.encodedEvents, NativeID: claims[0].Value, // the hash
		Claims: claims, Gas: result.GasUsed,
	}, nil
}

func (p *part) decoded(r *sequencer.Request) (*Transaction, error) {
	if t, ok := r.Decoded.(*Transaction); ok {
		return t, nil
	}
	return DecodeTransaction(r.Bytes, p.room.chainID)
}

func outcomeOf(t *Transaction, r *evm.Result) *Outcome {
	o := &Outcome{Status: types.ReceiptStatusSuccessful, GasUsed: r.GasUsed, From: t.From}
	if r.Created != nil {
		o.Created = r.Created[:]
	}
	if r.Err != nil {
		o.Status = types.ReceiptStatusFailed
		o.Failure = cut(r.Err.Error(), maxFailure)
		if r.Reverted() && len(r.Output) > 0 {
			o.Output = r.Output[:min(len(r.Output), maxOutput)]
		}
	}
	return o
}

// cut shortens ASCII text.
func cut(s string, n int) string { return s[:min(len(s), n)] }

// Full implements sequencer.Part: there is room for a transaction of any gas or
// for none, so that none is refused for what others used.
func (p *part) Full() bool { return p.gas+evm.MaxTransactionGas > BlockGas }

// Close implements sequencer.Part. The section is the header's RLP, the artefact
// the *Block, whose TxIDs are not known yet (see FromCommitted).
func (p *part) Close() (section []byte, artefact any) {
	p.executor.Close()
	complete(p.header, p.entries)
	section, err := rlp.EncodeToBytes(p.header)
	if err != nil {
		panic(err) // every field was set by this package
	}
	b := assemble(p.header, crypto.Keccak256Hash(section), len(section), p.entries)
	p.room.sealed[b.Number()] = b.Hash
	clear(p.entries)
	p.room.entries = p.entries[:0]
	return section, b
}
