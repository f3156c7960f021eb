package api

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/server/caller"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// registerConstants adds the methods whose answers hardly depend on anything.
// Several are gone from geth and still asked for by clients.
func (a *API) registerConstants(d *jsonrpc.Dispatcher) {
	for name, answer := range map[string]any{
		"net_peerCount":           quantity(0), // no Ethereum peers
		"eth_protocolVersion":     quantity(0), // none of Ethereum's wire protocols is spoken
		"eth_coinbase":            data(common.Address{}.Bytes()),
		"eth_mining":              false,
		"eth_hashrate":            quantity(0),
		"eth_pendingTransactions": json.RawMessage("[]"), // of the node's accounts; it has none
		"txpool_status":           json.RawMessage(`{"pending":"0x0","queued":"0x0"}`),
		"txpool_content":          emptyPool,
		"txpool_inspect":          emptyPool,
	} {
		jsonrpc.Handle(d, name, func(context.Context, *caller.Caller, *none) (any, error) { return answer, nil }, jsonrpc.Prompt)
	}
	jsonrpc.Handle(d, "txpool_contentFrom", func(context.Context, *caller.Caller, *struct{ Address common.Address }) (any, error) {
		return emptyPool, nil
	}, jsonrpc.Prompt)
	jsonrpc.Handle(d, "rpc_modules", func(context.Context, *caller.Caller, *none) (any, error) { return modules(d.Methods()), nil })
}

// emptyPool is what everybody sees of the transactions that are not committed:
// who knows the hash of one finds it with eth_getTransactionByHash.
var emptyPool = json.RawMessage(`{"pending":{},"queued":{}}`)

// modules gives every namespace of methods its version, which is 1.0 for ever.
func modules(methods []string) map[string]string {
	versions := make(map[string]string)
	for _, name := range methods {
		namespace, _, _ := strings.Cut(name, "_")
		versions[namespace] = "1.0"
	}
	return versions
}
