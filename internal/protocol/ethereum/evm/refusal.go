package evm

import (
	"errors"

	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/vm"

	"github.com/coco-consortium/coco/internal/problem"
)

// refusals are the reasons why a message cannot be a transaction of a state. What
// a refusal says is what the library says, because Ethereum clients know errors
// by these words.
var refusals = []struct {
	err  error
	code problem.Code
	next string
}{
	{core.ErrNonceTooLow, "NONCE_TOO_LOW", "send it with the sender's next nonce (eth_getTransactionCount)"},
	{core.ErrNonceTooHigh, "NONCE_TOO_HIGH", "send the sender's earlier transactions first"},
	{core.ErrNonceMax, "NONCE_MAX", "use another account"},
	{core.ErrInsufficientFundsForTransfer, "INSUFFICIENT_FUNDS", "send less value, or fund the sender; gas itself is free"},
	{core.ErrInsufficientFunds, "INSUFFICIENT_FUNDS", "send less value, or fund the sender; gas itself is free"},
	{core.ErrIntrinsicGas, "INTRINSIC_GAS", "raise the gas limit (eth_estimateGas)"},
	{core.ErrFloorDataGas, "INTRINSIC_GAS", "raise the gas limit (eth_estimateGas)"},
	{core.ErrGasLimitTooHigh, "GAS_LIMIT_TOO_HIGH", "ask for at most 16777216 gas (EIP-7825)"},
	{core.ErrSenderNoEOA, "SENDER_IS_CONTRACT", "send it from an account without code (EIP-3607)"},
	{vm.ErrMaxInitCodeSizeExceeded, "INIT_CODE_TOO_LARGE", "keep creation code below 49152 bytes (EIP-3860)"},
	{core.ErrEmptyAuthList, "AUTHORIZATION_LIST", "give at least one authorization (EIP-7702)"},
	{core.ErrSetCodeTxCreate, "AUTHORIZATION_LIST", "name a recipient (EIP-7702)"},
	{core.ErrTipAboveFeeCap, "FEES", "offer no more for the priority than in all (EIP-1559)"},
	{core.ErrFeeCapTooLow, "FEES", "offer at least the base fee (EIP-1559)"},
}

// refusal makes a problem of an error of the library.
func refusal(err error) error {
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return problem.New(r.code, err.Error(), r.next).From(r.err)
		}
	}
	return problem.New("TRANSACTION_REFUSED", err.Error(), "check the transaction's fields")
}
