package offchain

import (
	"context"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
)

func (v view) Cursor(ctx context.Context, connectionID int) (Cursor, error) {
	out := Cursor{ConnectionID: connectionID}
	found, err := one(ctx, v.q, "SELECT next_block, last_hash FROM connection WHERE id = $1", []any{connectionID}, func(r row) error {
		out.Next, out.Hash = uint64(r.int(0)), common.HexToHash(r.text(1))
		return nil
	})
	if err == nil && !found {
		err = ErrNotFound
	}
	return out, err
}

func (v view) blocks(ctx context.Context, where string, args ...any) ([]Block, error) {
	out := []Block{}
	err := v.q.query(ctx, "SELECT id, connection_id, number, hash, parent, time FROM block "+where, args, func(r row) error {
		out = append(out, Block{ID: int(r.int(0)), ConnectionID: int(r.int(1)), Number: uint64(r.int(2)),
			Hash: common.HexToHash(r.text(3)), Parent: common.HexToHash(r.text(4)), Time: moment(r.int(5))})
		return nil
	})
	return out, err
}

// first is the only row of a read by a key.
func first[T any](rows []T, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, ErrNotFound
	}
	return &rows[0], nil
}

// Blocks are counted by their ids: they are taken in without gaps.
func (v view) Blocks(ctx context.Context, connectionID int, p Page) (List[Block], error) {
	rows, err := v.blocks(ctx, "WHERE connection_id = $1 ORDER BY number DESC LIMIT $2 OFFSET $3", connectionID, p.top()+1, max(p.Skip, 0))
	out := List[Block]{Rows: rows}.cut(p.top())
	if err != nil {
		return out, err
	}
	_, err = one(ctx, v.q, `SELECT COALESCE((SELECT MAX(number) FROM block WHERE connection_id = $1) -
		(SELECT MIN(number) FROM block WHERE connection_id = $1) + 1, 0)`, []any{connectionID},
		func(r row) error { out.Total = int(r.int(0)); return nil })
	return out, err
}

func (v view) Block(ctx context.Context, id int) (*Block, error) {
	return first(v.blocks(ctx, "WHERE id = $1", id))
}

func (v view) BlockByNumber(ctx context.Context, connectionID int, number uint64) (*Block, error) {
	return first(v.blocks(ctx, "WHERE connection_id = $1 AND number = $2", connectionID, number))
}

func (v view) transactions(ctx context.Context, where string, args ...any) ([]Transaction, error) {
	out := []Transaction{}
	err := v.q.query(ctx, `SELECT t.id, t.connection_id, t.block_id, b.number, b.hash, b.time, t.hash, t.from_address, t.to_address, t.value,
		t.ours, t.status, t.tx_id FROM ledger_transaction t JOIN block b ON b.id = t.block_id `+where, args, func(r row) error {
		t := Transaction{ID: int(r.int(0)), ConnectionID: int(r.int(1)), BlockID: int(r.int(2)), BlockNumber: uint64(r.int(3)),
			BlockHash: common.HexToHash(r.text(4)), BlockTime: moment(r.int(5)), Hash: common.HexToHash(r.text(6)),
			From: common.HexToAddress(r.text(7)), Ours: r.int(10) != 0, Status: int(r.int(11)), TxID: r.text(12)}
		if !r.null(8) {
			to := common.HexToAddress(r.text(8))
			t.To = &to
		}
		t.Value, _ = new(big.Int).SetString(r.text(9), 10)
		out = append(out, t)
		return nil
	})
	return out, err
}

func (v view) Transactions(ctx context.Context, connectionID int, p Page) (List[Transaction], error) {
	rows, err := v.transactions(ctx, "WHERE t.connection_id = $1 ORDER BY t.id DESC LIMIT $2 OFFSET $3", connectionID, p.top()+1, max(p.Skip, 0))
	out := List[Transaction]{Rows: rows}.cut(p.top())
	if err != nil {
		return out, err
	}
	_, err = one(ctx, v.q, "SELECT COUNT(*) FROM (SELECT 1 AS n FROM ledger_transaction WHERE connection_id = $1 LIMIT $2) x",
		[]any{connectionID, CountLimit + 1}, func(r row) error { out.Total = int(r.int(0)); return nil })
	if out.Total > CountLimit {
		out.Total, out.AtLeast = CountLimit, true
	}
	return out, err
}

func (v view) Transaction(ctx context.Context, id int) (*Transaction, error) {
	return first(v.transactions(ctx, "WHERE t.id = $1", id))
}

func (v view) TransactionByHash(ctx context.Context, connectionID int, h common.Hash) (*Transaction, error) {
	return first(v.transactions(ctx, "WHERE t.connection_id = $1 AND t.hash = $2", connectionID, hashText(h)))
}

func (v view) ContractTransactions(ctx context.Context, contractID int) ([]Transaction, error) {
	return v.transactions(ctx, "WHERE t.id IN (SELECT transaction_id FROM action WHERE contract_id = $1) ORDER BY t.id", contractID)
}
