package operations

import "time"

// State is how far a node has come in the service, as the ledger says.
type State string

// The states, in the order of a node's life.
const (
	StatePending State = "pending" // it asked to join
	StateLearner State = "learner" // admitted, catching up
	StateVoter   State = "voter"
	StateRetired State = "retired"
)

// Role is what a node does in Raft at the moment.
type Role string

// The roles.
const (
	RoleLeader    Role = "leader"    // the primary
	RoleFollower  Role = "follower"  // a backup
	RoleCandidate Role = "candidate" // it asks for votes
	RoleLearner   Role = "learner"   // it replicates and does not vote
	RoleNone      Role = "none"      // it takes no part: not yet, or not any more
)

// Status is what a node says of itself and of the network as it sees it. It is
// the answer of GET /status; docs/reference/operations.md explains each member.
// Times are RFC 3339 in UTC, durations are seconds, sizes are bytes. Members are
// added, never renamed.
type Status struct {
	Service  string    `json:"service"`  // service id, hexadecimal
	Platform string    `json:"platform"` // simulated, snp, tdx
	Version  string    `json:"version"`  // of the program
	Format   uint64    `json:"format"`   // level of the ledger's format that is in force
	Reads    uint64    `json:"reads"`    // level that this node's build reads up to
	Started  time.Time `json:"started"`  // when this process began
	Uptime   float64   `json:"uptime"`

	RaftID  uint64 `json:"raftId"` // of this process; a restarted node has another one
	State   State  `json:"state"`
	Role    Role   `json:"role"`
	View    uint64 `json:"view"`             // Raft's term
	Leader  *Place `json:"leader,omitempty"` // nil: this node knows none
	Paused  bool   `json:"paused,omitempty"` // stands still by command; development only
	Drained bool   `json:"drained,omitempty"`

	Ledger     Ledger    `json:"ledger"`
	Nodes      []Peer    `json:"nodes"` // of the committed table, ordered by id, retired ones too
	Snapshot   Snapshot  `json:"snapshot"`
	CatchUp    *CatchUp  `json:"catchUp,omitempty"` // nil: there is nothing to catch up with
	Queues     Queues    `json:"queues"`
	Elections  Elections `json:"elections"`
	Disk       Disk      `json:"disk"`
	Counters   Counters  `json:"counters"`
	Recoveries uint64    `json:"recoveries"` // how often the network was recovered

	Warnings []Warning `json:"warnings"`
}

// Place is a node and where it is reached.
type Place struct {
	RaftID  uint64 `json:"raftId"`
	Address string `json:"address"` // for other nodes, HOST:PORT
	Client  string `json:"client"`  // for clients, HOST:PORT
}

// Ledger is how far this node's ledger reaches. Indices are Raft's.
type Ledger struct {
	Height  uint64 `json:"height"`  // of the last block that was published
	Seqno   uint64 `json:"seqno"`   // of its last record
	Commit  uint64 `json:"commit"`  // index that is known to be committed
	Applied uint64 `json:"applied"` // index that was published
	Durable uint64 `json:"durable"` // index that was synced here
	Last    uint64 `json:"last"`    // last index of the log
	First   uint64 `json:"first"`   // first index of the log that is here; above 1 while older chunks are missing

	Index   uint64   `json:"index"`   // height up to which the history index answers
	Chunks  uint64   `json:"chunks"`  // files of the ledger
	Damaged []string `json:"damaged"` // ranges that cannot be read, by name
}

// Peer is a node of the network. What is not known here is left out: followers
// know no match, and nobody measures the way to itself.
type Peer struct {
	Place
	State State  `json:"state"`
	Self  bool   `json:"self,omitempty"`
	Reads uint64 `json:"reads"` // format level that it reads up to

	Match  uint64  `json:"match,omitempty"` // last index that the peer has, as the leader knows
	Lag    uint64  `json:"lag,omitempty"`   // entries behind the leader's commit
	Heard  float64 `json:"heard,omitempty"` // seconds since the last message of the peer; below 0: never
	RTT    float64 `json:"rtt,omitempty"`   // seconds there and back
	Skew   float64 `json:"skew,omitempty"`  // seconds that the peer's clock is ahead of this one
	Active bool    `json:"active"`          // heard within an election's time

	Queued  uint64 `json:"queued,omitempty"`  // messages that wait to be sent
	Dropped uint64 `json:"dropped,omitempty"` // messages that found no room in the queue, since the start
}

// Snapshot is the newest usable snapshot and what becomes of the next.
type Snapshot struct {
	Height  uint64    `json:"height"` // 0: there is none
	Taken   time.Time `json:"taken,omitzero"`
	Bytes   uint64    `json:"bytes"`
	Taking  bool      `json:"taking,omitempty"`
	Took    float64   `json:"took,omitempty"` // seconds that the newest took
	Pending uint64    `json:"pending"`        // records committed since
	Overdue bool      `json:"overdue,omitempty"`
}

// CatchUp is the progress of a node that is on its way, or behind the network.
type CatchUp struct {
	Stage   string  `json:"stage"`             // Stage*
	Done    uint64  `json:"done"`              // bytes of a snapshot, blocks that are applied, otherwise entries
	Total   uint64  `json:"total"`             // 0: nothing is counted
	Rate    float64 `json:"rate"`              // of them a second
	Problem string  `json:"problem,omitempty"` // what went wrong last and is tried again
}

// The stages of a node, from its start until it has what the others have; which of
// them there are depends on how it begins. Until StageTail is over it serves nobody.
const (
	StageLedger    = "ledger"    // opens what its directory has
	StageAdmission = "admission" // asks to be let in
	StagePending   = "pending"   // was heard, and waits for the members
	StageSnapshot  = "snapshot"  // fetches a snapshot
	StageEntries   = "entries"   // fetches entries of the ledger
	StageState     = "state"     // fills the state from the snapshot
	StageReplay    = "replay"    // verifies and applies blocks
	StageOpening   = "opening"   // commits its first record: of who founds or recovers
	StageTail      = "tail"      // takes from the primary what was committed meanwhile
	StageBackfill  = "backfill"  // fetches the older ledger; it serves meanwhile
)

// Queues are the lengths of what waits in this node, and their limits.
type Queues struct {
	Requests      int `json:"requests"` // to be executed
	RequestsLimit int `json:"requestsLimit"`
	Pool          int `json:"pool"`      // transactions that wait for their turn
	Forwarded     int `json:"forwarded"` // sent to the leader, without an outcome yet
	InFlight      int `json:"inFlight"`  // blocks proposed and not committed
	Inbox         int `json:"inbox"`     // messages of other nodes
}

// Elections are the changes of leader that this node saw.
type Elections struct {
	Total  uint64    `json:"total"`  // views that began since the process did
	Recent uint64    `json:"recent"` // in the last ten minutes
	Last   time.Time `json:"last,omitzero"`
}

// Disk is the file system of the data directory.
type Disk struct {
	Free   uint64 `json:"free"`
	Total  uint64 `json:"total"` // 0: not known
	Ledger uint64 `json:"ledger"`
	Index  uint64 `json:"index"`
	Past   uint64 `json:"past"`
}

// Counters count since the process began.
type Counters struct {
	Submitted     uint64 `json:"submitted"` // transactions that clients gave to this node
	Forwarded     uint64 `json:"forwarded"` // of them, sent on to a leader
	Committed     uint64 `json:"committed"` // transactions in blocks that were published here
	Refused       uint64 `json:"refused"`   // transactions refused before they were executed
	Blocks        uint64 `json:"blocks"`    // published
	BlocksRefused uint64 `json:"blocksRefused"`
	Dropped       uint64 `json:"dropped"` // messages to and from other nodes
}

// Warning is something that somebody should see to.
type Warning struct {
	Code   string `json:"code"`   // stable, see docs/reference/operations.md
	What   string `json:"what"`   // a sentence
	Remedy string `json:"remedy"` // a sentence
}
