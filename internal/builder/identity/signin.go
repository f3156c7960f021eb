package identity

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/coco-consortium/coco/internal/problem"
)

// The problems of signing in and of forms, for pages.
var (
	errSignIn = problem.New("SIGN_IN_FAILED", "the issuer did not sign you in", "try again; if it happens again, ask whoever runs this portal")
	errLate   = problem.New("SIGN_IN_EXPIRED", "this sign-in took longer than ten minutes, was used already, or began in another browser",
		"sign in again; the browser must keep cookies of this site")
	errForm     = problem.New("FORM_FOREIGN", "the form does not come from a page of this portal, or from one of a session that ended", "open the page again and repeat what you did")
	errFormSize = problem.New("FORM_TOO_LARGE", "what was sent is larger than this portal takes", "send a smaller file")
	errFormBad  = problem.New("FORM_INVALID", "the form cannot be read", "open the page again and repeat what you did")
)

const (
	signInFor  = 10 * time.Minute // how long somebody may take at the issuer
	maxSignIns = 5                // sign-ins under way in one browser
	maxReturn  = 1000             // bytes of the path to go back to
)

// attempt is a sign-in under way, kept in the browser's cookie, sealed.
type attempt struct {
	State, Nonce, Verifier string
	Back, To               string // the redirect URI; the local path to return to
	Until                  time.Time
}

func (s *Sessions) attemptName(state string) string {
	if s.secure() {
		return "__Host-coco-sign-in-" + state
	}
	return "coco-sign-in-" + state
}

// SignIn sends the browser to the issuer: authorization code with PKCE, state and
// nonce. ?to= is the local path to return to; ?prompt=login asks the issuer to
// ask again, as after signing out. When it returns an error, nothing was written.
func (s *Sessions) SignIn(w http.ResponseWriter, r *http.Request) error {
	back, err := s.back(r)
	if err != nil {
		return err
	}
	p, err := s.oidc.known(r.Context())
	if err != nil {
		return err
	}
	a := attempt{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Back: back,
		To: Local(r.URL.Query().Get("to")), Until: s.options.Clock().Add(signInFor)}
	name := s.attemptName(a.State)
	text, err := s.seal.seal(name, a)
	if err != nil {
		return err
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)}
	if prompt := r.URL.Query().Get("prompt"); prompt == "login" || prompt == "select_account" {
		options = append(options, oauth2.SetAuthURLParam("prompt", prompt))
	}
	to := p.oauth(s.oidc.options, back).AuthCodeURL(a.State, options...)
	if s.oidc.options.local {
		u, err := url.Parse(to)
		if err != nil {
			return err
		}
		to = u.RequestURI() // under whatever name the browser reaches this machine
	}
	s.forgetAttempts(w, r)
	http.SetCookie(w, s.cookie(name, text, signInFor))
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// forgetAttempts drops sign-ins that were begun and left, so that a browser's
// cookies do not grow without end.
func (s *Sessions) forgetAttempts(w http.ResponseWriter, r *http.Request) {
	var names []string
	for _, c := range r.Cookies() {
		if strings.HasPrefix(c.Name, s.attemptName("")) {
			names = append(names, c.Name)
		}
	}
	if len(names) >= maxSignIns {
		for _, n := range names {
			http.SetCookie(w, s.cookie(n, "", 0))
		}
	}
}

// back is the redirect URI: below the portal's URL. With the development login
// it is below whatever name of this machine the browser used, for there the
// cookies are.
func (s *Sessions) back(r *http.Request) (string, error) {
	if !s.oidc.options.local {
		return s.base.String() + PathCallback, nil
	}
	if !IsLoopback(r.Host) {
		return "", errHost
	}
	u := url.URL{Scheme: "http", Host: r.Host, Path: PathCallback}
	if s.secure() {
		u.Scheme = "https"
	}
	return u.String(), nil
}

// Callback ends a sign-in: it checks the issuer's answer, begins a session and
// gives the local path to redirect to (303). Errors: SIGN_IN_EXPIRED,
// SIGN_IN_FAILED, ISSUER_DOWN.
func (s *Sessions) Callback(w http.ResponseWriter, r *http.Request) (to string, err error) {
	w.Header().Set("Cache-Control", "no-store")
	q := r.URL.Query()
	state := q.Get("state")
	if len(state) > 64 || strings.ContainsFunc(state, func(c rune) bool { return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", c) }) {
		return "", errLate
	}
	name := s.attemptName(state)
	cookie, err := r.Cookie(name)
	if state == "" || err != nil {
		return "", errLate
	}
	http.SetCookie(w, s.cookie(name, "", 0))
	var a attempt
	if s.seal.open(name, cookie.Value, &a) != nil || !s.options.Clock().Before(a.Until) ||
		subtle.ConstantTimeCompare([]byte(a.State), []byte(state)) != 1 {
		return "", errLate
	}
	if iss := q.Get("iss"); iss != "" && iss != s.oidc.Issuer() { // RFC 9207
		return "", errSignIn.From(errors.New("another issuer answered"))
	}
	if code := q.Get("error"); code != "" {
		return "", errSignIn.From(fmt.Errorf("%s %s", short(code), short(q.Get("error_description"))))
	}
	claims, err := s.exchange(r.Context(), &a, q.Get("code"))
	if err != nil {
		return "", err
	}
	return a.To, s.start(w, claims)
}

// exchange turns the code into what the issuer says about the person.
func (s *Sessions) exchange(ctx context.Context, a *attempt, code string) (*Claims, error) {
	o := s.oidc
	p, err := o.known(ctx)
	if err != nil {
		return nil, err
	}
	ctx = oidc.ClientContext(ctx, o.options.Client)
	token, err := p.oauth(o.options, a.Back).Exchange(ctx, code, oauth2.VerifierOption(a.Verifier))
	if refused := (*oauth2.RetrieveError)(nil); errors.As(err, &refused) && refused.Response.StatusCode < 500 {
		return nil, errSignIn.From(fmt.Errorf("%s %s", short(refused.ErrorCode), short(refused.ErrorDescription)))
	} else if err != nil {
		return nil, o.down(err)
	}
	raw, _ := token.Extra("id_token").(string)
	if len(raw) > maxToken || raw == "" {
		return nil, errSignIn.From(errors.New("no ID token came"))
	}
	id, err := o.check(ctx, raw, []string{o.options.ClientID}, a.Nonce)
	if err != nil {
		if problem.CodeOf(err) == "ISSUER_DOWN" || ctx.Err() != nil {
			return nil, err
		}
		return nil, errSignIn.From(err)
	}
	if azp := id.text("azp"); len(id.audiences) > 1 && azp != o.options.ClientID {
		return nil, errSignIn.From(errors.New("the ID token was made for another client (azp)"))
	}
	s.complete(ctx, p, id, token)
	return id.person(o.options), nil
}

// complete adds to an ID token what it leaves out: issuers may tell names only
// at the userinfo endpoint, and roles only in the access token. What the ID token
// says stays; an issuer that tells nothing more is no error.
func (s *Sessions) complete(ctx context.Context, p *published, id *payload, token *oauth2.Token) {
	o := s.oidc
	merge := func(more map[string]json.RawMessage) {
		for k, v := range more {
			if _, there := id.all[k]; !there {
				id.all[k] = v
			}
		}
	}
	role, _, _ := strings.Cut(o.options.RolesClaim, ".")
	if id.roles(o.options.RolesClaim) == nil {
		if access, err := o.check(ctx, token.AccessToken, o.options.Audiences, ""); err == nil && access.subject == id.subject {
			for _, c := range slices.Compact([]string{o.options.RolesClaim, role}) {
				if v, ok := access.all[c]; ok {
					id.all[c] = v
				}
			}
		}
	}
	if id.roles(o.options.RolesClaim) != nil && id.text("name")+id.text("given_name") != "" || p.provider.UserInfoEndpoint() == "" {
		return
	}
	if info, err := p.provider.UserInfo(ctx, oauth2.StaticTokenSource(token)); err == nil && info.Subject == id.subject {
		var more map[string]json.RawMessage
		if info.Claims(&more) == nil {
			merge(more)
		}
	}
}

// SignOut ends the request's session, here and in the browser. The portal then
// redirects (303) to a page that offers SignIn with ?prompt=login.
func (s *Sessions) SignOut(w http.ResponseWriter, r *http.Request) error {
	http.SetCookie(w, s.cookie(s.name(), "", 0))
	session := s.Session(r)
	if session == nil {
		return nil
	}
	return s.ended.add(session.ID, session.Claims.Expires, s.options.Clock())
}

// Local is a path of this portal, with its query, or "/" for whatever else: it
// never leads to another site.
func Local(to string) string {
	u, err := url.Parse(to)
	if err != nil || len(to) > maxReturn || u.IsAbs() || u.Host != "" || u.User != nil || !strings.HasPrefix(to, "/") ||
		strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t") || strings.HasPrefix(u.Path, "//") ||
		strings.HasPrefix(u.Path, PathSignIn) || strings.HasPrefix(u.Path, PathSignOut) {
		return "/"
	}
	return u.RequestURI()
}
