package membership

import (
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/problem"
)

// Problems of joining and leaving.
var (
	ErrMessage = problem.New("MEMBERSHIP_MESSAGE", "a message about membership cannot be read",
		"use nodes of versions that know each other's format")
	ErrRefused = problem.New("JOIN_REFUSED", "the network does not admit this node",
		"see the reason: the evidence, the measurement, the service or the format level is not what the network asks for")
	ErrFailed = problem.New("MEMBERSHIP_FAILED", "the node that was asked could not do it",
		"try again; that node's log says more")
	ErrUnknownNode = problem.New("NODE_UNKNOWN", "the network has no such node",
		"give the raft id of a node that coco network status lists")
	ErrLastVoter = problem.New("LAST_VOTER", "the network would be left without a voter",
		"let another node join and become a voter first")
	ErrNoMajorityLeft = problem.New("NO_MAJORITY_LEFT", "the network would be left without a majority of voters that are heard of",
		"first retire the nodes that are gone, which the reason names, or start them again and let them join")
	ErrFormat = problem.New("FORMAT_REFUSED", "the format level cannot be raised to that",
		"replace the nodes that do not read it by nodes of a build that does, then raise it again; a level never goes down")
	ErrBehind = problem.New("NODE_BEHIND", "the node has not caught up, so it cannot be a voter yet",
		"wait until it has; coco network status shows how far it is")
)

// limits of messages, in bytes.
const (
	maxRequest = 256 << 10
	maxAnswer  = 4 << 20
	maxAddress = 256
)

// Request asks to join.
type Request struct {
	_        struct{} `cbor:",toarray"`
	Reads    uint64   // highest format level that the node reads
	Key      []byte   // SPKI, ECDSA P-256; also the key of the TLS session
	HPKEKey  []byte   // X25519 public key
	Evidence []byte   // bound by attest.JoinBinding
	Address  string   // where other nodes reach it
	Client   string   // where clients reach it
}

// Answer admits a node.
type Answer struct {
	_       struct{}          `cbor:",toarray"`
	Status  format.NodeStatus // pending: ask again; otherwise the rest is there
	RaftID  uint64
	Secrets []byte // the key bundle, sealed to the node's HPKE key
	Height  uint64 // of the committed ledger when the node was admitted
	Index   uint64
	Peers   []Peer // the other nodes, for catching up
}

// Peer is a node and where it is reached.
type Peer struct {
	_       struct{} `cbor:",toarray"`
	RaftID  uint64
	Address string
	Key     format.Hash // SHA-256 of its SPKI
}

// Promotion asks to make the node that sends it a voter.
type Promotion struct {
	_        struct{} `cbor:",toarray"`
	Index    uint64   // how far its log goes
	Replaces []uint64 // raft ids of earlier processes on its directory, which ended
}

// Retirement asks to retire a node.
type Retirement struct {
	_      struct{} `cbor:",toarray"`
	RaftID uint64
}

// Raise asks to raise the format level.
type Raise struct {
	_     struct{} `cbor:",toarray"`
	Level uint64
}

// refusal travels instead of an answer.
type refusal struct {
	_      struct{} `cbor:",toarray"`
	Code   string
	Reason string
	Leader string // where the primary is reached, when the code is NOT_PRIMARY and it is known
}
