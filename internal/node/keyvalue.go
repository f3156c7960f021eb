package node

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/protocol/keyvalue/api"
	"github.com/coco-consortium/coco/internal/sequencer"
	"github.com/coco-consortium/coco/internal/server/front"
)

// certificateLife is how long a certificate for clients is valid; it is made anew
// when half of it is over.
const certificateLife = 24 * time.Hour

// ErrClients says that nobody could be a client.
var ErrClients = problem.New("CLIENTS_FILE", "the file of those who certify clients cannot be used",
	"name a PEM file with the certificates of their authorities in keyvalue.clients")

// KeyValue makes the server of entries (package keyvalue): for clients with a
// certificate that one of the authorities signed, over TLS 1.3. Its own
// certificate is the service's, in whose name this node answers under the given
// host names and addresses.
func (n *Node) KeyValue(authorities []byte, hosts []string) (*front.Server, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authorities) {
		return nil, ErrClients
	}
	handler := api.New(api.Config{Room: n.rooms.keyvalue, Store: n.state, Linearizable: n.Linearizable,
		Submit: func(r *sequencer.Request) (api.Ticket, error) {
			t, err := n.forwarder.Submit(r)
			if err != nil {
				return nil, err
			}
			return t, nil
		}})
	w := &wallet{node: n, hosts: hosts}
	secure := &tls.Config{MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, Time: n.config.Clock,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return w.certificate() }}
	return api.NewServer(&http.Server{Handler: handler, MaxHeaderBytes: 16 << 10, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second,
		WriteTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute, ErrorLog: slog.NewLogLogger(n.config.Logger.Handler(), slog.LevelDebug)}, secure), nil
}

// wallet holds the certificate that clients see.
type wallet struct {
	node  *Node
	hosts []string

	mu   sync.Mutex
	held *tls.Certificate
}

func (w *wallet) certificate() (*tls.Certificate, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.node.config.Clock()
	if w.held != nil && now.After(w.held.Leaf.NotBefore) && now.Before(w.held.Leaf.NotAfter.Add(-certificateLife/2)) {
		return w.held, nil
	}
	c, err := w.node.certify(w.hosts, now)
	if err != nil {
		return nil, err
	}
	w.held = c
	return c, nil
}

// certify makes a certificate for this node's key under the service's, with which
// nothing can be done but serve under the given names (RFC 5280).
func (n *Node) certify(hosts []string, now time.Time) (*tls.Certificate, error) {
	block, _ := pem.Decode(n.pem)
	service, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	serial := make([]byte, 16)
	rand.Read(serial)
	template := &x509.Certificate{SerialNumber: new(big.Int).SetBytes(serial), Subject: pkix.Name{CommonName: "coco"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateLife), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, service, &n.own.Signer.PublicKey, n.bundle.ServiceKey)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: n.own.Signer, Leaf: leaf}, nil
}
