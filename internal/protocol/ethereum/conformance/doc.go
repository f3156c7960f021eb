// Package conformance measures the JSON-RPC methods against those of other
// clients. It holds tests only.
//
// A chain of another client (genesis.json and chain.rlp, as ethereum/execution-apis
// and hive lay them out) is executed block by block on this room's own state,
// under the chain's own forks and with gas that is paid for. What comes out is
// checked against the foreign headers: receipts root, bloom, gas, requests, and
// the state root, for which a trie is built and thrown away. The blocks are then
// shown to the real methods with their foreign headers, and the vectors (*.io)
// are asked and compared as hive's rpc-compat does.
//
// COCO_RPC_VECTORS names a directory with such a chain and its vectors: the root
// of ethereum/execution-apis, or its directory tests. Without it, a chain that
// the tests make in memory is used alone; its vectors are in testdata.
package conformance
