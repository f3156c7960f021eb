package indexer

import (
	"context"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/workflow"
)

// plan finds out what a range of blocks means here: first what happened (this
// file), then what the touched contracts say of themselves (snapshot.go).
//
// It may be made outside of the store's turn: contracts of the connection change
// with its blocks only, and a transaction that was signed here is in the journal
// before any ledger has it.
type plan struct {
	*known
	pending map[common.Hash]*offchain.Pending // by every hash that was signed for it
	people  map[common.Address]int            // ids; 0: nobody
	roles   map[int][]offchain.Assignment     // by person
	enabled map[int]bool                      // applications

	facts   facts
	fresh   map[common.Address]*target // contracts of this range
	touched []touches                  // by block
}

// touches are the contracts that a block may have changed, in the order of the
// first call.
type touches struct {
	ref     ledger.Ref
	targets []*target
	acts    map[*target][]place // reverted ones too, in order
}

// place is where in a block an action stands: the transaction, and the call of it.
type place struct{ transaction, call int }

func (t *touches) add(x *target) {
	if !slices.Contains(t.targets, x) {
		t.targets = append(t.targets, x)
	}
}

func newPlan(ctx context.Context, k *known) (*plan, error) {
	p := &plan{known: k, pending: map[common.Hash]*offchain.Pending{}, people: map[common.Address]int{},
		roles: map[int][]offchain.Assignment{}, enabled: map[int]bool{}, fresh: map[common.Address]*target{},
		facts: facts{Version: factsVersion}}
	waiting, err := k.store.Pending(ctx, k.connection)
	if err != nil {
		return nil, err
	}
	for i := range waiting {
		for _, s := range waiting[i].Signed {
			p.pending[s.Hash] = &waiting[i]
		}
	}
	return p, nil
}

func (p *plan) blocks(ctx context.Context, blocks []ledger.Block) error {
	p.touched = make([]touches, len(blocks))
	p.facts.Blocks = make([]blockFacts, len(blocks))
	for i := range blocks {
		b := &blocks[i]
		p.touched[i] = touches{ref: b.Ref, acts: map[*target][]place{}}
		p.facts.Blocks[i] = blockFacts{Number: b.Number, Hash: b.Hash, Parent: b.Parent, Time: b.Time.UnixMicro(),
			Transactions: make([]transactionFacts, len(b.Transactions))}
		for j := range b.Transactions {
			r := reading{plan: p, block: i, at: j, tx: &b.Transactions[j], into: &p.facts.Blocks[i].Transactions[j]}
			if err := r.transaction(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// target finds a contract among those of this range and the known ones.
func (p *plan) target(ctx context.Context, a common.Address) (*target, error) {
	if t := p.fresh[a]; t != nil {
		return t, nil
	}
	return p.find(ctx, a)
}

// person is the id of the person with an account, or 0.
func (p *plan) person(ctx context.Context, a common.Address) (int, error) {
	if id, ok := p.people[a]; ok {
		return id, nil
	}
	who, err := p.store.PersonByAddress(ctx, p.connection, a)
	id := 0
	if err == nil {
		id = who.ID
	} else if err := absent(err); err != nil {
		return 0, err
	}
	p.people[a] = id
	return id, nil
}

// mayCreate says whether a person has a role that creates contracts of a
// workflow, in an application that is enabled.
func (p *plan) mayCreate(ctx context.Context, person int, w *offchain.Workflow) (bool, error) {
	enabled, ok := p.enabled[w.ApplicationID]
	if !ok {
		app, err := p.store.Application(ctx, w.ApplicationID)
		if err != nil {
			return false, err
		}
		enabled = app.Enabled
		p.enabled[w.ApplicationID] = enabled
	}
	if person == 0 || !enabled {
		return false, nil
	}
	roles, ok := p.roles[person]
	if !ok {
		var err error
		if roles, err = p.store.AssignmentsOf(ctx, person); err != nil {
			return false, err
		}
		p.roles[person] = roles
	}
	return slices.ContainsFunc(roles, func(a offchain.Assignment) bool {
		return a.ApplicationID == w.ApplicationID && slices.Contains(w.Initiators, a.RoleName)
	}), nil
}

// found makes a contract of this range known.
func (p *plan) found(t *target, block, by int) {
	t.ref = reference(-len(p.facts.Found) - 1)
	p.fresh[t.address] = t
	p.facts.Found = append(p.facts.Found, foundFacts{Application: t.ApplicationID, Workflow: t.Workflow.ID, Code: t.CodeID,
		Address: t.address, By: by, Block: block})
}

// settle makes the plan's contracts known, once the entry has given them ids.
func (p *plan) settle(b *offchain.BlocksTaken) {
	for a, t := range p.fresh {
		if t.ref < 0 {
			t.ref = reference(b.FirstContract - int(t.ref) - 1)
		}
		p.keep(a, t)
	}
}

// arguments gives the words of a call the names and ids of its parameters.
func arguments(f *offchain.Function, args []workflow.Argument) []argumentFacts {
	var out []argumentFacts
	for i, a := range args {
		g := argumentFacts{Name: a.Name, Value: a.Value}
		at := slices.IndexFunc(f.Parameters, func(p offchain.Parameter) bool { return p.Name == a.Name })
		if at < 0 && a.Name == "" && i < len(f.Parameters) {
			at = i
		}
		if at >= 0 {
			q := &f.Parameters[at]
			g.Parameter, g.Name, g.Display = q.ID, q.Name, q.DisplayName
		}
		out = append(out, g)
	}
	return out
}
