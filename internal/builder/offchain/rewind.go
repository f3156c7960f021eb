package offchain

import (
	"context"
	"slices"

	"github.com/ethereum/go-ethereum/common"
)

// gone are the blocks after To; its two arguments are connection and To.
const gone = "(SELECT id FROM block WHERE connection_id = $1 AND number > $2)"

// rewound undoes the blocks after e.To.
func (f *folder) rewound(ctx context.Context, e *Rewound) error {
	f.touched.connections.add(e.ConnectionID)
	args := []any{e.ConnectionID, e.To}
	touched, err := f.ids(ctx, "SELECT contract_id FROM action WHERE block_id IN "+gone+" UNION SELECT contract_id FROM past_value WHERE block_id IN "+gone, args)
	if err != nil {
		return err
	}
	lost, err := f.ids(ctx, `SELECT a.contract_id FROM action a JOIN workflow_function f ON f.id = a.function_id AND f.constructor = 1
		WHERE a.found = 1 AND a.block_id IN `+gone, args)
	if err != nil {
		return err
	}
	if err := f.loseContracts(ctx, lost); err != nil {
		return err
	}
	if err := f.loseActions(ctx, args); err != nil {
		return err
	}
	for _, statement := range []string{
		"DELETE FROM past_value WHERE block_id IN " + gone,
		"DELETE FROM ledger_transaction WHERE block_id IN " + gone,
	} {
		if err := f.exec(ctx, statement, args...); err != nil {
			return err
		}
	}
	for _, id := range touched {
		if !slices.Contains(lost, id) {
			if err := f.recompute(ctx, id); err != nil {
				return err
			}
		}
	}
	if err := f.exec(ctx, "DELETE FROM block WHERE connection_id = $1 AND number > $2", args...); err != nil {
		return err
	}
	return f.exec(ctx, `UPDATE connection SET next_block = $1,
		last_hash = COALESCE((SELECT hash FROM block WHERE connection_id = $2 AND number = $3), '') WHERE id = $4`,
		e.To+1, e.ConnectionID, e.To, e.ConnectionID)
}

// ids reads a column of ids, each once, in their order.
func (f *folder) ids(ctx context.Context, sql string, args []any) ([]int, error) {
	var out []int
	err := f.tx.query(ctx, sql, args, func(r row) error { out = append(out, int(r.int(0))); return nil })
	slices.Sort(out)
	return slices.Compact(out), err
}

// loseContracts removes contracts that were found in blocks that are gone, and
// whatever was asked of them.
func (f *folder) loseContracts(ctx context.Context, lost []int) error {
	for _, id := range lost {
		v := view{f.tx, f.c}
		c, err := v.Contract(ctx, id)
		if err != nil {
			return err
		}
		actions, err := v.actions(ctx, "WHERE a.contract_id = $1", id)
		if err != nil {
			return err
		}
		for i := range actions {
			f.noteAction(&actions[i])
		}
		f.counts[[3]int{c.WorkflowID, c.StateID, c.ID / bucket}]--
		f.touched.contracts.add(id)
		for _, statement := range []string{
			"DELETE FROM argument WHERE action_id IN (SELECT id FROM action WHERE contract_id = $1)",
			"DELETE FROM signed WHERE action_id IN (SELECT id FROM action WHERE contract_id = $1)",
			"DELETE FROM action WHERE contract_id = $1",
			"DELETE FROM property_value WHERE contract_id = $1",
			"DELETE FROM past_value WHERE contract_id = $1",
			"DELETE FROM contract WHERE id = $1",
		} {
			if err := f.exec(ctx, statement, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// loseActions removes what was found in blocks that are gone; what was asked for
// here waits again.
func (f *folder) loseActions(ctx context.Context, args []any) error {
	actions, err := view{f.tx, f.c}.actions(ctx, "WHERE a.block_id IN "+gone+" ORDER BY a.id", args...)
	if err != nil {
		return err
	}
	for i := range actions {
		a := &actions[i]
		f.noteAction(a)
		f.touched.contracts.add(a.ContractID)
	}
	for _, statement := range []string{
		"DELETE FROM argument WHERE action_id IN (SELECT id FROM action WHERE found = 1 AND block_id IN " + gone + ")",
		"DELETE FROM action WHERE found = 1 AND block_id IN " + gone,
		`UPDATE action SET status = CASE WHEN EXISTS (SELECT 1 FROM signed WHERE signed.action_id = action.id) THEN 1 ELSE 0 END,
			sequence = 0, state_id = 0, error_code = '', error_message = '', revert_reason = '', transaction_id = 0, block_id = 0
			WHERE block_id IN ` + gone,
	} {
		if err := f.exec(ctx, statement, args...); err != nil {
			return err
		}
	}
	return nil
}

// recompute derives a contract's row and values from the actions and past
// values that are left.
func (f *folder) recompute(ctx context.Context, id int) error {
	v := view{f.tx, f.c}
	old, err := v.Contract(ctx, id)
	if err != nil {
		return err
	}
	w, err := get(v, f.c.workflows, old.WorkflowID)
	if err != nil {
		return err
	}
	c := changing{Contract: *old, workflow: w}
	c.Values, c.Unread, c.State, c.StateID, c.BlockNumber = nil, nil, "", 0, 0
	c.LastActionID, c.ModifiedAt, c.ModifiedBy = 0, old.CreatedAt, old.DeployedBy
	actions, err := v.actions(ctx, "WHERE a.contract_id = $1 ORDER BY a.id", id)
	if err != nil {
		return err
	}
	for i := range actions {
		a := &actions[i]
		c.LastActionID, c.ModifiedAt, c.ModifiedBy = a.ID, a.At, a.PersonID
		c.BlockNumber = max(c.BlockNumber, a.BlockNumber)
		if f.constructor(a) {
			if c.Status = a.Status; a.Status < StatusCommitted {
				c.Address = common.Address{}
			}
		}
		f.noteAction(a)
	}
	var values []Value
	if err := f.tx.query(ctx, "SELECT property_id, value, block_number FROM past_value WHERE contract_id = $1 ORDER BY property_id, block_number", []any{id}, func(r row) error {
		values = append(values, Value{int(r.int(0)), r.text(1)})
		c.BlockNumber = max(c.BlockNumber, uint64(r.int(2)))
		return nil
	}); err != nil {
		return err
	}
	for _, value := range values {
		c.set(value)
	}
	if err := f.exec(ctx, "DELETE FROM property_value WHERE contract_id = $1", id); err != nil {
		return err
	}
	for _, value := range c.Values {
		if err := f.insert(ctx, "property_value (contract_id, property_id, value, folded)", id, value.PropertyID, value.Value, fold(value.Value)); err != nil {
			return err
		}
	}
	return f.updateContract(ctx, &c.Contract, old.StateID)
}
