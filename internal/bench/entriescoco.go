package bench

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/coco-consortium/coco/internal/bench/fleet"
)

// cocoStore is a network of node processes; clients write through its primary.
type cocoStore struct {
	fleet   *fleet.Fleet
	client  *tls.Config
	primary *fleet.Node
	backups []*fleet.Node
}

func newCocoStore(ctx context.Context, program, dir string, nodes int) (*cocoStore, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, ErrSetup.From(err)
	}
	s := &cocoStore{fleet: &fleet.Fleet{Program: program, Dir: dir, Level: "warn", Clients: filepath.Join(dir, "authority.pem")}}
	certificate, err := selfSigned()
	if err != nil {
		return nil, ErrSetup.From(err)
	}
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
	if err := os.WriteFile(s.fleet.Clients, authority, 0o600); err != nil {
		return nil, ErrSetup.From(err)
	}
	if err := s.fleet.Found(ctx, nodes); err != nil {
		return nil, err
	}
	if s.primary, s.backups, err = s.fleet.Place(ctx); err != nil {
		return nil, err
	}
	service, err := os.ReadFile(filepath.Join(s.primary.Data, "service.pem"))
	if err != nil {
		return nil, ErrSetup.From(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(service)
	s.client = &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots, Certificates: []tls.Certificate{certificate}}
	return s, nil
}

// selfSigned is a client's certificate that is its own authority.
func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "coco bench"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

func (s *cocoStore) name() string { return "coco" }

func (s *cocoStore) about() string {
	return fmt.Sprintf("%d nodes, mutual TLS 1.3, written through the primary at %s", 1+len(s.backups), s.primary.Entries)
}

func (s *cocoStore) open(ctx context.Context) (writes, error) {
	u, err := url.Parse(s.primary.Entries)
	if err != nil {
		return nil, err
	}
	c, err := dialHTTPS(ctx, s.primary.Entries, s.client)
	if err != nil {
		return nil, err
	}
	return &entriesConn{httpConn: c, host: u.Host}, nil
}

func (s *cocoStore) used(context.Context) (main time.Duration, others []time.Duration, err error) {
	if main, err = (&process{s.primary.PID()}).time(); err != nil {
		return 0, nil, err
	}
	for _, b := range s.backups {
		t, err := (&process{b.PID()}).time()
		if err != nil {
			return 0, nil, err
		}
		others = append(others, t)
	}
	return main, others, nil
}

func (s *cocoStore) close() error { return s.fleet.Stop() }

type entriesConn struct {
	*httpConn
	host    string
	request []byte
}

func (c *entriesConn) write(key [16]byte, value []byte) error {
	c.request = append(append(c.request[:0], "PUT /kv/"...), key[:]...)
	c.request = append(append(c.request, " HTTP/1.1\r\nHost: "...), c.host...)
	c.request = append(c.request, "\r\nContent-Length: "...)
	c.request = append(strconv.AppendInt(c.request, int64(len(value)), 10), "\r\n\r\n"...)
	_, err := c.send(append(c.request, value...))
	return err
}
