package sequencer

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/coco-consortium/coco/internal/problem"
)

// TxID names a transaction: the view (Raft term) and the seqno.
type TxID struct{ View, Seqno uint64 }

func (t TxID) String() string { return fmt.Sprintf("%d.%d", t.View, t.Seqno) }

// ErrTxID says that a text is no TxID.
var ErrTxID = problem.New("TXID_FORMAT", "that is not a transaction's name",
	"give a TxID as view.seqno, for example 2.17, both from 1")

// ParseTxID reads view.seqno, decimal, both from 1.
func ParseTxID(text string) (TxID, error) {
	view, seqno, ok := strings.Cut(text, ".")
	v, err1 := strconv.ParseUint(view, 10, 64)
	s, err2 := strconv.ParseUint(seqno, 10, 64)
	if !ok || err1 != nil || err2 != nil || v == 0 || s == 0 || (TxID{v, s}).String() != text {
		return TxID{}, ErrTxID
	}
	return TxID{v, s}, nil
}

// Status is what this node can say of a TxID. Committed and Invalid never change.
type Status int

// The statuses.
const (
	StatusUnknown   Status = iota // no statement
	StatusPending                 // in this node's log, not committed
	StatusCommitted               // irrevocable
	StatusInvalid                 // can never be committed
)

func (s Status) String() string {
	return [...]string{"Unknown", "Pending", "Committed", "Invalid"}[s]
}

// ViewStart says that the records from Seqno on belong to View, until the next.
type ViewStart struct{ View, Seqno uint64 }

// views is the view history of a log: which view each seqno belongs to.
type views []ViewStart

// at is the view of a seqno, which must be in the log.
func (v views) at(seqno uint64) uint64 {
	i := sort.Search(len(v), func(i int) bool { return v[i].Seqno > seqno })
	if i == 0 {
		return 0
	}
	return v[i-1].View
}

// add notes that a block of a view begins at a seqno.
func (v views) add(view, seqno uint64) views {
	if n := len(v); n > 0 && v[n-1].View == view {
		return v
	}
	return append(v, ViewStart{view, seqno})
}

// truncate forgets what begins behind a seqno.
func (v views) truncate(seqno uint64) views {
	for len(v) > 0 && v[len(v)-1].Seqno > seqno {
		v = v[:len(v)-1]
	}
	return v
}

// statusOf is the TxID rule. local is the log's view history up to seqno last;
// committed is the last committed seqno; committedView is the view of the last
// committed entry, with or without records.
func statusOf(t TxID, local views, last, committed, committedView uint64) Status {
	switch {
	case t.Seqno <= committed:
		if local.at(t.Seqno) == t.View {
			return StatusCommitted
		}
		return StatusInvalid
	case t.Seqno <= last && local.at(t.Seqno) == t.View:
		return StatusPending
	case committedView > t.View:
		return StatusInvalid
	}
	return StatusUnknown
}
