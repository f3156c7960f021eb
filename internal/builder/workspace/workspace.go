// Package workspace is what one person may see and do in an installation of App
// Builder: applications, people, contracts and actions. The rule who may do what
// stands here and nowhere else; the gateway and the portal only translate.
//
// Whatever a person may not see is ErrNotFound, so that nobody learns that it
// exists. What a person sees but may not do is ErrForbidden.
package workspace

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/coco-consortium/coco/internal/builder/identity"
	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/offchain/binding"
	"github.com/coco-consortium/coco/internal/builder/solidity"
	"github.com/coco-consortium/coco/internal/builder/vault"
	"github.com/coco-consortium/coco/internal/problem"
)

// The answers that every interface gives in its own way: 404 and 403.
var (
	ErrNotFound = problem.New("NOT_FOUND", "there is no such thing here, or you may not see it",
		"check the address; an administrator can give you a role in the application")
	ErrForbidden = problem.New("FORBIDDEN", "you may not do that",
		"see your roles on the application's page; an administrator can change them")
	ErrDisabled = problem.New("APPLICATION_DISABLED", "this version of the application is read only",
		"use the latest version, or have an administrator enable this one")
	ErrBusy = problem.New("CONTRACT_BUSY", "the contract is not on the ledger yet",
		"try again when its status is 2")
	ErrFunction = problem.New("FUNCTION_UNKNOWN", "there is no such function to be called here",
		"use the workflow's constructorId for a new contract, a function of the contract's actions, or one with readOnly for a question")
	ErrRepeated = problem.New("REQUEST_ID_USED", "you used that request id for something else",
		"choose a new id for each request; the same one only to send the same request again")
	ErrNotAllowedNow = problem.New("ACTION_NOT_ALLOWED", "the contract's state does not allow you that action",
		"look at the contract again: its state may have changed")
)

// Options are what a workspace stands on.
type Options struct {
	Store    *offchain.Store
	Book     *binding.Book // of that store
	Compiler Compiler
	Drivers  map[int]ledger.Driver // by connection id
	Default  int                   // the connection for contracts whose creator names none
	Vault    vault.Vault
	Services map[int][]byte // PEM of the service that proofs must be from, by connection id; nil: not pinned
	Clock    func() time.Time
	// Waits says why an action that is pending gets no further, as a code and a sentence,
	// both empty when it does; nil: nobody knows.
	Waits  func(a *offchain.Action) (code, message string)
	Strict bool // refuses Workbench's obsolete base contract
	Logger *slog.Logger
}

// Compiler makes of uploaded code (.sol, .zip or ready artifacts) what is in it.
// Code that does not compile is no error: its Output has the messages.
type Compiler interface {
	Output(ctx context.Context, name string, code []byte) (*solidity.Output, error)
}

// Workspace is one installation.
type Workspace struct {
	Options
	catalogue catalogue
	recent    recent
	answers   answers
	joining   sync.Mutex
}

// New makes a workspace of what it stands on.
func New(o Options) *Workspace {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Book == nil {
		o.Book = binding.New()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Workspace{Options: o}
}

// Sequence numbers the state of the store that reads see from now on: what was
// read after asking is at least as new.
func (w *Workspace) Sequence() uint64 { return w.Store.Sequence() }

// Person is somebody who asks, with what the issuer says of them now.
type Person struct {
	offchain.Person
	Administrator bool

	w *Workspace
}

// As gives the person that an issuer speaks of. Who comes for the first time is
// made known, and gets a ledger account by and by.
func (w *Workspace) As(ctx context.Context, c *identity.Claims) (*Person, error) {
	if c == nil || c.ExternalID == "" {
		return nil, ErrForbidden
	}
	who, err := w.personOf(ctx, c)
	if err != nil {
		return nil, err
	}
	return &Person{Person: *who, Administrator: c.Administrator, w: w}, nil
}

// Page is which part of a list is wanted. Top is at most 100 and 20 when it is
// not positive.
type Page struct{ Skip, Top int }

const (
	usualTop = 20
	mostTop  = 100
	mostSkip = 1 << 30
)

func (p Page) bounded() Page {
	switch {
	case p.Top < 1:
		p.Top = usualTop
	case p.Top > mostTop:
		p.Top = mostTop
	}
	p.Skip = min(max(p.Skip, 0), mostSkip)
	return p
}

// List is a part of a list. Total counts all of it, or with AtLeast as far as is
// counted (offchain.CountLimit).
type List[T any] struct {
	Items   []T
	Total   int
	AtLeast bool
	Next    bool // there is more
}

// part cuts a page out of a list that is in memory.
func part[T any](all []T, p Page) List[T] {
	p = p.bounded()
	from := min(p.Skip, len(all))
	to := min(from+p.Top, len(all))
	return List[T]{Items: all[from:to], Total: len(all), Next: to < len(all)}
}
