// Package issuer lets coco believe an OpenID Connect issuer that its authors did
// not write: the npm package oidc-provider, as certified, in a process of its own
// (issuer.mjs). People sign in at its pages, services get tokens, its keys change
// while it runs, and it stops and comes back.
package issuer

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/builder/identity"
	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/test/npm"
)

// provider is the issuer's process.
type provider struct {
	in  io.Writer
	out *bufio.Scanner
	URL string
}

func startProvider(t *testing.T, portal string) *provider {
	t.Helper()
	npm.Install(t, ".")
	c := exec.CommandContext(t.Context(), "node", "issuer.mjs")
	c.Env = append(os.Environ(), "COCO_PORTAL="+portal)
	var complaints strings.Builder
	c.Stderr = &complaints
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	p := &provider{in: in, out: bufio.NewScanner(out)}
	t.Cleanup(func() {
		_, _ = io.WriteString(in, "exit\n")
		_ = in.Close()
		_ = c.Wait()
		if t.Failed() {
			t.Log(complaints.String())
		}
	})
	p.heard(t, "start")
	return p
}

// do gives an order and waits until it was done.
func (p *provider) do(t *testing.T, order string) {
	t.Helper()
	if _, err := io.WriteString(p.in, order+"\n"); err != nil {
		t.Fatal(err)
	}
	p.heard(t, order)
}

func (p *provider) heard(t *testing.T, want string) {
	t.Helper()
	if !p.out.Scan() {
		t.Fatalf("the issuer ended before %s", want)
	}
	var line struct{ Did, Issuer string }
	if err := json.Unmarshal(p.out.Bytes(), &line); err != nil || line.Did != want {
		t.Fatalf("%s: %v", p.out.Text(), err)
	}
	p.URL = line.Issuer
}

// token gets a service's token for a resource.
func (p *provider) token(t *testing.T, client, resource string) string {
	t.Helper()
	r, err := http.PostForm(p.URL+"/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {client}, "client_secret": {"secret"}, "resource": {resource}})
	var answer struct {
		Token string `json:"access_token"`
	}
	text := body(t, r, err)
	if err := json.Unmarshal([]byte(text), &answer); err != nil || answer.Token == "" {
		t.Fatalf("no token: %s", text)
	}
	return answer.Token
}

func body(t *testing.T, r *http.Response, err error) string {
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

// clock runs on when a test says so: what is limited in time is then free again.
type clock struct {
	mu   sync.Mutex
	plus time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.plus)
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plus += d
}

func believe(t *testing.T, p *provider, c *clock, change func(*identity.Options)) *identity.OIDC {
	t.Helper()
	options := identity.Options{Issuer: p.URL, Audiences: []string{"coco"}, Clock: c.now}
	if change != nil {
		change(&options)
	}
	o, err := identity.NewOIDC(options)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestServices(t *testing.T) {
	p := startProvider(t, "http://127.0.0.1/back")
	o := believe(t, p, &clock{}, nil)
	for _, alg := range []string{"RS256", "PS256", "ES256", "EdDSA"} {
		c, err := o.Bearer(t.Context(), p.token(t, "service", "https://coco.example/"+alg))
		if err != nil || !c.Client || c.Administrator || c.ExternalID != "service" || c.Issuer != p.URL || !c.Expires.After(time.Now()) {
			t.Errorf("%s: %+v %v", alg, c, err)
		}
	}
	if c, err := o.Bearer(t.Context(), p.token(t, "admin-service", "https://coco.example/ES256")); err != nil || !c.Administrator {
		t.Errorf("%+v %v", c, err)
	}
	if _, err := o.Bearer(t.Context(), p.token(t, "service", "https://else.example/")); problem.CodeOf(err) != "TOKEN_FOREIGN" {
		t.Error(err)
	}
	if u, err := o.TokenURL(t.Context()); err != nil || u != p.URL+"/token" {
		t.Error(u, err)
	}
}

// TestRotationAndRest changes the keys while tokens are in use, stops the issuer
// and starts it again, before and after coco knew it.
func TestRotationAndRest(t *testing.T) {
	p, c := startProvider(t, "http://127.0.0.1/back"), &clock{}
	const resource = "https://coco.example/RS256"
	o := believe(t, p, c, nil)
	first, unseen := p.token(t, "service", resource), p.token(t, "service", resource)
	if _, err := o.Bearer(t.Context(), first); err != nil {
		t.Fatal(err)
	}

	p.do(t, "stop")
	for _, token := range []string{first, unseen} {
		if _, err := o.Bearer(t.Context(), token); err != nil {
			t.Errorf("with the issuer down: %v", err)
		}
	}
	late := believe(t, p, c, nil) // begins while the issuer is down
	if _, err := late.Bearer(t.Context(), first); problem.CodeOf(err) != "ISSUER_DOWN" {
		t.Error(err)
	}

	p.do(t, "rotate")
	p.do(t, "start")
	second := p.token(t, "service", resource)
	if _, err := o.Bearer(t.Context(), second); err != nil {
		t.Errorf("the new key: %v", err)
	}
	c.pass(10 * time.Second)
	if _, err := late.Bearer(t.Context(), second); err != nil {
		t.Errorf("the issuer is back: %v", err)
	}
	// Withdrawn keys are not believed by who never saw them.
	if _, err := late.Bearer(t.Context(), first); problem.CodeOf(err) != "TOKEN_INVALID" {
		t.Error(err)
	}

	// And while it runs, twice.
	for range 2 {
		p.do(t, "rotate")
		if _, err := o.Bearer(t.Context(), p.token(t, "service", resource)); err != nil {
			t.Errorf("after a rotation: %v", err)
		}
	}
	p.do(t, "stop")
	p.do(t, "rotate")
	if _, err := o.Bearer(t.Context(), second); err != nil {
		t.Errorf("a token in use: %v", err)
	}
	p.do(t, "start")
	if _, err := o.Bearer(t.Context(), p.token(t, "service", resource)); err != nil {
		t.Errorf("rotated while down: %v", err)
	}
}

// TestPeople signs in at the issuer's own pages, as clients with a secret and without.
func TestPeople(t *testing.T) {
	for _, client := range []struct{ id, secret string }{{"portal", "the portal&s secret"}, {"public", ""}} {
		t.Run(client.id, func(t *testing.T) { signIn(t, client.id, client.secret) })
	}
}

func signIn(t *testing.T, client, secret string) {
	var sessions *identity.Sessions
	m := http.NewServeMux()
	answer := func(w http.ResponseWriter, err error) {
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, err.Error())
		}
	}
	m.HandleFunc("GET "+identity.PathSignIn, func(w http.ResponseWriter, r *http.Request) { answer(w, sessions.SignIn(w, r)) })
	m.HandleFunc("GET "+identity.PathCallback, func(w http.ResponseWriter, r *http.Request) {
		to, err := sessions.Callback(w, r)
		if err == nil {
			http.Redirect(w, r, to, http.StatusSeeOther)
		}
		answer(w, err)
	})
	m.HandleFunc("GET /page", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(identity.From(r.Context()))
	})
	var handler http.Handler = m
	portal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	defer portal.Close()

	p := startProvider(t, portal.URL+identity.PathCallback)
	o := believe(t, p, &clock{}, func(o *identity.Options) { o.ClientID, o.ClientSecret = client, secret })
	var err error
	if sessions, err = identity.NewSessions(o, identity.SessionOptions{Dir: t.TempDir(), BaseURL: portal.URL}); err != nil {
		t.Fatal(err)
	}
	handler = sessions.Middleware(nil, m)

	for _, who := range []string{"alice", "bob"} {
		jar, _ := cookiejar.New(nil)
		b := &http.Client{Jar: jar}
		page := func(r *http.Response, err error) (string, *url.URL) { return body(t, r, err), r.Request.URL }
		text, at := page(b.Get(portal.URL + identity.PathSignIn + "?to=/page"))
		for _, form := range []url.Values{{"prompt": {"login"}, "login": {who}, "password": {"any"}}, {"prompt": {"consent"}}} {
			action := regexp.MustCompile(`action="([^"]+)"`).FindStringSubmatch(text)
			if action == nil {
				t.Fatalf("%s shows no form:\n%s", at, text)
			}
			to, err := at.Parse(action[1])
			if err != nil {
				t.Fatal(err)
			}
			text, at = page(b.PostForm(to.String(), form))
		}
		var c identity.Claims
		if err := json.Unmarshal([]byte(text), &c); err != nil || at.Path != "/page" {
			t.Fatalf("%s: %s %v", at, text, err)
		}
		if c.ExternalID != "oid-"+who || c.Subject != who || c.GivenName != who || c.FamilyName != "of oidc-provider" || c.Name != who+" of oidc-provider" ||
			c.Email != who+"@example.org" || c.Administrator != (who == "alice") || c.Client {
			t.Errorf("%+v", c)
		}
	}

	// Somebody who declines, and an issuer that is down in the middle.
	jar, _ := cookiejar.New(nil)
	b := &http.Client{Jar: jar}
	r, err := b.Get(portal.URL + identity.PathSignIn + "?to=/page")
	text := body(t, r, err)
	abort := regexp.MustCompile(`href="([^"]+/abort)"`).FindStringSubmatch(text)
	if abort == nil {
		t.Fatalf("no way to decline:\n%s", text)
	}
	to, _ := r.Request.URL.Parse(abort[1])
	r, err = b.Get(to.String())
	if text = body(t, r, err); !strings.Contains(text, "SIGN_IN_FAILED") || !strings.Contains(text, "access_denied") {
		t.Error(text)
	}
}
