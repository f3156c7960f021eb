// Package portal is App Builder in a browser: pages drawn by the server for
// business people, developers and administrators. It asks the workspace for
// everything and decides nothing: what a person may not see is not there, what
// they may not do answers as the workspace says.
//
// Pages are links, forms and redirects (post, redirect, get); the script that
// comes with them makes them quicker. The package page draws, this one fills.
package portal

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/coco-consortium/coco/internal/builder/identity"
	"github.com/coco-consortium/coco/internal/builder/portal/page"
	"github.com/coco-consortium/coco/internal/builder/workspace"
)

// Options are what the portal stands on.
type Options struct {
	Workspace *workspace.Workspace
	Sessions  *identity.Sessions
	Clock     func() time.Time // nil is time.Now
	Logger    *slog.Logger     // nil is silence
	Heartbeat time.Duration    // of event streams; 0 is 20 s
	Slowest   time.Duration    // how long a browser may take to accept an event; 0 is 15 s
}

// Portal serves the pages.
type Portal struct {
	Options
	pages   *page.Set
	handler http.Handler
	uploads once
	streams streams
	marks   marks
}

// New makes the portal. It takes all paths except those of the gateway and of
// the development login.
func New(o Options) (*Portal, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = 20 * time.Second
	}
	if o.Slowest == 0 {
		o.Slowest = 15 * time.Second
	}
	pages, err := page.New(o.Clock)
	if err != nil {
		return nil, err
	}
	p := &Portal{Options: o, pages: pages}
	if p.marks, err = newMarks(); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	p.routes(mux)
	behind := o.Sessions.Middleware(p.refused, p.guarded(mux))
	outer := http.NewServeMux()
	outer.Handle("GET /assets/", pages.Assets())
	outer.Handle("/settings", pages.Settings())
	outer.Handle("/", behind)
	p.handler = outer
	return p, nil
}

// ServeHTTP answers a request.
func (p *Portal) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.handler.ServeHTTP(w, r) }

func (p *Portal) routes(mux *http.ServeMux) {
	mux.Handle("GET /design", p.pages.Design())
	mux.Handle("GET /design/", p.pages.Design())
	mux.HandleFunc("GET "+identity.PathSignIn, p.signIn)
	mux.HandleFunc("GET "+identity.PathCallback, p.signedIn)
	mux.HandleFunc("POST "+identity.PathSignOut, p.signOut)
	mux.HandleFunc("GET /signed-out", p.signedOut)
	for pattern, f := range map[string]func(*visit) error{
		"GET /{$}":          func(x *visit) error { return x.redirect("/applications") },
		"GET /applications": applications,
		"GET /events":       events,
		"POST /checks":      checks,

		"GET /applications/new":                 upload,
		"POST /applications/new":                upload,
		"GET /applications/{app}":               application,
		"GET /applications/{app}/versions":      versions,
		"GET /applications/{app}/versions/new":  upload,
		"POST /applications/{app}/versions/new": upload,
		"POST /applications/{app}/turn/{to}":    turn,

		"GET /applications/{app}/workflows/{workflow}":          contracts,
		"GET /applications/{app}/workflows/{workflow}/columns":  columns,
		"POST /applications/{app}/workflows/{workflow}/columns": columns,
		"GET /applications/{app}/workflows/{workflow}/new":      create,
		"POST /applications/{app}/workflows/{workflow}/new":     create,

		"GET /contracts/{contract}":                           contract,
		"GET /contracts/{contract}/act/{function}":            act,
		"POST /contracts/{contract}/act/{function}":           act,
		"GET /contracts/{contract}/ask/{function}":            ask,
		"POST /contracts/{contract}/ask/{function}":           ask,
		"GET /contracts/{contract}/activity/{action}/proof":   proof,
		"GET /contracts/{contract}/activity/{action}/receipt": receipt,

		"GET /applications/{app}/members":                  members,
		"GET /applications/{app}/members/new":              addMember,
		"POST /applications/{app}/members/new":             addMember,
		"GET /applications/{app}/members/{member}/change":  changeMember,
		"POST /applications/{app}/members/{member}/change": changeMember,
		"GET /applications/{app}/members/{member}/remove":  removeMember,
		"POST /applications/{app}/members/{member}/remove": removeMember,
		"GET /people":                                         people,
		"GET /people/new":                                     addPerson,
		"POST /people/new":                                    addPerson,
		"GET /people/{person}":                                person,
		"GET /ledger":                                         connections,
		"GET /ledger/{connection}/blocks":                     blocks,
		"GET /ledger/{connection}/blocks/{block}":             block,
		"GET /ledger/{connection}/transactions":               transactions,
		"GET /ledger/{connection}/transactions/{transaction}": transaction,
	} {
		mux.Handle(pattern, p.seen(f))
	}
	mux.Handle("/", p.seen(func(*visit) error { return workspace.ErrNotFound }))
}

// visit is one request of somebody who signed in.
type visit struct {
	*page.Printer
	p       *Portal
	w       http.ResponseWriter
	r       *http.Request
	session *identity.Session
	person  *workspace.Person
	names   map[string]string // of addresses, as far as looked up
	since   string            // names the state of the store before anything was read
}

// ctx is the request's context.
func (x *visit) ctx() context.Context { return x.r.Context() }

// seen gives f the person that asks, and answers its error. Who is not signed in
// is sent to sign in, and comes back.
func (p *Portal) seen(f func(*visit) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &visit{Printer: p.pages.Printer(r), p: p, w: w, r: r, session: identity.SessionFrom(r.Context()), names: map[string]string{}, since: p.marked(p.Workspace.Sequence())}
		if x.session == nil {
			p.strange(w, r)
			return
		}
		var err error
		if x.person, err = p.Workspace.As(r.Context(), &x.session.Claims); err == nil {
			err = f(x)
		}
		if err != nil {
			x.failed(err)
		}
	})
}

// frame is what all pages have around them. section is the navigation's.
func (x *visit) frame(title, section string, crumbs ...page.Link) page.Frame {
	f := page.Frame{Title: title, Section: section, Crumbs: crumbs, CSRF: x.session.CSRF, Path: x.r.URL.RequestURI(), Viewer: x.viewer(), Since: x.since}
	if done := "done." + x.r.URL.Query().Get("done"); done != "done." && x.Has(done) {
		f.Notice = &page.Notice{Tone: "good", Text: x.T(done)}
	}
	return f
}

func (x *visit) viewer() *page.Viewer {
	v := &page.Viewer{Name: x.session.Claims.Name, Email: x.session.Claims.Email, SignOut: identity.PathSignOut}
	if x.person != nil {
		v.Name, v.Administrator = workspace.DisplayName(&x.person.Person), x.person.Administrator
	}
	return v
}

// draw answers with a page.
func (x *visit) draw(name string, p page.Page) error { return x.drawAs(http.StatusOK, name, p) }

func (x *visit) drawAs(status int, name string, p page.Page) error {
	return x.p.pages.Draw(x.w, x.r, status, name, p)
}

// redirect goes on to another page with GET.
func (x *visit) redirect(to string) error {
	x.w.Header().Set("Cache-Control", "no-store")
	http.Redirect(x.w, x.r, to, http.StatusSeeOther)
	return nil
}

// id is a part of the path that names a row; what is no number names nothing.
func (x *visit) id(name string) (int, error) {
	n, err := strconv.Atoi(x.r.PathValue(name))
	if err != nil || n < 1 {
		return 0, workspace.ErrNotFound
	}
	return n, nil
}

const usualTop = 50

// part is which part of a list the query asks for.
func (x *visit) part() workspace.Page {
	skip, _ := strconv.Atoi(x.r.URL.Query().Get("skip"))
	return workspace.Page{Skip: max(skip, 0), Top: usualTop}
}

// pager says where a list's page is. total 0 is not known.
func (x *visit) pager(q workspace.Page, shown, total int, more, atLeast bool) page.Pager {
	g := page.Pager{From: q.Skip + 1, To: q.Skip + shown, Total: max(total, q.Skip+shown), AtLeast: atLeast || more && total <= q.Skip+shown}
	if shown == 0 {
		g.From, g.To = 0, 0
	}
	if q.Skip > 0 {
		g.Previous = x.with("skip", skip(q.Skip-q.Top))
	}
	if more {
		g.Next = x.with("skip", skip(q.Skip+q.Top))
	}
	return g
}

func skip(n int) string {
	if n <= 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// with is this page's address with values of its query changed; "" leaves one out.
func (x *visit) with(pairs ...string) string {
	q := x.r.URL.Query()
	q.Del("done")
	for i := 0; i < len(pairs); i += 2 {
		if q.Del(pairs[i]); pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	u := url.URL{Path: x.r.URL.Path, RawQuery: q.Encode()}
	return u.String()
}
