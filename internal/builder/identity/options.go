package identity

import (
	"net/http"
	"time"
)

// Options say which issuer is believed and what its tokens must hold.
type Options struct {
	Issuer     string   // URL, exactly as the tokens' iss
	Audiences  []string // one of them must be in a bearer token's aud; the first is told to clients
	RolesClaim string   // the claim that may contain Administrator; "" is roles; a dot goes into an object (realm_access.roles)

	ClientID     string   // the portal's registration at the issuer; "" is the first audience
	ClientSecret string   // "" is a public client: PKCE alone
	Scopes       []string // asked for at sign-in; nil is openid, profile, email

	Skew   time.Duration    // by how much clocks may differ; 0 is one minute
	Client *http.Client     // reaches the issuer; nil is a client with a timeout of 10 s
	Clock  func() time.Time // nil is time.Now

	local bool // the issuer is the development login of this process: browsers reach it under the portal's own host
}

// SessionOptions say how long browsers stay signed in.
type SessionOptions struct {
	Dir      string           // holds the cookies' key and the list of sessions ended early
	BaseURL  string           // the portal's public URL; https makes cookies Secure and __Host-. With the development login it may be ""
	Absolute time.Duration    // a session ends this long after sign-in; 0 is 8 hours
	Idle     time.Duration    // and this long after its last request; 0 is one hour
	MaxForm  int64            // bytes of a posted form, files included, all held in memory; 0 is 16 MiB
	Clock    func() time.Time // nil is time.Now
}

// Paths of the portal that belong to sign-in. The portal mounts them and draws
// the pages for what goes wrong.
const (
	PathSignIn   = "/sign-in"      // GET: Sessions.SignIn; ?to=/local/path
	PathCallback = "/sign-in/back" // GET: Sessions.Callback; registered at the issuer as redirect URI
	PathSignOut  = "/sign-out"     // POST: Sessions.SignOut
	PathIssuer   = "/dev-issuer"   // everything below: Development.Handler
)

// FieldCSRF and HeaderCSRF carry a session's token in whatever changes something.
const (
	FieldCSRF  = "csrf"
	HeaderCSRF = "X-CSRF-Token"
)
