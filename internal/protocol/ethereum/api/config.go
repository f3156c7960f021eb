package api

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/forkid"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/params"

	"github.com/coco-consortium/coco/internal/server/caller"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// registerConfig adds what a client can learn about the rules and reach of the
// chain.
func (a *API) registerConfig(d *jsonrpc.Dispatcher) {
	jsonrpc.Handle(d, "eth_config", a.config)
	jsonrpc.Handle(d, "eth_capabilities", a.capabilities, jsonrpc.Prompt)
}

// configShape is the answer of EIP-7910. No fork is scheduled by time: the rules
// of the chain change at a height that its members agree on.
type configShape struct {
	Current forkShape  `json:"current"`
	Next    *forkShape `json:"next"`
	Last    *forkShape `json:"last"`
}

// forkShape is the rules that begin with one fork.
type forkShape struct {
	ActivationTime  uint64                    `json:"activationTime"` // 0 for the first block
	BlobSchedule    *params.BlobConfig        `json:"blobSchedule"`   // null where blobs are refused
	ChainID         *hexutil.Big              `json:"chainId"`
	ForkID          hexutil.Bytes             `json:"forkId"` // EIP-6122
	Precompiles     map[string]common.Address `json:"precompiles"`
	SystemContracts map[string]common.Address `json:"systemContracts"`
}

func (a *API) config(ctx context.Context, _ *caller.Caller, _ *none) (any, error) {
	genesis, err := a.Chain.ByNumber(ctx, 0)
	if err != nil {
		return nil, err
	}
	rules, head := a.Machine.Rules(), a.Chain.Header()
	c, fork := rules.Config, rules.Config.LatestFork(head.Time)
	var since uint64
	if t := c.Timestamp(fork); t != nil {
		since = *t
	}
	id := forkid.NewID(c, types.NewBlockWithHeader(genesis.Header), ^uint64(0), since).Hash
	shape := forkShape{
		ChainID: (*hexutil.Big)(c.ChainID), ForkID: id[:],
		Precompiles: make(map[string]common.Address), SystemContracts: make(map[string]common.Address),
	}
	if since > genesis.Header.Time {
		shape.ActivationTime = since
	}
	for address, contract := range vm.ActivePrecompiledContracts(c.Rules(head.Number, true, head.Time)) {
		shape.Precompiles[contract.Name()] = address
	}
	if rules.Paid { // else there are no blobs, and nobody stakes, deposits or withdraws
		shape.BlobSchedule, shape.SystemContracts = c.BlobConfig(fork), c.ActiveSystemContracts(since)
	}
	return configShape{Current: shape}, nil
}

// capabilities says which blocks can be asked about, in the form of
// https://github.com/ethereum/execution-apis/pull/755.
func (a *API) capabilities(context.Context, *caller.Caller, *none) (any, error) {
	head := a.Chain.Head()
	number := head.Number()
	oldest := min(a.Past.Oldest(), number)
	o := begin(nil)
	o.name("head")
	h := begin(o.dst)
	h.quantity("number", number)
	h.data("hash", head.Hash[:])
	o.dst = h.end()
	o.name("state")
	o.dst = fmt.Appendf(o.dst, `{"disabled":false,"oldestBlock":"%#x","deleteStrategy":{"type":"window","retentionBlocks":"%#x"}}`, oldest, number+1-oldest)
	for _, name := range []string{"tx", "logs", "receipts", "blocks"} {
		o.name(name)
		o.dst = append(o.dst, `{"disabled":false,"oldestBlock":"0x0"}`...)
	}
	o.name("stateproofs")
	o.dst = append(o.dst, `{"disabled":true}`...)
	return json.RawMessage(o.end()), nil
}
