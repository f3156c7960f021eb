package operations

import (
	"net"
	"net/http"
	"slices"
	"strings"
)

// Web guards what Observe answers on a TCP address: it takes GET only, and only
// when it is addressed by an IP address, by localhost or by one of the names
// ("*" is any), so that a web page cannot read it under a name of its own (DNS
// rebinding).
func Web(h http.Handler, hosts []string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.Host
		if h, _, err := net.SplitHostPort(name); err == nil {
			name = h
		}
		name = strings.ToLower(strings.Trim(name, "[]"))
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			http.Error(w, "only GET is answered here", http.StatusMethodNotAllowed)
		case net.ParseIP(name) == nil && name != "localhost" && !slices.Contains(hosts, name) && !slices.Contains(hosts, "*"):
			http.Error(w, "address the node by an IP address, by localhost, or by a name of operations.hosts", http.StatusForbidden)
		default:
			h.ServeHTTP(w, r)
		}
	})
}
