package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"
)

// algorithms that a token may be signed with. Neither none nor a shared secret
// is among them, whatever the issuer's discovery document says.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.PS256, jose.EdDSA}

const (
	maxToken    = 16 << 10         // bytes of a token
	maxDocument = 1 << 20          // bytes of anything that an issuer answers
	maxKeys     = 100              // keys that an issuer may publish
	freshFor    = 10 * time.Minute // after that what the issuer publishes is fetched again, behind the callers' backs
)

// published is what an issuer publishes about itself: its addresses and keys
// (OpenID Connect Discovery 1.0; RFC 7517). It does not change; newer ones replace it.
type published struct {
	provider *oidc.Provider
	keys     []jose.JSONWebKey
	at       time.Time

	SignOut     string   `json:"end_session_endpoint"`
	AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
	JWKS        string   `json:"jwks_uri"`
}

// fetch asks the issuer for both.
func fetch(ctx context.Context, issuer string, client *http.Client, now time.Time) (*published, error) {
	p := &published{at: now}
	var err error
	if p.provider, err = oidc.NewProvider(oidc.ClientContext(ctx, client), issuer); err != nil {
		return nil, err
	}
	if err := p.provider.Claims(p); err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.JWKS, nil)
	if err != nil {
		return nil, err
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", p.JWKS, answer.Status)
	}
	p.keys, err = decodeKeys(body)
	return p, err
}

// decodeKeys reads a key set and leaves out what tokens cannot be checked with:
// a key of a kind not known here must not make the others useless (RFC 7517, 5).
func decodeKeys(data []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, fmt.Errorf("the issuer's keys: %w", err)
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("the issuer publishes %d keys, more than %d", len(set.Keys), maxKeys)
	}
	var keys []jose.JSONWebKey
	for _, raw := range set.Keys {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(raw) == nil && k.Use != "enc" && k.IsPublic() && algorithmsOf(k.Key) != nil {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

// algorithmsOf says what a public key may verify; nil is nothing.
func algorithmsOf(key any) []jose.SignatureAlgorithm {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() >= 2048 && k.N.BitLen() <= 8192 {
			return []jose.SignatureAlgorithm{jose.RS256, jose.PS256}
		}
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return []jose.SignatureAlgorithm{jose.ES256}
		}
	case ed25519.PublicKey:
		return []jose.SignatureAlgorithm{jose.EdDSA}
	}
	return nil
}

var (
	errNoKey     = errors.New("no published key has the token's key id")
	errSignature = errors.New("the signature does not fit the published key")
)

// VerifySignature is oidc.KeySet over the keys as they were fetched; it never
// fetches. errNoKey says that newer keys could help.
func (p *published) VerifySignature(_ context.Context, token string) ([]byte, error) {
	signed, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil {
		return nil, err
	}
	header := signed.Signatures[0].Header
	named := false
	for _, k := range p.keys {
		if header.KeyID != "" && k.KeyID != header.KeyID {
			continue
		}
		if !fits(k, jose.SignatureAlgorithm(header.Algorithm)) {
			continue
		}
		named = header.KeyID != ""
		if payload, err := signed.Verify(k.Key); err == nil {
			return payload, nil
		}
	}
	if named {
		return nil, errSignature
	}
	return nil, errNoKey
}

// fits says whether a key may have made a signature of that algorithm.
func fits(k jose.JSONWebKey, a jose.SignatureAlgorithm) bool {
	return (k.Algorithm == "" || k.Algorithm == string(a)) && slices.Contains(algorithmsOf(k.Key), a)
}

// oauth is the portal's side of the authorization code flow.
func (p *published) oauth(o Options, back string) *oauth2.Config {
	endpoint := p.provider.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInParams
	if o.ClientSecret != "" && (len(p.AuthMethods) == 0 || slices.Contains(p.AuthMethods, "client_secret_basic")) {
		endpoint.AuthStyle = oauth2.AuthStyleInHeader
	}
	return &oauth2.Config{ClientID: o.ClientID, ClientSecret: o.ClientSecret, Endpoint: endpoint, RedirectURL: back, Scopes: o.Scopes}
}

// limited bounds what any answer of the issuer may weigh.
type limited struct{ base http.RoundTripper }

func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := l.base.RoundTrip(r)
	if err == nil {
		answer.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(answer.Body, maxDocument), answer.Body}
	}
	return answer, err
}
