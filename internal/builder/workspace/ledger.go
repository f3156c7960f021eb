package workspace

import (
	"context"
	"errors"
	"net/url"
	"slices"

	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/problem"
)

// Ledgers lists the kinds of ledger.
func (p *Person) Ledgers(ctx context.Context) ([]offchain.Ledger, error) {
	return p.w.Store.Ledgers(ctx)
}

// Connections lists the ledgers that contracts may stand on.
func (p *Person) Connections(ctx context.Context) ([]offchain.Connection, error) {
	all, err := p.w.Store.Connections(ctx)
	all = slices.Clone(all)
	for i := range all {
		all[i].Endpoint = bare(all[i].Endpoint)
	}
	return all, err
}

// bare is an endpoint without what may be a secret in it: name and password, path
// and query.
func bare(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
}

// Connection is one of them.
func (p *Person) Connection(ctx context.Context, id int) (*offchain.Connection, error) {
	c, err := p.w.Store.Connection(ctx, id)
	if err != nil {
		return nil, hidden(err)
	}
	shown := *c
	shown.Endpoint = bare(c.Endpoint)
	return &shown, nil
}

// Blocks lists a ledger's blocks, newest first. That they exist is for everybody
// to see; what is in them is not.
func (p *Person) Blocks(ctx context.Context, connectionID int, page Page) (List[offchain.Block], error) {
	if _, err := p.Connection(ctx, connectionID); err != nil {
		return List[offchain.Block]{}, err
	}
	return listed(p.w.Store.Blocks(ctx, connectionID, offchain.Page(page.bounded())))
}

// Block is one block.
func (p *Person) Block(ctx context.Context, connectionID, id int) (*offchain.Block, error) {
	b, err := p.w.Store.Block(ctx, id)
	if err != nil || b.ConnectionID != connectionID {
		return nil, hidden(cmpErr(err))
	}
	return b, nil
}

// mostLooked bounds how many transactions are looked at for one page.
const mostLooked = 1000

// Transactions lists those of a ledger that belong to contracts which the person
// sees, newest first. Its Total is 0: nobody is told how many others there are.
func (p *Person) Transactions(ctx context.Context, connectionID int, page Page) (List[offchain.Transaction], error) {
	var none List[offchain.Transaction]
	if _, err := p.Connection(ctx, connectionID); err != nil {
		return none, err
	}
	page = page.bounded()
	if p.Administrator {
		return listed(p.w.Store.Transactions(ctx, connectionID, offchain.Page(page)))
	}
	skip := page.Skip
	for looked := 0; looked < mostLooked; looked += mostTop {
		l, err := p.w.Store.Transactions(ctx, connectionID, offchain.Page{Skip: looked, Top: mostTop})
		if err != nil {
			return none, err
		}
		for i := range l.Rows {
			switch ok, err := p.sees(ctx, &l.Rows[i]); {
			case err != nil:
				return none, err
			case !ok:
			case skip > 0:
				skip--
			case len(none.Items) == page.Top:
				none.Next = true
				return none, nil
			default:
				none.Items = append(none.Items, l.Rows[i])
			}
		}
		if !l.More {
			break
		}
	}
	return none, nil
}

// sees is whether a transaction belongs to a contract that the person sees.
func (p *Person) sees(ctx context.Context, t *offchain.Transaction) (bool, error) {
	a, err := p.w.Store.ActionByHash(ctx, t.ConnectionID, t.Hash)
	applicationID := 0
	switch {
	case err == nil:
		applicationID = a.ApplicationID
	case !errors.Is(err, offchain.ErrNotFound):
		return false, err
	case t.To != nil:
		c, err := p.w.Store.ContractByAddress(ctx, t.ConnectionID, *t.To)
		if err != nil {
			return false, ignore(err)
		}
		applicationID = c.ApplicationID
	default:
		return false, nil
	}
	_, err = p.see(ctx, applicationID)
	return err == nil, ignore(err)
}

// ignore is err unless it only says that there is nothing.
func ignore(err error) error {
	if errors.Is(err, offchain.ErrNotFound) || errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// Transaction is one of them.
func (p *Person) Transaction(ctx context.Context, connectionID, id int) (*offchain.Transaction, error) {
	t, err := p.w.Store.Transaction(ctx, id)
	if err != nil || t.ConnectionID != connectionID {
		return nil, hidden(cmpErr(err))
	}
	if !p.Administrator {
		if ok, err := p.sees(ctx, t); err != nil || !ok {
			return nil, cmpErr(err)
		}
	}
	return t, nil
}

// Proof asks the ledger for its receipt of an action's transaction and checks it.
func (p *Person) Proof(ctx context.Context, actionID int) (*Proof, error) {
	a, err := p.w.Store.Action(ctx, actionID)
	if err != nil {
		return nil, hidden(err)
	}
	if _, err := p.see(ctx, a.ApplicationID); err != nil {
		return nil, err
	}
	driver := p.w.Drivers[a.ConnectionID]
	if driver == nil || a.TransactionID == 0 {
		return nil, ledger.ErrNoProof
	}
	proof := &Proof{Service: string(p.w.Services[a.ConnectionID])}
	proof.Receipt, err = driver.Proof(ctx, a.Hash)
	switch {
	case errors.Is(err, ledger.ErrProof):
		proof.Problem = err.Error()
	case err != nil:
		return nil, err
	case proof.Service == "":
		proof.Problem = problem.New("PROOF_UNPINNED", "no service certificate is pinned for this ledger, so the receipt was not checked", "").What
	default:
		proof.Verified = true
	}
	return proof, nil
}
