package api

import (
	"context"
	"time"

	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// ErrReadNotConfirmed says that a linearizable read was not possible.
var ErrReadNotConfirmed = problem.New("READ_NOT_CONFIRMED",
	"the node could not make sure with a majority of the network that it knows everything committed",
	"try again in a moment or ask another node; without ?read=linearizable the answer is what this node knows")

// confirmTime is how long a linearizable read waits to be confirmed.
const confirmTime = 5 * time.Second

// confirm makes a read linearizable: what was committed, and answered anywhere,
// before the request came is known to this node when the method reads.
func (a *API) confirm(ctx context.Context) error {
	if a.Linearizable == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, confirmTime)
	defer cancel()
	if err := a.Linearizable(ctx); err != nil {
		return ErrReadNotConfirmed.From(err)
	}
	return nil
}

// registerConfirmation has the methods that read the ledger wait, for clients
// whose URL says ?read=linearizable, until the read is confirmed. The others
// answer always: what they say does not change, is about this node, or is a write,
// which the ledger itself puts in order.
func (a *API) registerConfirmation(d *jsonrpc.Dispatcher) {
	d.Confirm("read", "linearizable", a.confirm,
		"web3_clientVersion", "web3_sha3", "net_version", "net_listening", "net_peerCount", "rpc_modules",
		"eth_chainId", "eth_protocolVersion", "eth_accounts", "eth_coinbase", "eth_mining", "eth_hashrate", "eth_syncing",
		"eth_gasPrice", "eth_maxPriorityFeePerGas", "eth_baseFee", "eth_blobBaseFee", "eth_pendingTransactions",
		"eth_sendRawTransaction", "eth_sendRawTransactionSync", "eth_unsubscribe", "eth_uninstallFilter",
		"txpool_status", "txpool_content", "txpool_contentFrom", "txpool_inspect", "coco_getServiceIdentity")
}
