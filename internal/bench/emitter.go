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

// emitterCode creates a contract that writes logs: called with two words, first
// and n, it writes n of them, about the numbers first+n-1 down to first. The log
// of a number has the topics 0x42, number mod 100 and number, and the number as
// its data.
var emitterCode = common.FromHex("6028600c60003960286000f3" + // return the rest
	"602035" + // n
	"5b" + "8015602657" + // 3: until n is 0
	"60019003" + "8060003501" + // n-1; the number
	"80600052" + "80" + "60648106" + "6042" + "60206000" + "a3" + // log
	"50600356" + "5b00")

// logsOf is how many logs one transaction writes.
const logsOf = 200

// emitter is a contract at one node, and what it logged: numbers 0 to logs-1.
type emitter struct {
	address     common.Address
	first, last uint64 // blocks that hold its logs
	logs        int
}

// emit deploys an emitter and has it write logs, by many accounts at once.
func (t *target) emit(ctx context.Context, logs int, progress io.Writer) (*emitter, error) {
	if err := t.refresh(); err != nil {
		return nil, err
	}
	owner := &t.accounts[0]
	e := &emitter{address: crypto.CreateAddress(owner.address, owner.nonce), logs: logs}
	if err := t.pay(ctx, owner, []types.TxData{t.transaction(owner.nonce, nil, nil, emitterCode, 200_000)}); err != nil {
		return nil, err
	}
	gas, err := t.estimate(map[string]any{"from": owner.address, "to": e.address, "data": hexutil.Bytes(emission(logs, logsOf))})
	if err != nil {
		return nil, err
	}
	var head hexutil.Uint64
	if err := call(t.control, &head, "eth_blockNumber"); err != nil {
		return nil, err
	}
	e.first = uint64(head) + 1
	for done := 0; done < logs; {
		fmt.Fprintf(progress, "%s: %d of %d logs written\n", t.name, done, logs)
		for range 20 { // of each account, before it is waited for
			if done, err = t.emitMany(e, done, gas); err != nil {
				return nil, err
			}
		}
		if err := t.settle(ctx); err != nil {
			return nil, err
		}
	}
	err = call(t.control, &head, "eth_blockNumber")
	e.last = uint64(head)
	return e, err
}

// emitMany sends one transaction of every account in one batch and gives how
// many logs are sent then.
func (t *target) emitMany(e *emitter, done int, gas uint64) (int, error) {
	var params [][]any
	for i := range t.accounts {
		n := min(logsOf, e.logs-done)
		if n == 0 {
			break
		}
		from := &t.accounts[i]
		tx, err := types.SignNewTx(from.key, t.signer, t.transaction(from.nonce, &e.address, nil, emission(done, n), gas))
		if err != nil {
			return 0, err
		}
		raw, err := tx.MarshalBinary()
		if err != nil {
			return 0, err
		}
		params = append(params, []any{hexutil.Bytes(raw)})
		from.nonce++
		done += n
	}
	if len(params) == 0 {
		return done, nil
	}
	answers, err := callMany(t.control, "eth_sendRawTransaction", params)
	for _, a := range answers {
		if a.Error != nil {
			return 0, a.Error
		}
	}
	return done, err
}

// settle waits until what the accounts sent is committed.
func (t *target) settle(ctx context.Context) error {
	for i := range t.accounts {
		a := &t.accounts[i]
		err := poll(ctx, func() (bool, error) {
			var nonce hexutil.Uint64
			err := call(t.control, &nonce, "eth_getTransactionCount", a.address, "latest")
			return uint64(nonce) >= a.nonce, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// emission is the call that writes n logs.
func emission(first, n int) []byte {
	word := func(n int) []byte { return common.BigToHash(big.NewInt(int64(n))).Bytes() }
	return append(word(first), word(n)...)
}

// check asks for a few single logs: what was written is there.
func (e *emitter) check(c conn) error {
	for _, n := range []int{0, e.logs / 2, e.logs - 1} {
		var logs []struct{}
		if err := call(c, &logs, "eth_getLogs", e.across(nil, nil, number(n))); err != nil {
			return err
		}
		if len(logs) != 1 {
			return errors.New("the node does not find a log that was written")
		}
	}
	return nil
}

// across is a filter over all blocks with logs.
func (e *emitter) across(topics ...any) map[string]any {
	return map[string]any{"address": e.address, "topics": topics, "fromBlock": hexutil.Uint64(e.first), "toBlock": hexutil.Uint64(e.last)}
}

// number is a number as a topic.
func number(n int) common.Hash { return common.BigToHash(big.NewInt(int64(n))) }
