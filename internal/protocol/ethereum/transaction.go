package ethereum

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/coco-consortium/coco/internal/problem"
)

// ErrTransaction says that bytes are not a transaction of this chain.
var ErrTransaction = problem.New("ETHEREUM_TRANSACTION", "the bytes are not a signed transaction of this chain",
	"send an EIP-155, EIP-2930, EIP-1559 or EIP-7702 transaction signed for this chain id")

// DevelopmentChainID is the chain id of development networks (0xc0c0). A
// production genesis states its own.
const DevelopmentChainID = 49344

// Transaction is a signed transaction and its sender. Request.Decoded holds one
// when admission has decoded it already.
type Transaction struct {
	*types.Transaction
	From common.Address

	hash common.Hash // zero unless it was found out when the transaction was decoded
}

// Hash is the transaction's hash.
func (t *Transaction) Hash() common.Hash {
	if t.hash != (common.Hash{}) {
		return t.hash
	}
	return t.Transaction.Hash()
}

// DecodeTransaction decodes a signed transaction (EIP-2718) of the given chain
// and recovers its sender. Blob transactions are refused: there is nowhere to
// keep blobs.
func DecodeTransaction(raw []byte, chainID uint64) (*Transaction, error) {
	tx, err := decodeTransaction(raw)
	if err != nil {
		return nil, err
	}
	t := &Transaction{Transaction: tx}
	if err := NewSigner(chainID).Recover(t, raw); err != nil {
		return nil, ErrTransaction.From(err)
	}
	return t, nil
}

func decodeTransaction(raw []byte) (*types.Transaction, error) {
	tx := new(types.Transaction)
	if err := tx.UnmarshalBinary(raw); err != nil {
		return nil, ErrTransaction.From(err)
	}
	if tx.Type() == types.BlobTxType || tx.Value().BitLen() > 256 {
		return nil, ErrTransaction.From(types.ErrTxTypeNotSupported)
	}
	return tx, nil
}
