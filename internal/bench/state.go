package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

// fillerCode creates a contract that fills storage: called with two words, first
// and n, it writes the slots first+n-1 down to first, each with its number and one.
var fillerCode = common.FromHex("601d600c600039601d6000f3" + // return the rest
	"602035" + // n
	"5b" + "80600a57" + "0000" + "5b" + // 3: end when n is 0
	"60019003" + "8060003501" + // n-1; the number
	"80600101" + "9055" + "600356") // slot number = number+1

// slotsOf is how many slots one transaction writes.
const slotsOf = 200

// fill writes so many slots of a new contract, by all accounts, and reads some of
// them back.
func (t *target) fill(ctx context.Context, slots int, progress io.Writer) error {
	if err := t.refresh(); err != nil {
		return err
	}
	owner := &t.accounts[0]
	contract := crypto.CreateAddress(owner.address, owner.nonce)
	if err := t.pay(ctx, owner, []types.TxData{t.transaction(owner.nonce, nil, nil, fillerCode, 200_000)}); err != nil {
		return err
	}
	gas, err := t.estimate(map[string]any{"from": owner.address, "to": contract, "data": hexutil.Bytes(emission(slots, slotsOf))})
	if err != nil {
		return err
	}
	for done, told := 0, 0; done < slots; {
		for range 8 { // of each account, before it is waited for
			var params [][]any
			for i := range t.accounts {
				n := min(slotsOf, slots-done)
				if n == 0 {
					break
				}
				from := &t.accounts[i]
				tx, err := types.SignNewTx(from.key, t.signer, t.transaction(from.nonce, &contract, nil, emission(done, n), gas))
				if err != nil {
					return err
				}
				raw, err := tx.MarshalBinary()
				if err != nil {
					return err
				}
				params = append(params, []any{hexutil.Bytes(raw)})
				from.nonce++
				done += n
			}
			if len(params) == 0 {
				break
			}
			answers, err := callMany(t.control, "eth_sendRawTransaction", params)
			if err != nil {
				return err
			}
			for _, a := range answers {
				if a.Error != nil {
					return a.Error
				}
			}
		}
		if err := t.settle(ctx); err != nil {
			return err
		}
		if done-told >= slots/20 || done == slots {
			fmt.Fprintf(progress, "%d of %d slots written\n", done, slots)
			told = done
		}
	}
	for _, n := range []int{0, slots / 2, slots - 1} {
		var value common.Hash
		if err := call(t.control, &value, "eth_getStorageAt", contract, number(n), "latest"); err != nil {
			return err
		}
		if value.Big().Cmp(big.NewInt(int64(n)+1)) != 0 {
			return errors.New("the node does not have a slot that was written")
		}
	}
	return nil
}
