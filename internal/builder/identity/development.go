package identity

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/coco-consortium/coco/internal/problem"
)

// DevelopmentWarning is what whoever turns the development login on must print.
const DevelopmentWarning = "DEVELOPMENT LOGIN: whoever reaches this portal may sign in as anybody, without a password. For trying out only."

// ErrExposed says that a development login would stand where others reach it.
var ErrExposed = problem.New("DEV_LOGIN_EXPOSED", "the development login serves this machine only",
	"listen on 127.0.0.1; for other machines run coco builder with an issuer (--issuer) instead of the development login")

// DevelopmentOptions say how the development login presents itself.
type DevelopmentOptions struct {
	Dir        string           // holds development-login.json: its key, issuer and audience
	Issuer     string           // URL of this process, on a loopback address, ending in PathIssuer
	Audience   string           // of its tokens, and the portal's client id; "" is coco
	People     []Named          // offered at sign-in; everybody else may sign in by name
	StyleSheet string           // path of the portal's style sheet; "" is /assets/app.css
	Clock      func() time.Time // nil is time.Now
}

// Development is an OpenID Connect issuer inside this process that believes
// whatever one says: one picks a name. It speaks the protocol in earnest
// (discovery, keys, authorization code with PKCE, client credentials), so that
// the portal and outside programs sign in as they would anywhere.
//
// It answers only to Host names of this machine, in no frame, and to no other
// site's page. It is never on unless somebody asks for it by name: there is no
// default that makes one.
type Development struct {
	options DevelopmentOptions
	login   *login
	codes   codes
	mux     http.Handler
}

const loginFile = "development-login.json"

// login is the content of development-login.json: what Mint needs to know of a
// running development login.
type login struct {
	Warning  string `json:"warning"`
	Issuer   string `json:"issuer"`
	Audience string `json:"audience"`
	Key      string `json:"key"` // PKCS #8, PEM

	key *rsa.PrivateKey
	kid string
}

// NewDevelopment makes the issuer, with the key of Dir or a new one.
func NewDevelopment(o DevelopmentOptions) (*Development, error) {
	u, err := url.Parse(o.Issuer)
	if err != nil || u.Scheme != "http" || !IsLoopback(u.Host) || u.Path != PathIssuer || u.RawQuery != "" {
		return nil, ErrExposed.From(fmt.Errorf("%q is no issuer for it", o.Issuer))
	}
	if o.Audience == "" {
		o.Audience = "coco"
	}
	if o.StyleSheet == "" {
		o.StyleSheet = "/assets/app.css"
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	d := &Development{options: o}
	if d.login, err = d.open(); err != nil {
		return nil, err
	}
	d.mux = d.routes()
	return d, nil
}

// open reads the file or makes it, and lets it name this process's issuer.
func (d *Development) open() (*login, error) {
	path := filepath.Join(d.options.Dir, loginFile)
	data, err := secret(path, func() ([]byte, error) {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, err
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, err
		}
		return json.MarshalIndent(login{Warning: DevelopmentWarning, Issuer: d.options.Issuer, Audience: d.options.Audience,
			Key: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))}, "", "  ")
	})
	if err != nil {
		return nil, err
	}
	l, err := decodeLogin(data)
	if err != nil {
		return nil, err
	}
	if l.Issuer == d.options.Issuer && l.Audience == d.options.Audience {
		return l, nil
	}
	l.Issuer, l.Audience = d.options.Issuer, d.options.Audience // another port than last time
	if data, err = json.MarshalIndent(l, "", "  "); err != nil {
		return nil, err
	}
	draft, err := write(path, data)
	if err == nil {
		err = os.Rename(draft, path)
	}
	return l, errDir(err)
}

func decodeLogin(data []byte) (*login, error) {
	damaged := errDir(errors.New(loginFile + " is damaged; delete it, and everybody signs in again"))
	var l login
	if err := json.Unmarshal(data, &l); err != nil {
		return nil, damaged
	}
	block, _ := pem.Decode([]byte(l.Key))
	if block == nil {
		return nil, damaged
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, damaged
	}
	var ok bool
	if l.key, ok = key.(*rsa.PrivateKey); !ok || l.key.N.BitLen() < 2048 {
		return nil, damaged
	}
	thumb, err := (&jose.JSONWebKey{Key: l.key.Public()}).Thumbprint(crypto.SHA256)
	l.kid = base64.RawURLEncoding.EncodeToString(thumb)
	return &l, err
}

// Options are those of an OIDC that believes this issuer. It asks within the
// process, so it works before the portal listens.
func (d *Development) Options() Options {
	return Options{Issuer: d.login.Issuer, Audiences: []string{d.login.Audience}, ClientID: d.login.Audience,
		Client: &http.Client{Transport: inside{d.mux}, Timeout: 10 * time.Second}, Clock: d.options.Clock, local: true}
}

// TokenURL is where clients get tokens.
func (d *Development) TokenURL() string { return d.login.Issuer + "/token" }

// Handler answers everything below PathIssuer.
func (d *Development) Handler() http.Handler { return LoopbackOnly(d.mux) }

// HasLogin says whether a directory holds a development login that Mint can use.
func HasLogin(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, loginFile))
	return err == nil
}

// LoginIssuer is the issuer of the development login in a builder's directory.
func LoginIssuer(dir string) (string, error) {
	data, err := os.ReadFile(filepath.Join(dir, loginFile))
	if err != nil {
		return "", errDir(err)
	}
	l, err := decodeLogin(data)
	if err != nil {
		return "", err
	}
	return l.Issuer, nil
}

// MintOptions say what a token of the development login holds.
type MintOptions struct {
	Name          string // of a person, or of a service if Client
	Client        bool
	Administrator bool
	TTL           time.Duration // 0 is one hour
	Clock         func() time.Time
}

// Mint signs a bearer token with the development key in a builder's directory:
// what `coco token` prints. DEV_LOGIN_OFF says that there is none.
func Mint(dir string, o MintOptions) (string, error) {
	data, err := os.ReadFile(filepath.Join(dir, loginFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", problem.Newf("DEV_LOGIN_OFF", "name the data directory of a development network that was started with its portal; with an issuer of your own, ask that for a token",
			"%s holds no development login", dir)
	}
	if err != nil {
		return "", errDir(err)
	}
	l, err := decodeLogin(data)
	if err != nil {
		return "", err
	}
	if o.TTL == 0 {
		o.TTL = time.Hour
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	n, err := named(Named{Name: o.Name, Client: o.Client, Administrator: o.Administrator})
	if err != nil {
		return "", err
	}
	return l.sign(n.claims(), map[string]any{"aud": l.Audience, "client_id": n.clientID(l.Audience)}, o.Clock(), o.TTL)
}

// sign makes a token of claims and more, valid from now on.
func (l *login) sign(claims, more map[string]any, now time.Time, ttl time.Duration) (string, error) {
	for k, v := range more {
		claims[k] = v
	}
	claims["iss"], claims["iat"], claims["nbf"] = l.Issuer, now.Unix(), now.Unix()
	claims["exp"], claims["jti"] = now.Add(ttl).Unix(), rand.Text()
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: l.key, KeyID: l.kid}},
		(&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(body)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// inside carries requests to a handler of this process.
type inside struct{ handler http.Handler }

func (i inside) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.RequestURI, in.Host = r.URL.RequestURI(), r.URL.Host
	if in.Body == nil {
		in.Body = http.NoBody
	}
	out := &answer{header: http.Header{}, status: http.StatusOK}
	i.handler.ServeHTTP(out, in)
	return &http.Response{StatusCode: out.status, Status: http.StatusText(out.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: out.header, Body: io.NopCloser(&out.body), ContentLength: int64(out.body.Len()), Request: r}, nil
}

// answer collects what a handler writes.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

// slug is a name as the first part of an address.
func slug(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r == ' ':
			return '.'
		}
		return -1
	}, strings.ToLower(name))
}
