package portal

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/coco-consortium/coco/internal/builder/identity"
	"github.com/coco-consortium/coco/internal/builder/portal/page"
	"github.com/coco-consortium/coco/internal/builder/workspace"
	"github.com/coco-consortium/coco/internal/problem"
)

// statusOf is the HTTP status of a problem.
func statusOf(err error) int {
	switch code := problem.CodeOf(err); {
	case errors.Is(err, workspace.ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, workspace.ErrForbidden):
		return http.StatusForbidden
	case code == "INTERNAL":
		return http.StatusInternalServerError
	case errors.Is(err, workspace.ErrDisabled), errors.Is(err, workspace.ErrBusy), errors.Is(err, workspace.ErrNotAllowedNow):
		return http.StatusConflict
	case code == "LEDGER_UNAVAILABLE", code == "ISSUER_DOWN", strings.HasPrefix(string(code), "STORE_"), strings.HasPrefix(string(code), "VAULT_"):
		return http.StatusServiceUnavailable
	default:
		return http.StatusBadRequest
	}
}

// failed answers an error with a page. A fault of ours says nothing of itself to
// strangers and is logged.
func (x *visit) failed(err error) {
	if errors.Is(err, context.Canceled) && x.r.Context().Err() != nil {
		return // nobody listens any more
	}
	x.p.fail(x.w, x.r, statusOf(err), err, x.viewer(), x.session.CSRF)
}

func (p *Portal) fail(w http.ResponseWriter, r *http.Request, status int, err error, viewer *page.Viewer, csrf string) {
	t := p.pages.Printer(r)
	f := &page.Failure{Frame: page.Frame{Viewer: viewer, CSRF: csrf}, Code: string(problem.CodeOf(err)), Links: []page.Link{{Text: t.T("failure.home"), URL: "/applications"}}}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		f.Frame.Path = "/applications"
	}
	f.Title = t.T("failure.400")
	if key := "failure." + strconv.Itoa(status); t.Has(key) {
		f.Title = t.T(key)
	}
	var known *problem.Error
	switch {
	case status == http.StatusNotFound:
		f.What = t.T("failure.404.text")
	case errors.As(err, &known) && status != http.StatusInternalServerError:
		f.What, f.Next, f.Tongue = t.Problem(string(known.Code), sentence(known.What), sentence(known.Next))
	default:
		f.What = t.T("failure.500.text")
		p.Logger.Error("a page failed", "path", r.URL.Path, "err", err)
	}
	if strings.TrimSuffix(f.What, ".") == f.Title {
		f.What = "" // once is enough
	}
	if err := p.pages.Draw(w, r, status, "failure", f); err != nil {
		p.Logger.Error("the page of a failure cannot be drawn", "err", err)
		http.Error(w, t.T("failure.500"), http.StatusInternalServerError)
	}
}

// sentence makes of a problem's clause a sentence.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	if !strings.ContainsAny(s[len(s)-1:], ".!?") {
		s += "."
	}
	first, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[n:]
}

// refused answers what the session's guard does not let through.
func (p *Portal) refused(w http.ResponseWriter, r *http.Request, status int, err error) {
	var viewer *page.Viewer
	csrf := ""
	if s := identity.SessionFrom(r.Context()); s != nil {
		viewer, csrf = &page.Viewer{Name: s.Claims.Name, SignOut: identity.PathSignOut}, s.CSRF
	}
	p.fail(w, r, status, err, viewer, csrf)
}

// guarded turns a fault of ours into a page and a line in the log.
func (p *Portal) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler { //nolint:errorlint // it is that very value
				panic(v)
			}
			p.Logger.Error("a page fell over", "path", r.URL.Path, "panic", v, "stack", string(debug.Stack()))
			p.refused(w, r, http.StatusInternalServerError, errors.New("panic"))
		}()
		next.ServeHTTP(w, r)
	})
}

// strange sends who is not signed in to sign in and back.
func (p *Portal) strange(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if r.Method == http.MethodGet && r.URL.Path != "/events" && r.Header.Get("X-Requested-With") == "" {
		http.Redirect(w, r, identity.PathSignIn+"?to="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		return
	}
	p.entrance(w, r, http.StatusUnauthorized, "failure.signin", identity.PathSignIn)
}

// entrance is a page for who is not signed in, with a link to do so.
func (p *Portal) entrance(w http.ResponseWriter, r *http.Request, status int, title, link string) {
	t := p.pages.Printer(r)
	f := &page.Failure{Frame: page.Frame{Title: t.T(title), Path: "/"}, What: t.T(title + ".text"), Links: []page.Link{{Text: t.T("signin"), URL: link}}}
	if err := p.pages.Draw(w, r, status, "failure", f); err != nil {
		http.Error(w, t.T(title), status)
	}
}

func (p *Portal) signIn(w http.ResponseWriter, r *http.Request) {
	if err := p.Sessions.SignIn(w, r); err != nil {
		p.entranceFailed(w, r, err)
	}
}

func (p *Portal) signedIn(w http.ResponseWriter, r *http.Request) {
	to, err := p.Sessions.Callback(w, r)
	if err != nil {
		p.entranceFailed(w, r, err)
		return
	}
	http.Redirect(w, r, identity.Local(to), http.StatusSeeOther)
}

// entranceFailed says why somebody could not sign in, and offers to try again.
func (p *Portal) entranceFailed(w http.ResponseWriter, r *http.Request, err error) {
	t := p.pages.Printer(r)
	f := &page.Failure{Frame: page.Frame{Title: t.T("failure.signin"), Path: "/"}, Code: string(problem.CodeOf(err)), Links: []page.Link{{Text: t.T("signin"), URL: identity.PathSignIn}}}
	if f.Code == "ISSUER_DOWN" {
		f.Title = t.T("failure.issuer")
	}
	var known *problem.Error
	if errors.As(err, &known) {
		f.What, f.Next, f.Tongue = t.Problem(string(known.Code), sentence(known.What), sentence(known.Next))
	} else {
		p.Logger.Error("signing in failed", "err", err)
		f.What = t.T("failure.500.text")
	}
	if err := p.pages.Draw(w, r, statusOf(err), "failure", f); err != nil {
		http.Error(w, f.Title, http.StatusInternalServerError)
	}
}

func (p *Portal) signOut(w http.ResponseWriter, r *http.Request) {
	err := p.Sessions.SignOut(w, r)
	if session := identity.SessionFrom(r.Context()); session != nil {
		p.streams.end(session.ID) // it ended here, even if a restart will not know
	}
	if err != nil {
		p.refused(w, r, http.StatusInternalServerError, err)
		return
	}
	http.Redirect(w, r, "/signed-out", http.StatusSeeOther)
}

func (p *Portal) signedOut(w http.ResponseWriter, r *http.Request) {
	p.entrance(w, r, http.StatusOK, "signedout", identity.PathSignIn+"?prompt=login")
}
