package node

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/proof"
	"github.com/coco-consortium/coco/internal/protocol/keyvalue"
	"github.com/coco-consortium/coco/internal/protocol/keyvalue/api"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// authority certifies clients.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	do(t, err)
	a := &authority{key: key}
	a.cert = a.sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: "authority"}, IsCA: true, KeyUsage: x509.KeyUsageCertSign}, nil, &key.PublicKey)
	return a
}

func (a *authority) sign(t *testing.T, c, parent *x509.Certificate, key *ecdsa.PublicKey) *x509.Certificate {
	t.Helper()
	c.SerialNumber, c.NotBefore, c.NotAfter, c.BasicConstraintsValid = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().Add(time.Hour), true
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key, a.key)
	do(t, err)
	made, err := x509.ParseCertificate(der)
	do(t, err)
	return made
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// client is a client of entries at one node.
type client struct {
	http http.Client
	base string
	id   keyvalue.Client
}

func (a *authority) client(t *testing.T, base string, service []byte) *client {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	do(t, err)
	leaf := a.sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: "client"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, a.cert, &key.PublicKey)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(service)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}}}}
	t.Cleanup(transport.CloseIdleConnections)
	return &client{http: http.Client{Transport: transport, Timeout: time.Minute}, base: base, id: keyvalue.ClientOf(leaf)}
}

func (c *client) ask(method, key string, value []byte) (status int, body []byte, tx string, err error) {
	r, err := http.NewRequest(method, c.base+"/kv/"+key, bytes.NewReader(value))
	if err != nil {
		return 0, nil, "", err
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return 0, nil, "", err
	}
	defer answer.Body.Close()
	body, err = io.ReadAll(answer.Body)
	return answer.StatusCode, body, answer.Header.Get(api.HeaderTransaction), err
}

// expect asks and compares.
func (c *client) expect(t *testing.T, method, key, value string, status int, want string) (tx string) {
	t.Helper()
	got, body, tx, err := c.ask(method, key, []byte(value))
	do(t, err)
	if got != status || !strings.Contains(string(body), want) {
		t.Fatalf("%s %s: %d %q, want %d %q", method, key, got, body, status, want)
	}
	return tx
}

func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// serveEntries opens a node's entries to an authority's clients.
func serveEntries(t *testing.T, n *Node, a *authority) (base string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	do(t, err)
	s, err := n.KeyValue(a.pem(), []string{"127.0.0.1"})
	do(t, err)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return "https://" + l.Addr().String()
}

func TestEntries(t *testing.T) {
	dir := t.TempDir()
	n, a := startNode(t, dir), newAuthority(t)
	base := serveEntries(t, n, a)
	alice, bob := a.client(t, base, n.pem), a.client(t, base, n.pem)

	alice.expect(t, "GET", "a", "", 404, "KV_ABSENT")
	written := alice.expect(t, "PUT", "a", "one", 204, "")
	alice.expect(t, "GET", "a", "", 200, "one")
	bob.expect(t, "GET", "a", "", 404, "KV_ABSENT")
	bob.expect(t, "PUT", "a", "his", 204, "")
	bob.expect(t, "DELETE", "a", "", 204, "")
	bob.expect(t, "DELETE", "a", "", 204, "")
	alice.expect(t, "GET", "a?linearizable=true", "", 200, "one")
	alice.expect(t, "PUT", "empty", "", 204, "")
	alice.expect(t, "GET", "empty", "", 200, "")
	alice.expect(t, "PUT", "a%2Fb%00c/d", "odd", 204, "")
	alice.expect(t, "GET", "a%2Fb%00c/d", "", 200, "odd")

	alice.expect(t, "PUT", "", "x", 400, "KV_KEY")
	alice.expect(t, "GET", strings.Repeat("k", keyvalue.MaxKey+1), "", 400, "KV_KEY")
	alice.expect(t, "PUT", strings.Repeat("k", keyvalue.MaxKey+1), "x", 400, "KV_KEY")
	alice.expect(t, "PUT", "big", strings.Repeat("v", keyvalue.MaxValue), 204, "")
	alice.expect(t, "PUT", "big", strings.Repeat("v", keyvalue.MaxValue+1), 413, "KV_VALUE")
	alice.expect(t, "POST", "a", "x", 400, "KV_REQUEST")

	tx, err := sequencer.ParseTxID(written)
	do(t, err)
	receipt, err := n.Receipt(t.Context(), tx, proof.FieldKeyvalueKey, proof.FieldKeyvalueValue)
	do(t, err)
	shown := map[string]string{}
	for _, d := range receipt.Disclosed {
		shown[proof.FieldName(d.Field)] = string(d.Value)
	}
	if want := fmt.Sprint(map[string]string{"keyvalue.op": "\x01", "keyvalue.key": "a", "keyvalue.value": "one"}); fmt.Sprint(shown) != want {
		t.Errorf("the receipt shows %q, not %q", shown, want)
	}

	stranger := newAuthority(t).client(t, base, n.pem)
	if _, _, _, err := stranger.ask("GET", "a", nil); err == nil {
		t.Error("who has another authority's certificate was answered")
	}
	if _, err := n.KeyValue([]byte("nothing"), nil); !errors.Is(err, ErrClients) {
		t.Error(err)
	}

	stop(t, n)
	n = startNode(t, dir)
	defer stop(t, n)
	alice.base = serveEntries(t, n, a)
	alice.expect(t, "GET", "a", "", 200, "one")
	alice.expect(t, "PUT", "a", "two", 204, "")
	pay(t, n, 0)
}

// TestEntriesOfThreeNodes: writes through every node are committed once each and
// read everywhere, and a change of primary loses none.
func TestEntriesOfThreeNodes(t *testing.T) {
	first, a := launch(t, t.TempDir(), Founds), newAuthority(t)
	nodes := []*Node{first, launch(t, t.TempDir(), Joins, first), launch(t, t.TempDir(), Joins, first)}
	one := a.client(t, "", first.pem)
	var bases []string
	for _, n := range nodes {
		awaitVoter(t, n)
		bases = append(bases, serveEntries(t, n, a))
	}
	var writers sync.WaitGroup
	before := first.sequencer.Head().Tree.Size()
	const each = 100
	for w, base := range bases {
		writers.Go(func() {
			own := *one
			own.base = base
			for i := range each {
				status, body, _, err := own.ask("PUT", fmt.Sprintf("%d-%d", w, i), fmt.Appendf(nil, "%d", i))
				if err != nil || status != http.StatusNoContent {
					t.Errorf("%d %s %v", status, body, err)
				}
				if w == 0 && i == each/2 {
					if err := first.Drain(t.Context()); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	writers.Wait()
	for w := range bases {
		for i := range each {
			own := *one
			own.base = bases[(w+i)%3]
			own.expect(t, "GET", fmt.Sprintf("%d-%d?linearizable=true", w, i), "", 200, fmt.Sprint(i))
		}
	}
	if err := first.Linearizable(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := first.sequencer.Head().Tree.Size() - before; got > 3*each+20 {
		t.Errorf("%d records for %d writes", got, 3*each)
	}
}
