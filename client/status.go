package client

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common"
)

// What a node says of a transaction (docs/reference/json-rpc.md).
const (
	Unknown   = "Unknown"
	Pending   = "Pending"
	Committed = "Committed"
	Invalid   = "Invalid"
	Refused   = "Refused"
)

// Status is what a node knows of a transaction.
type Status struct {
	State  string // Unknown, Pending, Committed, Invalid, Refused
	TxID   string // view.seqno, once it has one
	Reason string // why it was refused
	// Of a committed transaction that failed and was named by its hash: the
	// interpreter's word, and what it reverted with, at most 1 KiB of it.
	Failure string
	Output  []byte
}

// Status asks what became of a transaction, named by its hash (0x…) or its TxID.
func (c *Client) Status(ctx context.Context, name string) (st Status, err error) {
	err = c.Retry(ctx, func(ctx context.Context) error {
		return c.read(ctx, func(s *cursor) { st = s.status() }, "coco_getTransactionStatus", name)
	})
	return st, err
}

func (s *cursor) status() (st Status) {
	s.object(func(name []byte) {
		switch string(name) {
		case "status":
			st.State = s.words()
		case "txId":
			st.TxID = s.words()
		case "failure":
			st.Failure = printable(s.words())
		case "revertData":
			st.Output = s.data()
		}
	})
	reason, refused := strings.CutPrefix(st.State, "refused: ")
	switch {
	case refused:
		st.State, st.Reason = Refused, printable(reason)
	case st.State == "pending":
		st.State = Pending
	case st.State != Unknown && st.State != Pending && st.State != Committed && st.State != Invalid:
		s.fail("no known status")
	}
	if st.TxID != "" {
		if _, _, ok := parseTxID(st.TxID); !ok {
			s.fail("no TxID")
		}
	}
	return st
}

func parseTxID(id string) (view, seqno uint64, ok bool) {
	v, n, _ := strings.Cut(id, ".")
	view, err1 := strconv.ParseUint(v, 10, 64)
	seqno, err2 := strconv.ParseUint(n, 10, 64)
	return view, seqno, err1 == nil && err2 == nil
}

var errNotYet = errors.New("a transaction of a block is not committed")

// name gives the transactions of blocks their TxIDs, and those that failed without
// a trace the reason. A block is of one view and its transactions have rising
// numbers: when the first and the last are as far apart as there are transactions,
// those between are known too.
func (c *Client) name(ctx context.Context, blocks []Block) error {
	var want []*Transaction
	for i := range blocks {
		last := len(blocks[i].Transactions) - 1
		for j := range blocks[i].Transactions {
			if t := &blocks[i].Transactions[j]; t.TxID == "" && (j == 0 || j == last) || t.Failed && !t.Traced {
				want = append(want, t)
			}
		}
	}
	if err := c.statuses(ctx, want); err != nil {
		return err
	}
	want = want[:0]
	for i := range blocks {
		list := blocks[i].Transactions
		if len(list) == 0 {
			continue
		}
		view, first, _ := parseTxID(list[0].TxID)
		view2, last, _ := parseTxID(list[len(list)-1].TxID)
		even := view == view2 && last-first == uint64(len(list)-1)
		for j := range list {
			switch t := &list[j]; {
			case t.TxID != "":
			case even:
				t.TxID = strconv.FormatUint(view, 10) + "." + strconv.FormatUint(first+uint64(j), 10)
			default:
				want = append(want, t)
			}
		}
	}
	return c.statuses(ctx, want)
}

// statuses asks for those of transactions in blocks.
func (c *Client) statuses(ctx context.Context, list []*Transaction) error {
	calls := make([]Request, len(list))
	for i, t := range list {
		calls[i] = Request{Method: "coco_getTransactionStatus", Params: []any{t.Hash}}
	}
	if err := c.Batch(ctx, calls); err != nil {
		return err
	}
	for i, t := range list {
		var st Status
		if err := calls[i].decode(func(s *cursor) { st = s.status() }); err != nil {
			return err
		}
		if err := st.committed(t); err != nil {
			return err
		}
		t.TxID = st.TxID
		if !t.Traced {
			t.Failure, t.Output = st.Failure, st.Output
		}
	}
	return nil
}

// committed checks that a status is that of a transaction in a block.
func (st *Status) committed(t *Transaction) error {
	if st.State != Committed || st.TxID == "" {
		return ErrAnswer.From(fmt.Errorf("%w: %s is %s", errNotYet, t.Hash, st.State))
	}
	return nil
}

// Receipt asks for the ledger's proof that a transaction is committed, in JSON
// (docs/reference/ledger.md), with the named fields disclosed. It is checked when a
// service is pinned, and then Report says what it proves.
func (c *Client) Receipt(ctx context.Context, name string, disclose ...string) (*Proof, error) {
	r, err := c.receipt(ctx, name, "json", disclose)
	if err != nil {
		return nil, err
	}
	return c.check(r.Result, name)
}

// ReceiptCOSE is Receipt in COSE (RFC 9052).
func (c *Client) ReceiptCOSE(ctx context.Context, name string, disclose ...string) (*Proof, error) {
	r, err := c.receipt(ctx, name, "cose", disclose)
	if err != nil {
		return nil, err
	}
	var message []byte
	if err := r.Decode(&message); err != nil {
		return nil, err
	}
	return c.check(message, name)
}

func (c *Client) receipt(ctx context.Context, name, form string, disclose []string) (*Request, error) {
	r := &Request{Method: "coco_getReceipt", Params: []any{name, form, append([]string{}, disclose...)}}
	return r, c.Retry(ctx, func(ctx context.Context) error { return c.one(ctx, r) })
}

// hashOf is the hash that a name of a transaction is, if it is one.
func hashOf(name string) (h common.Hash, ok bool) {
	return h, strings.HasPrefix(name, "0x") && h.UnmarshalText([]byte(name)) == nil
}
