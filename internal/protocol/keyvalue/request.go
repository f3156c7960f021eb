package keyvalue

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"fmt"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/problem"
)

// Limits of an entry, in bytes.
const (
	MaxKey   = 512
	MaxValue = 256 << 10
)

// Op is what a request does.
type Op uint64

// The operations.
const (
	Put    Op = 1
	Delete Op = 2
)

// Request is one write: its encoding is what a record of the ledger has.
type Request struct {
	_     struct{} `cbor:",toarray"`
	Op    Op
	Key   []byte
	Value []byte // empty for Delete
}

// Problems of a request.
var (
	ErrRequest = problem.New("KV_REQUEST", "the request is not a write of an entry",
		"send PUT or DELETE to /kv/KEY")
	ErrKey = problem.New("KV_KEY", fmt.Sprintf("a key has 1 to %d bytes", MaxKey),
		"give a shorter key, or one that is not empty")
	ErrValue = problem.New("KV_VALUE", fmt.Sprintf("a value has at most %d bytes", MaxValue),
		"split the value over several keys")
	ErrClient = problem.New("KV_CLIENT", "the request names no client",
		"connect with a client certificate")
)

// clientBytes is the length of a Client.
const clientBytes = sha256.Size

// Client identifies who owns a space: the SHA-256 of its public key as
// SubjectPublicKeyInfo (RFC 5280, 4.1.2.7). It outlives the certificate.
type Client [clientBytes]byte

// ClientOf is the client to whom a certificate was given.
func ClientOf(c *x509.Certificate) Client { return sha256.Sum256(c.RawSubjectPublicKeyInfo) }

// Encode is the request's one encoding (deterministic CBOR, RFC 8949, 4.2).
func (r *Request) Encode() []byte {
	made, encoded := Make(r.Op, r.Key, len(r.Value))
	copy(made.Value, r.Value)
	return encoded
}

// Make gives a request whose value has so many bytes, which are still to be written
// into Value, and its encoding, of which Key and Value are parts.
func Make(op Op, key []byte, value int) (r *Request, encoded []byte) {
	b := make([]byte, 0, 2+5+len(key)+5+value)
	b = append(b, 0x83, byte(op))
	b = append(bytesHead(b, len(key)), key...)
	k := len(b)
	b = bytesHead(b, value)
	v := len(b)
	b = b[:v+value]
	return &Request{Op: op, Key: b[k-len(key) : k : k], Value: b[v:]}, b
}

// bytesHead begins a string of n bytes (RFC 8949, 3.1).
func bytesHead(b []byte, n int) []byte {
	const bytes = 2 << 5
	switch {
	case n < 24:
		return append(b, bytes|byte(n))
	case n < 1<<8:
		return append(b, bytes|24, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, bytes|25), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, bytes|26), uint32(n))
}

// Check says what is wrong with a request.
func (r *Request) Check() error {
	switch {
	case r.Op != Put && r.Op != Delete || r.Op == Delete && len(r.Value) > 0:
		return ErrRequest
	case len(r.Key) == 0 || len(r.Key) > MaxKey:
		return ErrKey
	case len(r.Value) > MaxValue:
		return ErrValue
	}
	return nil
}

// Decode is the inverse of Encode, and checks.
func Decode(data []byte) (*Request, error) {
	var r Request
	if err := format.Decode(data, &r); err != nil {
		return nil, ErrRequest.From(err)
	}
	return &r, r.Check()
}
