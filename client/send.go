package client

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
)

// Send hands over a signed transaction and returns when the node has taken it. A
// transaction takes effect once however often it is sent, so Send tries again
// while there is no primary or no node, and it is no error when this very
// transaction is known or committed already. After ErrUnreachable it is not known
// whether it was taken: send it again, here or to another node.
func (c *Client) Send(ctx context.Context, tx *types.Transaction) error {
	raw, err := tx.MarshalBinary()
	if err != nil {
		return err
	}
	return c.Retry(ctx, func(ctx context.Context) error {
		err := c.Call(ctx, nil, "eth_sendRawTransaction", hexutil.Bytes(raw))
		switch {
		case Says(err, "ALREADY_KNOWN", "already known"):
			return nil
		case Says(err, "NONCE_TOO_LOW", "nonce too low"):
			if known, failed := c.Knows(ctx, tx.Hash()); failed != nil || known {
				return failed
			}
		}
		return err
	})
}

// Says reports whether a node refused with coco's code of a problem, or where it
// gave none with geth's words.
func Says(err error, name, words string) bool {
	var e *Error
	return errors.As(err, &e) && (e.Name == name || e.Name == "" && strings.Contains(e.Message, words))
}

// Knows reports whether a node has a transaction, in a block or on its way.
func (c *Client) Knows(ctx context.Context, hash common.Hash) (known bool, err error) {
	err = c.read(ctx, func(s *cursor) { known = !s.null() }, "eth_getTransactionByHash", hash)
	return known, err
}

// The codes of eth_sendRawTransactionSync (EIP-7966).
const (
	codeSyncTimeout = 4
	codeSyncGap     = 6
)

// maxSync is the longest that a node waits for a commit.
const maxSync = 20 * time.Second

// SendSync hands over a signed transaction and returns its receipt when it is
// committed, however often it was sent before. ErrNotCommitted: it was taken, and
// is not committed within 20 s, or not before ctx ends.
func (c *Client) SendSync(ctx context.Context, tx *types.Transaction) (*types.Receipt, error) {
	raw, err := tx.MarshalBinary()
	if err != nil {
		return nil, err
	}
	patience := min(maxSync, c.options.Timeout*2/3)
	if end, ok := ctx.Deadline(); ok {
		patience = max(time.Millisecond, min(patience, time.Until(end)))
	}
	var receipt types.Receipt
	err = c.Retry(ctx, func(ctx context.Context) error {
		return c.Call(ctx, &receipt, "eth_sendRawTransactionSync", hexutil.Bytes(raw), patience.Milliseconds())
	})
	var said *Error
	switch {
	case err == nil && receipt.TxHash != tx.Hash():
		return nil, ErrAnswer.From(errors.New("the receipt is of another transaction"))
	case err == nil:
		return &receipt, nil
	case errors.As(err, &said) && (said.Code == codeSyncTimeout || said.Code == codeSyncGap):
		return nil, ErrNotCommitted.From(err)
	}
	return nil, err
}
