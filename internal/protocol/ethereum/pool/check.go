package pool

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/math"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/txpool"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"

	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// MaxSize is the largest transaction that is admitted, in bytes; geth's limit.
const MaxSize = 128 << 10

// Transaction is a transaction whose form and signature are good.
type Transaction struct {
	ethereum.Transaction        // with the sender that the signature names
	Raw                  []byte // as it was sent (EIP-2718)
	Trace                string // context of the request's trace, see sequencer.Request
	Patient              bool   // nobody waits for it, see sequencer.Request

	hash    common.Hash
	value   uint256.Int
	decoded types.Transaction // what ethereum.Transaction points to
}

// Hash is the transaction's hash.
func (t *Transaction) Hash() common.Hash { return t.hash }

// Request is the transaction as it is handed over for a caller.
func (t *Transaction) Request(caller []byte) *sequencer.Request {
	return &sequencer.Request{ID: t.hash[:], Protocol: ethereum.Protocol, Bytes: t.Raw, Caller: caller, Decoded: &t.Transaction, Trace: t.Trace, Patient: t.Patient}
}

// rules are those of Osaka, which hold from the first block on.
var rules = params.MergedTestChainConfig.Rules(common.Big0, true, 0)

var errUnprotected = errors.New("only replay-protected (EIP-155) transactions allowed over RPC")

// Checker checks what can be known of a transaction without state. It is safe
// for concurrent use.
type Checker struct {
	signer *ethereum.Signer
}

// NewChecker makes the checker of a chain.
func NewChecker(chainID uint64) *Checker {
	return &Checker{signer: ethereum.NewSigner(chainID)}
}

// Check decodes a signed transaction (EIP-2718), checks its form and recovers
// its sender. It keeps raw. The errors are problems.
func (c *Checker) Check(raw []byte) (*Transaction, error) {
	t := &Transaction{Raw: raw}
	t.Transaction.Transaction = &t.decoded
	if err := c.check(t); err != nil {
		return nil, malformed(err)
	}
	return t, nil
}

func (c *Checker) check(t *Transaction) (err error) {
	if len(t.Raw) > MaxSize {
		return fmt.Errorf("%w: transaction size %v, limit %v", txpool.ErrOversizedData, len(t.Raw), MaxSize)
	}
	if len(t.Raw) > 0 && t.Raw[0] == types.BlobTxType {
		return fmt.Errorf("%w: tx type %v not supported by this pool", types.ErrTxTypeNotSupported, types.BlobTxType)
	}
	if err := t.UnmarshalBinary(t.Raw); err != nil {
		return err
	}
	switch {
	case !t.Protected() && !t.keyless():
		return errUnprotected
	case t.To() == nil && len(t.Data()) > params.MaxInitCodeSize:
		return fmt.Errorf("%w: code size %v limit %v", vm.ErrMaxInitCodeSizeExceeded, len(t.Data()), params.MaxInitCodeSize)
	case t.Gas() > params.MaxTxGas:
		return fmt.Errorf("%w (cap: %d, tx: %d)", core.ErrGasLimitTooHigh, params.MaxTxGas, t.Gas())
	case t.GasFeeCapIntCmp(math.MaxBig256) > 0:
		return core.ErrFeeCapVeryHigh
	case t.GasTipCapIntCmp(math.MaxBig256) > 0:
		return core.ErrTipVeryHigh
	case t.GasTipCapIntCmp(common.Big0) > 0 && t.GasFeeCapIntCmp(t.GasTipCap()) < 0:
		return core.ErrTipAboveFeeCap
	case t.Nonce()+1 == 0:
		return core.ErrNonceMax
	case t.value.SetFromBig(t.Value()):
		return fmt.Errorf("%w: value does not fit 256 bits", core.ErrInsufficientFunds)
	case t.Type() == types.SetCodeTxType && len(t.SetCodeAuthorizations()) == 0:
		return errors.New("set code tx must have at least one authorization tuple")
	}
	if err := c.signer.Recover(&t.Transaction, t.Raw); err != nil {
		return fmt.Errorf("%w: %v", txpool.ErrInvalidSender, err)
	}
	t.hash = t.Transaction.Hash()
	return t.checkGas()
}

// keyless says that the transaction looks like those by which a contract comes to
// the same address on every network: it is signed for all of them, by an account
// that nobody has a key of and that does nothing else. If it is somebody's first
// transaction on another network after all, repeating it here moves nothing.
func (t *Transaction) keyless() bool {
	return t.To() == nil && t.Nonce() == 0 && t.Value().Sign() == 0
}

// checkGas compares the gas limit with what the transaction costs before a
// single instruction runs, and with the floor for its data (EIP-7623).
func (t *Transaction) checkGas() error {
	intrinsic, err := core.IntrinsicGas(t.Data(), t.AccessList(), t.SetCodeAuthorizations(), t.From, t.To(), &t.value, rules)
	if err != nil {
		return err
	}
	if t.Gas() < intrinsic {
		return fmt.Errorf("%w: gas %v, minimum needed %v", core.ErrIntrinsicGas, t.Gas(), intrinsic)
	}
	floor, err := core.FloorDataGas(rules, t.From, t.To(), &t.value, t.Data(), t.AccessList())
	if err != nil {
		return err
	}
	if t.Gas() < floor {
		return fmt.Errorf("%w: gas %v, minimum needed %v", core.ErrFloorDataGas, t.Gas(), floor)
	}
	return nil
}
