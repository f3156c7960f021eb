package identity

import (
	"context"
	"time"
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
