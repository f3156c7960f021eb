package transport

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// Identity is who stands at the other end of a connection.
type Identity struct {
	RaftID uint64      // 0: no node of the network, its certificate is its own
	Key    format.Hash // SHA-256 of the key's SubjectPublicKeyInfo; the other end holds the private key
	// Session names the connection: the exported keying material of 32 bytes
	// under attest.JoinLabel (RFC 8446 section 7.5), the same on both ends.
	Session [32]byte
}

type identityKey struct{}

// IdentityOf is who sent a request that Config.Handler serves.
func IdentityOf(r *http.Request) (Identity, bool) {
	who, ok := r.Context().Value(identityKey{}).(Identity)
	return who, ok
}

func withIdentity(ctx context.Context, who Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, who)
}

// baseTLS is what both ends agree on.
func (t *Transport) baseTLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true, Time: t.config.Clock,
		DynamicRecordSizingDisabled: true, // records of 16 KiB from the beginning: no browser waits here
	}
}

func (t *Transport) serverTLS() *tls.Config {
	c := t.baseTLS()
	c.NextProtos = []string{ProtocolRaft, ProtocolAppend, ProtocolHTTP}
	for name := range t.config.Streams {
		c.NextProtos = append(c.NextProtos, name)
	}
	slices.Sort(c.NextProtos[3:])
	c.ClientAuth = tls.RequireAnyClientCert // judged by VerifyConnection
	c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return t.wallet.certificate() }
	c.VerifyConnection = func(s tls.ConnectionState) error {
		_, err := t.identify(s)
		return err
	}
	return c
}

// identify judges who connected. A retired node passes here, so that it can be
// told (see admit).
func (t *Transport) identify(s tls.ConnectionState) (Identity, error) {
	if s.NegotiatedProtocol == "" {
		return Identity{}, errors.New("no protocol was asked for")
	}
	who, err := whose(s, t.roots, x509.ExtKeyUsageClientAuth, t.config.Clock())
	if err != nil {
		return who, err
	}
	switch {
	case who.RaftID == 0 && s.NegotiatedProtocol != ProtocolHTTP:
		return who, fmt.Errorf("%s is for nodes of the network", s.NegotiatedProtocol)
	case who.RaftID == t.config.ID:
		return who, errors.New("a node that says it is this one")
	}
	if who.RaftID != 0 {
		if p, known := t.config.Peers(who.RaftID); known && p.Key != who.Key {
			return who, fmt.Errorf("%s has another key", nodeName(who.RaftID))
		}
	}
	return who, nil
}

// clientTLS is for a connection to the node of that id and key.
func (t *Transport) clientTLS(id uint64, key format.Hash, protocol string) *tls.Config {
	c := t.baseTLS()
	c.NextProtos = []string{protocol}
	c.InsecureSkipVerify = true // judged by VerifyConnection: nodes have keys, not names
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return t.wallet.certificate() }
	c.VerifyConnection = func(s tls.ConnectionState) error {
		who, err := whose(s, t.roots, x509.ExtKeyUsageServerAuth, t.config.Clock())
		switch {
		case err != nil:
			return ErrUntrusted.From(err)
		case who.RaftID != id:
			return ErrUntrusted.From(fmt.Errorf("it is %s", nodeName(who.RaftID)))
		case who.Key != key:
			return ErrUntrusted.From(fmt.Errorf("%s has another key", nodeName(id)))
		case s.NegotiatedProtocol != protocol:
			return ErrUntrusted.From(fmt.Errorf("it does not speak %s", protocol))
		}
		return nil
	}
	return c
}

// whose reads the other end's certificate: a node's when it chains to the
// service, nobody's when it is self-signed.
func whose(s tls.ConnectionState, roots *x509.CertPool, use x509.ExtKeyUsage, now time.Time) (Identity, error) {
	if s.Version != tls.VersionTLS13 || len(s.PeerCertificates) != 1 {
		return Identity{}, fmt.Errorf("TLS %s with %d certificates", tls.VersionName(s.Version), len(s.PeerCertificates))
	}
	leaf := s.PeerCertificates[0]
	who := Identity{Key: sha256.Sum256(leaf.RawSubjectPublicKeyInfo)}
	if public, ok := leaf.PublicKey.(*ecdsa.PublicKey); !ok || public.Curve != elliptic.P256() {
		return who, errors.New("the key is not ECDSA P-256")
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{use}})
	if err == nil {
		who.RaftID, err = raftID(leaf)
		return who, err
	}
	own := leaf.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature) == nil
	if !own || len(leaf.URIs) > 0 || now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return who, err
	}
	return who, nil
}

// sessionOf is Identity.Session of a connection whose handshake is over.
func sessionOf(c *tls.Conn) (session [32]byte, err error) {
	state := c.ConnectionState()
	material, err := state.ExportKeyingMaterial(attest.JoinLabel, nil, len(session))
	copy(session[:], material)
	return session, err
}
