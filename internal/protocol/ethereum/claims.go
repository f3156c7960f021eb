package ethereum

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/proof"
)

// claimsOf are the fields of a transaction that its owner can disclose one by
// one (proof's registry of fields), its hash first. Numbers are big-endian without leading zeros.
func claimsOf(height uint64, e *entry) []proof.Claim {
	var to []byte
	if address := e.tx.To(); address != nil {
		to = address[:]
	}
	room := make([]byte, 0, common.HashLength+5*8) // of the hash and the numbers
	hold := func(value []byte) []byte {
		start := len(room)
		room = append(room, value...)
		return room[start:len(room):len(room)]
	}
	number := func(v uint64) []byte {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], v)
		return hold(b[bits.LeadingZeros64(v)/8:])
	}
	claims := append(make([]proof.Claim, 0, 10+len(e.logs)),
		proof.Claim{Field: proof.FieldEthereumHash, Value: hold(e.hash[:])},
		proof.Claim{Field: proof.FieldEthereumStatus, Value: number(e.outcome.Status)},
		proof.Claim{Field: proof.FieldEthereumFrom, Value: e.outcome.From[:]},
		proof.Claim{Field: proof.FieldEthereumTo, Value: to},
		proof.Claim{Field: proof.FieldEthereumValue, Value: e.tx.Value().Bytes()},
		proof.Claim{Field: proof.FieldEthereumNonce, Value: number(e.tx.Nonce())},
		proof.Claim{Field: proof.FieldEthereumGas, Value: number(e.outcome.GasUsed)},
		proof.Claim{Field: proof.FieldEthereumCreated, Value: e.outcome.Created},
		proof.Claim{Field: proof.FieldEthereumLogCount, Value: number(uint64(len(e.logs)))},
		proof.Claim{Field: proof.FieldEthereumEffective, Value: number(height)},
	)
	for i, l := range e.logs {
		claims = append(claims, proof.Claim{Field: proof.FieldEthereumLog, Index: uint64(i), Value: logClaim(l)})
	}
	return claims
}

// maxDisclosedLogs bounds the work for one receipt: each claim that is shown
// hashes all claims of its transaction.
const maxDisclosedLogs = 256

// ErrDisclose says that a receipt would take too long to make.
var ErrDisclose = problem.New("DISCLOSE_TOO_MANY", "the transaction has too many logs to disclose all of them in one receipt",
	"leave ethereum.log out")

// Disclose opens the claims of a transaction that its receipt shows: which
// transaction it is and whether it succeeded, and the given fields of proof's
// registry. It gives nothing for a record that is no transaction of this room.
func Disclose(height uint64, r *envelope.Record, fields ...uint64) ([]proof.Disclosure, error) {
	if !isOurs(r) || len(r.Private.ClaimsSeed) != 32 {
		return nil, nil
	}
	e := &entry{}
	if err := e.decode(height, r.Private); err != nil {
		return nil, err
	}
	domains := []proof.DomainClaims{{Seed: [32]byte(r.Private.ClaimsSeed), Claims: claimsOf(height, e)}}
	if slices.Contains(fields, proof.FieldEthereumLog) && len(e.logs) > maxDisclosedLogs {
		return nil, ErrDisclose
	}
	fields = append(fields, proof.FieldEthereumHash, proof.FieldEthereumStatus)
	var shown []proof.Disclosure
	for i, c := range domains[0].Claims {
		if slices.Contains(fields, c.Field) {
			d, err := proof.Disclose(domains, 0, i)
			if err != nil {
				return nil, err
			}
			shown = append(shown, *d)
		}
	}
	return shown, nil
}

// logClaim is the RLP of [address, topics, data].
func logClaim(l *types.Log) []byte {
	topics := uint64(len(l.Topics)) * (1 + common.HashLength)
	size := 1 + common.AddressLength + rlp.ListSize(topics) + rlp.BytesSize(l.Data)
	w := make([]byte, 0, rlp.ListSize(size))
	w = appendHead(w, 0xc0, size)
	w = append(appendHead(w, 0x80, common.AddressLength), l.Address[:]...)
	w = appendHead(w, 0xc0, topics)
	for i := range l.Topics {
		w = append(appendHead(w, 0x80, common.HashLength), l.Topics[i][:]...)
	}
	if len(l.Data) != 1 || l.Data[0] >= 0x80 {
		w = appendHead(w, 0x80, uint64(len(l.Data)))
	}
	return append(w, l.Data...)
}

// appendHead appends the head of an RLP string (kind 0x80) or list (0xc0) of so
// many bytes.
func appendHead(w []byte, kind byte, size uint64) []byte {
	if size < 56 {
		return append(w, kind+byte(size))
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], size)
	digits := b[bits.LeadingZeros64(size)/8:]
	return append(append(w, kind+55+byte(len(digits))), digits...)
}
