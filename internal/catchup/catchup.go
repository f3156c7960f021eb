// Package catchup brings a node that joins to where the network is: it serves
// snapshots, chunk files and committed entries to other nodes over HTTP, and
// fetches them.
//
// A node that joins for the first time fetches the newest snapshot (Snapshot),
// lets its log begin with the chunk in which that lies (Begin), and appends what
// is committed behind it (Entries). It can then take part; the older chunks come
// later, newest first (Backfill), and the hash tiles are made from their leaves
// (Leaves). A node that restarts first finds out how far its own log is the
// network's (Agree).
//
// Nothing that another node says is believed. A snapshot must be named by a
// record of the ledger whose receipt leads to the service key (Vouches); its
// frames must have the manifest's digests; the entries up to the snapshot must
// have its prefix hash, and so must, backwards, all older chunks; entries behind
// it are held to the caller's check, and only those are taken that a signed block
// binds. What is not verified at once is never part of the log, so that whoever
// lies costs time and nothing else. Tiles are not fetched: they follow from the
// ledger, which is verified anyway and read faster than a network brings them.
//
// The package does not know Raft, and holds no keys: whoever serves it lets only
// authenticated nodes in, and whoever fetches reaches only such.
package catchup

import (
	"errors"

	"github.com/coco-consortium/coco/internal/problem"
)

// The kinds of problem of this package.
var (
	// ErrFork says that the network does not hold what this node holds as committed.
	ErrFork = problem.New("LEDGER_FORK", "this node holds a block as committed that the network does not hold: one of them was rolled back, or they are two networks",
		"keep this node's data and do not let it join; find out with coco ledger verify and a checkpoint which of them lost blocks")
	ErrSources = problem.New("CATCHUP_SOURCES", "no other node gives what this node needs to catch up",
		"check that other nodes run and can be reached from here; see the cause for what the last one answered")
	ErrNoSnapshot = problem.New("CATCHUP_NO_SNAPSHOT", "no other node has a snapshot yet",
		"nothing need be done: the node takes the whole ledger instead")
	ErrRefused = problem.New("CATCHUP_REFUSED", "this node does not serve that to whoever asks",
		"ask as a node of the network, for what is committed")
	ErrBusy = problem.New("CATCHUP_BUSY", "the node serves as many others as it may at once",
		"ask again in a moment, or ask another node")
)

// ErrDiverges says that the network's committed entries do not follow the log's
// end: the log has a tail of its own, and Agree tells from where.
var ErrDiverges = errors.New("it follows another entry than the one that is here")

// ErrUnsound says that a snapshot is not one of this ledger, and never will be.
var ErrUnsound = errors.New("it does not belong to this ledger")
