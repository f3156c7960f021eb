// Package contract reads and writes what contracts are told and tell: calls,
// results, events and reasons of failure, in the encoding of Solidity's ABI
// (specification of version 2) and as text for people.
//
// What a contract says is hostile: strings may hold control characters, an
// encoding may refer to one place a million times, and an interface from a file
// may nest types without end. So decoding is bounded in the number of values,
// types in depth and size, and text is printable. It is not go-ethereum's
// accounts/abi because that has none of these bounds; tests compare with it.
package contract
