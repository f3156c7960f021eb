// Package keyvalue is the smallest protocol: entries of bytes that one client
// puts, reads and deletes. It is for programs that want a database whose every
// change is in the consortium's ledger, and need no contract for it.
//
// A client is its public key, which the server learned from a certificate (TLS);
// no request carries a signature. Each client has a space of its own: it reads and
// writes nothing else. A request is executed once however often nodes forward it.
package keyvalue
