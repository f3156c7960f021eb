// Package identity says who is asking. App Builder knows people only by what an
// OpenID Connect issuer signs: any issuer by configuration (OIDC), or the one
// inside coco that a development network signs people in with (Development).
//
// Two kinds of proof come in. A program sends a bearer token with each request
// (Authenticator); a browser signs in once by authorization code with PKCE and
// then carries an encrypted cookie (Sessions). Both end as the same Claims. What
// the person may do is not decided here, with one exception: whether the issuer
// calls them Administrator.
package identity

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/coco-consortium/coco/internal/problem"
)

// Administrator is the app role that makes somebody an administrator of an
// installation: the word that must stand in the token's role claim.
const Administrator = "Administrator"

// Claims are what an issuer says about who is asking.
type Claims struct {
	Issuer        string    // the issuer's URL
	Subject       string    // claim sub: unique at this issuer
	ExternalID    string    // claim oid where there is one, else sub: the person's name in this installation
	GivenName     string    // first name; may be empty
	FamilyName    string    // last name; may be empty
	Name          string    // display name; never empty
	Email         string    // may be empty
	Administrator bool      // the role claim contains Administrator
	Client        bool      // a service that signed in as itself, not a person
	Expires       time.Time // of the token, or of the session
}

// Authenticator tells who a bearer token is about.
//
// Its errors are problems: TOKEN_MISSING, TOKEN_EXPIRED, TOKEN_EARLY, TOKEN_FOREIGN
// (another issuer's or for another audience; it says which are expected),
// TOKEN_INVALID and ISSUER_DOWN (nothing can be said about the token now).
type Authenticator interface {
	Bearer(ctx context.Context, token string) (*Claims, error)
}

// TokenOf is the bearer token of a request (RFC 6750, 2.1), or TOKEN_MISSING.
// Tokens in the query or in a form are not looked at: they end in logs.
func TokenOf(r *http.Request) (string, error) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", errMissing
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	if token = strings.TrimSpace(token); !ok || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", errMissing
	}
	return token, nil
}

// Challenge is the value of WWW-Authenticate for an error of Bearer or TokenOf
// (RFC 6750, 3): what a 401 carries.
func Challenge(err error) string {
	switch problem.CodeOf(err) {
	case "TOKEN_MISSING":
		return `Bearer realm="coco"`
	case "TOKEN_EXPIRED":
		return `Bearer realm="coco", error="invalid_token", error_description="expired"`
	}
	return `Bearer realm="coco", error="invalid_token"`
}

type claimsKey struct{}

// With is ctx that carries who is asking.
func With(ctx context.Context, c *Claims) context.Context {
	return context.WithValue(ctx, claimsKey{}, c)
}

// From is who is asking, or nil when nobody signed in.
func From(ctx context.Context) *Claims {
	c, _ := ctx.Value(claimsKey{}).(*Claims)
	return c
}

// The problems of this room. Their texts name no token.
var (
	errMissing = problem.New("TOKEN_MISSING", "the request carries no bearer token",
		"send the header Authorization: Bearer TOKEN with a token of the configured issuer; on a development network `coco token --user NAME` prints one")
	errExpired = problem.New("TOKEN_EXPIRED", "the token has expired", "get a new token from the issuer")
	errEarly   = problem.New("TOKEN_EARLY", "the token is not valid yet", "compare the clocks of this machine and of the issuer: they may differ by one minute")
	errForeign = problem.New("TOKEN_FOREIGN", "the token is not meant for this installation", "ask the issuer for a token with the expected issuer and audience")
	errInvalid = problem.New("TOKEN_INVALID", "the token is not valid", "get a new token from the issuer; it must be signed with RS256, ES256, PS256 or EdDSA by a key that the issuer publishes")
	errDown    = problem.New("ISSUER_DOWN", "the issuer does not answer, so it cannot be known who is asking", "try again in a moment; if it lasts, check that the issuer's URL can be reached from this machine")
)
