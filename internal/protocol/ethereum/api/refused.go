package api

import "github.com/coco-consortium/coco/internal/server/jsonrpc"

// Why methods are refused that tools know from other nodes.
const (
	noKeys     = "nodes keep no keys: sign in the client and send with eth_sendRawTransaction"
	noTrie     = "there is no state trie: coco_getReceipt proves that a transaction is committed"
	noMining   = "nobody mines: blocks are made when there is something to record"
	noPeers    = "nodes are run from the command line and the network is changed by governance, not over JSON-RPC"
	noEngine   = "blocks are made and committed by the network itself"
	noUndo     = "a committed block is final and is never taken back"
	noDump     = "state is not listed: ask for single accounts and slots with eth_getBalance, eth_getCode and eth_getStorageAt"
	noInside   = "the inside of a node is not reachable over JSON-RPC: use its logs and metrics"
	noCheats   = "this is a ledger and no test node: state is changed by transactions alone"
	noWallet   = "a wallet answers this, not a node"
	noExplorer = "use debug_traceTransaction, debug_traceBlockByNumber and eth_getBlockReceipts"
)

// refused is what clients may ask for in vain, by name or by namespace.
var refused = []struct{ name, why string }{
	{"eth_sendTransaction", noKeys},
	{"eth_sign", noKeys},
	{"eth_signTransaction", noKeys},
	{"eth_signTypedData", noKeys},
	{"eth_signTypedData_v4", noKeys},
	{"eth_resend", noKeys},
	{"personal_", noKeys},
	{"account_", noKeys},
	{"eth_getProof", noTrie},
	{"eth_getWork", noMining},
	{"eth_submitWork", noMining},
	{"eth_submitHashrate", noMining},
	{"miner_", noMining},
	{"clique_", noMining},
	{"admin_", noPeers},
	{"engine_", noEngine},
	{"testing_", noEngine},
	{"debug_setHead", noUndo},
	{"debug_storageRangeAt", noDump},
	{"debug_accountRange", noDump},
	{"debug_dumpBlock", noDump},
	{"debug_getModifiedAccountsByHash", noDump},
	{"debug_getModifiedAccountsByNumber", noDump},
	{"debug_executionWitness", noTrie},
	{"debug_", noInside},
	{"trace_", noExplorer},
	{"ots_", noExplorer},
	{"erigon_", noExplorer},
	{"parity_", noExplorer},
	{"anvil_", noCheats},
	{"hardhat_", noCheats},
	{"evm_", noCheats},
	{"wallet_", noWallet},
}

// refuse registers the reasons.
func refuse(d *jsonrpc.Dispatcher) {
	for _, r := range refused {
		d.Refuse(r.name, r.why)
	}
}
