package workspace

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/builder/identity"
	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/problem"
)

// ErrInput is a value that cannot be used.
var ErrInput = problem.New("INPUT_INVALID", "a value cannot be used", "correct it and send it again")

const mostText = 255 // of names and addresses of people

// personOf finds or makes the person that claims speak of, keeps their name as the
// issuer now writes it, and sees to their ledger accounts.
func (w *Workspace) personOf(ctx context.Context, c *identity.Claims) (*offchain.Person, error) {
	who, err := w.personByExternalID(ctx, c.ExternalID)
	if err == nil && who.Status == offchain.PersonIsProvisioned && !renamed(who, c) && w.everywhere(who) {
		return who, nil
	}
	w.joining.Lock()
	defer w.joining.Unlock()
	who, err = w.Store.PersonByExternalID(ctx, c.ExternalID)
	switch {
	case errors.Is(err, offchain.ErrNotFound):
		first, last := nameOf(c)
		if _, err = w.do(ctx, &offchain.PersonAdded{ExternalID: c.ExternalID, FirstName: first, LastName: last, Email: clip(c.Email), Client: c.Client}); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	case renamed(who, c):
		first, last := who.FirstName, who.LastName
		if c.GivenName+c.FamilyName != "" {
			first, last = nameOf(c)
		}
		if _, err = w.do(ctx, &offchain.PersonChanged{ID: who.ID, FirstName: first, LastName: last, Email: cmp.Or(clip(c.Email), who.Email)}); err != nil {
			return nil, err
		}
	}
	if who, err = w.Store.PersonByExternalID(ctx, c.ExternalID); err != nil {
		return nil, err
	}
	if err := w.provision(ctx, who); ctx.Err() != nil {
		return nil, ctx.Err()
	} else if err != nil { // they can look around meanwhile; the next request tries again
		w.Logger.Warn("a person has no ledger account yet", "person", who.ID, "err", err)
		return who, nil
	}
	return w.personByExternalID(ctx, c.ExternalID)
}

// everywhere is whether a person has an account on every connection that is used.
func (w *Workspace) everywhere(who *offchain.Person) bool {
	for id := range w.Drivers {
		if _, ok := who.Address(id); !ok {
			return false
		}
	}
	return true
}

// provision gives a person an account on every connection.
func (w *Workspace) provision(ctx context.Context, who *offchain.Person) error {
	connections, err := w.Store.Connections(ctx)
	if err != nil {
		return err
	}
	key, err := w.Vault.Create(ctx, who.ExternalID)
	if err != nil {
		return err
	}
	for _, c := range connections {
		if _, ok := who.Address(c.ID); ok {
			continue
		}
		if _, err := w.do(ctx, &offchain.KeyAssociated{PersonID: who.ID, ConnectionID: c.ID, Address: key.Address}); err != nil {
			return err
		}
	}
	if who.Status != offchain.PersonIsProvisioned && len(connections) > 0 {
		_, err = w.do(ctx, &offchain.PersonProvisioned{PersonID: who.ID})
	}
	return err
}

// nameOf takes the name apart that the issuer gives.
func nameOf(c *identity.Claims) (first, last string) {
	if first, last = c.GivenName, c.FamilyName; first == "" && last == "" {
		first = c.Name
	}
	return clip(first), clip(last)
}

// renamed is whether the issuer now says other things of a person than before. What
// a token does not say changes nothing.
func renamed(who *offchain.Person, c *identity.Claims) bool {
	first, last := nameOf(c)
	return c.GivenName+c.FamilyName != "" && (who.FirstName != first || who.LastName != last) || c.Email != "" && who.Email != clip(c.Email)
}

// clip makes a text one that is kept as it is: valid, without NUL, bounded.
func clip(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	if r := []rune(s); len(r) > mostText {
		return string(r[:mostText])
	}
	return s
}

// Capabilities are what the person may do beside contracts.
func (p *Person) Capabilities() Capabilities {
	return Capabilities{p.Administrator, p.Administrator, p.Administrator, p.Administrator}
}

// Users lists people; everybody signed in may see them.
func (p *Person) Users(ctx context.Context, q UserQuery) (List[offchain.Person], error) {
	f := offchain.PersonFilter{ExternalID: q.ExternalID, Search: q.Search, Page: offchain.Page(q.bounded())}
	if q.Address != "" {
		if !common.IsHexAddress(q.Address) {
			return List[offchain.Person]{}, nil
		}
		if f.Address = common.HexToAddress(q.Address); f.Address == (common.Address{}) {
			return List[offchain.Person]{}, nil
		}
	}
	var err error
	f.Order, err = order(q.Sort, map[string]offchain.OrderBy{"firstname": offchain.ByName, "lastname": offchain.ByLastName,
		"id": offchain.ByID, "userid": offchain.ByID, "emailaddress": offchain.ByEmail})
	if err != nil {
		return List[offchain.Person]{}, err
	}
	return listed(p.w.Store.People(ctx, f))
}

// User is one person.
func (p *Person) User(ctx context.Context, id int) (*offchain.Person, error) {
	who, err := p.w.person(ctx, id)
	return who, hidden(err)
}

// AddUser makes somebody known before they come.
func (p *Person) AddUser(ctx context.Context, u UserInput) (int, error) {
	if err := p.mustAdminister(); err != nil {
		return 0, err
	}
	if u.ExternalID == "" || clip(u.ExternalID) != u.ExternalID || clip(u.FirstName) != u.FirstName || clip(u.LastName) != u.LastName || clip(u.Email) != u.Email {
		return 0, problem.New(ErrInput.Code, "a person needs an external id, and no value may be longer than 255 characters", ErrInput.Next)
	}
	p.w.joining.Lock()
	defer p.w.joining.Unlock()
	a, err := p.w.do(ctx, &offchain.PersonAdded{ExternalID: u.ExternalID, FirstName: u.FirstName, LastName: u.LastName, Email: u.Email})
	if err != nil {
		return 0, err
	}
	who, err := p.w.Store.Person(ctx, a.ID)
	if err == nil {
		err = p.w.provision(ctx, who)
	}
	if err != nil {
		p.w.Logger.Warn("a person has no ledger account yet", "person", a.ID, "err", err)
	}
	return a.ID, nil
}
