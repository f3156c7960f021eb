package indexer

import (
	"context"
	"errors"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/offchain/binding"
)

// reading is one transaction that is being read.
type reading struct {
	*plan
	block, at int // position of the block in the range, and of the transaction in the block
	tx        *ledger.Transaction
	into      *transactionFacts

	ours     *offchain.Pending // the action that it was signed for; nil: it came past the gateway
	person   int               // who sent it, once looked up
	looked   bool
	stack    []*target // by depth: the known contract that runs there, or nil
	sequence int
}

func (r *reading) transaction(ctx context.Context) error {
	t := r.tx
	*r.into = transactionFacts{Hash: t.Hash, From: t.From, Failed: t.Failed, TxID: t.TxID}
	if t.To != nil {
		r.into.To = t.To.Bytes()
	}
	if t.Value != nil {
		r.into.Value = t.Value.Bytes()
	}
	r.ours = r.pending[t.Hash]
	r.into.Ours = r.ours != nil
	calls := t.Calls
	if len(calls) == 0 {
		calls = []ledger.CallFrame{outer(t)}
	}
	for i := range calls {
		if err := r.frame(ctx, i == 0, &calls[i]); err != nil {
			return err
		}
	}
	return nil
}

// outer is the transaction's own call, from what the transaction itself says.
func outer(t *ledger.Transaction) ledger.CallFrame {
	f := ledger.CallFrame{Kind: "CALL", From: t.From, Input: t.Input, Failed: t.Failed}
	switch {
	case t.To != nil:
		f.To = *t.To
	default:
		f.Kind, f.Input, f.Code = "CREATE", nil, t.Input
		if t.Created != nil {
			f.To = *t.Created
		}
	}
	return f
}

func (r *reading) frame(ctx context.Context, first bool, f *ledger.CallFrame) error {
	depth := min(max(f.Depth, 0), len(r.stack)) // what stands deeper than one below is a mistake of the ledger
	r.stack = append(r.stack[:depth], nil)
	switch {
	case first && r.ours != nil:
		return r.settle(ctx, f)
	case f.Failed && !first: // undone, with everything inside
		return nil
	}
	switch f.Kind {
	case "CALL":
		return r.call(ctx, f)
	case "CREATE", "CREATE2":
		if f.Failed {
			return nil
		}
		return r.creation(ctx, f)
	case "SELFDESTRUCT":
		t, err := r.target(ctx, f.From)
		if t != nil {
			r.touched[r.block].add(t)
		}
		return err
	}
	return nil // the code of others on one's own state (DELEGATECALL), or nothing changes (STATICCALL)
}

// settle settles the action that the transaction was signed for.
func (r *reading) settle(ctx context.Context, f *ledger.CallFrame) error {
	p := r.ours
	r.person, r.looked = p.PersonID, true
	var t *target
	c := callFacts{Settles: p.ID, Application: p.ApplicationID, Contract: reference(p.ContractID)}
	switch {
	case !p.Creation:
		var err error
		if t, err = r.asked(ctx); err != nil {
			return err
		}
		if t == nil {
			c.Missed, c.Message = true, ErrMissed.What
			r.act(nil, c)
			return r.call(ctx, f) // whatever is there now
		}
	case !r.tx.Failed && r.tx.Created != nil:
		bound, err := r.book.Of(ctx, r.store, p.WorkflowID, p.CodeID)
		if err != nil {
			return err
		}
		t = &target{ref: reference(p.ContractID), address: *r.tx.Created, Bound: bound}
		r.fresh[t.address] = t
		c.Created = t.address.Bytes()
	}
	if t != nil {
		c.Name = functionName(t.Workflow, p.FunctionID)
	}
	r.act(t, c)
	return nil
}

// asked is the contract that an action was asked of, nil when the transaction went
// elsewhere: the contract's block was replaced after the action was signed, and
// the contract was created again at another address.
func (r *reading) asked(ctx context.Context) (*target, error) {
	if r.tx.To == nil {
		return nil, nil
	}
	t, err := r.target(ctx, *r.tx.To)
	if t == nil || err != nil || t.ref != reference(r.ours.ContractID) {
		return nil, err
	}
	return t, nil
}

func functionName(w *offchain.Workflow, id int) string {
	if f := w.Function(id); f != nil {
		return f.Name
	}
	return ""
}

// call is a call of an account by a transaction or a contract.
func (r *reading) call(ctx context.Context, f *ledger.CallFrame) error {
	t, err := r.target(ctx, f.To)
	if t == nil || err != nil {
		return err
	}
	c, ok := invoked(t, f.Input)
	if !ok {
		r.enter(t, f.Failed)
		return nil
	}
	if c.Person, err = r.sender(ctx); err != nil {
		return err
	}
	if c.From, c.Caller, err = r.caller(ctx, f); err != nil {
		return err
	}
	r.act(t, c)
	return nil
}

// invoked is the action that call data is of a contract; false when it is none,
// because it is empty or asks for a function that changes nothing.
func invoked(t *target, input []byte) (callFacts, bool) {
	c := callFacts{Application: t.ApplicationID, Contract: t.ref}
	if name, args, _ := t.Binding.DecodeCall(input); name != "" {
		for i := range t.Workflow.Functions {
			if f := &t.Workflow.Functions[i]; f.Name == name {
				c.Function, c.Name, c.Arguments = f.ID, f.Name, arguments(f, args)
				return c, !f.ReadOnly
			}
		}
	}
	if len(input) < 4 {
		return c, false
	}
	m, err := t.Binding.ABI.MethodById(input[:4])
	if err != nil || m.IsConstant() {
		return c, false
	}
	c.Name = m.RawName
	return c, true
}

// creation is a contract that a contract made, or a person past the gateway.
func (r *reading) creation(ctx context.Context, f *ledger.CallFrame) error {
	if len(f.Code) == 0 || f.To == (common.Address{}) {
		return nil
	}
	like, err := r.book.Recognise(ctx, r.store, f.Code)
	if err != nil || len(like) == 0 {
		return err
	}
	who, err := r.sender(ctx)
	if err != nil {
		return err
	}
	bound, err := r.choose(ctx, like, who)
	if bound == nil || err != nil {
		return err
	}
	t := &target{address: f.To, Bound: bound}
	r.found(t, r.block, who)
	c := callFacts{Application: t.ApplicationID, Contract: t.ref, Function: t.Workflow.Constructor.ID, Person: who}
	if c.From, c.Caller, err = r.caller(ctx, f); err != nil {
		return err
	}
	if args, ok := bound.Binding.DecodeCreate(f.Code); ok {
		c.Arguments = arguments(&t.Workflow.Constructor, args)
	}
	r.act(t, c)
	return nil
}

// choose says what a new contract is an instance of, when its code is that of
// several: what the nearest known contract around belongs to, else the newest
// that the sender may create.
func (r *reading) choose(ctx context.Context, like []*binding.Bound, who int) (*binding.Bound, error) {
	for i := len(r.stack) - 1; i >= 0; i-- {
		maker := r.stack[i]
		if maker == nil {
			continue
		}
		for _, b := range like {
			if b.CodeID == maker.CodeID {
				return b, nil
			}
		}
		break
	}
	for i := len(like) - 1; i >= 0; i-- {
		may, err := r.mayCreate(ctx, who, like[i].Workflow)
		if may || err != nil {
			return like[i], err
		}
	}
	return nil, nil
}

// sender is the person who sent the transaction, or 0.
func (r *reading) sender(ctx context.Context) (int, error) {
	if r.looked {
		return r.person, nil
	}
	var err error
	r.person, err = r.plan.person(ctx, r.tx.From)
	r.looked = err == nil
	return r.person, err
}

// caller is who made a call, and which known contract that is, if it is one.
func (r *reading) caller(ctx context.Context, f *ledger.CallFrame) (common.Address, reference, error) {
	if f.Depth == 0 {
		return f.From, 0, nil
	}
	t, err := r.target(ctx, f.From)
	if t == nil || err != nil {
		return f.From, 0, err
	}
	return f.From, t.ref, nil
}

// enter notes that a contract runs and may be changed.
func (r *reading) enter(t *target, failed bool) {
	r.stack[len(r.stack)-1] = t
	if !failed && !r.tx.Failed {
		r.touched[r.block].add(t)
	}
}

// act notes an action on t, which is nil when nothing came of it.
func (r *reading) act(t *target, c callFacts) {
	r.sequence++
	c.Sequence, c.Reverted = r.sequence, r.tx.Failed
	if c.Reverted {
		refused := ledger.Reverted{Reason: r.tx.RevertReason, Data: r.tx.RevertData}
		c.Reason, c.Message = r.tx.RevertReason, refused.Error()
	}
	r.into.Calls = append(r.into.Calls, c)
	if t != nil {
		r.enter(t, c.Reverted)
		acts := r.touched[r.block].acts
		acts[t] = append(acts[t], place{r.at, len(r.into.Calls) - 1})
	}
}

func absent(err error) error {
	if errors.Is(err, offchain.ErrNotFound) {
		return nil
	}
	return err
}
