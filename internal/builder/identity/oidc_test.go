package identity

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/coco-consortium/coco/internal/problem"
)

func TestGoodTokens(t *testing.T) {
	i := newIssuer()
	o := i.oidc(t)
	for name, token := range map[string]string{
		"RS256":          i.token(t, jose.RS256, rsaKey, "rsa", nil),
		"PS256":          i.token(t, jose.PS256, rsaKey, "rsa", nil),
		"ES256":          i.token(t, jose.ES256, ecKey, "ec", nil),
		"EdDSA":          i.token(t, jose.EdDSA, edKey, "ed", nil),
		"no key id":      i.token(t, jose.EdDSA, edKey, "", nil),
		"other audience": i.alice(t, map[string]any{"aud": "api://" + testAudience}),
		"two audiences":  i.alice(t, map[string]any{"aud": []string{"else", testAudience}}),
		"within skew":    i.alice(t, map[string]any{"exp": i.clock.now().Add(-30 * time.Second).Unix()}),
		"from soon":      i.alice(t, map[string]any{"nbf": i.clock.now().Add(30 * time.Second).Unix()}),
		"fraction":       i.alice(t, map[string]any{"exp": float64(i.clock.now().Unix()) + 100.5}),
	} {
		c, err := o.Bearer(t.Context(), token)
		if err != nil || c.ExternalID != "o-1" || c.Subject != "s-1" || c.Name != "Alice Archer" || c.Administrator || c.Client {
			t.Errorf("%s: %+v %v", name, c, err)
		}
	}
	if n := i.asked.Load(); n != 1 {
		t.Errorf("the keys were fetched %d times", n)
	}
}

func TestBadTokens(t *testing.T) {
	i := newIssuer()
	none := func(claims map[string]any) string {
		parts := strings.Split(i.alice(t, claims), ".")
		return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + "."
	}
	now, good := i.clock.now(), i.alice(t, nil)
	parts := strings.Split(good, ".")
	bob := strings.Split(i.alice(t, map[string]any{"oid": "o-2"}), ".")
	for name, c := range map[string]struct {
		token string
		code  problem.Code
	}{
		"none":                  {none(nil), "TOKEN_INVALID"},
		"HS256 by a public key": {i.token(t, jose.HS256, []byte("-----BEGIN PUBLIC KEY----- thirty-two bytes"), "rsa", nil), "TOKEN_INVALID"},
		"HS256 by oct":          {i.token(t, jose.HS256, []byte("secret, made long enough for HMAC"), "oct", nil), "TOKEN_INVALID"},
		"RS512":                 {i.token(t, jose.RS512, rsaKey, "rsa", nil), "TOKEN_INVALID"},
		"ES384":                 {i.token(t, jose.ES384, ec384Key, "ec384", nil), "TOKEN_INVALID"},
		"a strange key":         {i.token(t, jose.EdDSA, strangeKey, "ed", nil), "TOKEN_INVALID"},
		"an unknown key id":     {i.token(t, jose.EdDSA, strangeKey, "new", nil), "TOKEN_INVALID"},
		"no key id, strange":    {i.token(t, jose.EdDSA, strangeKey, "", nil), "TOKEN_INVALID"},
		"a weak key":            {i.token(t, jose.RS256, weakKey, "weak", nil), "TOKEN_INVALID"},
		"a key for RS256 only":  {i.token(t, jose.PS256, boundRSA, "bound", nil), "TOKEN_INVALID"},
		"a key for encryption":  {i.token(t, jose.RS256, otherRSA, "enc", nil), "TOKEN_INVALID"},
		"another's payload":     {parts[0] + "." + bob[1] + "." + parts[2], "TOKEN_INVALID"},
		"no signature":          {parts[0] + "." + parts[1] + ".", "TOKEN_INVALID"},
		"two parts":             {parts[0] + "." + parts[1], "TOKEN_INVALID"},
		"opaque":                {"abcdef", "TOKEN_INVALID"},
		"huge":                  {i.alice(t, map[string]any{"x": strings.Repeat("x", maxToken)}), "TOKEN_INVALID"},
		"another issuer":        {i.alice(t, map[string]any{"iss": "https://else.example"}), "TOKEN_FOREIGN"},
		"issuer with a slash":   {i.alice(t, map[string]any{"iss": testIssuer + "/"}), "TOKEN_FOREIGN"},
		"ISS":                   {i.alice(t, map[string]any{"iss": nil, "ISS": testIssuer}), "TOKEN_FOREIGN"},
		"another audience":      {i.alice(t, map[string]any{"aud": "else"}), "TOKEN_FOREIGN"},
		"no audience":           {i.alice(t, map[string]any{"aud": nil}), "TOKEN_FOREIGN"},
		"audience is a number":  {i.alice(t, map[string]any{"aud": 5}), "TOKEN_FOREIGN"},
		"ended":                 {i.alice(t, map[string]any{"exp": now.Add(-2 * time.Minute).Unix()}), "TOKEN_EXPIRED"},
		"ended at the skew":     {i.alice(t, map[string]any{"exp": now.Add(-time.Minute).Unix()}), "TOKEN_EXPIRED"},
		"no end":                {i.alice(t, map[string]any{"exp": nil}), "TOKEN_INVALID"},
		"end is text":           {i.alice(t, map[string]any{"exp": "never"}), "TOKEN_INVALID"},
		"end is huge":           {i.alice(t, map[string]any{"exp": 1e300}), "TOKEN_INVALID"},
		"from later":            {i.alice(t, map[string]any{"nbf": now.Add(2 * time.Minute).Unix()}), "TOKEN_EARLY"},
		"no subject":            {i.alice(t, map[string]any{"sub": nil}), "TOKEN_INVALID"},
		"long subject":          {i.alice(t, map[string]any{"sub": strings.Repeat("x", 256)}), "TOKEN_INVALID"},
		"none, foreign":         {none(map[string]any{"iss": "x"}), "TOKEN_INVALID"},
		"nothing":               {"", "TOKEN_MISSING"},
	} {
		_, err := i.oidc(t).Bearer(t.Context(), c.token)
		if problem.CodeOf(err) != c.code {
			t.Errorf("%s: %v, not %s", name, err, c.code)
		}
	}
	// A foreign token is told what is expected.
	_, err := i.oidc(t).Bearer(t.Context(), i.alice(t, map[string]any{"aud": "else"}))
	var p *problem.Error
	if !errors.As(err, &p) || !strings.Contains(p.Next, testIssuer) || !strings.Contains(p.Next, testAudience) || !strings.Contains(p.What, "else") {
		t.Error(err, p)
	}
}

func TestNonce(t *testing.T) {
	i := newIssuer()
	o := i.oidc(t)
	token := i.alice(t, map[string]any{"nonce": "mine"})
	if _, err := o.check(t.Context(), token, []string{testAudience}, "mine"); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{token, i.alice(t, nil)} {
		_, err := o.check(t.Context(), bad, []string{testAudience}, "another's")
		code(t, err, "TOKEN_INVALID")
	}
}

func TestClaims(t *testing.T) {
	i := newIssuer()
	for name, c := range map[string]struct {
		claim string
		more  map[string]any
		want  Claims
	}{
		"subject":           {"", map[string]any{"oid": nil}, Claims{ExternalID: "s-1", GivenName: "Alice", FamilyName: "Archer", Name: "Alice Archer"}},
		"names":             {"", map[string]any{"given_name": "A", "family_name": "B", "email": "a@example.org", "name": nil}, Claims{GivenName: "A", FamilyName: "B", Name: "A B", Email: "a@example.org"}},
		"roles":             {"", map[string]any{"name": "x", "roles": []any{5, "Other", "Administrator"}}, Claims{GivenName: "x", Name: "x", Administrator: true}},
		"role":              {"", map[string]any{"name": "x", "roles": "Administrator"}, Claims{GivenName: "x", Name: "x", Administrator: true}},
		"roles in a string": {"", map[string]any{"name": "x", "roles": "Reader Administrator"}, Claims{GivenName: "x", Name: "x", Administrator: true}},
		"another case":      {"", map[string]any{"name": "x", "roles": []string{"administrator", "NotAdministrator"}}, Claims{GivenName: "x", Name: "x"}},
		"Roles":             {"", map[string]any{"name": "x", "Roles": "Administrator"}, Claims{GivenName: "x", Name: "x"}},
		"an object":         {"", map[string]any{"name": "x", "roles": map[string]any{"Administrator": true}}, Claims{GivenName: "x", Name: "x"}},
		"Keycloak":          {"realm_access.roles", map[string]any{"name": "x", "realm_access": map[string]any{"roles": []string{"Administrator"}}}, Claims{GivenName: "x", Name: "x", Administrator: true}},
		"Auth0":             {"https://coco.example/roles", map[string]any{"name": "x", "https://coco.example/roles": []string{"Administrator"}}, Claims{GivenName: "x", Name: "x", Administrator: true}},
		"hostile text":      {"", map[string]any{"name": " <b>\x00\u202eeve\n</b> "}, Claims{GivenName: "<b>eve</b>", Name: "<b>eve</b>"}},
		"long text":         {"", map[string]any{"name": strings.Repeat("é", 500)}, Claims{GivenName: strings.Repeat("é", 100), Name: strings.Repeat("é", 100)}},
		"no name":           {"", map[string]any{"name": nil, "preferred_username": "al"}, Claims{Name: "al"}},
		"names are numbers": {"", map[string]any{"name": 5, "given_name": []int{1}, "email": true, "oid": 9}, Claims{ExternalID: "s-1", Name: "s-1"}},
		"service, Azure":    {"", map[string]any{"name": nil, "idtyp": "app", "app_displayname": "Meter"}, Claims{Name: "Meter", Client: true}},
		"service, Azure 2":  {"", map[string]any{"name": nil, "sub": "o-1"}, Claims{Subject: "o-1", Name: "o-1", Client: true}},
		"service, RFC 9068": {"", map[string]any{"oid": nil, "name": nil, "client_id": "s-1"}, Claims{ExternalID: "s-1", Name: "s-1", Client: true}},
		"service, Auth0":    {"", map[string]any{"oid": nil, "name": nil, "gty": "client-credentials"}, Claims{ExternalID: "s-1", Name: "s-1", Client: true}},
		"service, Keycloak": {"", map[string]any{"oid": nil, "name": nil, "azp": "meter", "preferred_username": "service-account-meter"}, Claims{ExternalID: "s-1", Name: "service-account-meter", Client: true}},
		"a client's user":   {"", map[string]any{"name": "x", "azp": "portal"}, Claims{GivenName: "x", Name: "x"}},
	} {
		options := i.options()
		options.RolesClaim = c.claim
		o, err := NewOIDC(options)
		if err != nil {
			t.Fatal(err)
		}
		got, err := o.Bearer(t.Context(), i.alice(t, c.more))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		c.want.Issuer, c.want.Expires = testIssuer, got.Expires
		if c.want.Subject == "" {
			c.want.Subject = "s-1"
		}
		if c.want.ExternalID == "" {
			c.want.ExternalID = "o-1"
		}
		if *got != c.want {
			t.Errorf("%s:\n%+v, not\n%+v", name, *got, c.want)
		}
	}
}

// TestRemembered checks each signature once, and counts every token's end all the same.
func TestRemembered(t *testing.T) {
	i := newIssuer()
	o := i.oidc(t)
	token := i.alice(t, map[string]any{"exp": i.clock.now().Add(2 * time.Minute).Unix()})
	for range 100 {
		if _, err := o.Bearer(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	if n := o.checks.Load(); n != 1 {
		t.Errorf("%d signatures were checked", n)
	}
	i.clock.pass(2*time.Minute + 59*time.Second)
	if _, err := o.Bearer(t.Context(), token); err != nil {
		t.Error(err)
	}
	i.clock.pass(2 * time.Second)
	_, err := o.Bearer(t.Context(), token)
	code(t, err, "TOKEN_EXPIRED")

	// A withdrawn key does not live on in memory.
	token = i.alice(t, map[string]any{"exp": i.clock.now().Add(24 * time.Hour).Unix()})
	if _, err := o.Bearer(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	i.set(false, jose.JSONWebKey{Key: ecKey, KeyID: "ec"})
	i.clock.pass(freshFor + time.Second)
	_, _ = o.Bearer(t.Context(), token) // is what fetches behind its own back
	o.settled()
	i.clock.pass(rememberIt)
	_, err = o.Bearer(t.Context(), token)
	code(t, err, "TOKEN_INVALID")

	// The memory is bounded.
	var m tokens
	for n := range maxTokens + 100 {
		m.keep([32]byte{byte(n), byte(n >> 8)}, &Claims{}, i.clock.now(), i.clock.now().Add(time.Hour))
	}
	if len(m.by) != maxTokens {
		t.Errorf("%d tokens are remembered", len(m.by))
	}
}

// settled waits until no fetch is under way.
func (o *OIDC) settled() {
	o.mu.Lock()
	f := o.flight
	o.mu.Unlock()
	if f != nil {
		<-f.done
	}
}

func TestRotation(t *testing.T) {
	i := newIssuer()
	o := i.oidc(t)
	old := i.alice(t, nil)
	if _, err := o.Bearer(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	i.set(false, jose.JSONWebKey{Key: edKey, KeyID: "ed"}, jose.JSONWebKey{Key: otherRSA, KeyID: "new"})
	i.mu.Lock()
	i.hold = make(chan struct{})
	i.mu.Unlock()
	// Many at once with the new key: one fetch, and nobody is refused.
	var all sync.WaitGroup
	for n := range 50 {
		token := i.token(t, jose.RS256, otherRSA, "new", map[string]any{"n": n})
		all.Go(func() {
			if _, err := o.Bearer(t.Context(), token); err != nil {
				t.Error(err)
			}
		})
	}
	close(i.hold)
	all.Wait()
	if n := i.asked.Load(); n > 3 {
		t.Errorf("%d fetches", n)
	}
	if _, err := o.Bearer(t.Context(), i.alice(t, map[string]any{"old": true})); err != nil {
		t.Error(err)
	}
}

// TestFlood: made-up key ids cost the issuer a bounded number of requests.
func TestFlood(t *testing.T) {
	i := newIssuer()
	o := i.oidc(t)
	for n := range 100 {
		_, err := o.Bearer(t.Context(), i.token(t, jose.EdDSA, strangeKey, fmt.Sprint("made up ", n), nil))
		code(t, err, "TOKEN_INVALID")
	}
	if n := i.asked.Load(); n > 6 {
		t.Errorf("the issuer was asked %d times", n)
	}
	if _, err := o.Bearer(t.Context(), i.alice(t, nil)); err != nil {
		t.Error(err)
	}
}

func TestIssuerDown(t *testing.T) {
	i := newIssuer()
	i.set(true)
	o := i.oidc(t) // does not ask
	token := i.alice(t, nil)
	for range 20 {
		_, err := o.Bearer(t.Context(), token)
		code(t, err, "ISSUER_DOWN")
	}
	_, err := o.Bearer(t.Context(), i.alice(t, map[string]any{"iss": "https://else.example"}))
	code(t, err, "TOKEN_FOREIGN") // needs no issuer
	i.set(false)
	i.clock.pass(5 * time.Second)
	if _, err := o.Bearer(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	// Down again: the keys there are go on, for tokens not seen before, for hours.
	i.set(true)
	i.clock.pass(5 * time.Hour)
	for range 3 {
		if _, err := o.Bearer(t.Context(), i.alice(t, nil)); err != nil {
			t.Error(err)
		}
		o.settled()
		i.clock.pass(time.Hour)
	}
	unknown := i.token(t, jose.RS256, otherRSA, "new", nil)
	_, err = o.Bearer(t.Context(), unknown)
	code(t, err, "ISSUER_DOWN")
	i.set(false, jose.JSONWebKey{Key: otherRSA, KeyID: "new"})
	i.clock.pass(time.Minute)
	if _, err := o.Bearer(t.Context(), unknown); err != nil {
		t.Error(err)
	}
	// Whoever stops waiting does not stop the fetch.
	i.mu.Lock()
	i.hold = make(chan struct{})
	i.mu.Unlock()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	o = i.oidc(t)
	if _, err := o.Bearer(gone, unknown); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(i.hold)
	if _, err := o.Bearer(t.Context(), unknown); err != nil {
		t.Error(err)
	}
}

func TestOptions(t *testing.T) {
	for _, bad := range []Options{
		{}, {Issuer: testIssuer}, {Issuer: testIssuer, Audiences: []string{""}},
		{Issuer: "http://issuer.example", Audiences: []string{"a"}}, {Issuer: "issuer.example", Audiences: []string{"a"}},
		{Issuer: testIssuer + "?x", Audiences: []string{"a"}}, {Issuer: "https://u:p@issuer.example", Audiences: []string{"a"}},
	} {
		_, err := NewOIDC(bad)
		code(t, err, "ISSUER_INVALID")
	}
	if _, err := NewOIDC(Options{Issuer: "http://127.0.0.1:9000", Audiences: []string{"a"}}); err != nil {
		t.Error(err)
	}
}

func BenchmarkBearer(b *testing.B) {
	i := newIssuer()
	o := i.oidc(b)
	token := i.token(b, jose.RS256, rsaKey, "rsa", nil)
	for b.Loop() {
		if _, err := o.Bearer(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzToken(f *testing.F) {
	i := newIssuer()
	o := i.oidc(f)
	good := i.alice(f, nil)
	f.Add(good)
	f.Add(strings.Replace(good, ".", "..", 1))
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, token string) {
		c, err := o.Bearer(context.Background(), token)
		if err == nil && c.ExternalID != "o-1" {
			t.Errorf("believed %+v", c)
		}
		if err != nil && problem.CodeOf(err) == "INTERNAL" {
			t.Error(err)
		}
	})
}

func FuzzPayload(f *testing.F) {
	f.Add([]byte(`{"sub":"a","aud":["b"],"exp":1e9,"roles":{"a":{"b":"c"}}}`), "roles.a.b")
	f.Add([]byte(`{"sub":"a","aud":null,"exp":null,"nbf":-1}`), ".")
	f.Fuzz(func(t *testing.T, data []byte, claim string) {
		p, err := decodePayload(data)
		if err != nil {
			return
		}
		c := p.person(Options{RolesClaim: claim})
		if c.Name == "" || c.ExternalID == "" || len(c.ExternalID) > maxID {
			t.Errorf("%+v", c)
		}
	})
}

func FuzzKeys(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"},null,5]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := decodeKeys(data)
		if err == nil && len(keys) > maxKeys {
			t.Errorf("%d keys", len(keys))
		}
	})
}
