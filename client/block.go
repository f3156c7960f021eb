package client

import (
	"errors"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

// Block is a block with all its transactions and what became of them.
type Block struct {
	Number       uint64
	Hash         common.Hash
	Parent       common.Hash
	Time         time.Time // in seconds; may repeat
	Transactions []Transaction
}

// Transaction is a transaction in a block.
type Transaction struct {
	Hash    common.Hash
	From    common.Address
	To      *common.Address // nil: it creates a contract
	Value   *big.Int
	Nonce   uint64
	Gas     uint64 // the most it may use
	Input   []byte
	Failed  bool            // without effect but for its nonce
	Created *common.Address // by the transaction itself
	TxID    string          // view.seqno, if it was wanted
	// Failure is the interpreter's word for why it failed and Output what it reverted
	// with, of which nodes without a trace keep 1 KiB. Both are empty when neither
	// traces nor TxIDs were wanted.
	Failure string
	Output  []byte
	Traced  bool    // Calls are known
	Calls   []Frame // the call of the transaction itself and those inside it
}

// Frame is one call, in the order in which they began.
type Frame struct {
	Depth  int    // 0 is the transaction itself
	Type   string // CALL, STATICCALL, DELEGATECALL, CALLCODE, CREATE, CREATE2, SELFDESTRUCT
	From   common.Address
	To     common.Address // of a creation what was created; zero if that failed
	Input  []byte         // of a creation the init code
	Output []byte
	Error  string // why it failed
	Undone bool   // it failed, or one around it did
}

// receipt is what a receipt adds to a transaction.
type receipt struct {
	hash, block common.Hash
	failed      bool
	created     *common.Address
}

var zeroHash common.Hash

func (s *cursor) block() (b Block) {
	s.object(func(name []byte) {
		switch string(name) {
		case "number":
			b.Number = s.quantity()
		case "hash":
			b.Hash = s.hash()
		case "parentHash":
			b.Parent = s.hash()
		case "timestamp":
			b.Time = time.Unix(int64(min(s.quantity(), maxSeconds)), 0).UTC()
		case "transactions":
			s.array(func() {
				if s.peek() == '{' { // else its hash alone
					b.Transactions = append(b.Transactions, s.transaction())
				}
			})
		}
	})
	if b.Hash == zeroHash || b.Time.IsZero() {
		s.fail("a block without hash or time")
	}
	return b
}

// maxSeconds is a time far enough to be none, and small enough for time.Time.
const maxSeconds = 1 << 40

func (s *cursor) transaction() (t Transaction) {
	s.object(func(name []byte) {
		switch string(name) {
		case "hash":
			t.Hash = s.hash()
		case "from":
			t.From = s.address()
		case "to":
			t.To = s.optional()
		case "value":
			t.Value = s.big()
		case "nonce":
			t.Nonce = s.quantity()
		case "gas":
			t.Gas = s.quantity()
		case "input":
			t.Input = s.data()
		}
	})
	if t.Hash == zeroHash || t.Value == nil {
		s.fail("a transaction without hash or value")
	}
	return t
}

func (s *cursor) receipts() (list []receipt) {
	s.array(func() { list = append(list, s.receipt()) })
	return list
}

func (s *cursor) receipt() (r receipt) {
	known := false
	s.object(func(name []byte) {
		switch string(name) {
		case "transactionHash":
			r.hash = s.hash()
		case "blockHash":
			r.block = s.hash()
		case "status":
			r.failed = s.quantity() == 0
			known = true
		case "root": // before Byzantium nothing told of failures
			s.skip()
			known = true
		case "contractAddress":
			r.created = s.optional()
		}
	})
	if !known || r.hash == zeroHash {
		s.fail("a receipt without hash or status")
	}
	return r
}

var (
	errReceipts = errors.New("its receipts are of other transactions")
	errTraces   = errors.New("its traces are of other transactions")
)

// add adds what receipts say.
func (b *Block) add(list []receipt) error {
	if len(list) != len(b.Transactions) {
		return errReceipts
	}
	for i, r := range list {
		t := &b.Transactions[i]
		if r.hash != t.Hash || r.block != b.Hash {
			return errReceipts
		}
		t.Failed, t.Created = r.failed, r.created
		if r.failed {
			t.Created = nil // an address it would have had
		}
	}
	return nil
}

// trace is the calls of one transaction. Its hash is zero where the node does not
// say it.
type trace struct {
	hash   common.Hash
	calls  []Frame
	failed error // the node could not trace this one
}

// traces reads what debug_traceBlockByNumber gives with callTracer.
func (s *cursor) traces() (list []trace) {
	s.array(func() {
		var t trace
		s.object(func(name []byte) {
			switch string(name) {
			case "txHash":
				t.hash = s.hash()
			case "result":
				t.calls = s.calls()
			case "error":
				t.failed = &Error{Code: codeInternal, Message: printable(s.words())}
			}
		})
		if t.calls == nil && t.failed == nil {
			s.fail("a trace without calls")
		}
		list = append(list, t)
	})
	return list
}

// calls reads what callTracer gives for one transaction.
func (s *cursor) calls() []Frame {
	var list []Frame
	s.frame(&list, 0)
	if s.err != nil {
		return nil
	}
	undone := maxDepth // the depth from which on everything was undone
	for i := range list {
		f := &list[i]
		if f.Depth <= undone {
			undone = maxDepth
			if f.Error != "" {
				undone = f.Depth
			}
		}
		f.Undone = undone != maxDepth
	}
	return list
}

// frame reads a call and those inside it.
func (s *cursor) frame(list *[]Frame, depth int) {
	at := len(*list)
	*list = append(*list, Frame{})
	f, from := Frame{Depth: depth}, false
	s.object(func(name []byte) {
		switch string(name) {
		case "type":
			f.Type = kind(s.quoted())
		case "from":
			f.From, from = s.address(), true
		case "to":
			if a := s.optional(); a != nil {
				f.To = *a
			}
		case "input":
			f.Input = s.data()
		case "output":
			f.Output = s.data()
		case "error":
			f.Error = printable(s.words())
		case "calls":
			s.array(func() { s.frame(list, depth+1) })
		}
	})
	if f.Type == "" || !from {
		s.fail("a call without type or caller")
	}
	(*list)[at] = f
}

// kind is a frame's type without taking memory for each.
func kind(b []byte) string {
	for _, k := range []string{"CALL", "STATICCALL", "DELEGATECALL", "CREATE", "CREATE2", "CALLCODE", "SELFDESTRUCT"} {
		if string(b) == k {
			return k
		}
	}
	return printable(string(b))
}

// follow adds the traces.
func (b *Block) follow(list []trace) error {
	if len(list) != len(b.Transactions) {
		return errTraces
	}
	for i := range list {
		if list[i].hash != zeroHash && list[i].hash != b.Transactions[i].Hash {
			return errTraces
		}
	}
	for i := range list {
		if list[i].failed == nil {
			b.Transactions[i].follow(list[i].calls)
		}
	}
	return nil
}

// follow adds a trace. What the transaction's own call says is what its receipt does.
func (t *Transaction) follow(calls []Frame) {
	top := &calls[0]
	t.Traced, t.Calls = true, calls
	t.Failed, t.Failure, t.Output = top.Error != "", top.Error, nil
	if t.Failed {
		t.Output = top.Output
	}
	if t.To == nil && !t.Failed {
		t.Created = &top.To
	}
}
