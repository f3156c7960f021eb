package format

import (
	"encoding/binary"
	"fmt"
)

// Tables and keys of the public documents. Each is written once, by the record
// kind that introduces it.
const (
	TableService = "public:coco.service"    // key "genesis", "recovery", "snapshot"
	TableFormat  = "public:coco.gov.format" // written by genesis and by KindFormat records
	TableNodes   = "public:coco.gov.nodes"  // key: NodeKey of the raft id; value: CBOR NodeInfo
	KeyGenesis   = "genesis"
	KeyRecovery  = "recovery"
	KeySnapshot  = "snapshot"
	KeyLevel     = "level" // value: CBOR unsigned, the format level in force
)

// Genesis is the public document of the genesis record: who the service is and
// why its first node may be believed.
type Genesis struct {
	_          struct{} `cbor:",toarray"`
	Format     uint64
	Service    ServiceID
	Mode       string
	ServiceKey []byte // SPKI, ECDSA P-256
	Checkpoint []byte // Ed25519 public key of the checkpoints
	// CheckpointEndorsement and Node.Endorsement are COSE_Sign1 by the service key, see package proof.
	CheckpointEndorsement []byte
	Node                  Node
	Address               string // of the node, see NodeInfo
	Client                string // of the node, see NodeInfo
	Policy                []byte // attestation policy, see package attest
	Evidence              []byte // of the first node, bound by attest.GenesisBinding
	Constitution          []byte // SHA-256 of the constitution, nil while there is none
	Sealing               bool   // recovery by platform sealing is allowed
	Secrets               Secrets
}

// Node is a node as a genesis or recovery record introduces it.
type Node struct {
	_           struct{} `cbor:",toarray"`
	RaftID      uint64
	Key         []byte // SPKI, ECDSA P-256: signs blocks
	HPKEKey     []byte // X25519 public key: secrets are sealed to it
	Reads       uint64 // the highest format level that it reads, as it said itself
	Endorsement []byte
}

// NodeStatus is where a node stands in the network.
type NodeStatus uint64

// The statuses, in the order in which a node goes through them.
const (
	NodePending NodeStatus = 1 // known, waits for the members' vote
	NodeLearner NodeStatus = 2 // trusted with the secrets; receives the log
	NodeVoter   NodeStatus = 3 // counts for commits and may lead
	NodeRetired NodeStatus = 4 // never takes part again
)

func (s NodeStatus) String() string {
	switch s {
	case NodePending:
		return "pending"
	case NodeLearner:
		return "learner"
	case NodeVoter:
		return "voter"
	case NodeRetired:
		return "retired"
	}
	return fmt.Sprintf("status %d", uint64(s))
}

// NodeInfo is what the ledger says of a node: the value under its raft id in
// TableNodes. Genesis and recovery write their node as a voter, and a recovery
// writes every other node as retired; after that only membership records change
// the table.
type NodeInfo struct {
	_       struct{} `cbor:",toarray"`
	Node    Node
	Status  NodeStatus
	Address string // host:port where other nodes reach it
	Client  string // host:port where clients reach it, for people; may be empty
	// Evidence is bound by attest.JoinBinding; nil for a node that genesis or a
	// recovery introduced, whose document has it.
	Evidence []byte
	Session  Hash // what the evidence is bound to of the TLS session of the join; zero like Evidence
}

// NodeKey is the key of a raft id in TableNodes: 8 bytes, big-endian, so that
// ids are in order.
func NodeKey(raftID uint64) []byte { return binary.BigEndian.AppendUint64(nil, raftID) }

// Secrets publishes what binds the key bundle without opening it.
type Secrets struct {
	_           struct{} `cbor:",toarray"`
	Bundle      uint64   // number of the bundle
	Digest      Hash     // SHA-256 of the bundle's file without recipients, see keys.Bundle
	Commitments []Commitment
}

// Commitment binds the secret of one epoch of one domain.
type Commitment struct {
	_      struct{} `cbor:",toarray"`
	Domain string
	Epoch  uint64
	Digest Hash
}

// Recovery routes.
const (
	RouteSealing = "sealing"
	RouteShares  = "shares"
)

// Recovery is the public document of a recovery record: which head it follows
// and who continues.
type Recovery struct {
	_          struct{} `cbor:",toarray"`
	Count      uint64   // recoveries up to and including this one
	Height     uint64   // the old head
	Header     Hash     // its block hash
	Prefix     Hash     // prefix hash of the last adopted entry
	Root       Hash     // tree root at the old head
	Route      string
	ServiceKey []byte // a new service key endorsed by the old, nil when unchanged
	// ServiceEndorsement is nil when the service key is unchanged.
	ServiceEndorsement []byte
	Node               Node
	Address            string // of the node, see NodeInfo
	Client             string // of the node, see NodeInfo
	Evidence           []byte
	Secrets            Secrets
}

// SnapshotEvidence is the public document of a snapshot record.
type SnapshotEvidence struct {
	_        struct{} `cbor:",toarray"`
	Height   uint64   // the snapshot is the state after this block
	Manifest Hash     // SHA-256 of the snapshot's manifest
}

// RaftConfig is the body of a raft-config entry.
type RaftConfig struct {
	_          struct{} `cbor:",toarray"`
	View       uint64   // with Seqno the TxID of the record that asks for the change
	Seqno      uint64
	Transition uint64 // raftpb.ConfChangeTransition: 2 enters a joint configuration explicitly
	Changes    []ConfigChange
}

// ConfigChange is one change of membership; no changes at all leaves the joint
// configuration.
type ConfigChange struct {
	_      struct{} `cbor:",toarray"`
	Type   uint64   // ChangeVoter, ChangeRemove or ChangeLearner
	RaftID uint64
}

// What a ConfigChange does; the numbers are raftpb.ConfChangeType's.
const (
	ChangeVoter   = 0
	ChangeRemove  = 1
	ChangeLearner = 3
)

// EnterJoint is the Transition of an entry that enters a joint configuration
// which only another entry leaves (raftpb.ConfChangeTransitionJointExplicit).
const EnterJoint = 2
