package ethereum

import (
	"encoding/binary"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// Outcomes and events of every transaction are written here by hand: what
// format.Encode writes for an Outcome and for a list of events, without reflection
// and with one allocation.

// Major types of CBOR (RFC 8949, 3.1), in the first byte of an item.
const (
	cborNumber = 0 << 5
	cborBytes  = 2 << 5
	cborText   = 3 << 5
	cborArray  = 4 << 5
	cborNull   = 0xf6
)

// encodeOutcome encodes an outcome.
func encodeOutcome(o *Outcome) []byte {
	w := make([]byte, 0, 1+5*9+common.AddressLength+len(o.Created)+len(o.Failure)+len(o.Output))
	w = append(w, cborArray|6)
	w = appendItem(w, cborNumber, o.Status)
	w = appendItem(w, cborNumber, o.GasUsed)
	w = appendBytes(w, o.From[:])
	w = appendBytes(w, o.Created)
	w = append(appendItem(w, cborText, uint64(len(o.Failure))), o.Failure...)
	return appendBytes(w, o.Output)
}

// encodeEvents encodes a transaction's logs, each like an event.
func encodeEvents(logs []*types.Log) []byte {
	const most = 1 + 2 + common.AddressLength + 1 + 4*(2+common.HashLength) + 9
	size := 9
	for _, l := range logs {
		size += most + len(l.Data)
	}
	w := appendItem(make([]byte, 0, size), cborArray, uint64(len(logs)))
	for _, l := range logs {
		w = append(w, cborArray|3)
		w = appendBytes(w, l.Address[:])
		w = appendItem(w, cborArray, uint64(len(l.Topics)))
		for i := range l.Topics {
			w = appendBytes(w, l.Topics[i][:])
		}
		w = appendBytes(w, l.Data)
	}
	return w
}

// appendBytes appends a byte string, or null for nil.
func appendBytes(w, b []byte) []byte {
	if b == nil {
		return append(w, cborNull)
	}
	return append(appendItem(w, cborBytes, uint64(len(b))), b...)
}

// appendItem appends the shortest head of an item with a number (RFC 8949, 4.2.1).
func appendItem(w []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(w, major|byte(n))
	case n < 1<<8:
		return append(w, major|24, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(w, major|25), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(w, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(w, major|27), n)
}
