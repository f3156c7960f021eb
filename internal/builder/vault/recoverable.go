package vault

import (
	"bytes"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/coco-consortium/coco/internal/problem"
)

var (
	order     = crypto.S256().Params().N
	halfOrder = new(big.Int).Rsh(order, 1)

	errSignature = problem.New("VAULT_SIGNATURE", "the vault's signature was not made with the person's key over this digest", "check which key the vault uses for this person")
)

// Recoverable makes of what any vault returns the 65 bytes r || s || v that
// Ethereum wants: sig is r || s (64 bytes), r || s and anything (65), or DER
// (RFC 3279, 2.2.3). A high s becomes the low one (EIP-2). v (0 to 3) is found by
// trying which one gives the address, which also proves that the signature is good.
func Recoverable(digest [32]byte, sig []byte, address common.Address) ([]byte, error) {
	if len(sig) == 64 || len(sig) == 65 {
		if out := recoverable(digest, new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:64]), address); out != nil {
			return out, nil
		}
	}
	if r, s, ok := decodeDER(sig); ok {
		if out := recoverable(digest, r, s, address); out != nil {
			return out, nil
		}
	}
	return nil, errSignature
}

func recoverable(digest [32]byte, r, s *big.Int, address common.Address) []byte {
	if r.Sign() <= 0 || s.Sign() <= 0 || r.Cmp(order) >= 0 || s.Cmp(order) >= 0 {
		return nil
	}
	if s.Cmp(halfOrder) > 0 {
		s = new(big.Int).Sub(order, s)
	}
	out := make([]byte, 65)
	r.FillBytes(out[:32])
	s.FillBytes(out[32:64])
	for v := range byte(4) {
		out[64] = v
		public, err := crypto.Ecrecover(digest[:], out)
		if err == nil && bytes.Equal(crypto.Keccak256(public[1:])[12:], address[:]) {
			return out
		}
	}
	return nil
}

// decodeDER reads SEQUENCE { r INTEGER, s INTEGER } and nothing after it.
func decodeDER(der []byte) (r, s *big.Int, ok bool) {
	r, s = new(big.Int), new(big.Int)
	in := cryptobyte.String(der)
	var inner cryptobyte.String
	if len(der) > 80 || !in.ReadASN1(&inner, asn1.SEQUENCE) || !in.Empty() ||
		!inner.ReadASN1Integer(r) || !inner.ReadASN1Integer(s) || !inner.Empty() {
		return nil, nil, false
	}
	return r, s, true
}
