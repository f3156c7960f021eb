package ethereum

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/problem"
)

// ErrBlock says that a block of the ledger is not the Ethereum block it ought to be.
var ErrBlock = problem.New("ETHEREUM_BLOCK", "the Ethereum part of a block cannot be read",
	"check the ledger with coco ledger verify")

func errDecode(height uint64, what string) error {
	return ErrBlock.From(fmt.Errorf("block %d: %s", height, what))
}

// Limits of what an outcome keeps.
const (
	maxOutput  = 1 << 10 // bytes of the data a transaction reverted with
	maxFailure = 128     // bytes of the interpreter's word for a failure
)

// Outcome is what became of a transaction, as its record keeps it (CBOR array).
type Outcome struct {
	_       struct{}       `cbor:",toarray"`
	Status  uint64         // types.ReceiptStatusSuccessful or types.ReceiptStatusFailed
	GasUsed uint64         // by this transaction
	From    common.Address // the sender, so that readers need not recover it
	Created []byte         // address of the contract created, nil when none was
	Failure string         // the interpreter's word for the failure, such as "execution reverted"
	Output  []byte         // data it reverted with, at most 1 KiB of it
}

// event is a log as its record keeps it. Where it stands follows from its record.
// Slices are coded faster than arrays.
type event struct {
	_       struct{} `cbor:",toarray"`
	Address []byte
	Topics  [][]byte // at most 4
	Data    []byte
}

// events are the logs of a transaction.
type events []event

// Scan reads an outcome.
func (o *Outcome) Scan(r *format.Reader) {
	r.Struct(6)
	o.Status, o.GasUsed = r.Uint(), r.Uint()
	r.Fixed(o.From[:])
	o.Created, o.Failure, o.Output = r.Bytes(), r.Text(), r.Bytes()
}

// Scan reads a list of events.
func (e *events) Scan(r *format.Reader) {
	*e = format.List(r, func(r *format.Reader, e *event) {
		r.Struct(3)
		e.Address = r.Bytes()
		e.Topics = format.List(r, func(r *format.Reader, topic *[]byte) { *topic = r.Bytes() })
		e.Data = r.Bytes()
	})
}

// decodeOutcome decodes an outcome and checks it.
func decodeOutcome(data []byte) (*Outcome, error) {
	var o Outcome
	if err := format.Decode(data, &o); err != nil {
		return nil, err
	}
	switch {
	case o.Status > types.ReceiptStatusSuccessful:
		return nil, fmt.Errorf("status %d", o.Status)
	case o.Created != nil && len(o.Created) != common.AddressLength:
		return nil, fmt.Errorf("created address of %d bytes", len(o.Created))
	case len(o.Output) > maxOutput || len(o.Failure) > maxFailure:
		return nil, fmt.Errorf("a failure of %d bytes", len(o.Output)+len(o.Failure))
	}
	return &o, nil
}

// decodeEvents decodes a transaction's logs.
func decodeEvents(data []byte) ([]*types.Log, error) {
	var events events
	if err := format.Decode(data, &events); err != nil {
		return nil, err
	}
	if events == nil {
		return nil, errors.New("no list of logs")
	}
	logs := make([]*types.Log, len(events))
	for i := range events {
		e := &events[i]
		if len(e.Address) != common.AddressLength || len(e.Topics) > 4 || e.Topics == nil || e.Data == nil {
			return nil, fmt.Errorf("a log of %d bytes of address and %d topics", len(e.Address), len(e.Topics))
		}
		topics := make([]common.Hash, len(e.Topics))
		for j, topic := range e.Topics {
			if len(topic) != common.HashLength {
				return nil, fmt.Errorf("a topic of %d bytes", len(topic))
			}
			topics[j] = common.Hash(topic)
		}
		logs[i] = &types.Log{Address: common.Address(e.Address), Topics: topics, Data: e.Data}
	}
	return logs, nil
}

// countEvents is how many logs the head of their encoding (a CBOR array) says
// there are, within what could fit.
func countEvents(data []byte) uint64 {
	const least = 1 + 1 + common.AddressLength + 1 + 1 // bytes of a log
	most := uint64(len(data) / least)
	if most == 0 {
		return 0
	}
	switch n := data[0] &^ (cborArray << 5); {
	case n < 24:
		return min(uint64(n), most)
	case n == 24:
		return min(uint64(data[1]), most)
	case n == 25:
		return min(uint64(binary.BigEndian.Uint16(data[1:])), most)
	}
	return most
}

// normal makes logs as the interpreter leaves them look as decodeEvents does.
func normal(logs []*types.Log) []*types.Log {
	if logs == nil {
		return []*types.Log{}
	}
	for _, l := range logs {
		if l.Data == nil {
			l.Data = []byte{}
		}
		if l.Topics == nil {
			l.Topics = []common.Hash{}
		}
	}
	return logs
}
