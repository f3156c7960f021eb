package catchup

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// Paths. Numbers are decimal; documents are deterministic CBOR; files know Range
// (RFC 9110 14.2).
//
//	GET position                    Position
//	GET prefix/{index}              Prefix of a committed entry
//	GET chunk/{index}               Chunk that holds a committed entry
//	GET chunks/{first}              a closed and committed chunk file, with Repr-Digest (RFC 9530)
//	GET entries/{index}             frames of committed entries from there on, some MiB of them
//	GET snapshots                   []Snapshot, the newest first
//	GET snapshots/{height}/{part}   manifest, receipt, record, frames; all but the frames
//	                                with Repr-Digest: the manifest has theirs
const Path = "/catchup/"

const (
	pathPosition  = Path + "position"
	pathPrefix    = Path + "prefix/%d"
	pathChunk     = Path + "chunk/%d"
	pathChunks    = Path + "chunks/%d"
	pathEntries   = Path + "entries/%d"
	pathSnapshots = Path + "snapshots"
	pathSnapshot  = Path + "snapshots/%d/%s"
)

// Parts of a snapshot.
const (
	partManifest = "manifest"
	partReceipt  = "receipt"
	partRecord   = "record" // the record as stored that the receipt is of
	partFrames   = "frames"
)

const maxDocument = 16 << 10 // bytes of a CBOR document

// Position is what a node has and knows to be committed.
type Position struct {
	_      struct{}    `cbor:",toarray"`
	First  uint64      // index at which its log begins
	Index  uint64      // the last committed entry
	Prefix format.Hash // prefix hash after it
	Height uint64      // of the last committed block
}

// Prefix is the prefix hash after an entry.
type Prefix struct {
	_    struct{} `cbor:",toarray"`
	Hash format.Hash
}

// Chunk is a chunk file as a node has it.
type Chunk struct {
	_      struct{} `cbor:",toarray"`
	First  uint64   // index of its first entry
	Last   uint64   // of its last one
	Size   uint64   // bytes, 0 unless closed
	Closed bool     // ended by a committed block: the same file on every node
}

// Snapshot is a usable snapshot that a node has.
type Snapshot struct {
	_      struct{}    `cbor:",toarray"`
	Height uint64      // the state after this block
	Digest format.Hash // SHA-256 of the manifest
}

// reprDigest is the value of the Repr-Digest field (RFC 9530 3).
func reprDigest(d format.Hash) string {
	return "sha-256=:" + base64.StdEncoding.EncodeToString(d[:]) + ":"
}

// parseDigest reads the SHA-256 digest of a Repr-Digest field.
func parseDigest(field string) (d format.Hash, err error) {
	for item := range strings.SplitSeq(field, ",") {
		value, ok := strings.CutPrefix(strings.TrimSpace(item), "sha-256=:")
		if !ok {
			continue
		}
		value, ok = strings.CutSuffix(value, ":")
		raw, err := base64.StdEncoding.DecodeString(value)
		if !ok || err != nil || len(raw) != len(d) {
			return d, fmt.Errorf("a digest of %d characters", len(value))
		}
		return format.Hash(raw), nil
	}
	return d, fmt.Errorf("no SHA-256 digest")
}
