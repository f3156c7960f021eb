package identity

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/coco-consortium/coco/internal/problem"
)

// Session is one browser that signed in.
type Session struct {
	ID      string    // random, not the cookie
	Claims  Claims    // as they were at sign-in; Expires is the session's absolute end
	CSRF    string    // goes into each form as FieldCSRF
	Started time.Time // of sign-in
	Seen    time.Time // of the last request, to the minute
}

type sessionKey struct{}

// WithSession is ctx that carries a browser's session, and so its claims.
func WithSession(ctx context.Context, s *Session) context.Context {
	return With(context.WithValue(ctx, sessionKey{}, s), &s.Claims)
}

// SessionFrom is the browser's session, or nil when nobody signed in.
func SessionFrom(ctx context.Context) *Session {
	s, _ := ctx.Value(sessionKey{}).(*Session)
	return s
}

// Sessions keeps browsers signed in. A session lies in the browser's own cookie,
// sealed; the portal keeps nothing of it but the list of those ended early, which
// is durable. A session ends when it is idle too long, at its absolute end, or by
// signing out; its claims stay what they were at sign-in, so a change of the app
// role Administrator counts from the next sign-in.
type Sessions struct {
	oidc    *OIDC
	options SessionOptions
	base    *url.URL // nil: the development login, and each request's own host
	seal    sealer
	ended   *ended
	origin  *http.CrossOriginProtection
}

// NewSessions makes the sessions of a portal whose people sign in at o's issuer.
func NewSessions(o *OIDC, options SessionOptions) (*Sessions, error) {
	if options.Absolute == 0 {
		options.Absolute = 8 * time.Hour
	}
	if options.Idle == 0 {
		options.Idle = time.Hour
	}
	if options.MaxForm == 0 {
		options.MaxForm = 16 << 20
	}
	if options.Clock == nil {
		options.Clock = time.Now
	}
	s := &Sessions{oidc: o, options: options, origin: http.NewCrossOriginProtection()}
	if options.BaseURL != "" {
		u, err := url.Parse(strings.TrimSuffix(options.BaseURL, "/"))
		if err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil ||
			(u.Scheme != "https" && !(u.Scheme == "http" && IsLoopback(u.Host))) {
			return nil, problem.Newf("PORTAL_URL_INVALID", "give the URL that people open, such as https://coco.example.org: https, without a path",
				"%q is not the URL of a portal", options.BaseURL)
		}
		s.base = u
		if err := s.origin.AddTrustedOrigin(u.String()); err != nil {
			return nil, err
		}
	} else if !o.options.local {
		return nil, problem.New("PORTAL_URL_INVALID", "with an issuer of its own a portal needs to know its URL",
			"give the URL that people open, and register it with "+PathCallback+" at the issuer")
	}
	key, err := secret(filepath.Join(options.Dir, "session.key"), func() ([]byte, error) {
		key := make([]byte, 32)
		_, err := rand.Read(key)
		return key, err
	})
	if err != nil {
		return nil, err
	}
	if len(key) != 32 {
		return nil, errDir(errors.New("session.key does not hold 32 bytes; delete it, and everybody signs in again"))
	}
	if s.seal, err = newSealer(key); err != nil {
		return nil, err
	}
	s.ended, err = openEnded(filepath.Join(options.Dir, "sessions.ended"), options.Clock())
	return s, err
}

// secure says that the portal is reached over TLS.
func (s *Sessions) secure() bool { return s.base != nil && s.base.Scheme == "https" }

// name is the cookie's name: bound to the host by the browser where TLS allows
// it (RFC 6265bis, 4.1.3.2).
func (s *Sessions) name() string {
	if s.secure() {
		return "__Host-coco-session"
	}
	return "coco-session"
}

// cookie is a cookie of this portal; age 0 deletes it.
func (s *Sessions) cookie(name, value string, age time.Duration) *http.Cookie {
	c := &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: s.secure(), SameSite: http.SameSiteLaxMode,
		MaxAge: int(age / time.Second)}
	if age == 0 {
		c.MaxAge = -1
	}
	return c
}

// start begins a session with new names for everything.
func (s *Sessions) start(w http.ResponseWriter, c *Claims) error {
	now := s.options.Clock()
	session := &Session{ID: rand.Text(), CSRF: rand.Text(), Claims: *c, Started: now, Seen: now}
	session.Claims.Expires = now.Add(s.options.Absolute)
	return s.write(w, session)
}

func (s *Sessions) write(w http.ResponseWriter, session *Session) error {
	text, err := s.seal.seal(s.name(), session)
	if err != nil {
		return err
	}
	http.SetCookie(w, s.cookie(s.name(), text, session.Claims.Expires.Sub(s.options.Clock())))
	return nil
}

// Session is the session of a request, or nil: there is none, it ended, or the
// cookie was not sealed here. Middleware calls it; others take SessionFrom.
func (s *Sessions) Session(r *http.Request) *Session {
	cookies := r.CookiesNamed(s.name())
	if len(cookies) != 1 {
		return nil // two of one name: one was planted from elsewhere
	}
	var session Session
	if s.seal.open(s.name(), cookies[0].Value, &session) != nil || !s.Valid(&session) {
		return nil
	}
	return &session
}

// Valid says whether a session has not ended: what a stream of events asks from
// time to time.
func (s *Sessions) Valid(session *Session) bool {
	now := s.options.Clock()
	return session.ID != "" && session.CSRF != "" && now.Before(session.Claims.Expires) &&
		now.Before(session.Seen.Add(s.options.Idle)) && !s.ended.has(session.ID)
}
