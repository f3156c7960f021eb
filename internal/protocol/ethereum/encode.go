package ethereum

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// Outcomes and events of every transaction are written here by hand: what
// format.Encode writes for an Outcome and for a list of events, without reflection
// and with one allocation.

// Major types of CBOR (RFC 8949, 3.1).
const (
	cborNumber = 0
	cborArray  = 4
)

// encodeOutcome encodes an outcome.
func encodeOutcome(o *Outcome) []byte {
	w := make([]byte, 0, 1+5*9+common.AddressLength+len(o.Created)+len(o.Failure)+len(o.Output))
	w = append(w, cborArray<<5|6)
	w = format.AppendHead(w, cborNumber, o.Status)
	w = format.AppendHead(w, cborNumber, o.GasUsed)
	w = format.AppendBytes(w, o.From[:])
	w = format.AppendBytes(w, o.Created)
	w = format.AppendText(w, o.Failure)
	return format.AppendBytes(w, o.Output)
}

// encodeEvents encodes a transaction's logs, each like an event.
func encodeEvents(logs []*types.Log) []byte {
	const most = 1 + 2 + common.AddressLength + 1 + 4*(2+common.HashLength) + 9
	size := 9
	for _, l := range logs {
		size += most + len(l.Data)
	}
	w := format.AppendHead(make([]byte, 0, size), cborArray, uint64(len(logs)))
	for _, l := range logs {
		w = append(w, cborArray<<5|3)
		w = format.AppendBytes(w, l.Address[:])
		w = format.AppendHead(w, cborArray, uint64(len(l.Topics)))
		for i := range l.Topics {
			w = format.AppendBytes(w, l.Topics[i][:])
		}
		w = format.AppendBytes(w, l.Data)
	}
	return w
}
