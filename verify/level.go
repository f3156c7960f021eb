package verify

import (
	"errors"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// level is the format level that a record states: genesis and records of that
// kind do, and no others.
func (e *entry) level(seqno uint64, kind format.RecordKind, writes []format.Write) *uint64 {
	var level *uint64
	for _, w := range writes {
		switch {
		case w.Table != format.TableFormat:
			if kind == format.KindFormat {
				e.wrong(FormatRecord, "record %d, of the format level, writes table %q", seqno, w.Table)
			}
		case kind != format.KindFormat && kind != format.KindGenesis || string(w.Key) != format.KeyLevel || level != nil:
			e.wrong(FormatRecord, "record %d of kind %d writes %q to the table of the format", seqno, kind, w.Key)
		default:
			level = new(uint64)
			if err := format.Decode(w.Value, level); err != nil {
				e.wrong(FormatRecord, "record %d: its format level: %v", seqno, errors.Unwrap(err))
			}
		}
	}
	if kind == format.KindFormat && level == nil {
		e.wrong(FormatRecord, "record %d states no format level", seqno)
	}
	return level
}

// raise takes a record that raises the format level, when the nodes are m.
func (c *check) raise(e *entry, m members, r nodeRecord) {
	level := *r.level
	if level <= c.level {
		c.fail(e, FormatLevel, "record %d raises the format level to %d, %d is in force", r.tx.seqno, level, c.level)
		return
	}
	for id, n := range m.nodes {
		if n.info.Status != format.NodeRetired && n.info.Node.Reads < level {
			c.fail(e, FormatLevel, "record %d raises the format level to %d, node %d reads up to %d", r.tx.seqno, level, id, n.info.Node.Reads)
			return
		}
	}
	if level > format.Highest {
		c.newer(e, level)
		return
	}
	c.level = level
}

// newer says that this build cannot go on.
func (c *check) newer(e *entry, level uint64) {
	c.fail(e, FormatNewer, "the format level is %d from here on, this build reads up to %d: use a newer coco", level, uint64(format.Highest))
}

// unreadable is the code of bytes in which format found a fault.
func unreadable(err error, otherwise Code) Code {
	if errors.Is(err, format.ErrNewer) {
		return FormatNewer
	}
	return otherwise
}
