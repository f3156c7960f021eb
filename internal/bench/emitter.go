package bench

import (
	"context"
	"errors"
	"io"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
)

// emitting writes logs. The log of a number has the topics 0x42, number mod 100 and
// number, and the number as its data.
var emitting = &numbering{what: "logs", each: 200, burst: 20, code: common.FromHex("6028600c60003960286000f3" + // return the rest
	"602035" + // n
	"5b" + "8015602657" + // 3: until n is 0
	"60019003" + "8060003501" + // n-1; the number
	"80600052" + "80" + "60648106" + "6042" + "60206000" + "a3" + // log
	"50600356" + "5b00")}

// emitter is a contract at one node, and what it logged: numbers 0 to logs-1.
type emitter struct {
	address     common.Address
	first, last uint64 // blocks that hold its logs
	logs        int
}

// emit deploys an emitter and has it write logs.
func (t *target) emit(ctx context.Context, logs int, progress io.Writer) (e *emitter, err error) {
	e = &emitter{logs: logs}
	if e.address, err = t.deploy(ctx, emitting); err != nil {
		return nil, err
	}
	var head hexutil.Uint64
	if err := call(t.control, &head, "eth_blockNumber"); err != nil {
		return nil, err
	}
	e.first = uint64(head) + 1
	if err := t.count(ctx, emitting, e.address, 0, logs, progress); err != nil {
		return nil, err
	}
	err = call(t.control, &head, "eth_blockNumber")
	e.last = uint64(head)
	return e, err
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
