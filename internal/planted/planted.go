// Package planted holds the switches of deliberately planted bugs.
//
// A test that cannot fail proves nothing. Each switch here turns one rule of
// the product off, and a test (test/planted) asserts that the standing tests
// then fail. Only binaries built with the tag `planted` can turn a switch on,
// by the environment variable COCO_PLANTED; everywhere else Is is the constant
// false and the compiler removes the bug.
package planted

// Bug is the name of one planted bug.
type Bug string

// The planted bugs.
const (
	AckBeforeSync       Bug = "ack-before-sync"       // tell Raft an entry is durable before the sync
	PublishBeforeCommit Bug = "publish-before-commit" // make a block visible when it is sealed
	SkipDirectorySync   Bug = "skip-directory-sync"   // create files without syncing their directory
	ResealInOneView     Bug = "reseal-in-one-view"    // sign two blocks for one view and height
	AcceptWrongRoot     Bug = "accept-wrong-root"     // verifiers do not compare the recomputed root
	IgnoreTornTail      Bug = "ignore-torn-tail"      // leave the bytes behind the log's end in place
	ApplyTwice          Bug = "apply-twice"           // apply a block's write set a second time at restart
	ReuseNonce          Bug = "reuse-nonce"           // seal sections with a constant nonce
	VoteTwice           Bug = "vote-twice"            // grant a second candidate a vote in one term
	OneOfJointPair      Bug = "one-of-joint-pair"     // count only the incoming configuration of a joint pair
	AcceptWrongBlock    Bug = "accept-wrong-block"    // followers do not check root, links and signature of a block
	ForwardTwice        Bug = "forward-twice"         // a request that is forwarded again is executed again
	StaleLinearizable   Bug = "stale-linearizable"    // a linearizable read does not ask the other nodes
	UnverifiedSnapshot  Bug = "unverified-snapshot"   // a joiner uses a snapshot without the ledger's receipt
	LoseVote            Bug = "lose-vote"             // a restarted node goes on under its old raft id without term and vote
)

// All lists every planted bug.
var All = []Bug{
	AckBeforeSync, PublishBeforeCommit, SkipDirectorySync, ResealInOneView,
	AcceptWrongRoot, IgnoreTornTail, ApplyTwice, ReuseNonce,
	VoteTwice, OneOfJointPair, AcceptWrongBlock, ForwardTwice, StaleLinearizable, UnverifiedSnapshot, LoseVote,
}
