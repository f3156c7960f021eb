package bench

import (
	"context"
	"fmt"
	"io"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

// numbering is a contract that does something for each of many numbers: called with
// the words first, n and 1, for the numbers first+n-1 down to first.
type numbering struct {
	what  string // that it does, for the progress
	code  []byte // creates it
	each  int    // numbers of one transaction
	burst int    // transactions of an account that are sent before they are waited for
}

// number is a number as a word or a topic.
func number(n int) common.Hash { return common.BigToHash(big.NewInt(int64(n))) }

// span is the call for n numbers.
func (*numbering) span(first, n int) []byte {
	return append(number(first).Bytes(), number(n).Bytes()...)
}

// numbered is the call that count makes.
func (c *numbering) numbered(first, n int) []byte {
	return append(c.span(first, n), number(1).Bytes()...)
}

// deploy creates the contract, by the first account.
func (t *target) deploy(ctx context.Context, c *numbering) (common.Address, error) {
	if err := t.refresh(); err != nil {
		return common.Address{}, err
	}
	owner := &t.accounts[0]
	address := crypto.CreateAddress(owner.address, owner.nonce)
	return address, t.pay(ctx, owner, []types.TxData{t.transaction(owner.nonce, nil, nil, c.code, 200_000)})
}

// count calls the contract for the numbers from first to total-1, by all accounts at
// once.
func (t *target) count(ctx context.Context, c *numbering, address common.Address, first, total int, progress io.Writer) error {
	gas, err := t.estimate(map[string]any{"from": t.accounts[0].address, "to": address, "data": hexutil.Bytes(c.numbered(total, c.each))})
	if err != nil {
		return err
	}
	for done, told := first, first; done < total; {
		for range c.burst {
			var params [][]any
			for i := range t.accounts {
				n := min(c.each, total-done)
				if n == 0 {
					break
				}
				from := &t.accounts[i]
				p, err := t.signed(from, t.transaction(from.nonce, &address, nil, c.numbered(done, n), gas))
				if err != nil {
					return err
				}
				params = append(params, p)
				done += n
			}
			if len(params) == 0 {
				break
			}
			if _, err := callMany(t.control, "eth_sendRawTransaction", params); err != nil {
				return err
			}
		}
		for i := range t.accounts {
			if err := t.settle(ctx, &t.accounts[i]); err != nil {
				return err
			}
		}
		if done-told >= total/20 || done == total {
			fmt.Fprintf(progress, "%s: %d of %d %s written\n", t.name, done, total, c.what)
			told = done
		}
	}
	return nil
}
