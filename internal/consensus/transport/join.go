package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// JoinClient is one connection to a node of the network by one who is none yet.
// Evidence is bound to the session of the connection over which it goes, so the
// session is known before a request is made, and no request goes over another
// connection.
type JoinClient struct {
	server  Identity
	session [32]byte
	conn    net.Conn
	http    *http.Client
}

// DialJoin connects to the node at address, which must show a certificate under
// the service of servicePEM. own is the joiner's certificate, see SelfSigned.
func DialJoin(ctx context.Context, address string, servicePEM []byte, own tls.Certificate) (*JoinClient, error) {
	limits := Limits{}.withDefaults()
	limits.Answer = limits.NextRequest / 2 // the connection outlasts a pause between two requests
	c, server, err := visit(ctx, address, servicePEM, own, limits)
	if err != nil {
		return nil, err
	}
	j := &JoinClient{server: server, conn: c}
	if j.session, err = sessionOf(c); err != nil {
		c.Close()
		return nil, ErrUnreachable.From(err)
	}
	j.server.Session = j.session
	var used atomic.Bool
	j.http = httpClient(limits, nil, func(context.Context) (net.Conn, error) {
		if used.Swap(true) {
			return nil, ErrUnreachable.From(errors.New("the connection of this session ended"))
		}
		return c, nil
	})
	return j, nil
}

// Session is Identity.Session as the node sees it.
func (j *JoinClient) Session() [32]byte { return j.session }

// Server is the node at the other end.
func (j *JoinClient) Server() Identity { return j.server }

// Do sends a request over this connection; it fails with PEER_UNREACHABLE when
// the connection has ended. The host of its address is of no matter.
func (j *JoinClient) Do(r *http.Request) (*http.Response, error) { return j.http.Do(r) }

// Close ends the connection.
func (j *JoinClient) Close() error {
	j.http.CloseIdleConnections()
	return j.conn.Close()
}

// visit connects to any node of the service.
func visit(ctx context.Context, address string, servicePEM []byte, own tls.Certificate, limits Limits) (*tls.Conn, Identity, error) {
	service, err := parseService(servicePEM)
	if err != nil {
		return nil, Identity{}, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(service)
	raw, err := connect(ctx, address, limits)
	if err != nil {
		return nil, Identity{}, err
	}
	var server Identity
	c := tls.Client(&link{Conn: raw, protocol: ProtocolHTTP, read: limits.Answer, write: limits.Write, answers: true}, &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{ProtocolHTTP}, InsecureSkipVerify: true, // judged by VerifyConnection
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil },
		VerifyConnection: func(s tls.ConnectionState) (err error) {
			server, err = whose(s, roots, x509.ExtKeyUsageServerAuth, time.Now())
			if err == nil && server.RaftID == 0 {
				err = errors.New("it is no node of this network")
			}
			if err != nil {
				return ErrUntrusted.From(err)
			}
			return nil
		},
	})
	ctx, cancel := context.WithTimeout(ctx, limits.Handshake)
	defer cancel()
	if err := c.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, Identity{}, untrusted(err)
	}
	return c, server, nil
}
