package portal

import (
	"bytes"
	"context"
	"html"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/builder/buildertest"
	"github.com/coco-consortium/coco/internal/builder/identity"
	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/sample"
	"github.com/coco-consortium/coco/internal/builder/workspace"
)

// patience is how long something may take that is waited for.
const patience = buildertest.Patience

// world is a whole App Builder with pages and without a gateway, in front of a
// ledger in memory. Alice administers; Bob sells, Carol buys, Dave inspects; Eve
// has no role.
type world struct {
	t        testing.TB
	house    *buildertest.House
	store    *offchain.Store
	server   *httptest.Server
	pages    *Portal
	ahead    atomic.Int64 // nanoseconds that the clock of pages and sessions is ahead
	browsers map[string]*browser
	purchase *offchain.Application
}

// browser is somebody's, with their cookies; it follows redirects.
type browser struct {
	w    *world
	name string
	http *http.Client
}

func newWorld(t testing.TB) *world {
	t.Helper()
	people := append([]identity.Named{{Name: "Eve Ekman"}}, sample.People...)
	listener := httptest.NewUnstartedServer(nil)
	base := "http://" + listener.Listener.Addr().String()
	house := buildertest.New(t, identity.DevelopmentOptions{Issuer: base + identity.PathIssuer, People: people})
	w := &world{t: t, house: house, store: house.Store, browsers: map[string]*browser{}}
	clock := func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }
	sessions, err := identity.NewSessions(house.OIDC, identity.SessionOptions{Dir: house.Dir, Clock: clock})
	w.must(err)
	w.pages, err = New(Options{Workspace: house.Workspace, Sessions: sessions, Clock: clock, Heartbeat: 50 * time.Millisecond, Slowest: 100 * time.Millisecond})
	w.must(err)
	mux := http.NewServeMux()
	mux.Handle(identity.PathIssuer+"/", house.Login.Handler())
	mux.Handle("/", w.pages)
	listener.Config.Handler = mux
	listener.Start()
	w.server = listener

	t.Cleanup(func() {
		w.server.CloseClientConnections()
		w.server.Close()
	})
	for _, p := range people {
		w.browsers[strings.ToLower(strings.Fields(p.Name)[0])] = w.signIn(p.Name)
	}
	w.settle(house.Workspace)
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	w.house.Must(err)
}

func (w *world) externalID(name string) string { return identity.ExternalID(name, false) }

var freight = sample.All[1]

// settle installs the purchase sample through the pages, and gives its roles.
func (w *world) settle(space *workspace.Workspace) {
	a := sample.All[0]
	who, err := space.As(w.t.Context(), &identity.Claims{ExternalID: identity.ExternalID("Alice Adler", false), Name: "Alice Adler", Administrator: true})
	w.must(err)
	id, _, err := who.Deploy(w.t.Context(), a.ConfigurationName, a.Configuration, a.CodeName, a.Code)
	w.must(err)
	w.purchase, err = w.store.Application(w.t.Context(), id)
	w.must(err)
	for name, role := range map[string]string{"Bob Berger": "Seller", "Carol Chen": "Buyer", "Dave Diallo": "Inspector"} {
		p, err := w.store.PersonByExternalID(w.t.Context(), identity.ExternalID(name, false))
		w.must(err)
		for _, r := range w.purchase.Roles {
			if r.Name == role {
				_, err := who.Assign(w.t.Context(), id, p.ID, r.ID)
				w.must(err)
			}
		}
	}
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// kept are the hidden fields of a page.
func kept(page string) url.Values {
	form := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(page, -1) {
		form.Set(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	return form
}

// signIn goes the whole way: portal, issuer, choice of a person, and back.
func (w *world) signIn(name string) *browser {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	w.must(err)
	b := &browser{w: w, name: name, http: &http.Client{Jar: jar}}
	status, page, at := b.ask(http.MethodGet, "/applications", nil)
	if status != http.StatusOK || !strings.HasPrefix(at.Path, identity.PathIssuer) {
		w.t.Fatalf("signing in: %d at %s: %s", status, at, page)
	}
	form := kept(page)
	for i, offer := range strings.Split(page, `name="person"`)[1:] {
		if strings.Contains(offer, ">"+name+"<") {
			form.Set("person", strconv.Itoa(i))
		}
	}
	action := regexp.MustCompile(`action="([^"]*)"`).FindStringSubmatch(page)[1]
	if status, page, at = b.ask(http.MethodPost, action, form); status != http.StatusOK || at.Path != "/applications" {
		w.t.Fatalf("%s signed in: %d at %s: %s", name, status, at, page)
	}
	return b
}

// ask sends a request as the browser would, and gives where it ended.
func (b *browser) ask(method, path string, form url.Values) (int, string, *url.URL) {
	b.w.t.Helper()
	ctx, cancel := context.WithTimeout(b.w.t.Context(), patience)
	defer cancel()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(ctx, method, b.w.server.URL+path, body)
	b.w.must(err)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", b.w.server.URL)
	}
	answer, err := b.http.Do(r)
	b.w.must(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	b.w.must(err)
	return answer.StatusCode, string(text), answer.Request.URL
}

// upload sends two files with one request id for all uploads of a path.
func (b *browser) upload(path, configurationName, configuration, codeName, code string) (int, string) {
	b.w.t.Helper()
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	m.WriteField("csrf", b.csrf())
	m.WriteField("request", "upload to "+path)
	for _, f := range [][3]string{{"configuration", configurationName, configuration}, {"code", codeName, code}} {
		if f[1] == "" {
			continue
		}
		part, err := m.CreateFormFile(f[0], f[1])
		b.w.must(err)
		io.WriteString(part, f[2])
	}
	m.Close()
	r, err := http.NewRequestWithContext(b.w.t.Context(), http.MethodPost, b.w.server.URL+path, &body)
	b.w.must(err)
	r.Header.Set("Content-Type", m.FormDataContentType())
	r.Header.Set("Origin", b.w.server.URL)
	answer, err := b.http.Do(r)
	b.w.must(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	b.w.must(err)
	return answer.StatusCode, string(text)
}

// see opens a page.
func (b *browser) see(path string) (int, string) {
	b.w.t.Helper()
	status, text, _ := b.ask(http.MethodGet, path, nil)
	return status, text
}

// send fills and sends the form of a page: what is hidden in it stays.
func (b *browser) send(path string, values ...string) (int, string, *url.URL) {
	b.w.t.Helper()
	return b.ask(http.MethodPost, path, b.form(path, values...))
}

func (b *browser) form(path string, values ...string) url.Values {
	b.w.t.Helper()
	status, page := b.see(path)
	if status != http.StatusOK {
		b.w.t.Fatalf("%s sees %s: %d %s", b.name, path, status, page)
	}
	if i := strings.Index(page, `<form class="form" method="post"`); i >= 0 {
		page = page[i:]
	}
	form := kept(page)
	for i := 0; i < len(values); i += 2 {
		form.Set(values[i], values[i+1])
	}
	return form
}

// until waits until a condition holds, which is looked at when something changed.
func (w *world) until(what string, holds func() bool) {
	w.t.Helper()
	w.house.Until(what, holds)
}
