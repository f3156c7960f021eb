package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	codeFor  = time.Minute // how long an authorization code may be used
	maxCodes = 1000        // codes that wait to be used
	tokenFor = time.Hour   // how long a token of the token endpoint is valid
)

// grant is what an authorization code stands for.
type grant struct {
	request request
	who     Named
	until   time.Time
}

// codes are the authorization codes given out and not yet used. The zero value
// is ready.
type codes struct {
	mu sync.Mutex
	by map[string]grant
}

func (c *codes) issue(g grant, now time.Time) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = map[string]grant{}
	}
	for code, other := range c.by {
		if other.until.Before(now) || len(c.by) >= maxCodes {
			delete(c.by, code)
		}
	}
	code := rand.Text()
	g.until = now.Add(codeFor)
	c.by[code] = g
	return code
}

// take gives a code's grant once.
func (c *codes) take(code string, now time.Time) (grant, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g, ok := c.by[code]
	delete(c.by, code)
	return g, ok && now.Before(g.until)
}

// routes are the issuer's addresses.
func (d *Development) routes() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET "+PathIssuer+"/.well-known/openid-configuration", d.discovery)
	m.HandleFunc("GET "+PathIssuer+"/keys", d.keys)
	m.HandleFunc("GET "+PathIssuer+"/authorize", d.authorize)
	m.HandleFunc("GET "+PathIssuer+"/authorize.css", d.style)
	m.HandleFunc("POST "+PathIssuer+"/authorize", d.authorize)
	m.HandleFunc("POST "+PathIssuer+"/token", d.token)
	return m
}

// discovery answers by OpenID Connect Discovery 1.0, 3.
func (d *Development) discovery(w http.ResponseWriter, _ *http.Request) {
	i := d.login.Issuer
	answerJSON(w, http.StatusOK, map[string]any{
		"issuer": i, "authorization_endpoint": i + "/authorize", "token_endpoint": i + "/token", "jwks_uri": i + "/keys",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"}, "scopes_supported": []string{"openid", "profile", "email"},
		"grant_types_supported":                          []string{"authorization_code", "client_credentials"},
		"token_endpoint_auth_methods_supported":          []string{"none", "client_secret_post", "client_secret_basic"},
		"code_challenge_methods_supported":               []string{"S256"},
		"claims_supported":                               []string{"sub", "oid", "name", "given_name", "family_name", "email", "preferred_username", "roles"},
		"authorization_response_iss_parameter_supported": true,
	})
}

func (d *Development) keys(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: d.login.key.Public(), KeyID: d.login.kid, Algorithm: string(jose.RS256), Use: "sig"}}})
}

// token is the token endpoint (RFC 6749, 3.2). Secrets of clients are not
// looked at: who reaches this issuer may be anybody.
func (d *Development) token(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	w.Header().Set("Cache-Control", "no-store")
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		fail(w, "invalid_request", "another site's page may not ask for tokens")
		return
	}
	if err := r.ParseForm(); err != nil {
		fail(w, "invalid_request", "the form cannot be read")
		return
	}
	client, _, ok := r.BasicAuth()
	if !ok {
		client = r.PostForm.Get("client_id")
	}
	switch r.PostForm.Get("grant_type") {
	case "authorization_code":
		d.byCode(w, r, client)
	case "client_credentials":
		n, err := named(Named{Name: client, Client: true})
		if err != nil {
			fail(w, "invalid_client", "give the service's name as client_id")
			return
		}
		n.Administrator = slices.Contains(strings.Fields(r.PostForm.Get("scope")), Administrator)
		d.grant(w, n, map[string]any{"client_id": n.clientID("")}, nil)
	default:
		fail(w, "unsupported_grant_type", "authorization_code and client_credentials are spoken here")
	}
}

// byCode exchanges an authorization code (RFC 6749, 4.1.3; RFC 7636, 4.6).
func (d *Development) byCode(w http.ResponseWriter, r *http.Request, client string) {
	g, ok := d.codes.take(r.PostForm.Get("code"), d.options.Clock())
	sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
	challenge := base64.RawURLEncoding.EncodeToString(sum[:])
	if !ok || g.request.ClientID != client || g.request.RedirectURI != r.PostForm.Get("redirect_uri") ||
		subtle.ConstantTimeCompare([]byte(challenge), []byte(g.request.Challenge)) != 1 {
		fail(w, "invalid_grant", "the code was used, is older than a minute, or belongs to another request")
		return
	}
	id := map[string]any{"aud": client, "azp": client}
	if g.request.Nonce != "" {
		id["nonce"] = g.request.Nonce
	}
	d.grant(w, g.who, map[string]any{"client_id": client}, id)
}

// grant answers with an access token for this installation, and with an ID token
// for the client when id says what it holds.
func (d *Development) grant(w http.ResponseWriter, n Named, access, id map[string]any) {
	access["aud"] = d.login.Audience
	now := d.options.Clock()
	token, err := d.login.sign(n.claims(), access, now, tokenFor)
	answer := map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": int(tokenFor / time.Second)}
	if err == nil && id != nil {
		answer["id_token"], err = d.login.sign(n.claims(), id, now, tokenFor)
	}
	if err != nil {
		answerJSON(w, http.StatusInternalServerError, map[string]string{"error": "server_error"})
		return
	}
	answerJSON(w, http.StatusOK, answer)
}

// fail answers by RFC 6749, 5.2.
func fail(w http.ResponseWriter, code, text string) {
	answerJSON(w, http.StatusBadRequest, map[string]string{"error": code, "error_description": text})
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
