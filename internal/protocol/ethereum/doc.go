// Package ethereum is the protocol room of Ethereum: it turns signed raw
// transactions into records of the ledger, and blocks of the ledger into
// Ethereum blocks.
//
// An Ethereum block is the Ethereum part of a ledger block: number = height, and
// only transactions of this room count in it. A block without any is an empty
// Ethereum block. What it promises:
//   - A transaction executes once, on the node that seals it; every other node
//     decodes from the record what happened. Both give the same Block.
//   - A contract that fails is a transaction with status 0. A request that cannot
//     be a transaction (its nonce is used, say) is refused and leaves no trace.
//   - The block hash is the keccak of the RLP header, so that clients who
//     recompute it from the JSON fields agree.
//   - Names (addresses, hashes, slots, topics) leave this package in sealed parts
//     only: outcome, events, native id, writes and the block section.
//
// It does not do: admission (pool), JSON-RPC (api), lookups (chain).
//
// # Header
//
// Set when the block opens: number = height, time = the slot's in whole seconds
// (it may repeat), prevRandao = the slot's random value, stateRoot = root of the
// ledger's tree before the block, extraData = u64 view ‖ u64 first seqno,
// coinbase, difficulty and base fee zero, gas limit BlockGas, no withdrawals,
// blobs, beacon root or requests. transactionsRoot is the real one. logsBloom is
// zero. receiptsRoot is a commitment that does not give receipts away:
//
//	HMAC-SHA-256(prevRandao; for each transaction: u32 length ‖ request ‖
//	             u32 length ‖ outcome ‖ u32 length ‖ events)
//
// The signatures in the requests, which only those know who may see the
// transactions, keep it from being guessed. There are no system calls: EIP-2935
// and EIP-4788 contracts do not exist, BLOCKHASH knows the last 256 blocks.
package ethereum
