package ledger

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/coco-consortium/coco/internal/problem"
)

// The kinds of problem of this package. What is damaged is in the cause, a *Damage.
var (
	ErrCorrupt = problem.New("LEDGER_CORRUPT", "the ledger on disk is damaged in a part that was durable",
		"restore the node's folder from a copy, or let the node start again from the other nodes; nothing was changed on disk")
	ErrDamaged = problem.New("LEDGER_DAMAGED", "this range of the ledger on disk is damaged and is not served",
		"restore the named chunk from a copy or from another node; the newer part of the ledger is intact")
	ErrRead = problem.New("LEDGER_READ", "the disk does not give back a part of the ledger",
		"check the disk and the system log")
	ErrWrite = problem.New("LEDGER_WRITE", "the ledger cannot be written, and takes no more blocks until the node is restarted; reads go on",
		"check the disk and the system log, then restart the node")
	ErrOrder = problem.New("LEDGER_ORDER", "the entries do not continue the ledger",
		"this is a fault of the node; keep its data and report it")
	ErrAbsent = problem.New("LEDGER_ABSENT", "the ledger has no such entry",
		"ask for an entry up to the ledger's last")
	errFetching = problem.New(ErrAbsent.Code, "this part of the ledger is still being fetched from other nodes",
		"ask again later, or ask a node that has it")
	ErrClosed = problem.New("LEDGER_CLOSED", "the ledger is closed",
		"the node is stopping; ask again when it runs")
)

// Damage is a place where the ledger on disk is not what was written.
type Damage struct {
	Chunk  string // file name, or that of the vote file
	Offset int64  // in bytes
	First  uint64 // first entry that is not served
	Last   uint64 // last entry that is not served, or First when no more is known
	Reason string
}

func (d *Damage) Error() string {
	if d.First == 0 {
		return fmt.Sprintf("%s: %s", d.Chunk, d.Reason)
	}
	return fmt.Sprintf("%s, offset %d, entry %d: %s", d.Chunk, d.Offset, d.First, d.Reason)
}

// writeProblem explains why a write or sync failed and what to do.
func writeProblem(err error) *problem.Error {
	p := *ErrWrite
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		p.What = "the disk is full: the ledger takes no more blocks until the node is restarted; reads go on"
		p.Next = "free space on the disk that holds the node's data, then restart the node"
	case errors.Is(err, syscall.EROFS):
		p.What = "the disk is read-only: the ledger takes no blocks until the node is restarted; reads go on"
		p.Next = "mount the disk that holds the node's data for writing (look in the system log why it is not), then restart the node"
	}
	return p.From(err)
}

func readProblem(name string, err error) error {
	return ErrRead.From(fmt.Errorf("%s: %w", name, err))
}

func orderProblem(format string, args ...any) error {
	return ErrOrder.From(fmt.Errorf(format, args...))
}
