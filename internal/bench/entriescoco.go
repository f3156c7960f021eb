package bench

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
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
	files, certificate, err := newCertificates(dir)
	if err != nil {
		return nil, err
	}
	s := &cocoStore{fleet: &fleet.Fleet{Program: program, Dir: dir, Level: "warn", Clients: files.certificate}}
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

func (s *cocoStore) run(ctx context.Context, clients int, measure time.Duration) (*Run, error) {
	return writeFor(ctx, s, clients, measure)
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
