package dispatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/offchain"
)

// lane does what one person's actions want that are due: first what was signed is
// looked after, then what was asked for is sent.
type lane struct {
	*connection
	person int
	due    []*offchain.Pending // oldest first
	who    *offchain.Person
	from   common.Address
	live   map[int]uint64 // nonces of what is signed and may still be in a block, by action
	did    bool           // something was achieved
}

func newLane(c *connection, person int, actions []offchain.Pending, due []*offchain.Pending) *lane {
	l := &lane{connection: c, person: person, due: due, live: map[int]uint64{}}
	for i := range actions {
		if n := len(actions[i].Signed); n > 0 {
			l.live[actions[i].ID] = actions[i].Signed[n-1].Nonce
		}
	}
	return l
}

// run gives nil when everything was done that can be done now, and else what
// stops everybody.
func (l *lane) run(ctx context.Context) error {
	if err := l.contained(func() error { return l.open(ctx) }); err != nil {
		for _, p := range l.due {
			if err := l.guard(ctx, p, func() error { return err }); err != nil {
				return err
			}
		}
		return nil
	}
	signed := slices.DeleteFunc(slices.Clone(l.due), func(p *offchain.Pending) bool { return len(p.Signed) == 0 })
	slices.SortFunc(signed, func(a, b *offchain.Pending) int { return cmp.Compare(l.live[a.ID], l.live[b.ID]) })
	for _, p := range signed {
		if err := l.guard(ctx, p, func() error { return l.follow(ctx, p) }); err != nil {
			return err
		}
	}
	if len(signed) > 0 {
		if err := l.contained(func() error { return l.fill(ctx) }); waits(err) || ctx.Err() != nil {
			return err
		} else if err != nil {
			l.Log.Warn("a nonce could not be given away", "connection", l.id, "person", l.person, "why", err)
		}
	}
	for _, p := range l.due {
		if len(p.Signed) > 0 {
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
// times for a reason nobody knows. It gives what stops everybody.
func (l *lane) guard(ctx context.Context, p *offchain.Pending, do func() error) error {
	err := l.contained(do)
	if err == nil {
		return nil
	}
	why := err
	if err = l.contained(func() error { return l.judge(ctx, p, why) }); errors.Is(err, errFault) {
		l.later(p.ID, err, nil)
		return nil
	}
	return err
}

// judge says what becomes of an action that failed, and does that.
func (l *lane) judge(ctx context.Context, p *offchain.Pending, err error) error {
	var b *blocked
	_, live := l.live[p.ID]
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &b):
		l.later(p.ID, nil, b.on)
		return nil
	case waits(err):
		return err
	case live && errors.Is(err, ledger.ErrUnfunded): // funds may come
		l.later(p.ID, err, nil)
		return nil
	case final(err) && (!live || !errors.Is(err, ledger.ErrRefused)): // what is out the ledger may take another time
		return l.fail(ctx, p, err)
	}
	return l.given(ctx, p, err)
}

var errFault = errors.New("a fault")

// contained turns a panic into an error.
func (l *lane) contained(do func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			l.Log.Error("a fault while actions were sent", "connection", l.id, "person", l.person, "fault", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("%w: %v", errFault, r)
		}
	}()
	return do()
}

// mostTries is how often an action is tried that fails for no known reason.
const mostTries = 6

// given counts a failure, and ends the action when there were too many. What may
// still be in a block is tried for as long as that takes, unless the ledger says each
// time that it does not take it.
func (l *lane) given(ctx context.Context, p *offchain.Pending, err error) error {
	l.later(p.ID, err, nil)
	l.mu.Lock()
	k := l.memory(p.ID)
	k.tries++
	tries := k.tries
	l.mu.Unlock()
	if _, live := l.live[p.ID]; live && !final(err) || tries < mostTries {
		l.Log.Warn("an action cannot be sent now; trying again", "action", p.ID, "tries", tries, "why", err)
		return nil
	}
	l.Log.Error("an action is given up", "action", p.ID, "tries", tries, "why", err)
	return l.fail(ctx, p, err)
}

// fail ends an action that will be in no block: it was never signed, or another
// transaction has its nonce for ever. One whose transaction may still be in a block
// is withdrawn first.
func (l *lane) fail(ctx context.Context, p *offchain.Pending, why error) error {
	if _, live := l.live[p.ID]; live {
		return l.withdraw(ctx, p, why)
	}
	e := &offchain.Failed{ActionID: p.ID, Status: offchain.StatusRefused}
	if len(p.Signed) > 0 {
		e.Status = offchain.StatusFailed
	}
	e.Code, e.Message, e.RevertReason = told(why)
	l.did = true
	return l.settled(l.Store.Do(ctx, e))
}

// settled takes the sting out of an entry that came too late: the action is in a
// block already.
func (l *lane) settled(_ offchain.Applied, err error) error {
	if errors.Is(err, offchain.ErrSettled) {
		return nil
	}
	return stored(err)
}

// ahead lists what may change what the contract says to p: what the person has
// signed, and what others have on its contract that is on its way or was asked for
// before. What was signed and lost its nonce is on no way: two such would wait for each
// other.
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
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range all {
		k := l.kept[all[i].ID]
		out := len(all[i].Signed) > 0 && (k == nil || !k.lost)
		if all[i].ContractID == p.ContractID && (out && all[i].ID != p.ID || all[i].ID < p.ID) && !slices.Contains(on, all[i].ID) {
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
