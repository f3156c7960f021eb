package identity

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/coco-consortium/coco/internal/problem"
)

var errHost = problem.New("HOST_FOREIGN", "this portal is reached under a name that is not its own",
	"open it as http://127.0.0.1:PORT or http://localhost:PORT; a portal for other machines needs an issuer of its own instead of the development login")

// IsLoopback says whether a host, with or without port, names this machine and
// nothing else: an address of 127.0.0.0/8, ::1, localhost or a name below it
// (RFC 6761, 6.3). What the system's resolver would say does not count: it is
// what an attacker changes (DNS rebinding).
func IsLoopback(host string) bool {
	if h, port, err := net.SplitHostPort(host); err == nil {
		if strings.Trim(port, "0123456789") != "" {
			return false
		}
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if a, err := netip.ParseAddr(host); err == nil {
		return a.IsLoopback() && a.Zone() == ""
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// LoopbackOnly refuses each request whose Host names anything but this machine,
// with HOST_FOREIGN and status 421. Everything that the development login
// protects stands behind it: a page on the web that makes its own name point to
// 127.0.0.1 reaches the listener, but not with a Host that passes.
func LoopbackOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !IsLoopback(r.Host) {
			refuse(w, http.StatusMisdirectedRequest, errHost)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// refuse answers with a problem as plain text.
func refuse(w http.ResponseWriter, status int, p *problem.Error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(string(p.Code) + ": " + p.What + "\n" + p.Next + "\n"))
}
