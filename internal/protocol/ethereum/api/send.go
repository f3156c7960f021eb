package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/coco-consortium/coco/internal/forward"
	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/pool"
	"github.com/coco-consortium/coco/internal/sequencer"
	"github.com/coco-consortium/coco/internal/server/caller"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
	"github.com/coco-consortium/coco/internal/telemetry"
)

// check decodes a transaction and recovers its sender. In a batch it runs on all
// cores.
func (a *API) check(_ context.Context, _ *caller.Caller, p *struct{ Raw hexutil.Bytes }) (*pool.Transaction, error) {
	return a.checker.Check(p.Raw)
}

// send answers with the hash as soon as the transaction is admitted, or, when the
// client's URL says ?send=committed, when it is committed: tools whose own
// networks have every transaction in a block at once read right after sending.
func (a *API) send(ctx context.Context, c *caller.Caller, t *pool.Transaction) (any, error) {
	t.Trace = string(telemetry.From(ctx))
	waits := jsonrpc.Wish(ctx, "send") == "committed"
	t.Patient = !waits
	e, err := a.Pool.Admit(c.Bytes(), t)
	if err != nil {
		return nil, a.known(ctx, t, err)
	}
	if waits {
		jsonrpc.Later(ctx, func(ctx context.Context) { a.Pool.Settle(ctx, e, patience) })
	}
	return (*sent)(t), nil
}

// sent answers with the hash of a transaction.
type sent pool.Transaction

// AppendJSON implements jsonrpc.Appender.
func (s *sent) AppendJSON(dst []byte) []byte {
	hash := (*pool.Transaction)(s).Hash()
	return appendData(dst, hash[:])
}

// known is a refusal with a better next step, where the transaction is not too late
// but committed already: sending one again, to any node, is safe.
func (a *API) known(ctx context.Context, t *pool.Transaction, refusal error) error {
	if !errors.Is(refusal, pool.ErrNonceTooLow) {
		return refusal
	}
	if _, _, err := a.Chain.Transaction(ctx, t.Hash()); err != nil {
		return refusal
	}
	return problem.New(pool.ErrNonceTooLow.Code, pool.Reason(refusal),
		"nothing: this very transaction is committed, ask for its receipt with eth_getTransactionReceipt")
}

// How long eth_sendRawTransactionSync waits: unless the client says, and at most.
const (
	syncTime    = 20 * time.Second
	maxSyncTime = 60 * time.Second
)

// The error codes of eth_sendRawTransactionSync (EIP-7966).
const (
	codeSyncTimeout  = 4
	codeSyncNotReady = 5
	codeSyncGap      = 6
)

// waiting is a transaction whose client waits for its receipt.
type waiting struct {
	*pool.Transaction
	time time.Duration
}

func (a *API) checkSync(_ context.Context, _ *caller.Caller, p *struct {
	Raw     hexutil.Bytes
	Timeout count `rpc:"optional"` // milliseconds
}) (*waiting, error) {
	t, err := a.checker.Check(p.Raw)
	if err != nil {
		return nil, err
	}
	w := &waiting{t, syncTime}
	if p.Timeout > 0 {
		w.time = maxSyncTime
		if p.Timeout < count(maxSyncTime/time.Millisecond) {
			w.time = time.Duration(p.Timeout) * time.Millisecond
		}
	}
	return w, nil
}

// sendSync answers with the receipt when the transaction is committed. Unlike
// geth it does so too when the transaction is on its way here or committed
// already: who lost the answer to an election sends again, to any node.
func (a *API) sendSync(ctx context.Context, c *caller.Caller, w *waiting) (any, error) {
	w.Trace = string(telemetry.From(ctx))
	e, err := a.Pool.Admit(c.Bytes(), w.Transaction)
	if errors.Is(err, pool.ErrAlreadyKnown) {
		if known, ok := a.Pool.Find(w.Hash()); ok {
			e, err = known, nil
		}
	}
	if err != nil {
		if errors.Is(err, pool.ErrAlreadyKnown) || errors.Is(err, pool.ErrNonceTooLow) {
			if receipt, failed := a.receiptOf(ctx, w.Hash()); failed == nil && receipt != nil {
				return receipt, nil
			}
		}
		return nil, err
	}
	wait, cancel := context.WithTimeout(ctx, w.time)
	defer cancel()
	err = e.Wait(wait)
	switch {
	case err == nil:
		return a.receiptOf(ctx, e.Hash())
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, sequencer.ErrOutcomeUnknown), errors.Is(err, forward.ErrExpired): // as after too long a time the client has to look for the receipt
		return nil, syncError(codeSyncTimeout, e.Hash(), "the transaction was added to the transaction pool and then: "+pool.Reason(err))
	case !errors.Is(err, context.DeadlineExceeded):
		return nil, syncError(codeSyncNotReady, e.Hash(), "the transaction was added to the transaction pool and then refused: "+pool.Reason(err))
	case e.Waiting():
		return nil, &jsonrpc.Error{Code: codeSyncGap, Data: hexutil.Uint64(a.Pool.Next(w.From)).String(),
			Message: fmt.Sprintf("nonce gap: the transaction waits for one with nonce %d and was not processed in %v", a.Pool.Next(w.From), w.time)}
	}
	return nil, syncError(codeSyncTimeout, e.Hash(),
		fmt.Sprintf("The transaction was added to the transaction pool but wasn't processed in %v", w.time))
}

func syncError(code int, hash common.Hash, message string) error {
	return &jsonrpc.Error{Code: code, Message: message, Data: hash}
}
