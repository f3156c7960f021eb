package pool

import (
	"errors"

	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/txpool"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"

	"github.com/coco-consortium/coco/internal/problem"
)

// The kinds of refusal that callers tell apart with errors.Is.
var (
	ErrAlreadyKnown = problem.New("ALREADY_KNOWN", txpool.ErrAlreadyKnown.Error(),
		"wait for its receipt; it need not be sent again")
	ErrNonceTooLow = problem.New("NONCE_TOO_LOW", core.ErrNonceTooLow.Error(),
		"send it with the sender's next nonce (eth_getTransactionCount with tag pending)")
	ErrNonceTooHigh = problem.New("NONCE_TOO_HIGH", core.ErrNonceTooHigh.Error(),
		"send the sender's earlier transactions first")
	ErrUnderpriced = problem.New("REPLACEMENT_UNDERPRICED", txpool.ErrReplaceUnderpriced.Error(),
		"raise both fee caps by at least 10 percent, or wait until the waiting transaction is given up")
	ErrFunds = problem.New("INSUFFICIENT_FUNDS", core.ErrInsufficientFunds.Error(),
		"send less value, or fund the sender; gas itself is free")
	ErrRoomFull = problem.New("WAITING_ROOM_FULL", "txpool is full",
		"send the sender's earlier transactions first; too many transactions wait for theirs")
)

// forms gives codes and next steps to what makes a transaction unacceptable
// whatever the state is.
var forms = []struct {
	err  error
	code problem.Code
	next string
}{
	{types.ErrTxTypeNotSupported, "TRANSACTION_TYPE", "send a transaction of type 0, 1, 2 or 4; blob transactions have no place on this ledger"},
	{txpool.ErrOversizedData, "TRANSACTION_SIZE", "send less data in one transaction"},
	{vm.ErrMaxInitCodeSizeExceeded, "INIT_CODE_TOO_LARGE", "keep creation code below 49152 bytes (EIP-3860)"},
	{core.ErrGasLimitTooHigh, "GAS_LIMIT_TOO_HIGH", "ask for at most 16777216 gas (EIP-7825)"},
	{core.ErrIntrinsicGas, "INTRINSIC_GAS", "raise the gas limit (eth_estimateGas)"},
	{core.ErrFloorDataGas, "INTRINSIC_GAS", "raise the gas limit (eth_estimateGas)"},
	{txpool.ErrInvalidSender, "TRANSACTION_SIGNATURE", "sign it for this network's chain id (eth_chainId)"},
	{core.ErrNonceMax, "NONCE_MAX", "use another account"},
	{core.ErrInsufficientFunds, "INSUFFICIENT_FUNDS", "send less value"},
}

// malformed makes a problem of what is wrong with a transaction's form.
func malformed(err error) error {
	for _, f := range forms {
		if errors.Is(err, f.err) {
			return problem.New(f.code, err.Error(), f.next)
		}
	}
	return problem.New("TRANSACTION_FORMAT", err.Error(), "check the transaction's fields and encoding")
}

// detail is a refusal of a known kind with its numbers behind geth's words.
func detail(kind *problem.Error, numbers string) error {
	return problem.New(kind.Code, kind.What+": "+numbers, kind.Next)
}
