package proof

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// signer is a P-256 key made from a name, and its SPKI.
func signer(t testing.TB, name string) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	seed := sha256.Sum256([]byte(name))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:])
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return key, spki
}

func parsed(t testing.TB, spki []byte) *Key {
	t.Helper()
	key, err := ParseKey(spki)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func endorse(t testing.TB, by *ecdsa.PrivateKey, s Subject) []byte {
	t.Helper()
	e, err := Endorse(by, s)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func certificate(t testing.TB, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "service"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(nil, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func numbered(i int) Hash {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(i))
	return sha256.Sum256(b[:])
}

var serviceID = format.ServiceID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}

func exampleClaims() []DomainClaims {
	claims := func(n int) []Claim {
		var out []Claim
		for i := range n {
			out = append(out, Claim{Field: uint64(1 + i), Index: uint64(i / 3), Value: bytes.Repeat([]byte{byte(i)}, i)})
		}
		return out
	}
	return []DomainClaims{
		{Seed: numbered(1), Claims: claims(11)},
		{Seed: numbered(2)},
		{Seed: numbered(3), Claims: claims(3)},
	}
}

// example is a receipt of a record in the second block of a small ledger whose
// node was endorsed by the third service key, and the three service keys.
func example(t testing.TB) (*Receipt, []*Key) {
	t.Helper()
	const mode = format.ModeSimulated
	var chain []ServiceKey
	var keys []*Key
	var service *ecdsa.PrivateKey
	for i, name := range []string{"service 0", "service 1", "service 2"} {
		next, spki := signer(t, name)
		link := ServiceKey{Key: spki, Number: uint64(i)}
		if i > 0 {
			link.Endorsement = endorse(t, service, Subject{serviceID, mode, PurposeService, spki, uint64(i)})
		}
		service, chain, keys = next, append(chain, link), append(keys, parsed(t, spki))
	}
	nodeKey, nodeSPKI := signer(t, "node")
	w := Writer{Service: serviceID, Mode: mode, RaftID: 3, Key: nodeSPKI, Chain: chain,
		Endorsement: endorse(t, service, Subject{serviceID, mode, PurposeNode, nodeSPKI, 3})}

	domains := exampleClaims()
	record, evidence, claims := numbered(20), numbered(21), ClaimsDigest(domains...)
	tree := leaves{}
	for i := range 13 {
		tree = append(tree, numbered(100+i))
	}
	const seqno = 9
	tree[seqno-1] = Leaf(record, sha256.Sum256(evidence[:]), claims)
	var f Frontier
	for _, l := range tree {
		f.Append(l)
	}
	header := (&format.Header{Height: 1, View: 2, FirstSeqno: 2, Count: 12, TreeSize: 13, Root: f.Root(),
		Writer: parsed(t, nodeSPKI).ID, Time: 1}).Encode()
	signature, err := SignRoot(nodeKey, parsed(t, nodeSPKI).ID, serviceID, header, f.Root())
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewReceipt(tree, w, header, signature, seqno, record, evidence, claims)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ domain, claim int }{{0, 0}, {0, 10}, {2, 1}} {
		d, err := Disclose(domains, c.domain, c.claim)
		if err != nil {
			t.Fatal(err)
		}
		r.Disclosed = append(r.Disclosed, *d)
	}
	return r, keys
}

func exampleCheckpoint(t testing.TB) (*Checkpoint, ed25519.PrivateKey, *Key) {
	t.Helper()
	service, spki := signer(t, "service 0")
	seed := numbered(5)
	key := ed25519.NewKeyFromSeed(seed[:])
	public := []byte(key.Public().(ed25519.PublicKey))
	return &Checkpoint{
		Service: serviceID, Recoveries: 2, Size: 77, Root: numbered(9), Mode: format.ModeProduction, Height: 12,
		Key: public, Endorsement: endorse(t, service, Subject{serviceID, format.ModeProduction, PurposeCheckpoint, public, 0}),
	}, key, parsed(t, spki)
}
