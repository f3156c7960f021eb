// Package sequencer turns admitted requests into committed blocks.
//
// One goroutine executes requests in order, once, against the speculative
// state, seals blocks and proposes them; consensus decides; a second goroutine
// publishes what is committed: state first, then the followers, then those who
// wait. On the primary a committed block is the one that was executed here; any
// other committed block is opened and its write set applied.
//
//	Submit ──queue──▶ execute ──seal──▶ consensus ──Committed──▶ publish ──▶ Ticket
//
// On a node that does not lead, requests wait or are refused (Request.View) and
// Committed does all. Leadership comes and goes: a block of this node's that a
// later leader commits is published as any of its own, one that is overwritten is
// undone and its requests are answered as not committed. That is decided when an
// entry is committed that stands in its place or belongs to a later view, not
// before: until then nobody knows.
//
// Step does what Run does between two waits, so that a simulation can drive a
// sequencer without goroutines.
//
// What it promises: the queue is bounded and a full one answers at once; a
// request that panics or is refused leaves no trace and harms no other; nothing
// is visible before it is committed and durable; a TxID's status, once Committed
// or Invalid, never changes.
package sequencer
