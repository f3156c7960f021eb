package transport

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coco-consortium/coco/internal/proof"
)

const (
	lifetime = 24 * time.Hour // of a certificate between nodes
	skew     = time.Hour      // how much clocks may differ
)

// Certify issues a node's certificate (RFC 5280) under the service key: for 24
// hours, for both sides of TLS, naming the raft id in the URI coco:node/ID.
func Certify(service *ecdsa.PrivateKey, servicePEM []byte, node *ecdsa.PrivateKey, raftID uint64, now time.Time) (tls.Certificate, error) {
	parent, err := parseService(servicePEM)
	if err != nil {
		return tls.Certificate{}, err
	}
	if raftID == 0 {
		return tls.Certificate{}, ErrCertificate.From(errors.New("a node has no raft id 0"))
	}
	if !service.PublicKey.Equal(parent.PublicKey) {
		return tls.Certificate{}, ErrCertificate.From(errors.New("service.pem is of another key"))
	}
	template := newTemplate("coco node "+strconv.FormatUint(raftID, 10), now)
	template.URIs = []*url.URL{nodeURI(raftID)}
	return sign(template, parent, node, service)
}

// SelfSigned is the certificate of who is no node of the network yet: it proves
// the key and nothing else.
func SelfSigned(node *ecdsa.PrivateKey, now time.Time) (tls.Certificate, error) {
	template := newTemplate("coco joiner", now)
	return sign(template, template, node, node)
}

// Issuer is what Config.Issue wants of a node that holds the service key.
func Issuer(service *ecdsa.PrivateKey, servicePEM []byte, node *ecdsa.PrivateKey, raftID uint64) func(time.Time) (*tls.Certificate, error) {
	return func(now time.Time) (*tls.Certificate, error) {
		c, err := Certify(service, servicePEM, node, raftID, now)
		return &c, err
	}
}

func newTemplate(name string, now time.Time) *x509.Certificate {
	var serial [16]byte
	rand.Read(serial[:]) // never fails, see crypto/rand
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial[:]), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-skew), NotAfter: now.Add(lifetime), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
}

func sign(template, parent *x509.Certificate, node, signer *ecdsa.PrivateKey) (tls.Certificate, error) {
	if node.Curve != elliptic.P256() {
		return tls.Certificate{}, ErrCertificate.From(errors.New("the node key is not ECDSA P-256"))
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &node.PublicKey, signer)
	if err != nil {
		return tls.Certificate{}, ErrCertificate.From(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, ErrCertificate.From(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: node, Leaf: leaf}, nil
}

func nodeURI(id uint64) *url.URL {
	return &url.URL{Scheme: "coco", Opaque: "node/" + strconv.FormatUint(id, 10)}
}

// raftID is what a node's certificate says of its raft id.
func raftID(c *x509.Certificate) (uint64, error) {
	if len(c.URIs) != 1 {
		return 0, fmt.Errorf("a certificate with %d URIs", len(c.URIs))
	}
	text, ok := strings.CutPrefix(c.URIs[0].Opaque, "node/")
	id, err := strconv.ParseUint(text, 10, 64)
	if !ok || err != nil || id == 0 || *c.URIs[0] != *nodeURI(id) {
		return 0, fmt.Errorf("a certificate of no node: %q", c.URIs[0])
	}
	return id, nil
}

// parseService reads the service's certificate out of service.pem.
func parseService(data []byte) (*x509.Certificate, error) {
	if _, err := proof.ParseService(data); err != nil { // one block, self-signed, P-256
		return nil, ErrCertificate.From(err)
	}
	block, _ := pem.Decode(data)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, ErrCertificate.From(err)
	}
	return c, nil
}

// wallet holds this node's certificate and has a new one made when half of the
// old one's life is over, so that none that is shown is ever expired.
type wallet struct {
	issue func(time.Time) (*tls.Certificate, error)
	clock func() time.Time

	mu    sync.Mutex
	held  *tls.Certificate
	since time.Time
}

func (w *wallet) certificate() (*tls.Certificate, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.clock()
	if w.held != nil && !now.Before(w.since) && now.Before(w.since.Add(w.held.Leaf.NotAfter.Sub(w.since)/2)) {
		return w.held, nil
	}
	c, err := w.issue(now)
	if err != nil {
		if w.held != nil && now.Before(w.held.Leaf.NotAfter) {
			return w.held, nil // asked again at the next connection
		}
		return nil, err
	}
	if c.Leaf == nil {
		if c.Leaf, err = x509.ParseCertificate(c.Certificate[0]); err != nil {
			return nil, ErrCertificate.From(err)
		}
	}
	w.held, w.since = c, now
	return c, nil
}
