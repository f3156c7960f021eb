// Package verify checks what a coco network shows to strangers: a whole ledger,
// a receipt, a checkpoint, a node's attestation evidence.
//
// It needs no key and no node. It is pure: bytes come through fs.FS, there is no
// clock and no network, so the same files give the same report for ever. What it
// checks is written in docs/reference/ledger.md; it shares the encodings with
// the node, but not the code by which a node follows its own ledger.
//
// A ledger that verifies is complete up to its head and unaltered since it was
// signed. That nothing was cut off behind the head can be known only with
// something later: give a checkpoint or a receipt. The report says what remains
// unproven. What is sealed in the ledger stays sealed here.
package verify
