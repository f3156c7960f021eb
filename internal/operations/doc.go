// Package operations is what whoever runs a node sees of it and may tell it:
// its status as JSON, figures for Prometheus, whether it lives and is ready,
// warnings with a remedy, and on a socket that only the directory's owner can
// open, the commands drain, retire, pause, resume, isolate, heal and stop.
//
// It reads a node through interfaces and decides nothing for it. Nothing here
// shows a payload, a caller, an account, a key or a secret: the status holds
// counts, positions, times, node ids and the addresses that nodes publish in the
// ledger.
package operations
