package evm

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/coco-consortium/coco/internal/kv"
)

// Names of the tables.
const (
	TableAccounts = "eth.accounts"
	TableStorage  = "eth.storage"
	TableCode     = "eth.code"
)

// Tables declares the tables of this package.
func Tables() []kv.Table {
	return []kv.Table{
		{Name: TableAccounts, Kind: kv.Point},
		{Name: TableStorage, Kind: kv.Point},
		{Name: TableCode, Kind: kv.Point},
	}
}

// tableIDs are the tables of one store.
type tableIDs struct{ accounts, storage, code kv.TableID }

func idsOf(store *kv.Store) (ids tableIDs, err error) {
	for name, id := range map[string]*kv.TableID{
		TableAccounts: &ids.accounts, TableStorage: &ids.storage, TableCode: &ids.code,
	} {
		var ok bool
		if *id, ok = store.Table(name); !ok {
			return ids, fmt.Errorf("evm: the store has no table %s", name)
		}
	}
	return ids, nil
}

// Account is what the ledger keeps of an account, storage and code apart.
type Account struct {
	Nonce    uint64
	Balance  uint256.Int
	CodeHash common.Hash // types.EmptyCodeHash when it has no code
}

// maxAccount is the size of the largest encoded account.
const maxAccount = binary.MaxVarintLen64 + 1 + 32 + 32

var errAccount = errors.New("evm: an account in the state is damaged")

// AppendAccount appends an account's encoding: uvarint nonce ‖ u8 length of the
// balance ‖ balance, big-endian without leading zeros ‖ code hash, absent when
// the account has no code.
func AppendAccount(dst []byte, a *Account) []byte {
	dst = binary.AppendUvarint(dst, a.Nonce)
	size := a.Balance.ByteLen()
	dst = append(dst, byte(size))
	balance := a.Balance.Bytes32()
	dst = append(dst, balance[32-size:]...)
	if a.CodeHash != types.EmptyCodeHash {
		dst = append(dst, a.CodeHash[:]...)
	}
	return dst
}

// DecodeAccount decodes what AppendAccount wrote and refuses everything else.
func DecodeAccount(data []byte) (a Account, err error) {
	nonce, n := binary.Uvarint(data)
	if n <= 0 || n > 1 && data[n-1] == 0 || len(data) == n {
		return a, errAccount
	}
	size, rest := int(data[n]), data[n+1:]
	if size > 32 || len(rest) < size || size > 0 && rest[0] == 0 {
		return a, errAccount
	}
	a.Nonce = nonce
	a.Balance.SetBytes(rest[:size])
	switch rest = rest[size:]; len(rest) {
	case 0:
		a.CodeHash = types.EmptyCodeHash
	case 32:
		a.CodeHash = common.Hash(rest)
		if a.CodeHash == types.EmptyCodeHash {
			return a, errAccount
		}
	default:
		return a, errAccount
	}
	return a, nil
}

// StorageKey is the key of a slot in TableStorage.
func StorageKey(address common.Address, slot common.Hash) []byte {
	return append(append(make([]byte, 0, 52), address[:]...), slot[:]...)
}

// storageValue is a slot's value as stored: without leading zeros.
func storageValue(value *common.Hash) []byte {
	i := 0
	for i < 32 && value[i] == 0 {
		i++
	}
	return value[i:]
}
