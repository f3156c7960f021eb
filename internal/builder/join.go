package builder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/ledger/access"
	"github.com/coco-consortium/coco/internal/builder/offchain"
)

// join finds or makes the row of a connection and binds its way to that ledger. A
// ledger that does not answer, or is another one than before, keeps only its own
// connection waiting.
func (b *Builder) join(ctx context.Context, w *way) (id int, err error) {
	known, err := b.store.Connections(ctx)
	if err != nil {
		return 0, err
	}
	row := claimed(w, known, func(c *offchain.Connection) bool { return b.drivers[c.ID] != nil || b.named(c.Endpoint) })
	if row == nil {
		a, err := b.store.Do(ctx, &offchain.ConnectionAdded{LedgerID: 1, Endpoint: w.RPC[0], Kind: cmp.Or(w.Kind, kindCoco), FundingAccount: w.funding,
			ChainID: w.identity.Chain, Genesis: w.identity.Genesis, First: w.From})
		if err != nil {
			return 0, err
		}
		row = &offchain.Connection{ID: a.ID, Endpoint: w.RPC[0], ChainID: w.identity.Chain, Genesis: w.identity.Genesis}
	}
	if b.drivers[row.ID] != nil {
		return 0, ErrConfig.From(fmt.Errorf("%s is the same ledger as another connection; nodes of one ledger stand in one connection: rpc: [URL, URL]", w.RPC[0]))
	}
	bound := identityOf(row)
	learn := func(ctx context.Context, i access.Identity) error { return b.learn(ctx, row.ID, row.Endpoint, i) }
	switch place := bare(w.RPC[0]); {
	case w.err != nil:
		b.waiting = append(b.waiting, fmt.Sprintf("connection %d waits: %s does not answer, and joins when it does", row.ID, place))
		b.config.Logger.Warn("a ledger does not answer; its connection waits", "connection", row.ID, "why", w.err)
	case bound == access.Identity{}:
		bound, err = w.identity, learn(ctx, w.identity)
	case bound != w.identity:
		b.waiting = append(b.waiting, fmt.Sprintf("connection %d waits: %s is of another ledger than before (%s); nothing is read from it or sent to it",
			row.ID, place, ledger.ErrForeign.Code))
	case !slices.Contains(w.RPC, row.Endpoint):
		_, err = b.store.Do(ctx, &offchain.ConnectionChanged{ID: row.ID, Endpoint: w.RPC[0]})
		if errors.Is(err, offchain.ErrConnectionExists) { // one that never answered has it: only a name
			err = nil
		}
	}
	w.ledger.Bind(bound, learn)
	return row.ID, err
}

// named is whether a connection of the configuration has an address.
func (b *Builder) named(address string) bool {
	return slices.ContainsFunc(b.config.Connections, func(c Connection) bool { return slices.Contains(c.RPC, address) })
}

// claimed is the row of a connection: that of its address, or, when that is new or
// never answered, that of its ledger. When it does not say which that is, it is the
// only row that no other connection can have: its address changed. nil: it needs a
// new one.
func claimed(w *way, known []offchain.Connection, taken func(*offchain.Connection) bool) *offchain.Connection {
	at := slices.IndexFunc(known, func(k offchain.Connection) bool { return slices.Contains(w.RPC, k.Endpoint) })
	same := slices.IndexFunc(known, func(k offchain.Connection) bool {
		return w.identity != access.Identity{} && identityOf(&k) == w.identity
	})
	switch {
	case at >= 0 && (same < 0 || identityOf(&known[at]) != access.Identity{}):
		return &known[at]
	case same >= 0:
		return &known[same]
	case w.identity != access.Identity{}:
		return nil
	}
	var left *offchain.Connection
	for i := range known {
		if k := &known[i]; k.Kind == cmp.Or(w.Kind, kindCoco) && !taken(k) {
			if left != nil {
				return nil
			}
			left = k
		}
	}
	return left
}

func identityOf(c *offchain.Connection) access.Identity {
	return access.Identity{Chain: c.ChainID, Genesis: c.Genesis}
}

// learn notes which ledger a connection is of that did not answer before.
func (b *Builder) learn(ctx context.Context, id int, endpoint string, i access.Identity) error {
	known, err := b.store.Connections(ctx)
	if err != nil {
		return err
	}
	for _, k := range known {
		if k.ID != id && identityOf(&k) == i {
			return ledger.ErrForeign.From(fmt.Errorf("it is the ledger of connection %d already: start App Builder again, and name nodes of one ledger in one connection", k.ID))
		}
	}
	_, err = b.store.Do(ctx, &offchain.ConnectionChanged{ID: id, Endpoint: endpoint, ChainID: i.Chain, Genesis: i.Genesis})
	return err
}

// bare is an address without what may be a secret in it.
func bare(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "its node"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
}
