// Package replicated tests Ethereum's rooms on several nodes: the product's own
// sequencer, chain, pool and methods on each, over one log and a forwarder that
// the tests script: what is committed and when each node hears of it, who leads,
// which blocks are lost with a leader, which requests and answers are lost or come
// twice. It holds no code of the product.
package replicated
