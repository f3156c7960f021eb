// Package network is a development network: several real nodes in one process,
// each with its directory, keys, listeners and TLS towards the others, as they
// would have on machines of their own.
//
// Node 1 keeps its files in DATA, as a network of one does, node N in
// DATA/nodes/N. The first start founds the network with node 1 and lets the
// others join. Later starts recover it, because a process that ended never votes
// again: the node whose log is the most up to date continues it and the others
// join with the files they have. Single nodes can be stopped, started, paused and
// cut off, so that one sees consensus at work.
package network
