package ethereum

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/holiman/uint256"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/evm"
	"github.com/coco-consortium/coco/internal/sequencer"
)

// Allocation is what an account holds from the start.
type Allocation struct {
	Address common.Address
	Balance uint256.Int // wei
	Nonce   uint64
	Code    []byte
}

// Genesis gives what the ledger's first block says of Ethereum: the writes of
// its sealed section and this protocol's share of the block section, the header
// of block 0.
func Genesis(slot sequencer.Slot, alloc []Allocation) (writes []format.Write, section []byte) {
	for i := range alloc {
		account := evm.Account{Nonce: alloc[i].Nonce, Balance: alloc[i].Balance, CodeHash: crypto.Keccak256Hash(alloc[i].Code)}
		if len(alloc[i].Code) > 0 {
			writes = append(writes, format.Write{Table: evm.TableCode, Key: account.CodeHash.Bytes(), Value: alloc[i].Code})
		}
		writes = append(writes, format.Write{
			Table: evm.TableAccounts, Key: alloc[i].Address.Bytes(), Value: evm.AppendAccount(nil, &account),
		})
	}
	h := newHeader(&slot, common.Hash{})
	complete(h, nil)
	section, err := rlp.EncodeToBytes(h)
	if err != nil {
		panic(err) // every field was set by this package
	}
	return writes, section
}
