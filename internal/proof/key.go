package proof

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

// Key is a public key that signs: ECDSA on P-256.
type Key struct {
	ID     Hash   // SHA-256 of SPKI; a header's writer, a signature's kid
	SPKI   []byte // DER SubjectPublicKeyInfo
	public *ecdsa.PublicKey
}

const (
	maxSPKI = 256
	maxPEM  = 16 << 10
)

// ParseKey reads a DER SubjectPublicKeyInfo in its only accepted form: P-256,
// uncompressed point.
func ParseKey(spki []byte) (*Key, error) {
	if len(spki) > maxSPKI {
		return nil, ErrSignature.From(fmt.Errorf("a public key of %d bytes", len(spki)))
	}
	parsed, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, ErrSignature.From(err)
	}
	public, ok := parsed.(*ecdsa.PublicKey)
	if !ok || public.Curve != elliptic.P256() {
		return nil, ErrSignature.From(fmt.Errorf("the public key is not ECDSA P-256"))
	}
	if again, err := x509.MarshalPKIXPublicKey(public); err != nil || !bytes.Equal(again, spki) {
		return nil, ErrSignature.From(fmt.Errorf("the public key is not encoded in DER"))
	}
	return &Key{ID: sha256.Sum256(spki), SPKI: spki, public: public}, nil
}

// ParseService reads a service.pem: exactly one block, a self-signed X.509
// certificate or a public key. The certificate carries the key and is not judged
// by its dates: a receipt holds for as long as one trusts the key.
func ParseService(data []byte) (*Key, error) {
	if len(data) > maxPEM {
		return nil, ErrService.From(fmt.Errorf("%d bytes of PEM", len(data)))
	}
	block, rest := pem.Decode(data)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, ErrService.From(fmt.Errorf("not exactly one PEM block"))
	}
	spki := block.Bytes
	switch block.Type {
	case "PUBLIC KEY":
	case "CERTIFICATE":
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, ErrService.From(err)
		}
		if err := cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature); err != nil {
			return nil, ErrService.From(fmt.Errorf("not self-signed: %w", err))
		}
		spki = cert.RawSubjectPublicKeyInfo
	default:
		return nil, ErrService.From(fmt.Errorf("a PEM block of type %q", block.Type))
	}
	key, err := ParseKey(spki)
	if err != nil {
		return nil, ErrService.From(err)
	}
	return key, nil
}
