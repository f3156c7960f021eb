// Package api is Ethereum's JSON-RPC interface to the ledger, and the few
// methods of its own that a ledger adds: what ethers, viem, web3 and Foundry ask
// for, in the shapes and with the error codes of geth.
//
// What it promises:
//   - Answers are about committed blocks and their state; "latest", "safe" and
//     "finalized" are the last committed block. "pending" is the caller's own view
//     of what may come: the speculative state.
//   - What cannot be answered honestly is refused with a reason.
//   - Every method is registered in one table (Register) and reached through the
//     dispatcher's one door, with its caller; nothing here decides who may see what.
//
// It does not do: transport, batches and limits of requests (server/jsonrpc),
// admission (pool), lookups (chain), execution (evm).
//
// Differences from geth are listed in docs/reference/json-rpc.md.
package api
