package server

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// hostAllowed says whether the name in a Host header is one of this node's.
func (s *Server) hostAllowed(host string) bool {
	if host == "" { // HTTP/1.0, which no browser speaks
		return true
	}
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	for _, allowed := range s.options.Hosts {
		if allowed == "*" || strings.EqualFold(allowed, name) {
			return true
		}
	}
	_, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil
}

// originAllowed says whether pages of a web origin may ask.
func (s *Server) originAllowed(origin string) bool {
	for _, allowed := range s.options.Origins {
		if allowed == "*" || strings.EqualFold(allowed, origin) {
			return true
		}
	}
	return false
}

// allowOrigin adds the headers with which a browser lets the page of an allowed
// origin read the answer (Fetch standard, CORS protocol).
func (s *Server) allowOrigin(w http.ResponseWriter, r *http.Request) {
	if len(s.options.Origins) == 0 {
		return
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	if origin := r.Header.Get("Origin"); origin != "" && s.originAllowed(origin) {
		h.Set("Access-Control-Allow-Origin", origin)
		if r.Method == http.MethodOptions {
			h.Set("Access-Control-Allow-Methods", "POST, GET")
			h.Set("Access-Control-Allow-Headers", "Content-Type, Authorization")
			h.Set("Access-Control-Max-Age", "600")
		}
	}
}
