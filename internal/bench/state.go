package bench

import (
	"context"
	"errors"
	"io"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
)

// filler fills storage: slot number is number+1.
var filler = &numbering{what: "slots", each: 200, burst: 8, code: common.FromHex("601d600c600039601d6000f3" + // return the rest
	"602035" + // n
	"5b" + "80600a57" + "0000" + "5b" + // 3: end when n is 0
	"60019003" + "8060003501" + // n-1; the number
	"80600101" + "9055" + "600356")} // slot number = number+1

// fill writes so many slots of a new contract and reads some of them back.
func (t *target) fill(ctx context.Context, slots int, progress io.Writer) error {
	contract, err := t.deploy(ctx, filler)
	if err != nil {
		return err
	}
	if err := t.count(ctx, filler, contract, slots, progress); err != nil {
		return err
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
