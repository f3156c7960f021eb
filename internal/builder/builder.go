package builder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/coco-consortium/coco/internal/builder/dispatch"
	"github.com/coco-consortium/coco/internal/builder/gateway"
	"github.com/coco-consortium/coco/internal/builder/identity"
	"github.com/coco-consortium/coco/internal/builder/indexer"
	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/offchain/binding"
	"github.com/coco-consortium/coco/internal/builder/portal"
	"github.com/coco-consortium/coco/internal/builder/vault"
	"github.com/coco-consortium/coco/internal/builder/workspace"
)

// Builder is a running App Builder.
type Builder struct {
	config    Config
	listener  net.Listener
	server    *http.Server
	store     *offchain.Store
	vault     *vault.File
	drivers   map[int]ledger.Driver
	workspace *workspace.Workspace
	oidc      *identity.OIDC
	login     *identity.Development // nil: another issuer
	waiting   []string              // what the ledgers that did not join are waited for
	cancel    context.CancelFunc
	group     sync.WaitGroup
	fault     chan error
	ready     chan struct{} // closed when the samples are there
}

// Start starts an App Builder; it answers when Start returns.
func Start(ctx context.Context, c Config) (_ *Builder, err error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	b := &Builder{config: c, listener: c.Listener, drivers: map[int]ledger.Driver{}, fault: make(chan error, 4), ready: make(chan struct{})}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if b.listener == nil {
		if b.listener, err = Listen(cmp.Or(c.Listen, "127.0.0.1:7700"), c.DevLogin); err != nil {
			return nil, err
		}
	}
	if b.config.Data, err = filepath.Abs(cmp.Or(c.Data, "coco-builder")); err != nil {
		return nil, ErrConfig.From(err)
	}
	if err := os.MkdirAll(b.config.Data, 0o700); err != nil {
		return nil, ErrConfig.From(err)
	}
	b.config.URL = cmp.Or(c.URL, "http://"+b.listener.Addr().String())
	if err := b.issuer(); err != nil {
		return nil, err
	}
	if err := b.open(ctx); err != nil {
		return nil, err
	}
	return b, b.serve()
}

// Listen listens for a portal. One with the development login is for this machine
// only.
func Listen(address string, devLogin bool) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err == nil && devLogin && !identity.IsLoopback(host) {
		return nil, identity.ErrExposed.From(fmt.Errorf("%q is no address that only this machine has", address))
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, ErrListen.From(err)
	}
	return l, nil
}

// issuer decides whom to believe who is asking.
func (b *Builder) issuer() (err error) {
	c := &b.config
	if c.DevLogin == (c.Issuer != "") {
		return ErrConfig.From(errors.New("give an issuer (--issuer), or ask for the development login (--dev-login), and not both"))
	}
	if c.DevLogin {
		b.login, err = identity.NewDevelopment(identity.DevelopmentOptions{Dir: c.Data, Issuer: "http://" + b.listener.Addr().String() + identity.PathIssuer,
			Audience: c.Audience, People: c.People, Clock: c.Clock})
		if err != nil {
			return err
		}
		c.Issuer = "http://" + b.listener.Addr().String() + identity.PathIssuer
		c.Audience = cmp.Or(c.Audience, "coco")
		b.oidc, err = identity.NewOIDC(b.login.Options())
		return err
	}
	clientSecret, err := secret(c.ClientSecret)
	if err != nil {
		return err
	}
	b.oidc, err = identity.NewOIDC(identity.Options{Issuer: c.Issuer, Audiences: []string{c.Audience}, RolesClaim: c.RolesClaim,
		ClientID: c.ClientID, ClientSecret: clientSecret, Clock: c.Clock})
	return err
}

// open opens everything that is kept, and starts what follows the ledgers.
func (b *Builder) open(ctx context.Context) (err error) {
	c := &b.config
	key, err := masterKey(c.Key, filepath.Join(c.Data, "master.key"), !there(filepath.Join(c.Data, "journal")))
	if err != nil {
		return err
	}
	book := binding.New()
	index := indexer.New(indexer.Options{Book: book, Drivers: b.drivers, Log: c.Logger})
	if b.store, err = offchain.Open(ctx, offchain.Options{Dir: c.Data, Key: key, DSN: c.Database, Source: index, Clock: c.Clock, Log: c.Logger}); err != nil {
		return err
	}
	index.Store = b.store
	if b.vault, err = b.openVault(ctx); err != nil {
		return err
	}
	services, first, err := b.connect(ctx)
	if err != nil {
		return err
	}
	send := dispatch.New(dispatch.Options{Store: b.store, Book: book, Drivers: b.drivers, Vault: b.vault, Log: c.Logger})
	compiler, err := newCompiler(c.Compilers, c.Data, c.Strict)
	if err != nil {
		return err
	}
	b.workspace = workspace.New(workspace.Options{Store: b.store, Book: book, Compiler: compiler, Drivers: b.drivers, Default: first, Vault: b.vault,
		Services: services, Clock: c.Clock, Strict: c.Strict, Waits: send.Waits, Logger: c.Logger})
	send.Rights = b.workspace
	ctx, b.cancel = context.WithCancel(context.WithoutCancel(ctx))
	b.group.Go(func() { b.workspace.Follow(ctx) })
	b.group.Go(func() { b.failed(index.Run(ctx)) })
	b.group.Go(func() { b.failed(send.Run(ctx)) })
	b.group.Go(func() {
		defer close(b.ready)
		if c.Samples {
			b.failed(install(ctx, b.workspace, c.People))
		}
	})
	return nil
}

// serve begins to answer.
func (b *Builder) serve() error {
	c := &b.config
	sessions, err := identity.NewSessions(b.oidc, identity.SessionOptions{Dir: c.Data, BaseURL: c.URL, Clock: c.Clock})
	if err != nil {
		return err
	}
	pages, err := portal.New(portal.Options{Workspace: b.workspace, Sessions: sessions, Clock: c.Clock, Logger: c.Logger})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	api := gateway.New(gateway.Options{Workspace: b.workspace, Authenticator: b.oidc, Issuer: c.Issuer, Audience: c.Audience, Origins: c.Origins, Logger: c.Logger})
	mux.Handle("/", pages)
	all := api.Beside(mux)
	if b.login != nil {
		mux.Handle(identity.PathIssuer+"/", b.login.Handler())
		all = identity.LoopbackOnly(all)
	}
	b.server = &http.Server{Handler: all, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(c.Logger.Handler(), slog.LevelDebug)}
	b.group.Go(func() {
		if err := b.server.Serve(b.listener); !errors.Is(err, http.ErrServerClosed) {
			b.failed(ErrListen.From(err))
		}
	})
	return nil
}

// failed reports what ends the whole.
func (b *Builder) failed(err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	select {
	case b.fault <- err:
	default:
	}
}

// Fault tells what makes going on impossible.
func (b *Builder) Fault() <-chan error { return b.fault }

// Ready is closed when the sample applications can be used.
func (b *Builder) Ready() <-chan struct{} { return b.ready }

// Close ends everything. What was acknowledged is kept.
func (b *Builder) Close(ctx context.Context) error {
	var err error
	if b.server != nil {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		if err = b.server.Shutdown(ctx); err != nil { // event streams do not end by themselves
			err = b.server.Close()
		}
	}
	return errors.Join(err, b.close())
}

func (b *Builder) close() error {
	if b.cancel != nil {
		b.cancel()
	}
	if b.server == nil && b.listener != nil {
		b.listener.Close()
	}
	b.group.Wait()
	for _, d := range b.drivers {
		d.Close()
	}
	var all []error
	if b.vault != nil {
		all = append(all, b.vault.Close())
	}
	if b.store != nil {
		all = append(all, b.store.Close())
	}
	return errors.Join(all...)
}

// Place is where an App Builder answers, as --json prints it.
type Place struct {
	Portal   string `json:"portal"`
	Gateway  string `json:"gateway"` // clients append /api/v1
	Issuer   string `json:"issuer"`
	Audience string `json:"audience"`
	TokenURL string `json:"tokenUrl,omitempty"` // of the development login
	Database string `json:"database"`           // sqlite, or PostgreSQL's URL without its password
	Users    []User `json:"users,omitempty"`    // whom the development login offers
}

// User is somebody whom the development login offers.
type User struct {
	Name       string   `json:"name"`
	ExternalID string   `json:"externalId"`
	Roles      []string `json:"roles"`
}

// Place says where it answers.
func (b *Builder) Place() Place {
	c := &b.config
	p := Place{Portal: c.URL, Gateway: c.URL, Issuer: c.Issuer, Audience: c.Audience, Database: databaseName(c)}
	if b.login != nil {
		p.TokenURL = b.login.TokenURL()
		for _, n := range c.People {
			u := User{Name: n.Name, ExternalID: identity.ExternalID(n.Name, n.Client), Roles: append([]string{}, n.Roles...)}
			if n.Administrator {
				u.Roles = append([]string{identity.Administrator}, u.Roles...)
			}
			p.Users = append(p.Users, u)
		}
	}
	return p
}

// Warnings are what whoever starts it must be told.
func (b *Builder) Warnings() []string {
	list := slices.Clone(b.waiting)
	if b.login != nil {
		list = append(list, identity.DevelopmentWarning)
	}
	if b.config.Key == "" || b.config.Vault.Key == "" && b.config.Vault.Passphrase == "" {
		list = append(list, fmt.Sprintf("the keys of the data and of people lie beside them in %s: whoever reads the directory can read and sign everything", b.config.Data))
	}
	return list
}
