package offchain

import (
	"context"
	"slices"
	"strconv"
)

// Variables, so that a test can have them small.
var (
	seenRows = 2 * CountLimit // how many actions are looked at to count transactions
	walkFrom = 20_000         // rows from which on walking all transactions is cheaper
)

// TransactionsOf lists the transactions of a connection in which there is an action
// on a contract of one of some applications: those that the contracts' pages show.
//
// Few are sorted; of many, the newest of each application are merged, from an
// index; and deep in the list of several applications, which then have most of the
// connection's transactions, all of these are walked.
func (v view) TransactionsOf(ctx context.Context, connectionID int, applicationIDs []int, p Page) (List[Transaction], error) {
	var out List[Transaction]
	ids := slices.Compact(slices.Sorted(slices.Values(applicationIDs)))
	if len(ids) == 0 {
		return out, nil
	}
	looked, err := v.countSeen(ctx, connectionID, ids, &out)
	if err != nil {
		return out, err
	}
	skip := max(p.Skip, 0)
	most := p.top() + 1 + skip
	s := &statement{}
	s.WriteString("WHERE t.id IN (SELECT DISTINCT id FROM (")
	switch {
	case looked < seenRows || len(ids) == 1:
		s.seen("a.application_id IN ("+list(ids)+")", connectionID)
	case len(ids) <= mergeLimit && len(ids)*most <= walkFrom:
		for i, id := range ids {
			if i > 0 {
				s.WriteString(" UNION ALL ")
			}
			s.WriteString("SELECT * FROM (")
			s.seen("a.application_id = "+s.arg(id), connectionID)
			s.WriteString(" ORDER BY a.transaction_id DESC LIMIT " + s.arg(most) + ") w" + strconv.Itoa(i))
		}
	default:
		s.WriteString("SELECT t.id FROM ledger_transaction t WHERE t.connection_id = " + s.arg(connectionID) + ` AND EXISTS
			(SELECT 1 FROM action a WHERE a.block_id = t.block_id AND a.transaction_id = t.id AND a.application_id IN (` + list(ids) + `))
			ORDER BY t.id DESC LIMIT ` + s.arg(most))
	}
	s.WriteString(") m ORDER BY id DESC LIMIT " + s.arg(p.top()+1) + " OFFSET " + s.arg(skip) + ") ORDER BY t.id DESC")
	rows, err := v.transactions(ctx, s.String(), s.args...)
	out.Rows = rows
	return out.cut(p.top()), err
}

// seen adds a query of the transactions of some applications.
func (s *statement) seen(which string, connectionID int) {
	s.WriteString("SELECT DISTINCT a.transaction_id AS id FROM action a WHERE " + which + " AND a.connection_id = " + s.arg(connectionID) + " AND a.transaction_id > 0")
}

// countSeen counts the transactions of some applications, as far as seenRows actions
// tell, and gives how many of these there are.
func (v view) countSeen(ctx context.Context, connectionID int, ids []int, out *List[Transaction]) (looked int, err error) {
	s := &statement{}
	s.WriteString("SELECT COUNT(*), COUNT(DISTINCT id) FROM (SELECT a.transaction_id AS id FROM action a WHERE a.application_id IN (" + list(ids) +
		") AND a.connection_id = " + s.arg(connectionID) + " AND a.transaction_id > 0 LIMIT " + s.arg(seenRows) + ") x")
	_, err = one(ctx, v.q, s.String(), s.args, func(r row) error { looked, out.Total = int(r.int(0)), int(r.int(1)); return nil })
	if out.AtLeast = looked == seenRows || out.Total > CountLimit; out.Total > CountLimit {
		out.Total = CountLimit
	}
	return looked, err
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
