package attest

import "crypto/sha512"

// Purposes of evidence. Each is a different first element of the bound
// structure, so that evidence for one purpose never serves another.
const (
	purposeGenesis  = "coco/genesis/1"
	purposeRecovery = "coco/recovery/1"
	purposeJoin     = "coco/join/1"
)

// GenesisBinding is what the first node's evidence speaks for: the service and
// the keys that genesis publishes. Keys are the bytes that stand in genesis.
type GenesisBinding struct {
	Service       [16]byte
	Mode          string
	ServiceKey    []byte // SPKI, ECDSA P-256
	NodeKey       []byte // SPKI, ECDSA P-256
	NodeHPKEKey   []byte // X25519 public key
	CheckpointKey []byte // Ed25519 public key
}

// RecoveryBinding is what the evidence of a recovering node speaks for: the
// same, with the keys in force from then on, and the head that it continues.
type RecoveryBinding struct {
	GenesisBinding
	OldHead [32]byte // header hash of the last block before the recovery
}

// JoinBinding is what the evidence of a node that asks to join speaks for.
type JoinBinding struct {
	Service     [16]byte
	Mode        string
	NodeKey     []byte // SPKI, ECDSA P-256
	NodeHPKEKey []byte // X25519 public key
	// Session ties the evidence to the TLS session in which it was sent, so that
	// nobody passes on another node's: the exported keying material of 32 bytes
	// under the label JoinLabel, without context (RFC 8446 section 7.5).
	Session [32]byte
}

// JoinLabel is the label of the TLS exporter that JoinBinding.Session comes from.
const JoinLabel = "EXPORTER-coco-join"

type joinForm struct {
	_           struct{} `cbor:",toarray"`
	Purpose     string
	Service     [16]byte
	Mode        string
	NodeKey     []byte
	NodeHPKEKey []byte
	Session     [32]byte
}

// ReportData is SHA-512(CBOR["coco/join/1", service id, mode, node key, node
// HPKE key, session]).
func (b JoinBinding) ReportData() ReportData {
	return sha512.Sum512(encode(joinForm{
		Purpose: purposeJoin, Service: b.Service, Mode: b.Mode, NodeKey: b.NodeKey, NodeHPKEKey: b.NodeHPKEKey, Session: b.Session,
	}))
}

type genesisForm struct {
	_             struct{} `cbor:",toarray"`
	Purpose       string
	Service       [16]byte
	Mode          string
	ServiceKey    []byte
	NodeKey       []byte
	NodeHPKEKey   []byte
	CheckpointKey []byte
}

type recoveryForm struct {
	_             struct{} `cbor:",toarray"`
	Purpose       string
	Service       [16]byte
	Mode          string
	ServiceKey    []byte
	NodeKey       []byte
	NodeHPKEKey   []byte
	CheckpointKey []byte
	OldHead       [32]byte
}

// ReportData is SHA-512(CBOR["coco/genesis/1", service id, mode, service key,
// node key, node HPKE key, checkpoint key]).
func (b GenesisBinding) ReportData() ReportData {
	return sha512.Sum512(encode(genesisForm{
		Purpose: purposeGenesis, Service: b.Service, Mode: b.Mode, ServiceKey: b.ServiceKey,
		NodeKey: b.NodeKey, NodeHPKEKey: b.NodeHPKEKey, CheckpointKey: b.CheckpointKey,
	}))
}

// ReportData is SHA-512(CBOR["coco/recovery/1", service id, mode, service key,
// node key, node HPKE key, checkpoint key, old head]).
func (b RecoveryBinding) ReportData() ReportData {
	return sha512.Sum512(encode(recoveryForm{
		Purpose: purposeRecovery, Service: b.Service, Mode: b.Mode, ServiceKey: b.ServiceKey,
		NodeKey: b.NodeKey, NodeHPKEKey: b.NodeHPKEKey, CheckpointKey: b.CheckpointKey, OldHead: b.OldHead,
	}))
}
