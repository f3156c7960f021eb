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
	if err != nil {
		return nil, hidden(err)
	}
	if b.ConnectionID != connectionID {
		return nil, ErrNotFound
	}
	return b, nil
}

// Transactions lists those of a ledger with an action on a contract that the person
// sees, newest first; an administrator's are all.
func (p *Person) Transactions(ctx context.Context, connectionID int, page Page) (List[offchain.Transaction], error) {
	if _, err := p.Connection(ctx, connectionID); err != nil {
		return List[offchain.Transaction]{}, err
	}
	if p.Administrator {
		return listed(p.w.Store.Transactions(ctx, connectionID, offchain.Page(page.bounded())))
	}
	ids, err := p.visible(ctx)
	if err != nil {
		return List[offchain.Transaction]{}, err
	}
	return listed(p.w.Store.TransactionsOf(ctx, connectionID, ids, offchain.Page(page.bounded())))
}

// Transaction is one of them.
func (p *Person) Transaction(ctx context.Context, connectionID, id int) (*offchain.Transaction, error) {
	t, err := p.w.Store.Transaction(ctx, id)
	if err != nil {
		return nil, hidden(err)
	}
	if t.ConnectionID != connectionID {
		return nil, ErrNotFound
	}
	if p.Administrator {
		return t, nil
	}
	of, err := p.w.Store.ApplicationsOf(ctx, id)
	if err != nil {
		return nil, err
	}
	mine, err := p.visible(ctx)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(of, func(id int) bool { return slices.Contains(mine, id) }) {
		return nil, ErrNotFound
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
