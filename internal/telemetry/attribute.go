package telemetry

import (
	"go.opentelemetry.io/otel/attribute"

	"github.com/coco-consortium/coco/internal/problem"
)

// Name names a kind of span.
type Name string

// The spans of a transaction, in its order. docs/reference/operations.md says
// what each covers.
const (
	Request   Name = "coco.request"   // a call of a client, at the node that it asked
	Forward   Name = "coco.forward"   // from a backup to the leader and back
	Execute   Name = "coco.execute"   // against the speculative state
	Seal      Name = "coco.seal"      // from execution to the sealed block
	Replicate Name = "coco.replicate" // from the sealed block to its commit
	Publish   Name = "coco.publish"   // from commit to what clients see
)

// Attribute says something about a span. There are no others than the functions
// below make, none of which takes text that a client wrote.
type Attribute struct{ kv attribute.KeyValue }

func number(key string, n uint64) Attribute {
	return Attribute{attribute.Int64(key, int64(n))}
}

// Node is a Raft id.
func Node(id uint64) Attribute { return number("coco.node", id) }

// View is a Raft term.
func View(n uint64) Attribute { return number("coco.view", n) }

// Seqno is the seqno of a transaction.
func Seqno(n uint64) Attribute { return number("coco.seqno", n) }

// Height is the height of a block.
func Height(n uint64) Attribute { return number("coco.height", n) }

// Records is the number of transactions in a block.
func Records(n int) Attribute { return number("coco.records", uint64(n)) }

// Method is the name of a registered method, such as eth_sendRawTransaction.
func Method(registered string) Attribute {
	return Attribute{attribute.String("rpc.method", registered)}
}

// Code is the code of the problem with which something ended.
func Code(c problem.Code) Attribute { return Attribute{attribute.String("error.type", string(c))} }

// Allowed are the keys of all attributes that leave the process with a span.
var Allowed = []string{"coco.node", "coco.view", "coco.seqno", "coco.height", "coco.records", "rpc.method", "error.type"}
