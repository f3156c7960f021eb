package identity

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/problem"
)

// portal is a small portal with the development login, over HTTP.
type portal struct {
	*httptest.Server
	dir      string
	clock    *clock
	dev      *Development
	oidc     *OIDC
	sessions *Sessions
}

func newPortal(t testing.TB, change func(*SessionOptions)) *portal {
	t.Helper()
	p := &portal{dir: t.TempDir(), clock: newClock()}
	p.start(t, change)
	return p
}

// start makes the portal, or makes it again over the same directory.
func (p *portal) start(t testing.TB, change func(*SessionOptions)) {
	t.Helper()
	var handler http.Handler
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(p.Close)
	var err error
	p.dev, err = NewDevelopment(DevelopmentOptions{Dir: p.dir, Issuer: p.URL + PathIssuer, Clock: p.clock.now, People: []Named{
		{Name: "Alice Archer", Administrator: true}, {Name: "Bob", Roles: []string{"Buyer", "Seller"}}, {Name: "Meter", Client: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if p.oidc, err = NewOIDC(p.dev.Options()); err != nil {
		t.Fatal(err)
	}
	o := SessionOptions{Dir: p.dir, Clock: p.clock.now}
	if change != nil {
		change(&o)
	}
	if p.sessions, err = NewSessions(p.oidc, o); err != nil {
		t.Fatal(err)
	}
	fail := func(w http.ResponseWriter, err error) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, string(problem.CodeOf(err)))
	}
	m := http.NewServeMux()
	m.HandleFunc("GET "+PathSignIn, func(w http.ResponseWriter, r *http.Request) {
		if err := p.sessions.SignIn(w, r); err != nil {
			fail(w, err)
		}
	})
	m.HandleFunc("GET "+PathCallback, func(w http.ResponseWriter, r *http.Request) {
		to, err := p.sessions.Callback(w, r)
		if err != nil {
			fail(w, err)
			return
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
	})
	m.HandleFunc("POST "+PathSignOut, func(w http.ResponseWriter, r *http.Request) {
		if err := p.sessions.SignOut(w, r); err != nil {
			fail(w, err)
		}
	})
	m.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if s := SessionFrom(r.Context()); s != nil {
			_ = json.NewEncoder(w).Encode(s)
		}
	})
	all := http.NewServeMux()
	all.Handle(PathIssuer+"/", p.dev.Handler())
	all.Handle("/", p.sessions.Middleware(nil, m))
	handler = LoopbackOnly(all)
}

// browser keeps cookies and follows redirects.
func browser(t testing.TB) *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar}
}

func body(t testing.TB, r *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// fields are the hidden fields of a page.
func fields(page string) url.Values {
	v := url.Values{}
	for _, part := range strings.Split(page, `<input type="hidden" name="`)[1:] {
		name, rest, _ := strings.Cut(part, `" value="`)
		value, _, _ := strings.Cut(rest, `"`)
		v.Set(name, strings.NewReplacer("&amp;", "&", "&#43;", "+", "&#34;", `"`).Replace(value))
	}
	return v
}

// signIn signs a browser in and gives the session as the page sees it.
func (p *portal) signIn(t testing.TB, b *http.Client, to string, who url.Values) Session {
	t.Helper()
	r, err := b.Get(p.URL + PathSignIn + "?to=" + url.QueryEscape(to))
	v := fields(body(t, r, err))
	for k := range who {
		v.Set(k, who.Get(k))
	}
	r, err = b.PostForm(p.URL+PathIssuer+"/authorize", v)
	text := body(t, r, err)
	var s Session
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatalf("%s: %s", r.Request.URL, text)
	}
	return s
}

func (p *portal) session(t testing.TB, b *http.Client) string {
	t.Helper()
	r, err := b.Get(p.URL + "/page")
	return body(t, r, err)
}

func TestSignIn(t *testing.T) {
	p := newPortal(t, nil)
	b := browser(t)
	r, err := b.Get(p.URL + PathSignIn + "?to=%2Fcontracts%3Fid%3D7")
	page := body(t, r, err)
	for _, want := range []string{"Alice Archer", "Buyer, Seller", "Administrator", DevelopmentWarning, "/assets/app.css"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not show %q", want)
		}
	}
	if strings.Contains(page, "<script") || !strings.Contains(r.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
		t.Error("the page wants a script, or can be framed")
	}
	v := fields(page)
	v.Set("person", "0")
	r, err = b.PostForm(p.URL+PathIssuer+"/authorize", v)
	var s Session
	if err := json.Unmarshal([]byte(body(t, r, err)), &s); err != nil {
		t.Fatal(err)
	}
	if got := r.Request.URL.RequestURI(); got != "/contracts?id=7" {
		t.Errorf("came to %s", got)
	}
	want := Claims{Issuer: p.URL + PathIssuer, Subject: ExternalID("Alice Archer", false), ExternalID: ExternalID("alice  archer", false), GivenName: "Alice",
		FamilyName: "Archer", Name: "Alice Archer", Email: "alice.archer@example.com", Administrator: true, Expires: p.clock.now().Add(8 * time.Hour)}
	if got := s.Claims; !got.Expires.Equal(want.Expires) {
		t.Error(got.Expires)
	} else if got.Expires = want.Expires; got != want {
		t.Errorf("%+v", got)
	}
	// The same browser as another, then out.
	if s := p.signIn(t, b, "/", url.Values{"person": {"1"}}); s.Claims.Name != "Bob" || s.Claims.Administrator {
		t.Errorf("%+v", s.Claims)
	}
	if s = p.signIn(t, b, "/", url.Values{"name": {" Carol  <script> "}}); s.Claims.Name != "Carol <script>" || s.Claims.Administrator {
		t.Errorf("%+v", s.Claims)
	}
	if s = p.signIn(t, b, "/", url.Values{"name": {"Dan"}, "administrator": {"yes"}}); !s.Claims.Administrator {
		t.Errorf("%+v", s.Claims)
	}
	jar := b.Jar.Cookies(must(url.Parse(p.URL)))
	r, err = b.PostForm(p.URL+PathSignOut, url.Values{FieldCSRF: {s.CSRF}})
	if text := body(t, r, err); r.StatusCode != http.StatusOK {
		t.Error(text)
	}
	if text := p.session(t, b); text != "" {
		t.Error("still signed in", text)
	}
	// The cookie that somebody kept is worth nothing, also after a restart.
	kept := browser(t)
	kept.Jar.SetCookies(must(url.Parse(p.URL)), jar)
	if text := p.session(t, kept); text != "" {
		t.Error("the old cookie still signs in", text)
	}
	p.Close()
	p.start(t, nil)
	kept.Jar.SetCookies(must(url.Parse(p.URL)), jar)
	if text := p.session(t, kept); text != "" {
		t.Error("the old cookie signs in after a restart", text)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestOtherNames signs in under another name of this machine than the issuer's.
func TestOtherNames(t *testing.T) {
	p := newPortal(t, func(o *SessionOptions) { o.BaseURL = "http://127.0.0.1:7700" })
	at := p.URL
	p.URL = strings.Replace(at, "127.0.0.1", "localhost", 1)
	if s := p.signIn(t, browser(t), "/", url.Values{"person": {"0"}}); s.Claims.Name != "Alice Archer" || s.Claims.Issuer != at+PathIssuer {
		t.Errorf("%+v", s)
	}
}

func TestRestartKeepsSessions(t *testing.T) {
	p := newPortal(t, nil)
	b := browser(t)
	s := p.signIn(t, b, "/", url.Values{"person": {"0"}})
	old := must(url.Parse(p.URL))
	p.Close()
	p.start(t, nil)
	b.Jar.SetCookies(must(url.Parse(p.URL)), b.Jar.Cookies(old))
	if text := p.session(t, b); !strings.Contains(text, s.ID) {
		t.Error("signed out by a restart", text)
	}
}

func TestSessionEnds(t *testing.T) {
	p := newPortal(t, nil)
	b := browser(t)
	p.signIn(t, b, "/", url.Values{"person": {"0"}})
	for range 9 {
		p.clock.pass(50 * time.Minute) // never idle for an hour
		if text := p.session(t, b); text == "" {
			t.Fatal("ended while in use")
		}
	}
	p.clock.pass(30 * time.Minute) // eight hours in all
	if text := p.session(t, b); text != "" {
		t.Error("lives beyond its absolute end", text)
	}
	b = browser(t)
	s := p.signIn(t, b, "/", url.Values{"person": {"0"}})
	p.clock.pass(time.Hour)
	if text := p.session(t, b); text != "" {
		t.Error("lives though idle", text)
	}
	if p.sessions.Valid(&s) {
		t.Error("an idle session is valid")
	}
}

func TestCookie(t *testing.T) {
	p := newPortal(t, nil)
	at := must(url.Parse(p.URL))
	b := browser(t)
	p.signIn(t, b, "/", url.Values{"person": {"0"}})
	good := b.Jar.Cookies(at)[0]
	try := func(cookies ...string) string {
		r := must(http.NewRequest(http.MethodGet, p.URL+"/page", nil))
		for _, c := range cookies {
			r.Header.Add("Cookie", good.Name+"="+c)
		}
		answer, err := http.DefaultClient.Do(r)
		return body(t, answer, err)
	}
	if try(good.Value) == "" {
		t.Fatal("the good cookie does not sign in")
	}
	for i := range good.Value {
		bad := []byte(good.Value)
		bad[i] = 'A' + (bad[i]+1)%26
		if string(bad) != good.Value && try(string(bad)) != "" {
			t.Fatalf("a cookie changed at %d signs in", i)
		}
	}
	// A cookie of another kind, sealed by the same key; and two of one name.
	other, err := p.sessions.seal.seal("coco-sign-in-x", Session{ID: "x", CSRF: "y", Claims: Claims{Expires: p.clock.now().Add(time.Hour)}, Seen: p.clock.now()})
	if err != nil || try(other) != "" || try(good.Value, good.Value) != "" || try("") != "" || try(strings.Repeat("A", 5000)) != "" {
		t.Error("something signs in that is no session", err)
	}

	// Attributes, over TLS and without.
	w := httptest.NewRecorder()
	_ = p.sessions.start(w, &Claims{Subject: "x"})
	c := w.Result().Cookies()[0]
	if c.Name != "coco-session" || !c.HttpOnly || c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
		t.Errorf("%+v", c)
	}
	secure, err := NewSessions(p.oidc, SessionOptions{Dir: p.dir, BaseURL: "https://coco.example/"})
	if err != nil {
		t.Fatal(err)
	}
	w = httptest.NewRecorder()
	_ = secure.start(w, &Claims{Subject: strings.Repeat("x", 255), ExternalID: strings.Repeat("x", 255), Issuer: strings.Repeat("x", 255),
		GivenName: strings.Repeat("é", 100), FamilyName: strings.Repeat("é", 100), Name: strings.Repeat("é", 100), Email: strings.Repeat("x", 254)})
	if c = w.Result().Cookies()[0]; c.Name != "__Host-coco-session" || !c.HttpOnly || !c.Secure || c.Path != "/" || c.Domain != "" || len(c.Value) > maxCookie {
		t.Errorf("%+v", c)
	}
	for _, bad := range []string{"http://coco.example", "coco.example", "https://coco.example/path", "https://u@coco.example"} {
		_, err := NewSessions(p.oidc, SessionOptions{Dir: p.dir, BaseURL: bad})
		code(t, err, "PORTAL_URL_INVALID")
	}
	_, err = NewSessions(newIssuer().oidc(t), SessionOptions{Dir: p.dir})
	code(t, err, "PORTAL_URL_INVALID")
}

func TestForms(t *testing.T) {
	p := newPortal(t, func(o *SessionOptions) { o.MaxForm = 100_000 })
	b := browser(t)
	s := p.signIn(t, b, "/", url.Values{"person": {"0"}})
	upload := func(token string, size int) (*http.Request, string) {
		var form bytes.Buffer
		m := multipart.NewWriter(&form)
		if token != "" {
			_ = m.WriteField(FieldCSRF, token)
		}
		w, _ := m.CreateFormFile("file", "a.sol")
		_, _ = w.Write(make([]byte, size))
		_ = m.Close()
		r := must(http.NewRequest(http.MethodPost, p.URL+"/page", &form))
		r.Header.Set("Content-Type", m.FormDataContentType())
		return r, m.FormDataContentType()
	}
	post := func(method, kind, text string, header ...string) *http.Request {
		r := must(http.NewRequest(method, p.URL+"/page", strings.NewReader(text)))
		r.Header.Set("Content-Type", kind)
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		return r
	}
	const form = "application/x-www-form-urlencoded"
	good := FieldCSRF + "=" + s.CSRF
	uploaded := func(token string, size int) *http.Request { r, _ := upload(token, size); return r }
	for name, c := range map[string]struct {
		r    *http.Request
		want int
	}{
		"with the token":          {post("POST", form, good), 200},
		"with the header":         {post("POST", "application/json", "{}", HeaderCSRF, s.CSRF), 200},
		"by DELETE":               {post("DELETE", "", "", HeaderCSRF, s.CSRF), 200},
		"from our page":           {post("POST", form, good, "Sec-Fetch-Site", "same-origin"), 200},
		"from our origin":         {post("POST", form, good, "Origin", p.URL), 200},
		"upload":                  {uploaded(s.CSRF, 90_000), 200},
		"without":                 {post("POST", form, "a=b"), 403},
		"JSON without":            {post("POST", "application/json", "{}"), 403},
		"DELETE without":          {post("DELETE", "", ""), 403},
		"empty":                   {post("POST", form, FieldCSRF+"="), 403},
		"another's":               {post("POST", form, FieldCSRF+"="+strings.Repeat("A", len(s.CSRF))), 403},
		"token in the query":      {post("POST", form, ""), 403},
		"upload without":          {uploaded("", 10), 403},
		"from another site":       {post("POST", form, good, "Sec-Fetch-Site", "cross-site"), 403},
		"from a site beside":      {post("POST", form, good, "Sec-Fetch-Site", "same-site"), 403},
		"from another origin":     {post("POST", form, good, "Origin", "https://evil.example"), 403},
		"from no origin":          {post("POST", form, good, "Origin", "null"), 403},
		"large":                   {post("POST", form, good+"&x="+strings.Repeat("x", 100_000)), 413},
		"large upload":            {uploaded(s.CSRF, 200_000), 413},
		"broken":                  {post("POST", form, "%zz"), 400},
		"broken upload":           {post("POST", "multipart/form-data; boundary=x", "what"), 400},
		"a method that is no one": {post("FROB", form, "a=b"), 403},
	} {
		if name == "token in the query" {
			c.r.URL.RawQuery = good
		}
		answer, err := b.Do(c.r)
		if text := body(t, answer, err); answer.StatusCode != c.want {
			t.Errorf("%s: %d, not %d: %s", name, answer.StatusCode, c.want, text)
		}
	}
}

// TestUploadsStayInMemory: what is uploaded may be secret and touches no disk.
func TestUploadsStayInMemory(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	p := newPortal(t, nil)
	var form bytes.Buffer
	m := multipart.NewWriter(&form)
	for range 3 {
		w, _ := m.CreateFormFile("file", "a.zip")
		_, _ = w.Write(make([]byte, 5<<20))
	}
	_ = m.Close()
	seen := 0
	h := p.sessions.Middleware(nil, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen = len(r.MultipartForm.File["file"])
		files, _ := os.ReadDir(temp)
		if len(files) > 0 {
			t.Errorf("files on the disk: %v", files)
		}
	}))
	now := p.sessions.options.Clock()
	session := &Session{ID: "s", Claims: Claims{ExternalID: "x", Name: "X", Expires: now.Add(time.Hour)}, CSRF: "token", Started: now, Seen: now}
	signed := httptest.NewRecorder()
	if err := p.sessions.write(signed, session); err != nil {
		t.Fatal(err)
	}
	send := func(cookies []*http.Cookie) int {
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(form.Bytes()))
		r.Header.Set("Content-Type", m.FormDataContentType())
		r.Header.Set(HeaderCSRF, session.CSRF)
		for _, c := range cookies {
			r.AddCookie(c)
		}
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		return answer.Code
	}
	if status := send(nil); status != http.StatusRequestEntityTooLarge || seen != 0 {
		t.Errorf("a stranger's files: %d, %d arrived", status, seen)
	}
	if status := send(signed.Result().Cookies()); status != http.StatusOK || seen != 3 {
		t.Errorf("%d, %d files arrived", status, seen)
	}
}

func TestCallback(t *testing.T) {
	p := newPortal(t, nil)
	// begin begins a sign-in and gives the answer that the issuer would send.
	begin := func(b *http.Client) *url.URL {
		r, err := b.Get(p.URL + PathSignIn)
		v := fields(body(t, r, err))
		v.Set("person", "0")
		stay := *b
		stay.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		r, err = stay.PostForm(p.URL+PathIssuer+"/authorize", v)
		body(t, r, err)
		return must(url.Parse(r.Header.Get("Location")))
	}
	change := func(u *url.URL, k, v string) string {
		q := u.Query()
		q.Set(k, v)
		c := *u
		c.RawQuery = q.Encode()
		return c.String()
	}
	b := browser(t)
	for name, c := range map[string]struct{ key, value, want string }{
		"another's state": {"state", begin(browser(t)).Query().Get("state"), "SIGN_IN_EXPIRED"},
		"no state":        {"state", "", "SIGN_IN_EXPIRED"},
		"hostile state":   {"state", "../\r\nSet-Cookie: a=b", "SIGN_IN_EXPIRED"},
		"another's code":  {"code", begin(browser(t)).Query().Get("code"), "SIGN_IN_FAILED"},
		"made-up code":    {"code", "x", "SIGN_IN_FAILED"},
		"another issuer":  {"iss", "https://evil.example", "SIGN_IN_FAILED"},
		"refused":         {"error", "access_denied", "SIGN_IN_FAILED"},
	} {
		r, err := b.Get(change(begin(b), c.key, c.value))
		if text := body(t, r, err); text != c.want {
			t.Errorf("%s: %s, not %s", name, text, c.want)
		}
	}
	// Twice with one answer, and too late.
	at := begin(b)
	r, err := b.Get(at.String())
	if text := body(t, r, err); !strings.Contains(text, "Alice") {
		t.Error(text)
	}
	r, err = b.Get(at.String())
	if text := body(t, r, err); text != "SIGN_IN_EXPIRED" {
		t.Error(text)
	}
	at = begin(b)
	p.clock.pass(signInFor)
	r, err = b.Get(at.String())
	if text := body(t, r, err); text != "SIGN_IN_EXPIRED" {
		t.Error(text)
	}
	// Two tabs at once.
	one, two := begin(b), begin(b)
	for _, at := range []*url.URL{two, one} {
		r, err = b.Get(at.String())
		if text := body(t, r, err); !strings.Contains(text, "Alice") {
			t.Error(text)
		}
	}
	// Sign-ins that were begun and left do not fill the browser.
	for range 20 {
		begin(b)
	}
	if n := len(b.Jar.Cookies(must(url.Parse(p.URL + "/")))); n > maxSignIns+2 {
		t.Errorf("%d cookies", n)
	}
}

func TestLocal(t *testing.T) {
	for in, want := range map[string]string{
		"": "/", "/": "/", "/a?b=c#d": "/a?b=c", "/contracts/7": "/contracts/7", "//evil.example": "/", "/\\evil.example": "/", "https://evil.example/": "/",
		"javascript:alert(1)": "/", "a": "/", "/\t/evil.example": "/", "/%2f/evil.example": "/", "///evil.example": "/", "/sign-in": "/", "/sign-out": "/", "/sign-in/back?x": "/",
		"/" + strings.Repeat("x", 2000): "/", "/a\r\nb": "/", "http:/x": "/", "/%5cevil.example": "/%5cevil.example",
	} {
		if got := Local(in); got != want {
			t.Errorf("%q leads to %q, not %q", in, got, want)
		}
	}
}

func TestEnded(t *testing.T) {
	path, now := filepath.Join(t.TempDir(), "ended"), time.Unix(1_000_000, 0)
	_ = os.WriteFile(path, []byte("old 5\nnew 2000000\nbroken\ncut 20000"), 0o600)
	e, err := openEnded(path, now)
	if err != nil || e.has("old") || !e.has("new") || e.has("cut") || e.has("broken") {
		t.Fatal(e, err)
	}
	_ = os.WriteFile(path, []byte("torn 20000"), 0o600)
	if err := e.add("mine", now.Add(time.Hour), now); err != nil {
		t.Fatal(err)
	}
	if e, err = openEnded(path, now); err != nil || !e.has("mine") {
		t.Error(e, err)
	}
	if e, err = openEnded(path, now.Add(2*time.Hour)); err != nil || e.has("mine") {
		t.Error(e, err)
	}
	if data, _ := os.ReadFile(path); len(data) > 0 {
		t.Errorf("%q is left", data)
	}
}

func FuzzCookie(f *testing.F) {
	key := sha256.Sum256([]byte("key"))
	s, err := newSealer(key[:])
	if err != nil {
		f.Fatal(err)
	}
	good, _ := s.seal("name", Session{ID: "x"})
	f.Add(good)
	f.Add(base64.RawURLEncoding.EncodeToString([]byte{sealFormat}))
	f.Add("A")
	f.Fuzz(func(t *testing.T, text string) {
		var session Session
		if s.open("name", text, &session) == nil && session.ID != "x" {
			t.Errorf("opened %q", text)
		}
	})
}
