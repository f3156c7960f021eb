package indexer

import (
	"context"
	"math/big"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/builder/offchain"
)

// Source makes rows of the facts in an entry. It asks neither a ledger nor the
// view: the same entry gives the same rows, on any day.
type Source struct{}

var _ offchain.Source = Source{}

// Rows implements offchain.Source. INDEX_FACTS: the entry is not of this source.
func (Source) Rows(_ context.Context, _ offchain.Reader, b *offchain.BlocksTaken) (*offchain.Rows, error) {
	f, err := decodeFacts(b)
	if err != nil {
		return nil, err
	}
	m := &making{entry: b, facts: f}
	for i := range f.Blocks {
		m.block(&f.Blocks[i])
	}
	for i := range f.Found {
		m.found(i, &f.Found[i])
	}
	return &m.rows, nil
}

type making struct {
	entry *offchain.BlocksTaken
	facts *facts
	rows  offchain.Rows
}

func (m *making) contract(r reference) int {
	if r < 0 {
		return m.entry.FirstContract - int(r) - 1
	}
	return int(r)
}

func (m *making) block(f *blockFacts) {
	b := offchain.Block{ID: m.entry.FirstBlock + len(m.rows.Blocks), ConnectionID: m.entry.ConnectionID,
		Number: f.Number, Hash: f.Hash, Parent: f.Parent, Time: time.UnixMicro(f.Time).UTC()}
	m.rows.Blocks = append(m.rows.Blocks, b)
	for i := range f.Transactions {
		m.transaction(&b, &f.Transactions[i])
	}
	for _, s := range f.Sets {
		set := offchain.PropertySet{ContractID: m.contract(s.Contract), BlockID: b.ID, Unread: slices.Clone(s.Unread)}
		for _, v := range s.Values {
			set.Values = append(set.Values, offchain.Value{PropertyID: v.Property, Value: v.Value})
		}
		m.rows.Properties = append(m.rows.Properties, set)
	}
}

func (m *making) transaction(b *offchain.Block, f *transactionFacts) {
	t := offchain.Transaction{ID: m.entry.FirstTransaction + len(m.rows.Transactions), ConnectionID: m.entry.ConnectionID,
		BlockID: b.ID, BlockNumber: b.Number, BlockHash: b.Hash, BlockTime: b.Time, Hash: f.Hash, From: f.From,
		Ours: f.Ours, Status: status(f.Failed), TxID: f.TxID}
	if len(f.To) > 0 {
		to := common.BytesToAddress(f.To)
		t.To = &to
	}
	if len(f.Value) > 0 {
		t.Value = new(big.Int).SetBytes(f.Value)
	}
	m.rows.Transactions = append(m.rows.Transactions, t)
	for i := range f.Calls {
		m.call(b, &t, &f.Calls[i])
	}
}

func (m *making) call(b *offchain.Block, t *offchain.Transaction, f *callFacts) {
	code := ""
	switch {
	case f.Missed:
		code = string(ErrMissed.Code)
	case f.Reverted:
		code = string(ErrReverted.Code)
	}
	if f.Settles != 0 {
		m.rows.Settled = append(m.rows.Settled, offchain.Settled{ActionID: f.Settles, TransactionID: t.ID,
			Status: status(f.Reverted || f.Missed), Sequence: f.Sequence, StateID: f.State, Address: common.BytesToAddress(f.Created),
			ErrorCode: code, ErrorMessage: f.Message, RevertReason: f.Reason})
		return
	}
	a := offchain.Action{ID: m.entry.FirstAction + len(m.rows.Actions), ConnectionID: m.entry.ConnectionID,
		ApplicationID: f.Application, ContractID: m.contract(f.Contract), FunctionID: f.Function, FunctionName: f.Name, PersonID: f.Person, From: f.From,
		CallerContractID: m.contract(f.Caller), Status: status(f.Reverted), At: b.Time, Sequence: f.Sequence, StateID: f.State,
		ErrorCode: code, ErrorMessage: f.Message, RevertReason: f.Reason, Hash: t.Hash, TransactionID: t.ID, BlockID: b.ID,
		BlockNumber: b.Number, BlockHash: b.Hash, BlockTime: b.Time, TxID: t.TxID}
	for _, g := range f.Arguments {
		a.Arguments = append(a.Arguments, offchain.Argument{ParameterID: g.Parameter, Name: g.Name, DisplayName: g.Display, Value: g.Value})
	}
	m.rows.Actions = append(m.rows.Actions, a)
}

func (m *making) found(i int, f *foundFacts) {
	b := &m.rows.Blocks[f.Block]
	m.rows.Contracts = append(m.rows.Contracts, offchain.Contract{ID: m.entry.FirstContract + i, ApplicationID: f.Application,
		WorkflowID: f.Workflow, CodeID: f.Code, ConnectionID: m.entry.ConnectionID, Status: offchain.StatusCommitted,
		Address: f.Address, DeployedBy: f.By, CreatedAt: b.Time, BlockNumber: b.Number})
}

func status(reverted bool) int {
	if reverted {
		return offchain.StatusReverted
	}
	return offchain.StatusCommitted
}
