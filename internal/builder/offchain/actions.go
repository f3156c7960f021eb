package offchain

import (
	"context"

	"github.com/ethereum/go-ethereum/common"
)

const actionRow = `a.id, a.application_id, a.contract_id, a.connection_id, a.function_id, a.function_name, a.person_id,
	a.from_address, a.caller_contract_id, a.status, a.at, a.request_id, a.arguments, a.sequence, a.state_id, a.error_code,
	a.error_message, a.revert_reason, a.hash, a.transaction_id, a.block_id, b.number, b.hash, b.time, t.tx_id`

const actionTables = ` FROM action a LEFT JOIN block b ON b.id = a.block_id LEFT JOIN ledger_transaction t ON t.id = a.transaction_id `

func (v view) readAction(r row) (Action, error) {
	arguments, err := unpackArguments(r.bytes(12))
	a := Action{ID: int(r.int(0)), ApplicationID: int(r.int(1)), ContractID: int(r.int(2)), ConnectionID: int(r.int(3)),
		FunctionID: int(r.int(4)), FunctionName: r.text(5), PersonID: int(r.int(6)), From: common.HexToAddress(r.text(7)),
		CallerContractID: int(r.int(8)), Status: int(r.int(9)), At: moment(r.int(10)), RequestID: r.text(11), Arguments: arguments,
		Sequence: int(r.int(13)), StateID: int(r.int(14)), ErrorCode: r.text(15), ErrorMessage: r.text(16), RevertReason: r.text(17),
		Hash: common.HexToHash(r.text(18)), TransactionID: int(r.int(19)), BlockID: int(r.int(20))}
	if !r.null(21) {
		a.BlockNumber, a.BlockHash, a.BlockTime = uint64(r.int(21)), common.HexToHash(r.text(22)), moment(r.int(23))
	}
	if !r.null(24) {
		a.TxID = r.text(24)
	}
	v.label(&a)
	return a, err
}

// label gives an action's arguments the display names of their parameters.
func (v view) label(a *Action) {
	v.c.mu.RLock()
	w := v.c.functions[a.FunctionID]
	v.c.mu.RUnlock()
	if w == nil {
		return
	}
	f := w.Function(a.FunctionID)
	for i := range a.Arguments {
		for _, p := range f.Parameters {
			if p.ID == a.Arguments[i].ParameterID {
				a.Arguments[i].DisplayName = p.DisplayName
			}
		}
	}
}

func (v view) actions(ctx context.Context, where string, args ...any) ([]Action, error) {
	out := []Action{}
	err := v.q.query(ctx, "SELECT "+actionRow+actionTables+where, args, func(r row) error {
		a, err := v.readAction(r)
		out = append(out, a)
		return err
	})
	return out, err
}

func (v view) action(ctx context.Context, where string, args ...any) (*Action, error) {
	rows, err := v.actions(ctx, where, args...)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, ErrNotFound
	}
	return &rows[0], nil
}

func (v view) Actions(ctx context.Context, contractID int, newestFirst bool, p Page) (List[Action], error) {
	direction := ""
	if newestFirst {
		direction = " DESC"
	}
	rows, err := v.actions(ctx, "WHERE a.contract_id = $1 ORDER BY a.id"+direction+" LIMIT $2 OFFSET $3", contractID, p.top()+1, max(p.Skip, 0))
	out := List[Action]{Rows: rows}.cut(p.top())
	if err != nil {
		return out, err
	}
	if out.Total = max(p.Skip, 0) + len(out.Rows); out.More || len(out.Rows) == 0 && p.Skip > 0 {
		_, err = one(ctx, v.q, "SELECT COUNT(*) FROM action WHERE contract_id = $1", []any{contractID}, func(r row) error { out.Total = int(r.int(0)); return nil })
	}
	return out, err
}

func (v view) Action(ctx context.Context, id int) (*Action, error) {
	return v.action(ctx, "WHERE a.id = $1", id)
}

func (v view) ActionByHash(ctx context.Context, connectionID int, h common.Hash) (*Action, error) {
	return v.action(ctx, "WHERE a.id = (SELECT action_id FROM signed WHERE connection_id = $1 AND hash = $2)", connectionID, hashText(h))
}

func (v view) ActionByRequest(ctx context.Context, personID int, requestID string) (*Action, error) {
	return v.action(ctx, "WHERE a.person_id = $1 AND a.request_id = $2 AND a.request_id <> ''", personID, clean(requestID))
}

func (v view) History(ctx context.Context, contractID, propertyID int, p Page) (List[PastValue], error) {
	s := &statement{}
	s.WriteString(" FROM past_value WHERE contract_id = " + s.arg(contractID))
	if propertyID != 0 {
		s.WriteString(" AND property_id = " + s.arg(propertyID))
	}
	var out List[PastValue]
	if _, err := one(ctx, v.q, "SELECT COUNT(*)"+s.String(), s.args, func(r row) error { out.Total = int(r.int(0)); return nil }); err != nil {
		return out, err
	}
	s.WriteString(" ORDER BY block_number DESC, property_id LIMIT " + s.arg(p.top()+1) + " OFFSET " + s.arg(max(p.Skip, 0)))
	err := v.q.query(ctx, "SELECT contract_id, property_id, block_id, block_number, at, value"+s.String(), s.args, func(r row) error {
		out.Rows = append(out.Rows, PastValue{int(r.int(0)), int(r.int(1)), int(r.int(2)), uint64(r.int(3)), moment(r.int(4)), r.text(5)})
		return nil
	})
	return out.cut(p.top()), err
}

func (v view) Pending(ctx context.Context, connectionID int) ([]Pending, error) {
	var out []Pending
	places := map[int]int{}
	if err := v.q.query(ctx, "SELECT "+actionRow+", c.workflow_id, c.code_id, c.address, f.constructor"+actionTables+`
		JOIN contract c ON c.id = a.contract_id JOIN workflow_function f ON f.id = a.function_id
		WHERE a.status < 2 AND a.connection_id = $1 ORDER BY a.id`, []any{connectionID}, func(r row) error {
		a, err := v.readAction(r)
		p := Pending{Action: a, WorkflowID: int(r.int(25)), CodeID: int(r.int(26)), Creation: r.int(28) != 0}
		if !r.null(27) {
			p.Address = common.HexToAddress(r.text(27))
		}
		places[a.ID] = len(out)
		out = append(out, p)
		return err
	}); err != nil || len(out) == 0 {
		return out, err
	}
	return out, v.q.query(ctx, `SELECT s.action_id, s.person_id, s.hash, s.from_address, s.nonce, s.raw, s.at FROM action a
		JOIN signed s ON s.action_id = a.id WHERE a.status < 2 AND a.connection_id = $1 ORDER BY a.id, s.position`, []any{connectionID}, func(r row) error {
		if i, ok := places[int(r.int(0))]; ok {
			out[i].Signed = append(out[i].Signed, SignedRow{ActionID: out[i].ID, ConnectionID: connectionID, PersonID: int(r.int(1)),
				Hash: common.HexToHash(r.text(2)), From: common.HexToAddress(r.text(3)), Nonce: uint64(r.int(4)), Raw: r.bytes(5), At: moment(r.int(6))})
		}
		return nil
	})
}
