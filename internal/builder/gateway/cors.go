package gateway

import (
	"net/http"
	"strings"
)

// allowOrigin adds the headers with which a browser lets pages of a configured
// origin call (Fetch standard, CORS protocol). Cookies are never allowed: the
// gateway takes bearer tokens only, so no page can borrow somebody's session.
func (g *Gateway) allowOrigin(w http.ResponseWriter, r *http.Request) {
	if len(g.Origins) == 0 {
		return
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin == "" || !g.originAllowed(origin) {
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", "X-Total-Count, Content-Disposition, WWW-Authenticate, Retry-After, Preference-Applied")
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE")
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Accept, Prefer, Idempotency-Key, Last-Event-ID")
		h.Set("Access-Control-Max-Age", "600")
	}
}

func (g *Gateway) originAllowed(origin string) bool {
	for _, allowed := range g.Origins {
		if allowed == "*" || strings.EqualFold(allowed, origin) {
			return true
		}
	}
	return false
}
