package consortium

import (
	"crypto/ecdsa"
	"encoding/binary"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

// registers is a contract of registers, by key. Call data of two words {key, new}
// swaps; of three {key, new, expected} swaps if the register is as expected and
// reverts otherwise. What was there before, and what is now, is logged under the
// key, so that whoever writes knows what the write replaced.
var registers = common.FromHex("0x603380600b6000396000f3" + // 51 bytes of code
	"60003554" + // the register
	"8060005260603614602557" + // keep it; three words: compare first
	"5b5060203580602052600035556000356040" + "6000a100" + // store, log {old, new}
	"5b80604035146" + "00f5760006000fd") // as expected: store; else revert

// word is a number as the EVM has it.
func word(n uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 24), n) }

func swapData(key, value uint64) []byte { return append(word(key), word(value)...) }

func compareData(key, value, expected uint64) []byte {
	return append(swapData(key, value), word(expected)...)
}

// account signs transactions, one after the other. Gas is free, so a new key is a
// new account.
type account struct {
	key   *ecdsa.PrivateKey
	nonce uint64
}

func newAccount() *account {
	key, err := crypto.GenerateKey()
	if err != nil {
		panic(err)
	}
	return &account{key: key}
}

// sign signs the account's next transaction; a nil to creates a contract.
func (a *account) sign(chain uint64, to *common.Address, data []byte) (raw hexutil.Bytes, hash common.Hash) {
	id := number(chain)
	tx := types.MustSignNewTx(a.key, types.LatestSignerForChainID(id), &types.DynamicFeeTx{
		ChainID: id, Nonce: a.nonce, GasTipCap: number(0), GasFeeCap: number(0), Gas: 1_000_000, To: to, Data: data})
	a.nonce++
	raw, err := tx.MarshalBinary()
	if err != nil {
		panic(err) // just made
	}
	return raw, tx.Hash()
}

// receipt is what these tests read of a transaction's receipt.
type receipt struct {
	TransactionHash common.Hash     `json:"transactionHash"`
	ContractAddress *common.Address `json:"contractAddress"`
	BlockNumber     hexutil.Uint64  `json:"blockNumber"`
	Status          hexutil.Uint64  `json:"status"`
	Logs            []entry         `json:"logs"`
}

// entry is a log of the registers.
type entry struct {
	Topics          []common.Hash  `json:"topics"`
	Data            hexutil.Bytes  `json:"data"`
	TransactionHash common.Hash    `json:"transactionHash"`
	BlockNumber     hexutil.Uint64 `json:"blockNumber"`
}

// swapped reads key, old and new value.
func (e *entry) swapped() (key, old, value uint64) {
	if len(e.Topics) != 1 || len(e.Data) != 64 {
		return 0, 0, 0
	}
	number := func(b []byte) uint64 { return binary.BigEndian.Uint64(b[len(b)-8:]) }
	return number(e.Topics[0][:]), number(e.Data[:32]), number(e.Data[32:])
}

func number(n uint64) *big.Int { return new(big.Int).SetUint64(n) }
