package lineage

import (
	"errors"

	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// raise takes a record that raises the format level: it goes up, and every node
// that is not retired reads the new level.
func (l *Lineage) raise(r *public, h *format.Header) error {
	level := *r.level
	if level <= l.Identity.Level {
		return wrong(h, "record %d raises the format level to %d, %d is in force", r.tx.Seqno, level, l.Identity.Level)
	}
	for _, n := range l.Identity.Nodes.All() {
		if n.Status != format.NodeRetired && n.Node.Reads < level {
			return wrong(h, "record %d raises the format level to %d, node %d reads up to %d", r.tx.Seqno, level, n.Node.RaftID, n.Node.Reads)
		}
	}
	if err := format.CheckLevel(level); err != nil { // of use to a node that is retired
		return err
	}
	l.Identity.Level = level
	return nil
}

// LevelOf is the format level in force in a version of the state. It is Founding
// where nothing says another, as before genesis.
func LevelOf(state *kv.Store, view *kv.View) (uint64, error) {
	table, ok := state.Table(format.TableFormat)
	if !ok {
		return format.Founding, nil
	}
	value, ok := view.Get(table, []byte(format.KeyLevel))
	if !ok {
		return format.Founding, nil
	}
	return readLevel(value)
}

// readLevel is the value of KeyLevel.
func readLevel(value []byte) (level uint64, err error) {
	if err := format.Decode(value, &level); err != nil {
		return 0, err
	}
	return level, format.CheckLevel(level)
}

var errNoLevel = errors.New("the state has no format level")
