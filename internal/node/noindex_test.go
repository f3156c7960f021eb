package node

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// A node that is to keep no history index removes the one that is there, finds what
// is new, and makes the index again when it is to have one.
func TestHistoryOff(t *testing.T) {
	c := Default(t.TempDir())
	var told []acknowledged
	for i, off := range []bool{false, true, false} {
		c.NoIndex = off
		n, err := Start(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, payBlocks(t, n, uint64(10*i), 10)...)
		if found, refused := look(t, n, told); found != len(told) || refused != 0 {
			t.Errorf("history off: %t: of %d transactions %d are found, %d refused", off, len(told), found, refused)
		}
		if !off {
			indexed(t, n.index)
		} else if s := n.Status(); s.Ledger.Index != s.Ledger.Height {
			t.Errorf("the index is said to be at %d of %d", s.Ledger.Index, s.Ledger.Height)
		}
		stop(t, n)
		if _, err := os.Stat(filepath.Join(c.Data, filepath.FromSlash(dirIndex))); off != errors.Is(err, fs.ErrNotExist) {
			t.Errorf("history off: %t: the index's directory: %v", off, err)
		}
	}
}
