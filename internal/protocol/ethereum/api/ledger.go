package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/proof"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/chain"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/pool"
	"github.com/coco-consortium/coco/internal/sequencer"
	"github.com/coco-consortium/coco/internal/server/caller"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// ErrNotCommitted says that there is nothing to prove yet.
var ErrNotCommitted = problem.New("NO_RECEIPT", "there is no receipt: no committed transaction has this hash",
	"ask for its status with coco_getTransactionStatus")

// transactionRef names a transaction by its Ethereum hash or by its TxID.
type transactionRef struct {
	hash *common.Hash
	id   sequencer.TxID
}

// UnmarshalJSON reads "0x…" or "view.seqno".
func (r *transactionRef) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return errors.New("a transaction is named by its hash or by its TxID, view.seqno")
	}
	if strings.HasPrefix(s, "0x") {
		r.hash = new(common.Hash)
		return r.hash.UnmarshalText([]byte(s))
	}
	var err error
	r.id, err = sequencer.ParseTxID(s)
	return err
}

// txID is the TxID of a committed transaction.
func (a *API) txID(ctx context.Context, hash common.Hash) (sequencer.TxID, error) {
	b, i, err := a.Chain.Transaction(ctx, hash)
	if err != nil {
		return sequencer.TxID{}, err
	}
	return b.TxIDs[i], nil
}

// maxDisclose is how many fields a request may name; there are not as many.
const maxDisclose = 32

// ledgerReceipt proves that a transaction is committed: as JSON, or as COSE in
// base64.
func (a *API) ledgerReceipt(ctx context.Context, _ *caller.Caller, p *struct {
	Transaction transactionRef
	Form        string   `rpc:"optional"` // "json" or "cose"
	Disclose    []string `rpc:"optional"` // names of fields that the receipt shows
}) (any, error) {
	if p.Form != "" && p.Form != "json" && p.Form != "cose" {
		return nil, jsonrpc.InvalidParams(`invalid argument 1: the form of a receipt is "json" or "cose"`)
	}
	var fields []uint64
	if len(p.Disclose) > maxDisclose {
		return nil, jsonrpc.InvalidParams("invalid argument 2: at most %d fields", maxDisclose)
	}
	for _, name := range p.Disclose {
		field, ok := proof.FieldOf(name)
		if !ok {
			return nil, jsonrpc.InvalidParams("invalid argument 2: no field of a receipt is named %q", name)
		}
		fields = append(fields, field)
	}
	id := p.Transaction.id
	if hash := p.Transaction.hash; hash != nil {
		var err error
		if id, err = a.txID(ctx, *hash); errors.Is(err, chain.ErrUnknown) {
			return nil, ErrNotCommitted
		} else if err != nil {
			return nil, err
		}
	}
	receipt, err := a.Service.Receipt(ctx, id, fields...)
	if err != nil {
		return nil, err
	}
	if p.Form == "cose" {
		message, err := receipt.EncodeCOSE()
		return base64.StdEncoding.EncodeToString(message), err
	}
	text, err := receipt.EncodeJSON()
	return json.RawMessage(bytes.TrimSpace(text)), err
}

// statusShape is what is known of a transaction.
type statusShape struct {
	Status string `json:"status"` // Unknown, Pending, Committed, Invalid; before a TxID exists pending or "refused: reason"
	TxID   string `json:"txId,omitempty"`
	// Of a committed transaction that failed and was named by its hash: the
	// interpreter's word, and what it reverted with, at most 1 KiB of it.
	Failure    string        `json:"failure,omitempty"`
	RevertData hexutil.Bytes `json:"revertData,omitempty"`
}

func (a *API) transactionStatus(ctx context.Context, _ *caller.Caller, p *struct{ Transaction transactionRef }) (any, error) {
	if p.Transaction.hash == nil {
		return a.statusOf(p.Transaction.id), nil
	}
	hash := *p.Transaction.hash
	if b, i := a.Chain.Recent(hash); b != nil {
		return a.ended(b, i), nil
	}
	known := a.Pool.Status(hash)
	if known.Pending {
		return a.underway(known.TxID), nil
	}
	b, i, err := a.Chain.Transaction(ctx, hash) // it may have been committed since the first look
	switch {
	case err == nil:
		return a.ended(b, i), nil
	case !errors.Is(err, chain.ErrUnknown):
		return nil, err
	case known.Refused != nil:
		return statusShape{Status: "refused: " + pool.Reason(known.Refused)}, nil
	}
	return statusShape{Status: sequencer.StatusUnknown.String()}, nil
}

// ended is the status of a transaction in a block. The chain has committed blocks
// only, and knows of one a moment before everybody else does.
func (a *API) ended(b *ethereum.Block, i int) statusShape {
	return statusShape{Status: sequencer.StatusCommitted.String(), TxID: b.TxIDs[i].String(),
		Failure: b.Outcomes[i].Failure, RevertData: b.Outcomes[i].Output}
}

// underway is the status of a transaction that this node has taken and that has
// not ended. The primary may have given it a TxID that has not come to this node's
// log yet, or that was lost with its view: then it is on its way to another.
func (a *API) underway(id *sequencer.TxID) statusShape {
	if id == nil {
		return statusShape{Status: "pending"}
	}
	s := a.statusOf(*id)
	switch s.Status {
	case sequencer.StatusInvalid.String():
		return statusShape{Status: "pending"}
	case sequencer.StatusUnknown.String():
		s.Status = sequencer.StatusPending.String()
	}
	return s
}

func (a *API) statusOf(id sequencer.TxID) statusShape {
	return statusShape{Status: a.Service.Status(id).String(), TxID: id.String()}
}

func (a *API) checkpoint(ctx context.Context, _ *caller.Caller, _ *none) (any, error) {
	c, err := a.Service.Checkpoint(ctx)
	return string(c), err
}

// identityShape is Identity in JSON.
type identityShape struct {
	Service  string        `json:"service"`
	Mode     string        `json:"mode"`
	PEM      string        `json:"pem"`
	Evidence hexutil.Bytes `json:"evidence"`
}

func (a *API) serviceIdentity(context.Context, *caller.Caller, *none) (any, error) {
	i := a.Service.Identity()
	return identityShape{i.Service, i.Mode, i.PEM, i.Evidence}, nil
}
