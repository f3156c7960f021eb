package verify

import (
	"encoding/hex"
	"fmt"
	"time"
)

// Hash is a SHA-256 digest, in lower-case hexadecimal as text.
type Hash [32]byte

// String is the hash in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText is the hash in hexadecimal.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// Result is the outcome of checking a ledger.
type Result string

// The results. Only Valid means that the ledger may be relied on as it is.
const (
	Valid       Result = "valid"
	DamagedTail Result = "damaged-tail" // valid up to Head, then an end that is unfinished or damaged
	Newer       Result = "newer"        // valid up to Head, then in a format level that this build does not read
	Invalid     Result = "invalid"      // see Findings
)

// Report is what is known of a ledger after checking it.
type Report struct {
	Result   Result    `json:"result"`
	Findings []Finding `json:"findings,omitempty"` // of the first entry at fault, and of what was given to compare with
	Tail     *Tail     `json:"tail,omitempty"`     // where a damaged tail begins

	Service    string   `json:"service"` // service id in hexadecimal
	Mode       string   `json:"mode"`
	ServiceKey []byte   `json:"serviceKey"` // SPKI of the key in force at the head
	Recoveries uint64   `json:"recoveries"`
	Format     uint64   `json:"format"` // level in force at the head
	Voters     []uint64 `json:"voters"` // raft ids at the head, of Raft's configuration
	Learners   []uint64 `json:"learners"`
	Nodes      []Node   `json:"nodes"` // every node that ever was, by raft id

	Head     *Head    `json:"head"`    // of what verified, nil when no block did
	Entries  uint64   `json:"entries"` // verified, and so on below
	Blocks   uint64   `json:"blocks"`
	Records  uint64   `json:"records"`
	Chunks   int      `json:"chunks"`
	Bytes    int64    `json:"bytes"`    // of all chunks, verified or not
	Unbound  uint64   `json:"unbound"`  // Raft entries behind the last block, which no signature binds
	Unproven []string `json:"unproven"` // what this check cannot exclude, in sentences
}

// Head is the last block that verified.
type Head struct {
	Height    uint64    `json:"height"`
	View      uint64    `json:"view"`
	Seqno     uint64    `json:"seqno"` // of its last record; the tree has as many leaves
	Hash      Hash      `json:"hash"`  // block hash
	Root      Hash      `json:"root"`
	Time      time.Time `json:"time"`
	Entry     uint64    `json:"entry"`     // index of its log entry
	Committed uint64    `json:"committed"` // height that it names as committed
}

// Node is a node as the ledger's table of nodes states it.
type Node struct {
	RaftID  uint64 `json:"raftId"`
	Status  string `json:"status"` // pending, learner, voter or retired
	Key     Hash   `json:"key"`    // SHA-256 of its public key, which headers name as writer
	Address string `json:"address"`
	Client  string `json:"client"`
	Reads   uint64 `json:"reads"`            // format level that it reads up to
	From    uint64 `json:"from"`             // height of the block that introduces it
	To      uint64 `json:"to,omitempty"`     // height of the block that retires it
	Blocks  uint64 `json:"blocks,omitempty"` // that it wrote
}

// Finding is one thing that is wrong, and where.
type Finding struct {
	Code   Code   `json:"code"`
	Chunk  string `json:"chunk,omitempty"`
	Offset int64  `json:"offset"`
	Entry  uint64 `json:"entry"`  // index in the log, 0 when it is about no entry
	Height uint64 `json:"height"` // of the block at fault, or that is due there
	Reason string `json:"reason"`
}

// String is the finding in one line.
func (f Finding) String() string {
	if f.Chunk == "" {
		return fmt.Sprintf("%s: %s", f.Code, f.Reason)
	}
	return fmt.Sprintf("%s: block %d (entry %d, %s at byte %d): %s", f.Code, f.Height, f.Entry, f.Chunk, f.Offset, f.Reason)
}

// Tail is where the ledger stops being readable without that being proof of
// alteration: a crash leaves such an end, and so may damage.
type Tail struct {
	Chunk  string `json:"chunk"`
	Offset int64  `json:"offset"`
	Entry  uint64 `json:"entry"`  // index of the entry that is due there
	Height uint64 `json:"height"` // of the block that is due there
	Reason string `json:"reason"`
}

// Code is the stable name of a kind of finding.
type Code string

// Findings about files, frames and entries.
const (
	LedgerEmpty  Code = "LEDGER_EMPTY"  // no entry at all
	ChunkName    Code = "CHUNK_NAME"    // a chunk's name is not the index of its first entry
	ChunkMissing Code = "CHUNK_MISSING" // entries between two chunks are missing
	ChunkEnd     Code = "CHUNK_END"     // a chunk does not end where its blocks say
	FrameDamaged Code = "FRAME_DAMAGED" // no intact frame below a height known as committed
	EntryIndex   Code = "ENTRY_INDEX"   // removed, repeated or swapped entries
	EntryPrefix  Code = "ENTRY_PREFIX"  // the entry does not follow the one before it
	EntryTerm    Code = "ENTRY_TERM"    // the term runs back or begins without a raft-empty entry
	EntryBody    Code = "ENTRY_BODY"    // a raft-empty entry with a body
)

// Findings about blocks and records.
const (
	BlockFormat    Code = "BLOCK_FORMAT"    // body or header is not in the format
	BlockHeight    Code = "BLOCK_HEIGHT"    // not the next height
	BlockView      Code = "BLOCK_VIEW"      // view and entry's term differ
	BlockSeqno     Code = "BLOCK_SEQNO"     // first seqno does not follow
	BlockPrevious  Code = "BLOCK_PREVIOUS"  // names another block before it
	BlockPrefix    Code = "BLOCK_PREFIX"    // bound to other entries before it
	BlockTime      Code = "BLOCK_TIME"      // time runs back
	BlockCommitted Code = "BLOCK_COMMITTED" // committed height runs back
	BlockRoot      Code = "BLOCK_ROOT"      // root is not that of the records
	BlockSection   Code = "BLOCK_SECTION"   // the block section is not in the format
	BlockWriter    Code = "BLOCK_WRITER"    // written by a node that is no voter, or that it retires
	BlockSignature Code = "BLOCK_SIGNATURE" // the writer did not sign this header
	RecordFormat   Code = "RECORD_FORMAT"   // not in the format
	RecordPlace    Code = "RECORD_PLACE"    // names another TxID
	RecordKind     Code = "RECORD_KIND"     // of a kind that cannot stand there
	RecordPublic   Code = "RECORD_PUBLIC"   // public section is not allowed
	RecordSealed   Code = "RECORD_SEALED"   // sealed sections are not in the format
)

// Findings about the documents that the ledger publishes.
const (
	ServiceDocument    Code = "SERVICE_DOCUMENT"    // a genesis, recovery or snapshot document is missing or malformed
	ServiceEndorsement Code = "SERVICE_ENDORSEMENT" // a key is not endorsed by the service
	ServiceEvidence    Code = "SERVICE_EVIDENCE"    // attestation evidence or policy does not hold
	RecoveryHead       Code = "RECOVERY_HEAD"       // a recovery names another head, or stands elsewhere
	RecoveryRule       Code = "RECOVERY_RULE"       // a recovery of a form that is not allowed
	NodeRecord         Code = "NODE_RECORD"         // a record of nodes is malformed, or of a kind that writes none
	NodeChange         Code = "NODE_CHANGE"         // it changes the nodes in a way that is not allowed
	ConfigFormat       Code = "CONFIG_FORMAT"       // a raft-config entry is malformed
	ConfigTxID         Code = "CONFIG_TXID"         // it does not name the record that asks for it
	ConfigChange       Code = "CONFIG_CHANGE"       // it changes Raft's configuration as the nodes do not ask
	FormatRecord       Code = "FORMAT_RECORD"       // a record of the format level is malformed, or of a kind that writes none
	FormatLevel        Code = "FORMAT_LEVEL"        // a format above the level in force, or a raise that is not allowed
	FormatNewer        Code = "FORMAT_NEWER"        // the format level is raised to one that this build does not read
)

// Findings about what was given to compare with.
const (
	ServiceKey          Code = "SERVICE_KEY"          // the pinned service key is not this ledger's
	SimulatedRefused    Code = "SIMULATED_REFUSED"    // simulated, and not allowed
	CheckpointForeign   Code = "CHECKPOINT_FOREIGN"   // of another service
	CheckpointRewritten Code = "CHECKPOINT_REWRITTEN" // the ledger has other content at its height
	CheckpointTruncated Code = "CHECKPOINT_TRUNCATED" // the ledger ends before it
	ReceiptForeign      Code = "RECEIPT_FOREIGN"      // of another service
	ReceiptRewritten    Code = "RECEIPT_REWRITTEN"    // the ledger has another block at its height
	ReceiptTruncated    Code = "RECEIPT_TRUNCATED"    // the ledger ends before it
)

// newer reports whether the check ended at a format that this build does not read.
func (r *Report) newer() bool {
	return len(r.Findings) > 0 && r.Findings[0].Code == FormatNewer
}
