// Package membership decides who takes part in a network.
//
// A process that wants in makes new keys, opens a TLS session to a node, has its
// platform attest keys and session together, and asks (Join). The primary judges
// the evidence by the rule of genesis (Rule), gives the next raft id and records
// the node as a learner; the answer carries the service's secrets, sealed to the
// attested key and to nothing else. The learner catches up and asks to be a voter
// (Promote), which also retires the nodes that its directory was before. A node
// that is to go is retired (Retire).
//
// Who takes part also decides in which format the ledger may be written: the level
// is raised (Raise) when every node reads the new one, and from then on no node that
// does not is admitted.
//
// Each of these is one record. Raft's configuration follows the
// committed records by itself, see package consensus. Members' votes will stand
// where Rule stands today.
package membership
