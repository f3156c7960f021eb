// Package gateway is App Builder's REST API: the routes, field names and answers
// of Azure Blockchain Workbench under /api/v1 and /api/v2, so that its clients
// keep working, and additions that do not disturb them.
//
// The gateway only translates. Who is asking says identity, what they may see
// and do says workspace; here are routes (one table, routes.go), the form of
// requests and answers (a table of models, models.go), and limits. The OpenAPI
// document is made from the same two tables. docs/reference/gateway.md is the
// reference for people.
package gateway

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coco-consortium/coco/internal/builder/identity"
	"github.com/coco-consortium/coco/internal/builder/workspace"
)

// Options are what a gateway stands on and how it is configured.
type Options struct {
	Workspace     *workspace.Workspace
	Authenticator identity.Authenticator
	Issuer        string        // of tokens, told to whom a token is refused
	Audience      string        // of tokens, told likewise
	Origins       []string      // web origins whose pages may call (CORS); "*" is any
	Heartbeat     time.Duration // between signs of life in event streams; 0 is 15 s
	FileBytes     int64         // most bytes of an uploaded file; 0 is 10 MiB
	Logger        *slog.Logger  // of faults; nil is none
}

// Gateway answers what is below /api.
type Gateway struct {
	Options
	routes   *node
	document []byte
	uploads  chan struct{} // room for uploads, which are held in memory
	bodies   chan struct{} // room for large bodies, likewise
	wide     chan struct{} // room for lists with histories in them
	streams  atomic.Int64  // event streams that are open
}

// mostUploads is how many uploads are read and checked at once, and mostBodies how
// many bodies of more than smallBody bytes: whoever comes then comes again, so that
// many together hold no more memory than these. mostWide is how many lists with
// histories are written at once; others wait.
const (
	mostUploads = 4
	mostBodies  = 32
	mostWide    = 4
)

// New makes a gateway.
func New(o Options) *Gateway {
	if o.Heartbeat <= 0 {
		o.Heartbeat = 15 * time.Second
	}
	if o.FileBytes <= 0 {
		o.FileBytes = 10 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Gateway{
		Options:  o,
		routes:   tree(table),
		document: document(table, models),
		uploads:  make(chan struct{}, mostUploads),
		bodies:   make(chan struct{}, mostBodies),
		wide:     make(chan struct{}, mostWide),
	}
}

// Beside gives the gateway what is below /api, and next everything else. A
// http.ServeMux instead would redirect paths with doubled slashes, which clients
// send, and lose their tokens on the way.
func (g *Gateway) Beside(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first, _, _ := strings.Cut(strings.TrimLeft(r.URL.Path, "/"), "/")
		if strings.EqualFold(first, "api") {
			g.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ServeHTTP answers one request.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	g.allowOrigin(w, r)
	c := &call{g: g, w: w, r: r, version: 1}
	defer c.leave()
	defer func() {
		if fault := recover(); fault != nil {
			if fault == http.ErrAbortHandler {
				panic(fault)
			}
			g.Logger.Error("gateway: a request failed", "path", r.URL.Path, "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
			c.refuse(fmt.Errorf("panic: %v", fault))
		}
	}()
	if err := c.serve(); err != nil {
		c.refuse(err)
	}
}

// serve finds the route, says who is asking, and lets the route answer.
func (c *call) serve() error {
	found, err := c.find()
	if err != nil || !found {
		return err
	}
	if c.route.who != anyone {
		if err := c.authenticate(); err != nil {
			return err
		}
		if c.route.who == administrator && !c.person.Administrator {
			return c.denied()
		}
	}
	if err := c.parseQuery(); err != nil {
		return err
	}
	return c.route.serve(c)
}

// authenticate finds the person whose token the request carries.
func (c *call) authenticate() error {
	token, err := identity.TokenOf(c.r)
	if err != nil {
		return err
	}
	if c.claims, err = c.g.Authenticator.Bearer(c.r.Context(), token); err != nil {
		return err
	}
	c.person, err = c.g.Workspace.As(c.r.Context(), c.claims)
	return err
}

// denied is the answer to who is no administrator, before a body is read: what
// they may not see does not exist for them.
func (c *call) denied() error {
	var err error
	ctx := c.r.Context()
	switch path := c.route.path; {
	case strings.HasPrefix(path, "/applications/{applicationId}"):
		_, err = c.person.Application(ctx, c.ids[0])
	case strings.HasPrefix(path, "/applications/contractCode/"):
		_, _, err = c.person.CodeFile(ctx, c.ids[0])
	case strings.HasPrefix(path, "/users/"):
		_, err = c.person.User(ctx, c.ids[0])
	}
	if err != nil {
		return err
	}
	return workspace.ErrForbidden
}
