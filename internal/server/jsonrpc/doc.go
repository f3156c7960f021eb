// Package jsonrpc is a JSON-RPC 2.0 dispatcher: it turns the bytes of a request
// or batch into calls of registered methods and their results into bytes.
//
// It promises that every method is reached through one place that knows the
// caller (Dispatcher.call), that bytes from outside are bounded before they are
// worked on (Limits), that one crashing method is one failed call, and that the
// answers have the codes and texts that Ethereum clients know from geth.
//
// A method may have a preparing stage without side effects, which a batch runs
// on all cores before its calls are made in order; transaction signatures are
// recovered there.
//
// It knows no network: the listeners (package server) own connections and hand
// over messages, over HTTP one at a time and over WebSocket through a Session.
// It knows no Ethereum either. It imports only the problem and caller packages,
// so that protocol rooms can register methods without looking up to the server.
package jsonrpc
