package identity

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/time/rate"

	"github.com/coco-consortium/coco/internal/problem"
)

// OIDC believes one OpenID Connect issuer.
//
// The issuer need not answer when coco starts, nor later: its addresses and keys
// are fetched when they are first needed, again every ten minutes, and when a
// token names a key that is not known, so that a rotation is noticed at once. For
// that there is a budget, so that made-up key ids cannot be turned into a flood:
// beyond it such a token is TOKEN_INVALID, as it is when the issuer has no such key.
// Until the issuer answers, the keys there are go on being used; without any, and
// for tokens that name others, it is ISSUER_DOWN.
//
// A checked token is remembered for up to five minutes and never beyond its end,
// so that a busy client costs one signature check in five minutes. A key that an
// issuer withdraws is thus believed for at most fifteen minutes more.
type OIDC struct {
	options   Options
	published atomic.Pointer[published]
	mu        sync.Mutex
	flight    *flight // the fetch under way
	budget    *rate.Limiter
	silent    bool // the last fetch failed; under mu
	tokens    tokens
	checks    atomic.Int64 // signatures checked, for the tests
}

// NewOIDC makes the believer of an issuer; it asks nothing of it. ISSUER_INVALID
// says what is wrong with the options.
func NewOIDC(o Options) (*OIDC, error) {
	u, err := url.Parse(o.Issuer)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || len(o.Issuer) > 255 ||
		(u.Scheme != "https" && !(u.Scheme == "http" && IsLoopback(u.Host))) {
		return nil, problem.Newf("ISSUER_INVALID", "give the issuer's URL as its tokens have it in iss: https, without query; http only on this machine",
			"%q is not the URL of an issuer", o.Issuer)
	}
	o.Audiences = slices.DeleteFunc(slices.Clone(o.Audiences), func(a string) bool { return a == "" })
	if len(o.Audiences) == 0 {
		return nil, problem.New("ISSUER_INVALID", "no audience is configured, so that any token of the issuer would be believed",
			"give the audience: what the issuer calls this installation (often its client id)")
	}
	if o.RolesClaim == "" {
		o.RolesClaim = "roles"
	}
	if o.ClientID == "" {
		o.ClientID = o.Audiences[0]
	}
	if o.Scopes == nil {
		o.Scopes = []string{oidc.ScopeOpenID, oidc.ScopeProfile, oidc.ScopeEmail}
	}
	if o.Skew == 0 {
		o.Skew = time.Minute
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	client := http.Client{Timeout: 10 * time.Second}
	if o.Client != nil {
		client = *o.Client
	}
	if client.Transport == nil {
		client.Transport = http.DefaultTransport
	}
	client.Transport = limited{client.Transport}
	o.Client = &client
	return &OIDC{options: o, budget: rate.NewLimiter(rate.Every(5*time.Second), 5)}, nil
}

// Issuer is the URL of the issuer that is believed.
func (o *OIDC) Issuer() string { return o.options.Issuer }

// Audience is what clients ask the issuer's tokens for.
func (o *OIDC) Audience() string { return o.options.Audiences[0] }

// TokenURL is where clients get tokens, as the issuer publishes it.
func (o *OIDC) TokenURL(ctx context.Context) (string, error) {
	p, err := o.known(ctx)
	if err != nil {
		return "", err
	}
	return p.provider.Endpoint().TokenURL, nil
}

// known is what the issuer publishes: what is known of it, or fetched now.
func (o *OIDC) known(ctx context.Context) (*published, error) {
	p := o.published.Load()
	if p == nil {
		p, _, err := o.renew(ctx, nil)
		return p, err
	}
	if o.options.Clock().Sub(p.at) > freshFor {
		o.fetching() // whoever comes later profits
	}
	return p, nil
}

// flight is one fetch of what the issuer publishes.
type flight struct {
	done  chan struct{} // closed when it ended
	found *published
	err   error
}

// renew gives something newer than old, and waits for it. joined says that the
// fetch was under way already: it may have begun before what the caller looks
// for was published. It is ISSUER_DOWN when the issuer does not answer, and
// TOKEN_INVALID when it does and was asked too often within a short time.
func (o *OIDC) renew(ctx context.Context, old *published) (p *published, joined bool, err error) {
	if p := o.published.Load(); p != old {
		return p, true, nil
	}
	f, joined := o.fetching()
	if f == nil {
		if old != nil && !o.isSilent() {
			return nil, false, errInvalid.From(errNoKey)
		}
		return nil, false, o.down(errors.New("it was asked several times within the last seconds"))
	}
	select {
	case <-f.done:
		if f.err != nil {
			return nil, joined, o.down(f.err)
		}
		return f.found, joined, nil
	case <-ctx.Done():
		return nil, joined, ctx.Err()
	}
}

// fetching is the fetch under way, or a new one while the budget lasts, or nil.
// It outlives its callers, by ten seconds at most.
func (o *OIDC) fetching() (f *flight, joined bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.flight != nil {
		return o.flight, true
	}
	if !o.budget.AllowN(o.options.Clock(), 1) {
		return nil, false
	}
	f = &flight{done: make(chan struct{})}
	o.flight = f
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		f.found, f.err = fetch(ctx, o.options.Issuer, o.options.Client, o.options.Clock())
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.silent = f.err != nil; f.err == nil {
			o.published.Store(f.found)
		}
		o.flight = nil
		close(f.done)
	}()
	return f, false
}

func (o *OIDC) isSilent() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.silent
}

func (o *OIDC) down(cause error) error {
	p := *errDown
	p.What = fmt.Sprintf("the issuer %s does not answer, so it cannot be known who is asking", o.options.Issuer)
	return p.From(cause)
}

// Bearer implements Authenticator.
func (o *OIDC) Bearer(ctx context.Context, token string) (*Claims, error) {
	if token == "" {
		return nil, errMissing
	}
	if len(token) > maxToken {
		return nil, errInvalid
	}
	now, digest := o.options.Clock(), sha256.Sum256([]byte(token))
	if c := o.tokens.find(digest, now); c != nil {
		return c, nil
	}
	c, err := o.check(ctx, token, o.options.Audiences, "")
	if err != nil {
		return nil, err
	}
	claims := c.person(o.options)
	o.tokens.keep(digest, claims, now, c.expires.Add(o.options.Skew))
	return claims, nil
}

// check verifies a token for one of the audiences; nonce must be its nonce
// unless empty. What costs nothing is looked at first, so that a foreign or
// expired token neither reaches a key nor the issuer.
func (o *OIDC) check(ctx context.Context, token string, audiences []string, nonce string) (*payload, error) {
	c, err := peek(token)
	if err != nil {
		return nil, errInvalid.From(err)
	}
	now := o.options.Clock()
	switch {
	case c.issuer != o.options.Issuer:
		return nil, o.foreign("it was made by %s", quote(c.issuer))
	case !slices.ContainsFunc(audiences, func(a string) bool { return slices.Contains(c.audiences, a) }):
		return nil, o.foreign("it was made for %s", quote(c.audiences...))
	case c.expires.IsZero():
		return nil, errInvalid.From(errors.New("it has no end (exp)"))
	case !now.Before(c.expires.Add(o.options.Skew)):
		return nil, errExpired.From(fmt.Errorf("it ended at %s", c.expires.UTC().Format(time.RFC3339)))
	case now.Add(o.options.Skew).Before(c.from):
		return nil, errEarly.From(fmt.Errorf("it begins at %s, and it is %s", c.from.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339)))
	case nonce != "" && c.text("nonce") != nonce:
		return nil, errInvalid.From(errors.New("it answers another sign-in (nonce)"))
	}
	p, err := o.known(ctx)
	if err != nil {
		return nil, err
	}
	err = o.verify(ctx, p, token)
	for joined := true; joined && errors.Is(err, errNoKey); {
		// Perhaps a key that the issuer made since.
		if p, joined, err = o.renew(ctx, p); err != nil {
			return nil, err
		}
		err = o.verify(ctx, p, token)
	}
	if err != nil {
		return nil, errInvalid.From(err)
	}
	return c, nil
}

// verify checks the signature, and the issuer once more, by go-oidc. Audience
// and end were checked on the same bytes, with several audiences and clocks
// that differ.
func (o *OIDC) verify(ctx context.Context, p *published, token string) error {
	o.checks.Add(1)
	names := make([]string, len(algorithms))
	for i, a := range algorithms {
		names[i] = string(a)
	}
	keys := &remembering{set: p}
	_, err := oidc.NewVerifier(o.options.Issuer, keys, &oidc.Config{
		SupportedSigningAlgs: names, SkipClientIDCheck: true, SkipExpiryCheck: true,
	}).Verify(ctx, token)
	if keys.err != nil {
		return keys.err // go-oidc wraps it as text
	}
	return err
}

// remembering keeps the error of a key set, which go-oidc turns into text.
type remembering struct {
	set oidc.KeySet
	err error
}

func (r *remembering) VerifySignature(ctx context.Context, token string) (payload []byte, err error) {
	payload, r.err = r.set.VerifySignature(ctx, token)
	return payload, r.err
}

func (o *OIDC) foreign(format string, args ...any) error {
	p := *errForeign
	p.What = fmt.Sprintf("the token is not meant for this installation: "+format, args...)
	p.Next = fmt.Sprintf("ask the issuer %s for a token with the audience %s", o.options.Issuer, strings.Join(o.options.Audiences, " or "))
	return &p
}

// quote is what a token claims, short enough for a message.
func quote(list ...string) string {
	if len(list) == 0 || list[0] == "" {
		return "nobody"
	}
	text := strings.Join(list, ", ")
	if len(text) > 200 {
		text = text[:200] + "…"
	}
	return fmt.Sprintf("%q", text)
}
