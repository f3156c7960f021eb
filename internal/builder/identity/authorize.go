package identity

import (
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/coco-consortium/coco/internal/builder/choice"
)

//go:embed authorize.html
var authorizePage string

//go:embed authorize.css
var authorizeStyle []byte

var authorizeTemplate = template.Must(template.New("authorize").Funcs(template.FuncMap{
	"hue": func(i int) string { return "h" + strconv.Itoa(i%8) },
	"initials": func(name string) string {
		var out []rune
		for _, word := range strings.Fields(name) {
			if out = append(out, []rune(word)[0]); len(out) == 2 {
				break
			}
		}
		return string(out)
	},
	"roles": func(n Named, t authorizeTexts) string {
		list := slices.Clone(n.Roles)
		if n.Administrator {
			list = slices.Insert(list, 0, t.Administrator)
		}
		return strings.Join(list, ", ")
	},
}).Parse(authorizePage))

// request is an authorization request (RFC 6749, 4.1.1; RFC 7636, 4.3).
type request struct {
	ClientID, RedirectURI, Scope, State, Nonce, Challenge string
}

// page is what the choice of people shows.
type page struct {
	Style, Own, Action, Problem, Typed, Theme string
	Request                                   request
	People                                    []Named
	T                                         authorizeTexts
	Languages                                 []choice.Language
	To                                        string // this page, for who changes the language
}

// query is the request as it came.
func (q request) query() url.Values {
	return url.Values{"response_type": {"code"}, "client_id": {q.ClientID}, "redirect_uri": {q.RedirectURI}, "scope": {q.Scope}, "state": {q.State},
		"nonce": {q.Nonce}, "code_challenge": {q.Challenge}, "code_challenge_method": {"S256"}}
}

const maxParameter = 2000 // bytes of state, nonce and the like

// readRequest reads an authorization request. trouble says to the person why
// the request must not be answered by a redirect; code and text are
// the error to redirect with (RFC 6749, 4.1.2.1).
func readRequest(v url.Values, t authorizeTexts) (q request, trouble, code, text string) {
	q = request{v.Get("client_id"), v.Get("redirect_uri"), v.Get("scope"), v.Get("state"), v.Get("nonce"), v.Get("code_challenge")}
	u, err := url.Parse(q.RedirectURI)
	switch {
	case q.ClientID == "" || len(q.ClientID) > maxParameter:
		return q, t.NoClient, "", ""
	case err != nil || len(q.RedirectURI) > maxParameter || (u.Scheme != "http" && u.Scheme != "https") || !IsLoopback(u.Host) || u.User != nil || u.Fragment != "":
		return q, t.NotHere, "", ""
	case len(q.State) > maxParameter || len(q.Nonce) > maxParameter || len(q.Challenge) > maxParameter:
		q.State = ""
		return q, "", "invalid_request", "a parameter is too long"
	case v.Get("response_type") != "code":
		return q, "", "unsupported_response_type", "only the authorization code flow is spoken here"
	case !slices.Contains(strings.Fields(q.Scope), "openid"):
		return q, "", "invalid_scope", "the scope openid is missing"
	case len(q.Challenge) != 43 || v.Get("code_challenge_method") != "S256":
		return q, "", "invalid_request", "PKCE with S256 is required"
	case v.Get("prompt") == "none":
		return q, "", "login_required", "somebody has to choose a name"
	}
	return q, "", "", ""
}

// authorize shows the people (GET) and signs in the one that was chosen (POST).
func (d *Development) authorize(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		if err := http.NewCrossOriginProtection().Check(r); err != nil {
			refuse(w, http.StatusForbidden, errForm)
			return
		}
	}
	if err := r.ParseForm(); err != nil {
		refuse(w, http.StatusBadRequest, errFormBad)
		return
	}
	t := authorizeIn(choice.LanguageOf(r))
	q, trouble, code, text := readRequest(r.Form, t)
	p := page{Style: d.options.StyleSheet, Own: PathIssuer + "/authorize.css", Action: PathIssuer + "/authorize", Request: q, People: d.options.People,
		T: t, Theme: choice.ThemeOf(r), Languages: choice.Languages, To: PathIssuer + "/authorize?" + q.query().Encode()}
	switch {
	case trouble != "":
		p.Problem, p.People = trouble, nil
		p.Request = request{}
		d.show(w, http.StatusBadRequest, p)
		return
	case code != "":
		d.redirect(w, r, q, url.Values{"error": {code}, "error_description": {text}})
		return
	case r.Method != http.MethodPost:
		d.show(w, http.StatusOK, p)
		return
	}
	n := Named{Name: r.PostForm.Get("name"), Administrator: r.PostForm.Get("administrator") != ""}
	if i, err := strconv.Atoi(r.PostForm.Get("person")); err == nil && i >= 0 && i < len(d.options.People) {
		n = d.options.People[i]
	}
	n, err := named(n)
	if err != nil {
		p.Problem, p.Typed = t.BadName, r.PostForm.Get("name")
		d.show(w, http.StatusUnprocessableEntity, p)
		return
	}
	d.redirect(w, r, q, url.Values{"code": {d.codes.issue(grant{request: q, who: n}, d.options.Clock())}})
}

// redirect sends the browser back with an answer.
func (d *Development) redirect(w http.ResponseWriter, r *http.Request, q request, answer url.Values) {
	u, err := url.Parse(q.RedirectURI)
	if err != nil {
		refuse(w, http.StatusBadRequest, errFormBad)
		return
	}
	v := u.Query()
	for k := range answer {
		v.Set(k, answer.Get(k))
	}
	v.Set("iss", d.login.Issuer) // RFC 9207
	if q.State != "" {
		v.Set("state", q.State)
	}
	u.RawQuery = v.Encode()
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, u.String(), http.StatusSeeOther)
}

// style answers with what the page needs beside the portal's style sheet.
func (d *Development) style(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(authorizeStyle)
}

func (d *Development) show(w http.ResponseWriter, status int, p page) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", p.T.Lang)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	// Browsers hold redirects after a form against form-action too.
	back := ""
	if u, err := url.Parse(p.Request.RedirectURI); err == nil && u.Host != "" {
		back = " " + (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
	}
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; form-action 'self'"+back+"; frame-ancestors 'none'; base-uri 'none'")
	w.WriteHeader(status)
	_ = authorizeTemplate.Execute(w, p)
}
