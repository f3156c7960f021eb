package api

import (
	"context"
	"time"

	"github.com/coco-consortium/coco/internal/history"
	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/proof"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/chain"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/evm"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/pool"
	"github.com/coco-consortium/coco/internal/sequencer"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// Service is the ledger that the chain is part of, as the node knows it.
type Service interface {
	// Receipt proves that a transaction is committed; fields, of proof's registry,
	// are disclosed beside its hash and status.
	Receipt(ctx context.Context, tx sequencer.TxID, fields ...uint64) (*proof.Receipt, error)
	// Status is what the node can say of a TxID.
	Status(tx sequencer.TxID) sequencer.Status
	// Checkpoint is a signed C2SP tlog-checkpoint of the committed ledger.
	Checkpoint(ctx context.Context) ([]byte, error)
	// Identity is who the service says it is.
	Identity() Identity
}

// Identity is the service's identity and the evidence of the node that answers.
type Identity struct {
	Service  string // the service id in hexadecimal
	Mode     string // "simulated" or the platform's name
	PEM      string // the service's certificate
	Evidence []byte // attestation evidence of this node, see package attest
}

// Config is what the interface stands on. All fields but the last two are
// required; a network of one node does without these.
type Config struct {
	ChainID uint64
	Version string // of the program, as web3_clientVersion gives it
	Chain   *chain.Chain
	Store   *kv.Store
	Past    *history.Past
	Machine *evm.Machine
	Pool    *pool.Pool
	Service Service
	Now     func() time.Time
	// Linearizable returns when this node has published everything that was
	// committed when it was called, or says why it cannot know.
	Linearizable func(context.Context) error
	// Syncing is how far a node is that catches up with the network: the block at
	// which it began, the last one that it has and the last one that there is.
	Syncing func() (start, current, highest uint64, busy bool)
}

// API answers Ethereum's methods. It is safe for concurrent use.
type API struct {
	Config
	checker *pool.Checker
	filters filters
	replays jsonrpc.Places // of subscriptions that read blocks that have been
}

// New makes the interface.
func New(c Config) *API {
	return &API{Config: c, checker: pool.NewChecker(c.ChainID), replays: newReplays()}
}

// Wall times of methods that have their own. A call that waits for a commit has
// the time that its client gives it, see maxSyncTime.
const (
	callTime = 5 * time.Second
	logsTime = 10 * time.Second
)

// Register adds every method.
func (a *API) Register(d *jsonrpc.Dispatcher) {
	prompt, heavy, call, logs := jsonrpc.Prompt, jsonrpc.Heavy, jsonrpc.Within(callTime), jsonrpc.Within(logsTime)

	jsonrpc.Handle(d, "web3_clientVersion", a.clientVersion, prompt)
	jsonrpc.Handle(d, "web3_sha3", a.sha3, prompt)
	jsonrpc.Handle(d, "net_version", a.netVersion, prompt)
	jsonrpc.Handle(d, "net_listening", a.listening, prompt)
	jsonrpc.Handle(d, "eth_chainId", a.chainID, prompt)
	jsonrpc.Handle(d, "eth_syncing", a.syncing, prompt)
	jsonrpc.Handle(d, "eth_accounts", a.accounts, prompt)
	jsonrpc.Handle(d, "eth_blockNumber", a.blockNumber, prompt)

	jsonrpc.Handle(d, "eth_gasPrice", a.gasPrice, prompt)
	jsonrpc.Handle(d, "eth_maxPriorityFeePerGas", a.tip, prompt)
	jsonrpc.Handle(d, "eth_baseFee", a.baseFee, prompt)
	jsonrpc.Handle(d, "eth_blobBaseFee", a.blobBaseFee, prompt)
	jsonrpc.Handle(d, "eth_feeHistory", a.feeHistory, heavy, call)

	jsonrpc.Handle(d, "eth_getBalance", a.balance)
	jsonrpc.Handle(d, "eth_getCode", a.code)
	jsonrpc.Handle(d, "eth_getStorageAt", a.storageAt)
	jsonrpc.Handle(d, "eth_getTransactionCount", a.transactionCount)
	jsonrpc.Handle(d, "eth_getStorageValues", a.storageValues)

	jsonrpc.Handle(d, "eth_call", a.call, heavy, call)
	jsonrpc.Handle(d, "eth_estimateGas", a.estimateGas, heavy, call)

	jsonrpc.HandlePrepared(d, "eth_sendRawTransaction", a.check, a.send, prompt)
	jsonrpc.HandlePrepared(d, "eth_sendRawTransactionSync", a.checkSync, a.sendSync, jsonrpc.Within(maxSyncTime+time.Second))

	jsonrpc.Handle(d, "eth_getTransactionByHash", a.transactionByHash)
	jsonrpc.Handle(d, "eth_getTransactionByBlockHashAndIndex", a.transactionByBlockHash)
	jsonrpc.Handle(d, "eth_getTransactionByBlockNumberAndIndex", a.transactionByBlockNumber)
	jsonrpc.Handle(d, "eth_getTransactionReceipt", a.receipt)

	jsonrpc.Handle(d, "eth_getBlockByNumber", a.blockByNumber)
	jsonrpc.Handle(d, "eth_getBlockByHash", a.blockByHash)
	jsonrpc.Handle(d, "eth_getHeaderByNumber", a.headerByNumber)
	jsonrpc.Handle(d, "eth_getHeaderByHash", a.headerByHash)
	jsonrpc.Handle(d, "eth_getBlockReceipts", a.blockReceipts)
	jsonrpc.Handle(d, "eth_getBlockTransactionCountByNumber", a.countByNumber)
	jsonrpc.Handle(d, "eth_getBlockTransactionCountByHash", a.countByHash)
	jsonrpc.Handle(d, "eth_getUncleCountByBlockNumber", a.uncleCountByNumber)
	jsonrpc.Handle(d, "eth_getUncleCountByBlockHash", a.uncleCountByHash)
	jsonrpc.Handle(d, "eth_getUncleByBlockNumberAndIndex", a.uncleByNumber)
	jsonrpc.Handle(d, "eth_getUncleByBlockHashAndIndex", a.uncleByHash)

	jsonrpc.Handle(d, "eth_getLogs", a.logs, heavy, logs)
	jsonrpc.Handle(d, "eth_subscribe", a.subscribe, prompt)
	jsonrpc.Handle(d, "eth_unsubscribe", a.unsubscribe, prompt)

	a.registerRaw(d)
	a.registerConstants(d)
	a.registerConfig(d)
	a.registerFilters(d)
	a.registerSimulation(d)
	a.registerDebug(d)
	a.registerConfirmation(d)

	jsonrpc.Handle(d, "coco_getReceipt", a.ledgerReceipt)
	jsonrpc.Handle(d, "coco_getTransactionStatus", a.transactionStatus)
	jsonrpc.Handle(d, "coco_getCheckpoint", a.checkpoint)
	jsonrpc.Handle(d, "coco_getServiceIdentity", a.serviceIdentity, prompt)

	refuse(d)
}

// none is the parameters of a method that has none.
type none struct{}
