package identity

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:7700": true, "LOCALHOST.": true, "a.localhost:1": true, "127.0.0.1": true, "127.9.9.9:80": true, "[::1]:7700": true, "::1": true, "[::1]": true,
		"": false, "evil.example": false, "localhost.evil.example": false, "127.0.0.1.evil.example": false, "evillocalhost": false, "0.0.0.0": false, "10.0.0.1:7700": false,
		"[::]:1": false, "127.1": false, "2130706433": false, "[::ffff:127.0.0.1]": true, "[fe80::1%25lo]": false, "localhost:80@evil.example": false, "::1%lo": false,
	} {
		if got := IsLoopback(host); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}

// TestRebinding: a page of the web whose name was made to point here reaches
// nothing of the development login, whatever it asks.
func TestRebinding(t *testing.T) {
	p := newPortal(t, nil)
	for _, path := range []string{"/", PathSignIn, PathIssuer + "/.well-known/openid-configuration", PathIssuer + "/token", PathIssuer + "/authorize"} {
		for _, method := range []string{"GET", "POST", "OPTIONS"} {
			r := must(http.NewRequest(method, p.URL+path, nil))
			r.Host = "evil.example:" + r.URL.Port()
			answer, err := http.DefaultClient.Do(r)
			if text := body(t, answer, err); answer.StatusCode != http.StatusMisdirectedRequest || !strings.Contains(text, "HOST_FOREIGN") {
				t.Errorf("%s %s: %d %s", method, path, answer.StatusCode, text)
			}
		}
	}
	// The issuer refuses by itself too, without the portal's guard.
	r := httptest.NewRequest(http.MethodGet, "http://evil.example"+PathIssuer+"/keys", nil)
	w := httptest.NewRecorder()
	p.dev.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusMisdirectedRequest {
		t.Error(w.Code)
	}
	for _, issuer := range []string{"", "https://127.0.0.1" + PathIssuer, "http://0.0.0.0:7700" + PathIssuer, "http://coco.example" + PathIssuer, "http://127.0.0.1:7700/", "http://127.0.0.1:7700" + PathIssuer + "?"} {
		if _, err := NewDevelopment(DevelopmentOptions{Dir: t.TempDir(), Issuer: issuer}); err == nil && !strings.HasSuffix(issuer, "?") {
			t.Errorf("%q is an issuer", issuer)
		}
	}
}

// TestOtherSites: neither a form nor a script of another site signs anybody in.
func TestOtherSites(t *testing.T) {
	p := newPortal(t, nil)
	for _, header := range []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: https://evil.example", "Origin: null"} {
		for _, path := range []string{"/token", "/authorize"} {
			r := must(http.NewRequest(http.MethodPost, p.URL+PathIssuer+path, strings.NewReader("grant_type=client_credentials&client_id=x")))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			name, value, _ := strings.Cut(header, ": ")
			r.Header.Set(name, value)
			answer, err := http.DefaultClient.Do(r)
			if text := body(t, answer, err); answer.StatusCode < 400 || strings.Contains(text, "access_token") {
				t.Errorf("%s %s: %d %s", header, path, answer.StatusCode, text)
			}
			if answer.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Error("other sites may read the answer")
			}
		}
	}
}

func TestAuthorize(t *testing.T) {
	p := newPortal(t, nil)
	good := url.Values{"response_type": {"code"}, "client_id": {"my-app"}, "redirect_uri": {"http://localhost:3000/back?x=1"}, "scope": {"openid profile"},
		"state": {"s&t"}, "nonce": {"n"}, "code_challenge": {strings.Repeat("A", 43)}, "code_challenge_method": {"S256"}}
	b := browser(t)
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	get := func(k, v string) (int, string, string) {
		q := url.Values{}
		for name := range good {
			q.Set(name, good.Get(name))
		}
		if k != "" {
			q.Set(k, v)
		}
		r, err := b.Get(p.URL + PathIssuer + "/authorize?" + q.Encode())
		return r.StatusCode, r.Header.Get("Location"), body(t, r, err)
	}
	if status, _, text := get("", ""); status != 200 || fields(text).Get("state") != "s&t" {
		t.Error(status, text)
	}
	for _, bad := range []string{"https://evil.example/", "http://evil.example", "//evil.example", "javascript:alert(1)", "", "http://localhost@evil.example/", "http://u@localhost/", "myapp://x", "http://localhost/#f"} {
		if status, to, text := get("redirect_uri", bad); status != 400 || to != "" || strings.Contains(text, "<form") {
			t.Errorf("%q: %d %s", bad, status, to)
		}
	}
	if status, to, _ := get("client_id", ""); status != 400 || to != "" {
		t.Error(status, to)
	}
	for _, c := range [][3]string{
		{"response_type", "token", "unsupported_response_type"}, {"scope", "profile", "invalid_scope"}, {"code_challenge", "", "invalid_request"},
		{"code_challenge_method", "plain", "invalid_request"}, {"prompt", "none", "login_required"}, {"nonce", strings.Repeat("x", 3000), "invalid_request"},
	} {
		status, to, _ := get(c[0], c[1])
		u := must(url.Parse(to))
		if status != 303 || u.Host != "localhost:3000" || u.Query().Get("error") != c[2] || u.Query().Get("x") != "1" || u.Query().Get("iss") != p.URL+PathIssuer {
			t.Errorf("%v: %d %s", c, status, to)
		}
	}
	// No name, and names that are none.
	for _, name := range []string{"", "   ", strings.Repeat("x", 101), "a\x00b"} {
		v := url.Values{"name": {name}}
		for k := range good {
			v.Set(k, good.Get(k))
		}
		r, err := b.PostForm(p.URL+PathIssuer+"/authorize", v)
		if text := body(t, r, err); r.StatusCode != 422 || !strings.Contains(text, `role="alert"`) {
			t.Errorf("%q: %d", name, r.StatusCode)
		}
	}
	// In the language that is chosen, or that the browser asks for; a page to come back to.
	for _, c := range []struct{ accept, cookie, want string }{
		{"", "", "Who are you?"}, {"de-AT", "", "Wer sind Sie?"}, {"de", "en", "Who are you?"}, {"en", "de", "Wer sind Sie?"},
	} {
		r := must(http.NewRequest(http.MethodGet, p.URL+PathIssuer+"/authorize?"+good.Encode(), nil))
		r.Header.Set("Accept-Language", c.accept)
		if c.cookie != "" {
			r.AddCookie(&http.Cookie{Name: "coco-language", Value: c.cookie})
		}
		answer, err := b.Do(r)
		text := body(t, answer, err)
		if !strings.Contains(text, c.want) || !strings.Contains(text, `<html lang="`+answer.Header.Get("Content-Language")) {
			t.Errorf("%v: %s", c, text)
		}
		if to := must(url.Parse(html.UnescapeString(regexp.MustCompile(`name="to" value="([^"]*)"`).FindStringSubmatch(text)[1]))); to.Path != PathIssuer+"/authorize" || to.Query().Get("state") != "s&t" {
			t.Errorf("it leads back to %s", to)
		}
	}
	// Hostile text in everything stays text.
	_, _, text := get("state", `"><script>alert(1)</script>`)
	if strings.Contains(text, "<script") {
		t.Error("a script in the page")
	}
}

func TestTokenEndpoint(t *testing.T) {
	p := newPortal(t, nil)
	post := func(v url.Values) (int, map[string]any) {
		r, err := http.PostForm(p.URL+PathIssuer+"/token", v)
		var m map[string]any
		if err := json.Unmarshal([]byte(body(t, r, err)), &m); err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, m
	}
	status, m := post(url.Values{"grant_type": {"client_credentials"}, "client_id": {"Meter"}, "client_secret": {"x"}})
	token, _ := m["access_token"].(string)
	c, err := p.oidc.Bearer(t.Context(), token)
	if err != nil || status != 200 || !c.Client || c.Administrator || c.Name != "Meter" || c.ExternalID != ExternalID("meter", true) {
		t.Errorf("%d %+v %v", status, c, err)
	}
	if ExternalID("meter", true) == ExternalID("meter", false) {
		t.Error("a person and a service share an id")
	}
	_, m = post(url.Values{"grant_type": {"client_credentials"}, "client_id": {"Meter"}, "scope": {"x Administrator"}})
	token, _ = m["access_token"].(string)
	if c, err = p.oidc.Bearer(t.Context(), token); err != nil || !c.Administrator {
		t.Errorf("%+v %v", c, err)
	}
	for _, bad := range []url.Values{{}, {"grant_type": {"password"}}, {"grant_type": {"client_credentials"}}, {"grant_type": {"authorization_code"}, "code": {"x"}}} {
		if status, m := post(bad); status != 400 || m["error"] == nil || m["access_token"] != nil {
			t.Errorf("%v: %d %v", bad, status, m)
		}
	}
	// Codes are bounded and end.
	var codes codes
	first := codes.issue(grant{}, p.clock.now())
	if _, ok := codes.take(first, p.clock.now().Add(codeFor)); ok {
		t.Error("an old code")
	}
	for range maxCodes + 10 {
		codes.issue(grant{}, p.clock.now())
	}
	if len(codes.by) > maxCodes {
		t.Errorf("%d codes", len(codes.by))
	}
}

// TestCodes: a code is good once, for who asked for it, where and with its secret.
func TestCodes(t *testing.T) {
	p := newPortal(t, nil)
	verifier := strings.Repeat("v", 43)
	sum := sha256.Sum256([]byte(verifier))
	fresh := func() url.Values {
		b := browser(t)
		b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		r, err := b.PostForm(p.URL+PathIssuer+"/authorize", url.Values{"response_type": {"code"}, "client_id": {"my-app"}, "redirect_uri": {"http://localhost:3000/back"},
			"scope": {"openid"}, "nonce": {"n"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}, "name": {"Eve"}})
		body(t, r, err)
		code := must(url.Parse(r.Header.Get("Location"))).Query().Get("code")
		return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "client_id": {"my-app"}, "redirect_uri": {"http://localhost:3000/back"}, "code_verifier": {verifier}}
	}
	post := func(v url.Values) (int, string) {
		r, err := http.PostForm(p.URL+PathIssuer+"/token", v)
		return r.StatusCode, body(t, r, err)
	}
	good := fresh()
	if status, text := post(good); status != 200 || !strings.Contains(text, "id_token") {
		t.Errorf("%d %s", status, text)
	}
	if status, text := post(good); status != 400 {
		t.Errorf("a second time: %d %s", status, text)
	}
	for field, value := range map[string]string{"client_id": "another-app", "redirect_uri": "http://localhost:4000/", "code_verifier": "w" + verifier[1:], "code": "x"} {
		v := fresh()
		v.Set(field, value)
		if status, text := post(v); status != 400 || !strings.Contains(text, "invalid_grant") {
			t.Errorf("another %s: %d %s", field, status, text)
		}
	}
	v := fresh()
	p.clock.pass(codeFor)
	if status, text := post(v); status != 400 {
		t.Errorf("too late: %d %s", status, text)
	}
}

func TestMint(t *testing.T) {
	p := newPortal(t, nil)
	for _, c := range []struct {
		o    MintOptions
		want Claims
	}{
		{MintOptions{Name: "Zoë  Zimmer"}, Claims{Name: "Zoë Zimmer", GivenName: "Zoë", FamilyName: "Zimmer", Email: "zo.zimmer@example.com", ExternalID: ExternalID("zoë zimmer", false)}},
		{MintOptions{Name: "张伟", Administrator: true}, Claims{Name: "张伟", GivenName: "张伟", Administrator: true, ExternalID: ExternalID("张伟", false)}},
		{MintOptions{Name: "meter", Client: true}, Claims{Name: "meter", Client: true, ExternalID: ExternalID("meter", true)}},
	} {
		c.o.Clock, c.o.TTL = p.clock.now, 10*time.Minute
		token, err := Mint(p.dir, c.o)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.oidc.Bearer(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		c.want.Issuer, c.want.Subject, c.want.Expires = p.URL+PathIssuer, c.want.ExternalID, got.Expires
		if *got != c.want || !got.Expires.Equal(p.clock.now().Add(10*time.Minute)) {
			t.Errorf("%+v, not\n%+v", *got, c.want)
		}
	}
	_, err := Mint(t.TempDir(), MintOptions{Name: "x"})
	code(t, err, "DEV_LOGIN_OFF")
	_, err = Mint(p.dir, MintOptions{Name: " "})
	code(t, err, "NAME_INVALID")

	// A token of another installation's development login.
	other := newPortal(t, nil)
	token, _ := Mint(other.dir, MintOptions{Name: "x", Clock: p.clock.now})
	_, err = p.oidc.Bearer(t.Context(), token)
	code(t, err, "TOKEN_FOREIGN")

	// Another port: the file follows, the key stays.
	before, _ := os.ReadFile(filepath.Join(p.dir, loginFile))
	d, err := NewDevelopment(DevelopmentOptions{Dir: p.dir, Issuer: "http://127.0.0.1:1" + PathIssuer})
	if err != nil || d.login.kid != p.dev.login.kid {
		t.Fatal(err)
	}
	after, _ := os.ReadFile(filepath.Join(p.dir, loginFile))
	if string(before) == string(after) || !strings.Contains(string(after), "http://127.0.0.1:1") {
		t.Error("the file did not follow")
	}
	if info, _ := os.Stat(filepath.Join(p.dir, loginFile)); info.Mode().Perm() != 0o600 {
		t.Error(info.Mode())
	}
	_ = os.WriteFile(filepath.Join(p.dir, loginFile), []byte("{"), 0o600)
	_, err = NewDevelopment(DevelopmentOptions{Dir: p.dir, Issuer: p.URL + PathIssuer})
	code(t, err, "IDENTITY_FILES")
	_, err = Mint(p.dir, MintOptions{Name: "x"})
	code(t, err, "IDENTITY_FILES")
}

func TestTokenOf(t *testing.T) {
	for header, want := range map[string]string{"Bearer abc": "abc", "bearer abc": "abc", "BEARER  abc ": "abc", "": "", "Bearer": "", "Bearer ": "", "Basic abc": "", "abc": ""} {
		r := httptest.NewRequest(http.MethodGet, "/?access_token=query", nil)
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		got, err := TokenOf(r)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q %v", header, got, err)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Add("Authorization", "Bearer a")
	r.Header.Add("Authorization", "Bearer b")
	if _, err := TokenOf(r); err == nil {
		t.Error("two headers")
	}
	for err, want := range map[error]string{errMissing: `Bearer realm="coco"`, errExpired: `Bearer realm="coco", error="invalid_token", error_description="expired"`,
		errInvalid: `Bearer realm="coco", error="invalid_token"`} {
		if got := Challenge(err); got != want {
			t.Error(got)
		}
	}
	if From(context.Background()) != nil || From(With(context.Background(), &Claims{Name: "x"})).Name != "x" || SessionFrom(context.Background()) != nil {
		t.Error("context")
	}
}

func FuzzLogin(f *testing.F) {
	f.Add([]byte(`{"key":"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if l, err := decodeLogin(data); err == nil && (l.key == nil || l.kid == "") {
			t.Error("a login without a key")
		}
	})
}

func FuzzAuthorize(f *testing.F) {
	f.Add("response_type=code&client_id=a&redirect_uri=http%3A%2F%2Flocalhost&scope=openid")
	f.Add("redirect_uri=http://localhost%00.evil.example&client_id=a")
	f.Fuzz(func(t *testing.T, query string) {
		v, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		q, trouble, _, _ := readRequest(v, authorizeIn("en"))
		if u, err := url.Parse(q.RedirectURI); trouble == "" && (err != nil || !IsLoopback(u.Host)) {
			t.Errorf("leads to %q", q.RedirectURI)
		}
	})
}
