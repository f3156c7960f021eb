package client

import (
	"bytes"
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/coco-consortium/coco/verify"
)

// Proof is a receipt, as it can be shown to anybody.
type Proof struct {
	Receipt []byte                // JSON or COSE
	Report  *verify.ReceiptReport // what it proves; nil when no service is pinned
}

// claimHash is the field of a receipt that holds the transaction's hash.
const claimHash = "ethereum.hash"

// check checks a receipt against the pinned service, and that it is of the
// transaction that was asked for.
func (c *Client) check(receipt []byte, name string) (*Proof, error) {
	p := &Proof{Receipt: receipt}
	if len(c.options.Service) == 0 {
		return p, nil
	}
	var err error
	if p.Report, err = CheckReceipt(receipt, name, c.options.Service, !c.options.RequireHardware); err != nil {
		return nil, err
	}
	return p, nil
}

// CheckReceipt checks a receipt, offline: that it holds for a service, and that it
// is of a transaction, named by its hash or TxID.
func CheckReceipt(receipt []byte, name string, service []byte, allowSimulated bool) (*verify.ReceiptReport, error) {
	report, err := verify.Receipt(receipt, service, verify.Options{AllowSimulated: allowSimulated})
	if err != nil {
		return nil, err
	}
	hash, ok := hashOf(name)
	if !ok {
		if report.Transaction != name {
			return nil, ErrProof.From(fmt.Errorf("it is of %s", report.Transaction))
		}
		return report, nil
	}
	for _, d := range report.Disclosed {
		if d.Name == claimHash && bytes.Equal(d.Value, hash[:]) {
			return report, nil
		}
	}
	return nil, ErrProof.From(fmt.Errorf("it does not prove %s", hash))
}

// Checkpoint asks for the service's signed statement of how long the ledger is
// (C2SP tlog-checkpoint). It is checked when a service is pinned.
func (c *Client) Checkpoint(ctx context.Context) (text []byte, report *verify.CheckpointReport, err error) {
	var said string
	err = c.Retry(ctx, func(ctx context.Context) error { return c.Call(ctx, &said, "coco_getCheckpoint") })
	if err != nil {
		return nil, nil, err
	}
	if len(c.options.Service) > 0 {
		report, err = verify.Checkpoint([]byte(said), c.options.Service, verify.Options{AllowSimulated: !c.options.RequireHardware})
		if err != nil {
			return nil, nil, err
		}
	}
	return []byte(said), report, nil
}

// Identity is what a node says of the service that it belongs to. Nothing of it
// is proved: a certificate that is to be pinned has to come by another way.
type Identity struct {
	Service  string        `json:"service"`
	Mode     string        `json:"mode"`
	PEM      string        `json:"pem"`
	Evidence hexutil.Bytes `json:"evidence"`
}

// ServiceIdentity asks a node which service it belongs to.
func (c *Client) ServiceIdentity(ctx context.Context) (id Identity, err error) {
	err = c.Retry(ctx, func(ctx context.Context) error { return c.Call(ctx, &id, "coco_getServiceIdentity") })
	return id, err
}
