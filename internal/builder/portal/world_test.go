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
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/builder/dispatch"
	"github.com/coco-consortium/coco/internal/builder/identity"
	"github.com/coco-consortium/coco/internal/builder/indexer"
	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/ledger/simulated"
	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/offchain/binding"
	"github.com/coco-consortium/coco/internal/builder/sample"
	"github.com/coco-consortium/coco/internal/builder/solidity"
	"github.com/coco-consortium/coco/internal/builder/vault"
	"github.com/coco-consortium/coco/internal/builder/workspace"
)

// patience is how long something may take that is waited for.
const patience = time.Minute

// world is a whole App Builder with pages and without a gateway, in front of a
// ledger in memory. Alice administers; Bob sells, Carol buys, Dave inspects; Eve
// has no role.
type world struct {
	t        testing.TB
	store    *offchain.Store
	server   *httptest.Server
	browsers map[string]*browser
	purchase *offchain.Application
}

// browser is somebody's, with their cookies; it follows redirects.
type browser struct {
	w    *world
	name string
	http *http.Client
}

// made gives what compiling the samples gave.
type made struct{}

func (made) Output(_ context.Context, name string, code []byte) (*solidity.Output, error) {
	if out := sample.Output(code); out != nil {
		return out, nil
	}
	return &solidity.Output{Messages: []solidity.Message{{Severity: "error", File: name, Line: 1, Column: 1, Text: "it does not compile"}}}, nil
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, browsers: map[string]*browser{}}
	dir := t.TempDir()
	people := append([]identity.Named{{Name: "Eve Ekman"}}, sample.People...)
	listener := httptest.NewUnstartedServer(nil)
	base := "http://" + listener.Listener.Addr().String()
	login, err := identity.NewDevelopment(identity.DevelopmentOptions{Dir: dir, Issuer: base + identity.PathIssuer, People: people})
	w.must(err)
	oidc, err := identity.NewOIDC(login.Options())
	w.must(err)
	sessions, err := identity.NewSessions(oidc, identity.SessionOptions{Dir: dir})
	w.must(err)
	keyFile := filepath.Join(t.TempDir(), "key")
	w.must(vault.NewKeyFile(keyFile))
	keys, err := vault.Open(t.Context(), vault.Options{Dir: filepath.Join(dir, "vault"), KeyFile: keyFile})
	w.must(err)
	t.Cleanup(func() { keys.Close() })

	chain := simulated.New(simulated.Options{})
	drivers, book := map[int]ledger.Driver{}, binding.New()
	index := indexer.New(indexer.Options{Book: book, Drivers: drivers})
	w.store, err = offchain.Open(t.Context(), offchain.Options{Dir: dir, Source: index})
	w.must(err)
	index.Store = w.store
	connection, err := w.store.Do(t.Context(), &offchain.ConnectionAdded{LedgerID: 1, Endpoint: "http://127.0.0.1:8545", Kind: "coco", ChainID: simulated.ChainID, Genesis: chain.Genesis()})
	w.must(err)
	drivers[connection.ID] = chain
	send := dispatch.New(dispatch.Options{Store: w.store, Book: book, Drivers: drivers, Vault: keys})
	space := workspace.New(workspace.Options{Store: w.store, Book: book, Compiler: made{}, Drivers: drivers, Default: connection.ID, Vault: keys})
	pages, err := New(Options{Workspace: space, Sessions: sessions, Heartbeat: 50 * time.Millisecond})
	w.must(err)
	mux := http.NewServeMux()
	mux.Handle(identity.PathIssuer+"/", login.Handler())
	mux.Handle("/", pages)
	listener.Config.Handler = mux
	listener.Start()
	w.server = listener

	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() { space.Follow(ctx) })
	group.Go(func() { index.Run(ctx) })
	group.Go(func() { send.Run(ctx) })
	t.Cleanup(func() {
		w.server.CloseClientConnections()
		w.server.Close()
		cancel()
		group.Wait()
		w.store.Close()
	})
	for _, p := range people {
		w.browsers[strings.ToLower(strings.Fields(p.Name)[0])] = w.signIn(p.Name)
	}
	w.settle(space)
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
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
	form := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(page, -1) {
		form.Set(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
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
	form := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(page, -1) {
		form.Set(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	for i := 0; i < len(values); i += 2 {
		form.Set(values[i], values[i+1])
	}
	return form
}

// until waits until a condition holds, which is looked at when something changed.
func (w *world) until(what string, holds func() bool) {
	w.t.Helper()
	changes, stop := w.store.Watch()
	defer stop()
	late := time.After(patience)
	for !holds() {
		select {
		case <-changes:
		case <-late:
			w.t.Fatalf("%s: not within %v", what, patience)
		}
	}
}
