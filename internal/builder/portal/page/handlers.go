package page

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/coco-consortium/coco/internal/builder/choice"
)

// Design serves /design, which shows all components, and /design/NAME/KIND, which
// shows whole pages of made-up data.
func (s *Set) Design() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, kind, whole := strings.Cut(strings.Trim(strings.TrimPrefix(r.URL.Path, "/design"), "/"), "/")
		var p Page
		switch {
		case whole:
			p = Sample(name, kind, s.clock())
		case name == "":
			name, p = "design", NewDesign(s.clock())
		}
		if p == nil {
			http.NotFound(w, r)
			return
		}
		if err := s.Draw(w, r, http.StatusOK, name, p); err != nil {
			http.Error(w, "the page cannot be drawn", http.StatusInternalServerError)
		}
	})
}

// Settings remembers a language or an appearance on this device and goes back. It
// changes nothing else, so it asks for no session.
func (s *Set) Settings() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
		choice.Remember(w, r, r.PostFormValue("language"), r.PostFormValue("theme"))
		http.Redirect(w, r, Local(r.PostFormValue("to"), "/applications"), http.StatusSeeOther)
	})
}

// Local is to if it is a path of this portal, else otherwise: a form cannot send
// anybody elsewhere.
func Local(to, otherwise string) string {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t") {
		return otherwise
	}
	return to
}
