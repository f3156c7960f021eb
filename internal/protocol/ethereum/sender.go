package ethereum

import (
	"bytes"
	"math/big"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
)

// Signer recovers the senders of all types of transaction that a chain takes. It
// is safe for concurrent use.
type Signer struct {
	library types.Signer
	chain   []byte // the chain's id, big-endian without leading zeros
	suffix  []byte // what EIP-155 signs behind the fields: the id and two zeros, in RLP
	even    *big.Int
	odd     *big.Int // v of EIP-155: for an even and for an odd y
}

// NewSigner makes the signer of a chain.
func NewSigner(chainID uint64) *Signer {
	id := new(big.Int).SetUint64(chainID)
	even := new(big.Int).SetUint64(chainID)
	even.Lsh(even, 1).Add(even, big.NewInt(35))
	return &Signer{
		library: types.NewPragueSigner(id), chain: id.Bytes(), suffix: append(rlp.AppendUint64(nil, chainID), 0x80, 0x80),
		even: even, odd: new(big.Int).Add(even, common.Big1),
	}
}

// signedFields is how many fields of a transaction are signed, by its type: all
// before v, r and s.
var signedFields = map[uint8]int{types.LegacyTxType: 6, types.AccessListTxType: 8, types.DynamicFeeTxType: 9, types.SetCodeTxType: 10}

// work is what hashing and recovery of one transaction needs, kept for others.
type work struct {
	keccak    crypto.KeccakState
	sum       common.Hash
	signed    []byte
	signature [crypto.SignatureLength]byte
}

var works = sync.Pool{New: func() any { return &work{keccak: crypto.NewKeccakState()} }}

func (w *work) hash(data []byte) common.Hash {
	w.keccak.Reset()
	w.keccak.Write(data)
	w.keccak.Read(w.sum[:])
	return w.sum
}

// Recover sets sender and hash of t, which was decoded from raw. They are what
// types.Sender and the transaction's Hash give, except that what was signed is cut
// out of raw instead of encoded again. Only what is well signed for this chain goes
// this way: the rest, and the words for what is wrong, are the library's.
func (s *Signer) Recover(t *Transaction, raw []byte) (err error) {
	w := works.Get().(*work)
	defer works.Put(w)
	t.hash = w.hash(raw)
	var ok bool
	if t.From, ok = s.recover(w, t.Transaction, raw); !ok {
		t.From, err = types.Sender(s.library, t.Transaction)
	}
	return err
}

func (s *Signer) recover(w *work, tx *types.Transaction, raw []byte) (from common.Address, ok bool) {
	n, ok := signedFields[tx.Type()]
	if !ok {
		return from, false
	}
	v, r, sig := tx.RawSignatureValues()
	var kind, suffix []byte
	var odd byte
	switch typed := tx.Type() != types.LegacyTxType; {
	case typed && (v.Sign() == 0 || v.Cmp(common.Big1) == 0):
		kind, odd = raw[:1], byte(v.Uint64())
	case !typed && v.Cmp(s.even) == 0:
		suffix = s.suffix
	case !typed && v.Cmp(s.odd) == 0:
		suffix, odd = s.suffix, 1
	default:
		return from, false
	}
	fields, _, err := rlp.SplitList(raw[len(kind):])
	rest := fields
	for i := 0; i < n && err == nil; i++ {
		var field []byte
		if _, field, rest, err = rlp.Split(rest); i == 0 && kind != nil && !bytes.Equal(field, s.chain) {
			return from, false
		}
	}
	if err != nil || !crypto.ValidateSignatureValues(odd, r, sig, true) {
		return from, false
	}
	fields = fields[:len(fields)-len(rest)]
	w.signed = appendHead(append(w.signed[:0], kind...), 0xc0, uint64(len(fields)+len(suffix)))
	w.signed = append(append(w.signed, fields...), suffix...)
	r.FillBytes(w.signature[:32])
	sig.FillBytes(w.signature[32:64])
	w.signature[64] = odd
	w.hash(w.signed)
	key, err := crypto.Ecrecover(w.sum[:], w.signature[:])
	if err != nil || len(key) != 65 || key[0] != 4 {
		return from, false
	}
	w.hash(key[1:])
	return common.Address(w.sum[12:]), true
}
