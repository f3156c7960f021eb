// Package forward brings requests from the node that got them to the primary.
//
// A Forwarder stands at every node, in front of its own sequencer. It keeps a
// request until its fate is known: committed, refused, or expired. While the node
// is the primary it hands requests to the Intake beside it; otherwise it sends
// them over one stream to the Intake of the primary, and again whenever the
// primary changes, the stream ends or stays silent.
//
//	pool ─▶ Forwarder ──stream──▶ Intake ─▶ sequencer     (another node's)
//	            └────────────────▶ Intake ─▶ sequencer     (the node's own)
//
// What it promises:
//   - A request takes effect at most once, however often it is sent and through
//     however many nodes. An Intake serves one view at a time, everything before
//     that view is published there, and a request is executed in that view or not
//     at all (sequencer.Request.View). So one that was committed before is found
//     by its ID, and one that is on its way here is joined.
//   - The requests of one node reach the sequencer in the order in which they were
//     submitted, also when they are sent again.
//   - Every ticket ends. Committed is said when this node has published the
//     record, so that who asks here next sees it; not committed only when no
//     attempt can have an effect any more; and when neither is known, that.
//   - Memory is bounded by Limits; what is beyond is BUSY at once. Neither a slow
//     primary nor a slow origin makes anybody else wait.
//
// A request is never sent on by the node that it was forwarded to: who is no
// primary says so. The streams are between nodes that trust each other; what
// comes over them is limited and checked for form nevertheless.
package forward
