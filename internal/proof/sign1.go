package proof

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"fmt"
	"math/big"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// COSE_Sign1 (RFC 9052 4.2) in the one form that the ledger uses: tagged, ES256,
// payload detached, no unprotected headers, deterministic CBOR. Protected
// headers are a function of what is signed, so a verifier builds the bytes it
// expects and compares; there is nothing to parse and one encoding to accept.

var (
	halfOrder = new(big.Int).Rsh(elliptic.P256().Params().N, 1)
	order     = elliptic.P256().Params().N
)

// sign1 signs and gives the message. The signature is deterministic (RFC 6979)
// and has the smaller of the two possible s, so that it has one form.
func sign1(signer crypto.Signer, protected, payload []byte) ([]byte, error) {
	if public, ok := signer.Public().(*ecdsa.PublicKey); !ok || public.Curve != elliptic.P256() {
		return nil, fmt.Errorf("the signing key is %T, not ECDSA P-256", signer.Public())
	}
	digest := toBeSigned(protected, payload)
	der, err := signer.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	var sig struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &sig); err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("the signer gave no ECDSA signature: %v", err)
	}
	if sig.S.Cmp(halfOrder) > 0 {
		sig.S.Sub(order, sig.S)
	}
	message := messageHead(protected)
	n := len(message)
	message = append(message, make([]byte, 64)...)
	sig.R.FillBytes(message[n : n+32])
	sig.S.FillBytes(message[n+32:])
	return message, nil
}

// verify1 checks that message is the signature by key over exactly these
// protected headers and payload.
func verify1(key *Key, protected, payload, message []byte) error {
	head := messageHead(protected)
	if len(message) != len(head)+64 || !bytes.HasPrefix(message, head) {
		return ErrSignature.From(fmt.Errorf("its headers are not those of this key and content"))
	}
	return verifyRaw(key, protected, payload, message[len(head):])
}

// verifyRaw checks the 64 bytes r ‖ s.
func verifyRaw(key *Key, protected, payload, signature []byte) error {
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	if s.Cmp(halfOrder) > 0 {
		return ErrSignature.From(fmt.Errorf("s is not the smaller of its two values"))
	}
	digest := toBeSigned(protected, payload)
	if !ecdsa.Verify(key.public, digest[:], r, s) {
		return ErrSignature.From(fmt.Errorf("not by key %x", key.ID[:8]))
	}
	return nil
}

// messageHead is the message up to its signature's bytes:
// 18([bytes protected, {}, nil, bytes(64)...
func messageHead(protected []byte) []byte {
	b := make([]byte, 0, len(protected)+80)
	b = append(b, 0xd2, 0x84)
	b = appendBytes(b, protected)
	return append(b, 0xa0, 0xf6, 0x58, 64)
}

// toBeSigned is SHA-256 of CBOR["Signature1", protected, h”, payload].
func toBeSigned(protected, payload []byte) Hash {
	b := make([]byte, 0, len(protected)+len(payload)+32)
	b = format.AppendText(append(b, 0x84), "Signature1")
	b = append(appendBytes(b, protected), 0x40)
	return sha256.Sum256(appendBytes(b, payload))
}

// appendBytes appends a byte string, the empty one for nil, which COSE does not know
// as null (format.AppendBytes).
func appendBytes(b, v []byte) []byte {
	return append(format.AppendHead(b, 2, uint64(len(v))), v...)
}
