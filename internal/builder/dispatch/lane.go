package dispatch

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/offchain"
)

// lane does what one person's pending actions want: first what was signed is
// looked after, then what was asked for is sent, in order.
type lane struct {
	*connection
	person  int
	actions []offchain.Pending // oldest first
	who     *offchain.Person
	from    common.Address
	live    map[int]uint64 // nonces of what is signed and in no block, by action
}

func newLane(c *connection, person int, actions []offchain.Pending) *lane {
	l := &lane{connection: c, person: person, actions: actions, live: map[int]uint64{}}
	for i := range actions {
		if n := len(actions[i].Signed); n > 0 {
			l.live[actions[i].ID] = actions[i].Signed[n-1].Nonce
		}
	}
	return l
}

// run gives nil when everything is on its way, *blocked when the next action has
// to wait, and else why it went no further.
func (l *lane) run(ctx context.Context) error {
	if err := l.open(ctx); err != nil {
		return err
	}
	signed := slices.DeleteFunc(slices.Clone(l.actions), func(p offchain.Pending) bool { return len(p.Signed) == 0 })
	slices.SortFunc(signed, func(a, b offchain.Pending) int {
		return int(int64(l.live[a.ID]) - int64(l.live[b.ID]))
	})
	late := false
	for i := range signed {
		p := &signed[i]
		if err := l.guard(ctx, p, func() error { return l.follow(ctx, p, &late) }); err != nil {
			return err
		}
	}
	if late {
		if err := l.fill(ctx); err != nil {
			return err
		}
	}
	for i := range l.actions {
		p := &l.actions[i]
		l.mu.Lock()
		_, sent := l.sent[p.ID]
		l.mu.Unlock()
		if len(p.Signed) > 0 || sent {
			continue
		}
		if err := l.guard(ctx, p, func() error { return l.perform(ctx, p, nil) }); err != nil {
			return err
		}
	}
	return nil
}

// open finds the person and the account that signs.
func (l *lane) open(ctx context.Context) error {
	var err error
	if l.who, err = l.Store.Person(ctx, l.person); err != nil {
		return stored(err)
	}
	if a, ok := l.who.Address(l.id); ok {
		l.from = a
		return nil
	}
	key, err := l.Vault.Create(ctx, l.who.ExternalID) // makes it, or gives the one there is
	if err != nil {
		return err
	}
	l.from = key.Address
	return nil
}

// guard keeps what is wrong with one action from stopping the others: an action
// that fails for a reason that stays is ended, and so is one that failed several
// times for a reason nobody knows.
func (l *lane) guard(ctx context.Context, p *offchain.Pending, do func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			l.Log.Error("a fault while an action was sent", "action", p.ID, "fault", r, "stack", string(debug.Stack()))
			err = l.given(ctx, p, fmt.Errorf("a fault: %v", r))
		}
	}()
	if err = do(); err == nil {
		return nil
	}
	var b *blocked
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &b), waits(err):
		return err
	case final(err):
		return l.fail(ctx, p, err)
	}
	return l.given(ctx, p, err)
}

// mostTries is how often an action is tried that fails for no known reason.
const mostTries = 6

// given counts a failure, and ends the action when there were too many.
func (l *lane) given(ctx context.Context, p *offchain.Pending, err error) error {
	l.mu.Lock()
	l.tries[p.ID]++
	tries := l.tries[p.ID]
	l.mu.Unlock()
	if tries < mostTries {
		return err
	}
	l.Log.Error("an action is given up", "action", p.ID, "tries", tries, "why", err)
	return l.fail(ctx, p, err)
}

// fail ends an action that will be in no block. Its nonce is used when later ones
// of the person are signed: fill gives it away.
func (l *lane) fail(ctx context.Context, p *offchain.Pending, why error) error {
	e := &offchain.Failed{ActionID: p.ID, Status: offchain.StatusRefused}
	e.Code, e.Message, e.RevertReason = told(why)
	nonce, signed := l.live[p.ID]
	delete(l.live, p.ID)
	if signed {
		for _, other := range l.live {
			if other > nonce {
				e.Status = offchain.StatusFailed
			}
		}
	}
	if err := l.settled(l.Store.Do(ctx, e)); err != nil {
		return err
	}
	l.forget(p.ID)
	if e.Status == offchain.StatusFailed {
		return l.fill(ctx)
	}
	return nil
}

// settled takes the sting out of an entry that came too late: the action is in a
// block already.
func (l *lane) settled(_ offchain.Applied, err error) error {
	if errors.Is(err, offchain.ErrSettled) {
		return nil
	}
	return stored(err)
}

// forget makes the next nonce be asked for again.
func (l *lane) forget(action int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.sent, action)
	delete(l.nonces, l.person)
}

// ahead lists what may change what the contract says to p: what the person has
// signed, and what others have on its contract that is on its way or was asked for
// before.
func (l *lane) ahead(ctx context.Context, p *offchain.Pending) ([]int, error) {
	var on []int
	for id := range l.live {
		if id != p.ID {
			on = append(on, id)
		}
	}
	if p.Creation {
		return on, nil
	}
	all, err := l.Store.Pending(ctx, l.id)
	if err != nil {
		return nil, stored(err)
	}
	for i := range all {
		if all[i].ContractID == p.ContractID && (len(all[i].Signed) > 0 && all[i].ID != p.ID || all[i].ID < p.ID) && !slices.Contains(on, all[i].ID) {
			on = append(on, all[i].ID)
		}
	}
	return on, nil
}

// data is what is sent, and to whom.
func (l *lane) data(ctx context.Context, p *offchain.Pending) (*common.Address, []byte, error) {
	bound, err := l.Book.Of(ctx, l.Store, p.WorkflowID, p.CodeID)
	if err != nil {
		return nil, nil, stored(err)
	}
	args := words(p.Arguments)
	if p.Creation {
		data, err := bound.Binding.Create(args)
		return nil, data, err
	}
	if p.Address == (common.Address{}) {
		contract, err := l.Store.Contract(ctx, p.ContractID)
		switch {
		case err != nil:
			return nil, nil, stored(err)
		case contract.Status >= offchain.StatusRefused:
			return nil, nil, ErrContract
		}
		return nil, nil, l.creation(ctx, p)
	}
	f := bound.Workflow.Function(p.FunctionID)
	if f == nil {
		return nil, nil, fmt.Errorf("function %d of workflow %d: %w", p.FunctionID, p.WorkflowID, offchain.ErrNotFound)
	}
	data, err := bound.Binding.Call(f.Name, args)
	to := p.Address
	return &to, data, err
}

// creation is that an action waits for its contract.
func (l *lane) creation(ctx context.Context, p *offchain.Pending) error {
	all, err := l.Store.Pending(ctx, l.id)
	if err != nil {
		return stored(err)
	}
	b := &blocked{}
	for i := range all {
		if all[i].ContractID == p.ContractID && all[i].Creation {
			b.on = append(b.on, all[i].ID)
		}
	}
	return b
}

// next is the nonce after everything that is signed or that the ledger has.
func (l *lane) next(ctx context.Context) (uint64, error) {
	l.mu.Lock()
	n, ok := l.nonces[l.person]
	l.mu.Unlock()
	if ok {
		return n, nil
	}
	n, err := l.driver.NextNonce(ctx, l.from)
	if err != nil {
		return 0, err
	}
	for _, signed := range l.live {
		n = max(n, signed+1)
	}
	return n, nil
}

// used says whether the ledger has, or may have, any transaction of an action.
func (l *lane) used(ctx context.Context, p *offchain.Pending) (bool, error) {
	for i := range p.Signed {
		s, err := l.driver.Status(ctx, p.Signed[i].Hash)
		if err != nil {
			return false, err
		}
		if s.State == ledger.Committed || s.State == ledger.Pending {
			return true, nil
		}
	}
	return false, nil
}
