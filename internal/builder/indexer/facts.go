package indexer

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/fxamacker/cbor/v2"

	"github.com/coco-consortium/coco/internal/builder/offchain"
)

// factsVersion is the first thing in facts. A change of what follows is a new
// version; versions that were ever written are read for ever.
const factsVersion = 1

// reference names a contract: its id, or, when it is found in the same range of
// blocks, -1 for the first that is found, -2 for the second. 0 is none.
type reference int

// facts are what a range of blocks said, as it stands in the journal: CBOR with
// arrays for structs, so that a transaction that concerns nobody here takes about
// a hundred bytes.
type facts struct {
	_       struct{} `cbor:",toarray"`
	Version int
	Blocks  []blockFacts
	Found   []foundFacts
}

type blockFacts struct {
	_            struct{} `cbor:",toarray"`
	Number       uint64
	Hash, Parent common.Hash
	Time         int64 // microseconds since 1970
	Transactions []transactionFacts
	Sets         []setFacts
}

type transactionFacts struct {
	_      struct{} `cbor:",toarray"`
	Hash   common.Hash
	From   common.Address
	To     []byte // empty: a creation
	Value  []byte // big-endian wei, empty: 0
	Failed bool
	Ours   bool
	TxID   string
	Calls  []callFacts
}

// callFacts is an action: one that was asked for here (Settles is its id), or one
// that was found.
type callFacts struct {
	_           struct{} `cbor:",toarray"`
	Settles     int
	Application int
	Contract    reference
	Function    int
	Name        string
	Person      int
	From        common.Address
	Caller      reference
	Reverted    bool
	Missed      bool // it went where the contract no longer is
	Sequence    int
	State       int
	Created     []byte // address of the contract that a settled constructor made
	Arguments   []argumentFacts
	Reason      string
	Message     string
}

type argumentFacts struct {
	_         struct{} `cbor:",toarray"`
	Parameter int
	Name      string
	Display   string
	Value     string
}

// setFacts are the properties of one contract after a block.
type setFacts struct {
	_        struct{} `cbor:",toarray"`
	Contract reference
	Values   []valueFacts
	Unread   []int
}

type valueFacts struct {
	_        struct{} `cbor:",toarray"`
	Property int
	Value    string
}

// foundFacts is a contract that was not asked for here.
type foundFacts struct {
	_                           struct{} `cbor:",toarray"`
	Application, Workflow, Code int
	Address                     common.Address
	By                          int // person; 0: nobody known
	Block                       int // position in Blocks
}

var (
	encoding = must(cbor.CoreDetEncOptions().EncMode())
	decoding = must(cbor.DecOptions{MaxArrayElements: 1 << 24, MaxNestedLevels: 16}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // the options are constants
	}
	return v
}

func (f *facts) encode() ([]byte, error) { return encoding.Marshal(f) }

// decodeFacts reads what encode wrote for the blocks of b.
func decodeFacts(b *offchain.BlocksTaken) (*facts, error) {
	f := new(facts)
	if err := decoding.Unmarshal(b.Facts, f); err != nil {
		return nil, ErrFacts.From(err)
	}
	if f.Version != factsVersion {
		return nil, ErrFacts.From(fmt.Errorf("version %d", f.Version))
	}
	return f, f.check(b)
}

// check holds facts against the entry that they stand in.
func (f *facts) check(b *offchain.BlocksTaken) error {
	if b.To < b.From || uint64(len(f.Blocks)) != b.To-b.From+1 || len(b.Hashes) != len(f.Blocks) {
		return ErrFacts.From(fmt.Errorf("%d blocks for %d to %d", len(f.Blocks), b.From, b.To))
	}
	for i := range f.Blocks {
		if f.Blocks[i].Number != b.From+uint64(i) || f.Blocks[i].Hash != b.Hashes[i] {
			return ErrFacts.From(fmt.Errorf("block %d is another", b.From+uint64(i)))
		}
	}
	for i := range f.Found {
		if n := f.Found[i].Block; n < 0 || n >= len(f.Blocks) {
			return ErrFacts.From(fmt.Errorf("a contract of block %d of %d", n, len(f.Blocks)))
		}
	}
	return nil
}
