package proof

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"math/big"
	"testing"

	"github.com/veraison/go-cose"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// TestOtherCOSEReadsSignatures gives the messages to an independent COSE
// implementation.
func TestOtherCOSEReadsSignatures(t *testing.T) {
	key, spki := signer(t, "node")
	kid := sha256.Sum256(spki)
	header, root := []byte("a header"), numbered(1)
	signed, err := SignRoot(key, kid, serviceID, header, root)
	if err != nil {
		t.Fatal(err)
	}
	subject := Subject{serviceID, format.ModeProduction, PurposeNode, spki, 7}
	for _, c := range []struct {
		message, payload []byte
		headers          int
	}{{signed, root[:], 5}, {endorse(t, key, subject), subject.encode(), 2}} {
		var m cose.Sign1Message
		if err := m.UnmarshalCBOR(c.message); err != nil {
			t.Fatal(err)
		}
		verifier, err := cose.NewVerifier(cose.AlgorithmES256, &key.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		m.Payload = c.payload
		if err := m.Verify(nil, verifier); err != nil {
			t.Fatal(err)
		}
		if len(m.Headers.Protected) != c.headers || len(m.Headers.Unprotected) != 0 ||
			!bytes.Equal(m.Headers.Protected[cose.HeaderLabelKeyID].([]byte), kid[:]) {
			t.Errorf("headers %v", m.Headers)
		}
		if c.headers == 5 {
			digest := sha256.Sum256(header)
			if m.Headers.Protected[int64(395)] != int64(1) || !bytes.Equal(m.Headers.Protected["coco.header"].([]byte), digest[:]) {
				t.Errorf("headers %v", m.Headers)
			}
			cwt := m.Headers.Protected[cose.HeaderLabelCWTClaims].(map[any]any)
			if len(cwt) != 1 || cwt[cose.CWTClaimIssuer] != "0102030405060708090a0b0c0d0e0f10" {
				t.Errorf("CWT claims %v", cwt)
			}
		}
	}
}

func TestRootSignature(t *testing.T) {
	key, spki := signer(t, "node")
	_, other := signer(t, "other")
	header, root := []byte("a header"), numbered(1)
	message, err := SignRoot(key, parsed(t, spki).ID, serviceID, header, root)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := SignRoot(key, parsed(t, spki).ID, serviceID, header, root); !bytes.Equal(again, message) {
		t.Error("the same block is signed in two ways")
	}
	if err := VerifyRoot(parsed(t, spki), serviceID, header, root, message); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"key":     VerifyRoot(parsed(t, other), serviceID, header, root, message),
		"service": VerifyRoot(parsed(t, spki), format.ServiceID{}, header, root, message),
		"header":  VerifyRoot(parsed(t, spki), serviceID, []byte("b"), root, message),
		"root":    VerifyRoot(parsed(t, spki), serviceID, header, numbered(2), message),
		"longer":  VerifyRoot(parsed(t, spki), serviceID, header, root, append(bytes.Clone(message), 0)),
		"shorter": VerifyRoot(parsed(t, spki), serviceID, header, root, message[:len(message)-1]),
		"empty":   VerifyRoot(parsed(t, spki), serviceID, header, root, nil),
		"twin":    VerifyRoot(parsed(t, spki), serviceID, header, root, twin(message)),
	} {
		if err == nil {
			t.Errorf("another %s is accepted", name)
		}
	}
	for bit := range len(message) * 8 {
		message[bit/8] ^= 1 << (bit % 8)
		if VerifyRoot(parsed(t, spki), serviceID, header, root, message) == nil {
			t.Fatalf("flipped bit %d is accepted", bit)
		}
		message[bit/8] ^= 1 << (bit % 8)
	}
}

// twin is the other valid ECDSA signature over the same digest, n - s.
func twin(message []byte) []byte {
	m := bytes.Clone(message)
	s := new(big.Int).SetBytes(m[len(m)-32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(m[len(m)-32:])
	return m
}

func TestEndorsement(t *testing.T) {
	key, spki := signer(t, "service")
	_, node := signer(t, "node")
	s := Subject{serviceID, format.ModeProduction, PurposeNode, node, 7}
	message := endorse(t, key, s)
	if err := VerifyEndorsement(parsed(t, spki), s, message); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []Subject{
		{format.ServiceID{}, s.Mode, s.Purpose, s.Key, s.Number},
		{s.Service, format.ModeSimulated, s.Purpose, s.Key, s.Number},
		{s.Service, s.Mode, PurposeService, s.Key, s.Number},
		{s.Service, s.Mode, s.Purpose, spki, s.Number},
		{s.Service, s.Mode, s.Purpose, s.Key, 8},
	} {
		if VerifyEndorsement(parsed(t, spki), wrong, message) == nil {
			t.Errorf("endorsement of %+v is accepted", wrong)
		}
	}
	if VerifyEndorsement(parsed(t, node), s, message) == nil {
		t.Error("endorsement by another key is accepted")
	}
}

func TestKeys(t *testing.T) {
	key, spki := signer(t, "service")
	if got, err := ParseService(certificate(t, key)); err != nil || !bytes.Equal(got.SPKI, spki) {
		t.Fatalf("certificate: %v", err)
	}
	for name, data := range map[string][]byte{
		"nothing":  nil,
		"two":      append(certificate(t, key), certificate(t, key)...),
		"trailing": append(certificate(t, key), "and more"...),
		"altered":  bytes.Replace(certificate(t, key), []byte("A"), []byte("B"), 1),
	} {
		if _, err := ParseService(data); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if _, err := ParseKey(append(bytes.Clone(spki), 0)); err == nil {
		t.Error("trailing bytes in a public key are accepted")
	}
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), nil)
	if _, err := Endorse(p384, Subject{}); err == nil {
		t.Error("a P-384 key endorses")
	}
	if _, err := sign1(&rsa.PrivateKey{}, nil, nil); err == nil {
		t.Error("an RSA key signs")
	}
}

func FuzzParseService(f *testing.F) {
	key, _ := signer(f, "service")
	f.Add(certificate(f, key))
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if k, err := ParseService(data); err == nil && k.public == nil {
			t.Fatal("no key")
		}
	})
}

func BenchmarkSignRoot(b *testing.B) {
	key, spki := signer(b, "node")
	header := make([]byte, 200)
	for b.Loop() {
		SignRoot(key, sha256.Sum256(spki), serviceID, header, Hash{})
	}
}

func BenchmarkVerifyRoot(b *testing.B) {
	key, spki := signer(b, "node")
	header := make([]byte, 200)
	k := parsed(b, spki)
	message, _ := SignRoot(key, k.ID, serviceID, header, Hash{})
	for b.Loop() {
		if err := VerifyRoot(k, serviceID, header, Hash{}, message); err != nil {
			b.Fatal(err)
		}
	}
}
