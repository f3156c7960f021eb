// Package keys holds a node's secrets: the service identity that all trusted
// nodes share, the node's own identity, and the secrets of each key domain in
// epochs, from which every symmetric key is derived.
//
// Secrets live in memory and in key bundles (see Bundle), never inside a ledger
// record, and print as a redaction. The package does not decide when a secret
// may be used or who may have it; genesis, recovery and governance do.
package keys

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"log/slog"
	"slices"

	"github.com/fxamacker/cbor/v2"

	"github.com/coco-consortium/coco/internal/problem"
)

// Secret is the secret of one epoch of one domain.
type Secret [32]byte

// String redacts the secret.
func (Secret) String() string { return "[secret]" }

// GoString redacts the secret for %#v.
func (Secret) GoString() string { return "[secret]" }

// LogValue redacts the secret in logs.
func (Secret) LogValue() slog.Value { return slog.StringValue("[secret]") }

// NewSecret is 32 random bytes.
func NewSecret() Secret {
	var s Secret
	rand.Read(s[:]) // never fails, see crypto/rand
	return s
}

// Service is what every key is bound to: a derived key of one service or mode
// opens nothing of another.
type Service struct {
	ID   [16]byte
	Mode string
}

// Epoch names one secret: domain and epoch, from 1.
type Epoch struct {
	Domain string
	Number uint64
}

// Ring is the secrets of every live epoch of every domain that a node holds.
// It is immutable: a new epoch makes a new ring.
type Ring struct {
	service Service
	secrets map[Epoch]Secret
	keys    map[Epoch]Secret // what HKDF extracts from each secret
	newest  map[string]uint64
}

// ErrNoEpoch says that this node does not hold the secret that is asked for.
var ErrNoEpoch = problem.New("NO_SECRET", "this node does not hold the secret of that domain and epoch",
	"ask a node that is a member of the domain, or recover the epoch from its key bundle")

// NewRing makes a ring of the given secrets.
func NewRing(service Service, secrets map[Epoch]Secret) *Ring {
	r := &Ring{service: service, secrets: map[Epoch]Secret{}, keys: map[Epoch]Secret{}, newest: map[string]uint64{}}
	for e, s := range secrets {
		key, err := hkdf.Extract(sha256.New, s[:], nil)
		if err != nil {
			panic(err) // SHA-256 takes every secret
		}
		r.secrets[e], r.keys[e] = s, Secret(key)
		r.newest[e.Domain] = max(r.newest[e.Domain], e.Number)
	}
	return r
}

// Service is what the ring's keys are bound to.
func (r *Ring) Service() Service { return r.service }

// Newest is the epoch in which a domain seals, 0 when the node is not in it.
func (r *Ring) Newest(domain string) uint64 { return r.newest[domain] }

// Epochs lists what the ring holds, ordered by domain and number.
func (r *Ring) Epochs() []Epoch {
	all := make([]Epoch, 0, len(r.secrets))
	for e := range r.secrets {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b Epoch) int {
		if a.Domain != b.Domain {
			return slices.Compare([]byte(a.Domain), []byte(b.Domain))
		}
		return int(a.Number) - int(b.Number)
	})
	return all
}

// Derive is HKDF-SHA-256 (RFC 5869) of an epoch's secret, without salt, with
// info = CBOR[label, service id, mode, fields...].
func (r *Ring) Derive(e Epoch, label string, fields ...any) ([32]byte, error) {
	var key [32]byte
	extracted, ok := r.keys[e]
	if !ok {
		return key, ErrNoEpoch.From(fmt.Errorf("domain %q epoch %d", e.Domain, e.Number))
	}
	info, err := canonical.Marshal(append([]any{label, r.service.ID, r.service.Mode}, fields...))
	if err != nil {
		return key, err
	}
	out, err := hkdf.Expand(sha256.New, extracted[:], string(info), len(key))
	if err != nil {
		return key, err
	}
	copy(key[:], out)
	return key, nil
}

// Commitment binds an epoch's secret in public without revealing it.
func (r *Ring) Commitment(e Epoch) ([32]byte, error) {
	return r.Derive(e, "coco/commitment", e.Domain, e.Number)
}

var canonical = func() cbor.EncMode {
	m, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic(err) // constant options
	}
	return m
}()

// NewSigner makes a P-256 key: a service's or a node's.
func NewSigner() (*ecdsa.PrivateKey, error) {
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

// NewCheckpointKey makes the Ed25519 key of checkpoints.
func NewCheckpointKey() (ed25519.PrivateKey, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	return private, err
}

// SPKI is the DER SubjectPublicKeyInfo (RFC 5280 4.1.2.7) of a P-256 key.
func SPKI(key *ecdsa.PublicKey) []byte {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		panic(err) // a P-256 key always marshals
	}
	return der
}
