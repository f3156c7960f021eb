// Package server is the node's front: it accepts connections, says who is
// asking, bounds what a client may use, and hands JSON-RPC over HTTP and
// WebSocket, on one port, to the dispatcher of server/jsonrpc.
//
// It promises that every request carries a caller, that a slow, silent or
// greedy client costs a bounded amount of memory and time, that a page of some
// web site cannot reach the node through a visitor's browser unless its origin
// was allowed, and that a stop lets requests at work finish.
//
// It does not know the methods it serves, and it does not decide who may call
// them.
package server
