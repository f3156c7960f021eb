package identity

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/coco-consortium/coco/internal/problem"
)

const (
	testIssuer   = "https://issuer.example"
	testAudience = "api"
)

// clock is a clock that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// issuer is an issuer that tests can break. It signs whatever it is asked to.
type issuer struct {
	clock *clock
	mu    sync.Mutex
	keys  []jose.JSONWebKey // private
	down  bool
	asked atomic.Int64 // fetches of its keys
	hold  chan struct{}
}

var (
	rsaKey, _        = rsa.GenerateKey(rand.Reader, 2048)
	weakKey, _       = rsa.GenerateKey(rand.Reader, 1024)
	ecKey, _         = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ec384Key, _      = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	_, edKey, _      = ed25519.GenerateKey(rand.Reader)
	otherRSA, _      = rsa.GenerateKey(rand.Reader, 2048)
	boundRSA, _      = rsa.GenerateKey(rand.Reader, 2048)
	_, strangeKey, _ = ed25519.GenerateKey(rand.Reader)
)

func newIssuer() *issuer {
	return &issuer{clock: newClock(), keys: []jose.JSONWebKey{
		{Key: rsaKey, KeyID: "rsa"}, {Key: ecKey, KeyID: "ec", Algorithm: "ES256"}, {Key: edKey, KeyID: "ed"},
		{Key: ec384Key, KeyID: "ec384"}, {Key: weakKey, KeyID: "weak"}, {Key: otherRSA, KeyID: "enc", Use: "enc"},
		{Key: boundRSA, KeyID: "bound", Algorithm: "RS256"},
	}}
}

func (i *issuer) set(down bool, keys ...jose.JSONWebKey) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.down = down
	if keys != nil {
		i.keys = keys
	}
}

// RoundTrip makes the issuer the other end of a client.
func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	i.mu.Lock()
	down, keys, hold := i.down, i.keys, i.hold
	i.mu.Unlock()
	if hold != nil {
		<-hold
	}
	if down {
		return nil, errors.New("connection refused")
	}
	return inside{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/.well-known/openid-configuration":
			answerJSON(w, http.StatusOK, map[string]any{"issuer": testIssuer, "jwks_uri": testIssuer + "/keys",
				"authorization_endpoint": testIssuer + "/authorize", "token_endpoint": testIssuer + "/token",
				"id_token_signing_alg_values_supported": []string{"none", "HS256", "RS256"}})
		case "/keys":
			i.asked.Add(1)
			list := []json.RawMessage{json.RawMessage(`{"kty":"strange"}`), json.RawMessage(`{"kty":"oct","k":"c2VjcmV0","kid":"oct"}`)}
			for _, k := range keys {
				if s, ok := k.Key.([]byte); ok {
					list = append(list, s)
					continue
				}
				public, _ := k.Public().MarshalJSON()
				list = append(list, public)
			}
			answerJSON(w, http.StatusOK, map[string]any{"keys": list})
		default:
			http.NotFound(w, r)
		}
	})}.RoundTrip(r)
}

func (i *issuer) options() Options {
	return Options{Issuer: testIssuer, Audiences: []string{testAudience, "api://" + testAudience}, Client: &http.Client{Transport: i}, Clock: i.clock.now}
}

func (i *issuer) oidc(t testing.TB) *OIDC {
	t.Helper()
	o, err := NewOIDC(i.options())
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// token signs claims with a key; more replaces and nil deletes.
func (i *issuer) token(t testing.TB, alg jose.SignatureAlgorithm, key any, kid string, more map[string]any) string {
	t.Helper()
	now := i.clock.now()
	claims := map[string]any{"iss": testIssuer, "aud": testAudience, "sub": "s-1", "oid": "o-1", "name": "Alice Archer",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	maps.Copy(claims, more)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	body, _ := json.Marshal(claims)
	o := &jose.SignerOptions{}
	if kid != "" {
		o = o.WithHeader("kid", kid)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, o)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(body)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := signed.CompactSerialize()
	return text
}

// alice is a good token.
func (i *issuer) alice(t testing.TB, more map[string]any) string {
	return i.token(t, jose.EdDSA, edKey, "ed", more)
}

func code(t *testing.T, err error, want problem.Code) {
	t.Helper()
	if got := problem.CodeOf(err); err == nil || got != want {
		t.Errorf("%v, not %s", err, want)
	}
}
