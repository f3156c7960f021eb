package proof

import (
	"crypto"
	"crypto/sha256"
	"encoding/hex"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// COSE header labels and values that are not in RFC 9052: CWT claims (RFC 9597),
// verifiable data structure and its proofs (RFC 9942 and its IANA registry).
const (
	labelCWT    = 15
	labelVDS    = 395
	labelVDP    = 396
	vdsRFC9162  = 1
	labelHeader = "coco.header"
)

// SignRoot signs a block: the tree root as detached payload, the encoded header
// by its digest in the protected headers. kid is the SHA-256 of the signer's
// SPKI, the header's writer.
func SignRoot(signer crypto.Signer, kid Hash, service format.ServiceID, header []byte, root Hash) ([]byte, error) {
	return sign1(signer, rootProtected(kid, service, header), root[:])
}

// VerifyRoot checks the signature of a block and that nothing else is said in it.
func VerifyRoot(key *Key, service format.ServiceID, header []byte, root Hash, message []byte) error {
	return verify1(key, rootProtected(key.ID, service, header), root[:], message)
}

// rootProtected is {1: -7, 4: kid, 15: {1: hex service id}, 395: 1,
// "coco.header": SHA-256(header)}.
func rootProtected(kid Hash, service format.ServiceID, header []byte) []byte {
	digest := sha256.Sum256(header)
	b := make([]byte, 0, 160)
	b = append(b, 0xa5, 0x01, 0x26, 0x04)
	b = appendBytes(b, kid[:])
	b = append(b, labelCWT, 0xa1, 0x01)
	b = format.AppendText(b, hex.EncodeToString(service[:]))
	b = append(format.AppendHead(b, 0, labelVDS), vdsRFC9162)
	b = format.AppendText(b, labelHeader)
	return appendBytes(b, digest[:])
}
