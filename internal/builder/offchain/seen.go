package offchain

import (
	"context"
	"slices"
	"strconv"
)

// TransactionsOf lists the transactions of a connection in which there is an action
// on a contract of one of some applications: those that the contracts' pages show.
func (v view) TransactionsOf(ctx context.Context, connectionID int, applicationIDs []int, p Page) (List[Transaction], error) {
	var out List[Transaction]
	ids := slices.Compact(slices.Sorted(slices.Values(applicationIDs)))
	if len(ids) == 0 {
		return out, nil
	}
	skip := max(p.Skip, 0)
	s := &statement{}
	s.WriteString("WHERE t.id IN (SELECT DISTINCT id FROM (")
	s.seen(connectionID, ids, p.top()+1+skip)
	s.WriteString(") m ORDER BY id DESC LIMIT " + s.arg(p.top()+1) + " OFFSET " + s.arg(skip) + ") ORDER BY t.id DESC")
	rows, err := v.transactions(ctx, s.String(), s.args...)
	if err != nil {
		return out, err
	}
	out = List[Transaction]{Rows: rows}.cut(p.top())
	s = &statement{}
	s.WriteString("SELECT COUNT(*) FROM (SELECT DISTINCT id FROM (")
	s.seen(connectionID, ids, CountLimit+1)
	s.WriteString(") m LIMIT " + s.arg(CountLimit+1) + ") n")
	if out.Total, err = v.count(ctx, s); out.Total > CountLimit {
		out.Total, out.AtLeast = CountLimit, true
	}
	return out, err
}

// seen adds a query of the ids of the newest transactions of each application, from
// an index. Of very many applications together it walks all of the connection's,
// because SQLite takes at most 500 parts of a UNION; most are then among them.
func (s *statement) seen(connectionID int, ids []int, most int) {
	if len(ids) > mergeLimit {
		s.WriteString("SELECT t.id FROM ledger_transaction t WHERE t.connection_id = " + s.arg(connectionID) + ` AND EXISTS
			(SELECT 1 FROM action a WHERE a.block_id = t.block_id AND a.transaction_id = t.id AND a.application_id IN (` + list(ids) + `))
			ORDER BY t.id DESC LIMIT ` + s.arg(most))
		return
	}
	for i, id := range ids {
		if i > 0 {
			s.WriteString(" UNION ALL ")
		}
		s.WriteString("SELECT * FROM (SELECT DISTINCT a.transaction_id AS id FROM action a WHERE a.application_id = " + s.arg(id) +
			" AND a.connection_id = " + s.arg(connectionID) + " AND a.transaction_id > 0 ORDER BY a.transaction_id DESC LIMIT " + s.arg(most) + ") w" + strconv.Itoa(i))
	}
}

// ApplicationsOf gives the applications whose contracts have an action in a
// transaction; none when there is no such transaction.
func (v view) ApplicationsOf(ctx context.Context, transactionID int) ([]int, error) {
	var out []int
	err := v.q.query(ctx, `SELECT DISTINCT a.application_id FROM ledger_transaction t
		JOIN action a ON a.block_id = t.block_id AND a.transaction_id = t.id WHERE t.id = $1 ORDER BY 1`, []any{transactionID},
		func(r row) error { out = append(out, int(r.int(0))); return nil })
	return out, err
}
