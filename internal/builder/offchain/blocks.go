package offchain

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

// assignBlocks gives a range of blocks its first ids and computes its rows.
func (f *folder) assignBlocks(ctx context.Context, v view, e *BlocksTaken) (*Rows, error) {
	c, err := v.Cursor(ctx, e.ConnectionID)
	if err != nil {
		return nil, err
	}
	if e.From != c.Next || e.To < e.From || uint64(len(e.Hashes)) != e.To-e.From+1 {
		return nil, ErrCursor.From(fmt.Errorf("blocks %d to %d with %d hashes, but block %d is next", e.From, e.To, len(e.Hashes), c.Next))
	}
	e.FirstBlock, e.FirstTransaction = f.next("block"), f.next("transaction")
	e.FirstContract, e.FirstAction = f.next("contract"), f.next("action")
	rows, err := f.rows(ctx, e)
	if err != nil {
		return nil, err
	}
	e.Blocks, e.Transactions, e.Contracts, e.Actions = len(rows.Blocks), len(rows.Transactions), len(rows.Contracts), len(rows.Actions)
	e.Digest = digest(rows)
	return rows, nil
}

// again computes the rows of a range that was taken in before, and checks that
// they are the same.
func (f *folder) again(ctx context.Context, e *BlocksTaken) (*Rows, error) {
	rows, err := f.rows(ctx, e)
	if err != nil {
		return nil, err
	}
	if e.Blocks != len(rows.Blocks) || e.Transactions != len(rows.Transactions) || e.Contracts != len(rows.Contracts) ||
		e.Actions != len(rows.Actions) || e.Digest != digest(rows) {
		return nil, errRebuild.From(fmt.Errorf("connection %d, blocks %d to %d", e.ConnectionID, e.From, e.To))
	}
	return rows, nil
}

// rows asks the source, and checks that its rows hang together.
func (f *folder) rows(ctx context.Context, e *BlocksTaken) (*Rows, error) {
	if f.source == nil {
		return nil, ErrSourceRows.From(fmt.Errorf("there is no source"))
	}
	rows, err := f.source.Rows(ctx, view{f.tx, f.c}, e)
	if err != nil {
		return nil, err
	}
	wrong := func(what string, i int) (*Rows, error) {
		return nil, ErrSourceRows.From(fmt.Errorf("blocks %d to %d: %s %d", e.From, e.To, what, i))
	}
	if uint64(len(rows.Blocks)) != e.To-e.From+1 {
		return wrong("blocks", len(rows.Blocks))
	}
	for i, b := range rows.Blocks {
		if b.ID != e.FirstBlock+i || b.Number != e.From+uint64(i) || b.Hash != e.Hashes[i] || b.ConnectionID != e.ConnectionID {
			return wrong("block", i)
		}
	}
	for i, t := range rows.Transactions {
		if t.ID != e.FirstTransaction+i || t.BlockID < e.FirstBlock || t.BlockID >= e.FirstBlock+len(rows.Blocks) {
			return wrong("transaction", i)
		}
	}
	constructors := map[int]bool{}
	for i, a := range rows.Actions {
		if a.ID != e.FirstAction+i || a.TransactionID < e.FirstTransaction || a.TransactionID >= e.FirstTransaction+len(rows.Transactions) {
			return wrong("action", i)
		}
		constructors[a.ContractID] = constructors[a.ContractID] || f.constructor(&a)
	}
	for i, c := range rows.Contracts {
		if c.ID != e.FirstContract+i || !constructors[c.ID] {
			return wrong("contract without a constructor's action", i)
		}
	}
	for i, s := range rows.Settled {
		if s.TransactionID < e.FirstTransaction || s.TransactionID >= e.FirstTransaction+len(rows.Transactions) ||
			s.Status != StatusCommitted && s.Status != StatusReverted {
			return wrong("settled", i)
		}
	}
	for i, p := range rows.Properties {
		if p.BlockID < e.FirstBlock || p.BlockID >= e.FirstBlock+len(rows.Blocks) {
			return wrong("properties", i)
		}
	}
	return rows, nil
}

// digest is over what decides ids and values. It is part of the journal: what
// it covers must never change.
func digest(r *Rows) string {
	h := sha256.New()
	for _, t := range r.Transactions {
		fmt.Fprintf(h, "t %d %d %x\n", t.ID, t.BlockID, t.Hash)
	}
	for _, c := range r.Contracts {
		fmt.Fprintf(h, "c %d %d %x\n", c.ID, c.WorkflowID, c.Address)
	}
	for _, s := range r.Settled {
		fmt.Fprintf(h, "s %d %d %d\n", s.ActionID, s.TransactionID, s.Status)
	}
	for _, a := range r.Actions {
		fmt.Fprintf(h, "a %d %d %d %d\n", a.ID, a.ContractID, a.FunctionID, a.TransactionID)
	}
	for _, p := range r.Properties {
		fmt.Fprintf(h, "p %d %d", p.ContractID, p.BlockID)
		for _, v := range p.Values {
			fmt.Fprintf(h, " %d %q", v.PropertyID, v.Value)
		}
		fmt.Fprintln(h)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// range is what applying a range of blocks holds: the contracts that it changes.
type taking struct {
	*folder
	rows      *Rows
	blocks    map[int]*Block
	transfers map[int]*Transaction
	contracts map[int]*changing
}

// changing is a contract as it will be after the range.
type changing struct {
	Contract
	workflow *Workflow
	found    bool // new in this range
	state    int  // before
	changed  bool
}

func (f *folder) blocksTaken(ctx context.Context, e *BlocksTaken, rows *Rows) error {
	t := &taking{folder: f, rows: rows, blocks: map[int]*Block{}, transfers: map[int]*Transaction{}, contracts: map[int]*changing{}}
	f.touched.connections.add(e.ConnectionID)
	f.took("block", e.FirstBlock, e.Blocks)
	f.took("transaction", e.FirstTransaction, e.Transactions)
	f.took("contract", e.FirstContract, e.Contracts)
	f.took("action", e.FirstAction, e.Actions)
	for i := range rows.Blocks {
		b := &rows.Blocks[i]
		t.blocks[b.ID] = b
		if err := f.insert(ctx, "block (id, connection_id, number, hash, parent, time)",
			b.ID, e.ConnectionID, b.Number, hashText(b.Hash), hashText(b.Parent), micros(b.Time)); err != nil {
			return err
		}
	}
	for i := range rows.Transactions {
		x := &rows.Transactions[i]
		t.transfers[x.ID] = x
		var to any
		if x.To != nil {
			to = addressFull(*x.To)
		}
		if err := f.insert(ctx, `ledger_transaction (id, connection_id, block_id, hash, from_address, to_address, value, ours, status, tx_id)`,
			x.ID, e.ConnectionID, x.BlockID, hashText(x.Hash), addressFull(x.From), to, weiText(x.Value), x.Ours, x.Status, x.TxID); err != nil {
			return err
		}
	}
	settled, err := t.load(ctx)
	if err != nil {
		return err
	}
	if err := t.settle(ctx, settled); err != nil {
		return err
	}
	if err := t.act(ctx, e); err != nil {
		return err
	}
	if err := t.values(ctx); err != nil {
		return err
	}
	if err := t.write(ctx); err != nil {
		return err
	}
	return f.exec(ctx, "UPDATE connection SET next_block = $1, last_hash = $2 WHERE id = $3", e.To+1, hashText(e.Hashes[len(e.Hashes)-1]), e.ConnectionID)
}

// chunk is how many ids one query names.
const chunk = 400

// load reads the actions that are settled and the contracts that change.
func (t *taking) load(ctx context.Context) (map[int]*Action, error) {
	v := view{t.tx, t.c}
	actions := map[int]*Action{}
	contracts := set{}
	var ids []int
	for _, s := range t.rows.Settled {
		ids = append(ids, s.ActionID)
	}
	for part := range slices.Chunk(ids, chunk) {
		found, err := v.actions(ctx, "WHERE a.id IN ("+list(part)+")")
		if err != nil {
			return nil, err
		}
		for i := range found {
			actions[found[i].ID] = &found[i]
			contracts.add(found[i].ContractID)
		}
	}
	for i := range t.rows.Contracts {
		if err := t.find(&t.rows.Contracts[i]); err != nil {
			return nil, err
		}
	}
	for _, a := range t.rows.Actions {
		contracts.add(a.ContractID)
	}
	for _, p := range t.rows.Properties {
		contracts.add(p.ContractID)
	}
	for part := range slices.Chunk(slices.Sorted(maps.Keys(contracts)), chunk) {
		s := &statement{}
		s.WriteString("SELECT " + contractRow + " FROM contract c WHERE c.id IN (" + list(part) + ")")
		found, err := v.contractRows(ctx, s)
		if err != nil {
			return nil, err
		}
		for _, c := range found {
			w, err := get(v, t.c.workflows, c.WorkflowID)
			if err != nil {
				return nil, err
			}
			t.contracts[c.ID] = &changing{Contract: c, workflow: w, state: c.StateID}
		}
	}
	return actions, nil
}

// find begins a contract that was found on the ledger.
func (t *taking) find(c *Contract) error {
	w, err := get(view{t.tx, t.c}, t.c.workflows, c.WorkflowID)
	if err != nil {
		return ErrSourceRows.From(fmt.Errorf("contract %d of workflow %d", c.ID, c.WorkflowID))
	}
	made := *c
	made.ApplicationID, made.CreatedAt = w.ApplicationID, c.CreatedAt.UTC().Truncate(time.Microsecond)
	made.StateID, made.State, made.Values, made.Unread, made.LastActionID = 0, "", nil, nil, 0
	t.contracts[c.ID] = &changing{Contract: made, workflow: w, found: true, changed: true}
	return nil
}

// settle ends actions that were asked for here.
func (t *taking) settle(ctx context.Context, actions map[int]*Action) error {
	for _, s := range t.rows.Settled {
		a := actions[s.ActionID]
		if a == nil {
			return ErrSourceRows.From(fmt.Errorf("action %d is settled, but unknown", s.ActionID))
		}
		x := t.transfers[s.TransactionID]
		a.Status, a.Sequence, a.StateID = s.Status, s.Sequence, s.StateID
		a.ErrorCode, a.ErrorMessage, a.RevertReason = s.ErrorCode, s.ErrorMessage, s.RevertReason
		a.Hash, a.From, a.TransactionID, a.BlockID = x.Hash, x.From, x.ID, x.BlockID
		if err := t.ended(ctx, a); err != nil {
			return err
		}
		c := t.contracts[a.ContractID]
		if c == nil {
			return ErrSourceRows.From(fmt.Errorf("action %d has no contract", a.ID))
		}
		if t.constructor(a) {
			c.Status = s.Status
			if s.Address != (common.Address{}) {
				c.Address = s.Address
			}
		}
		c.BlockNumber, c.changed = t.blocks[x.BlockID].Number, true
	}
	return nil
}

// act adds the actions that were found on the ledger.
func (t *taking) act(ctx context.Context, e *BlocksTaken) error {
	for i := range t.rows.Actions {
		a := t.rows.Actions[i]
		c := t.contracts[a.ContractID]
		if c == nil {
			return ErrSourceRows.From(fmt.Errorf("action %d has no contract", a.ID))
		}
		x := t.transfers[a.TransactionID]
		b := t.blocks[x.BlockID]
		a.ApplicationID, a.ConnectionID, a.RequestID = c.ApplicationID, e.ConnectionID, ""
		a.Hash, a.BlockID, a.At = x.Hash, x.BlockID, b.Time
		if w, err := get(view{t.tx, t.c}, t.c.functions, a.FunctionID); err == nil {
			a.FunctionName = w.Function(a.FunctionID).Name
		}
		if err := t.insertAction(ctx, &a, true); err != nil {
			return err
		}
		if a.ID > c.LastActionID {
			c.LastActionID, c.ModifiedAt, c.ModifiedBy = a.ID, b.Time.UTC().Truncate(time.Microsecond), a.PersonID
		}
		c.BlockNumber, c.changed = b.Number, true
	}
	return nil
}

// values keeps what properties changed to, and the past of each.
func (t *taking) values(ctx context.Context) error {
	for _, p := range t.rows.Properties {
		c := t.contracts[p.ContractID]
		if c == nil {
			return ErrSourceRows.From(fmt.Errorf("properties of contract %d, which is unknown", p.ContractID))
		}
		b := t.blocks[p.BlockID]
		if !slices.Equal(c.Unread, p.Unread) {
			c.Unread, c.changed = p.Unread, true
		}
		for _, v := range p.Values {
			v.Value = clean(v.Value)
			if c.workflow.Property(v.PropertyID) == nil {
				return ErrSourceRows.From(fmt.Errorf("contract %d has no property %d", c.ID, v.PropertyID))
			}
			if old, known := c.Value(v.PropertyID); known && old == v.Value {
				continue
			}
			c.set(v)
			c.BlockNumber, c.changed = b.Number, true
			if err := t.exec(ctx, `INSERT INTO property_value (contract_id, property_id, value, folded) VALUES ($1, $2, $3, $4)
				ON CONFLICT (contract_id, property_id) DO UPDATE SET value = excluded.value, folded = excluded.folded`,
				c.ID, v.PropertyID, v.Value, fold(v.Value)); err != nil {
				return err
			}
			if err := t.exec(ctx, `INSERT INTO past_value (contract_id, property_id, block_number, block_id, at, value) VALUES ($1, $2, $3, $4, $5, $6)
				ON CONFLICT (contract_id, property_id, block_number) DO UPDATE SET value = excluded.value`,
				c.ID, v.PropertyID, b.Number, b.ID, micros(b.Time), v.Value); err != nil {
				return err
			}
		}
	}
	return nil
}

// set changes one value; values stay in the workflow's order, which is that of
// the properties' ids. Rows are shared, so they are copied.
func (c *changing) set(v Value) {
	c.Values = slices.DeleteFunc(slices.Clone(c.Values), func(o Value) bool { return o.PropertyID == v.PropertyID })
	at, _ := slices.BinarySearchFunc(c.Values, v, func(a, b Value) int { return a.PropertyID - b.PropertyID })
	c.Values = slices.Insert(c.Values, at, v)
	if p := c.workflow.StateProperty(); p != nil && p.ID == v.PropertyID {
		c.State, c.StateID = v.Value, 0
		if s := c.workflow.StateOf(v.Value); s != nil {
			c.StateID = s.ID
		}
	}
}

// write writes the contracts that changed.
func (t *taking) write(ctx context.Context) error {
	for _, id := range slices.Sorted(maps.Keys(t.contracts)) {
		c := t.contracts[id]
		if !c.changed {
			continue
		}
		if c.found {
			if err := t.insertContract(ctx, &c.Contract, true); err != nil {
				return err
			}
			continue
		}
		if err := t.updateContract(ctx, &c.Contract, c.state); err != nil {
			return err
		}
	}
	return nil
}

func (f *folder) updateContract(ctx context.Context, c *Contract, stateBefore int) error {
	f.touched.contracts.add(c.ID)
	if stateBefore != c.StateID {
		f.counts[[3]int{c.WorkflowID, stateBefore, c.ID / bucket}]--
		f.counts[[3]int{c.WorkflowID, c.StateID, c.ID / bucket}]++
	}
	return f.exec(ctx, `UPDATE contract SET status = $1, address = $2, state_id = $3, state = $4, modified_at = $5, modified_by = $6,
		last_action_id = $7, block_number = $8, property_values = $9, unread = $10 WHERE id = $11`,
		c.Status, optional(addressText(c.Address)), c.StateID, c.State, micros(c.ModifiedAt), c.ModifiedBy, c.LastActionID, c.BlockNumber,
		packValues(c.Values), unreadText(c.Unread), c.ID)
}
