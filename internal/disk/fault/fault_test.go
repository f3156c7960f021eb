package fault

import (
	"errors"
	"slices"
	"testing"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/disk/crash"
)

// TestEveryOperationAsks: with its name and kind; what is refused is not done, and
// all else is.
func TestEveryOperationAsks(t *testing.T) {
	refused := errors.New("refused")
	var asked []Op
	answer := error(nil)
	d := Wrap(crash.New(), func(op Op) error {
		asked = append(asked, op)
		return answer
	})
	var f disk.File
	open := func(open func(string) (disk.File, error), name string) func() error {
		return func() error {
			opened, err := open(name)
			if err == nil {
				f = opened
			}
			return err
		}
	}
	data := []byte{1, 2, 3}
	for _, c := range []struct {
		op     Op
		writes bool
		do     func() error
	}{
		{Op{MkdirAll, "a"}, true, func() error { return d.MkdirAll("a") }},
		{Op{Create, "a/b"}, true, open(d.Create, "a/b")},
		{Op{Write, "a/b"}, true, func() error { _, err := f.WriteAt(data, 0); return err }},
		{Op{Truncate, "a/b"}, true, func() error { return f.Truncate(2) }},
		{Op{Sync, "a/b"}, true, func() error { return f.Sync() }},
		{Op{SyncDir, "a"}, true, func() error { return d.SyncDir("a") }},
		{Op{Open, "a/b"}, false, open(d.Open, "a/b")},
		{Op{Open, "a/b"}, false, open(d.OpenRead, "a/b")},
		{Op{Read, "a/b"}, false, func() error { _, err := f.ReadAt(data[:2], 0); return err }},
		{Op{Size, "a/b"}, false, func() error { _, err := f.Size(); return err }},
		{Op{Rename, "a/b"}, true, func() error { return d.Rename("a/b", "a/c") }},
		{Op{ReadDir, "a"}, false, func() error { _, err := d.ReadDir("a"); return err }},
		{Op{Lock, "a/lock"}, true, func() error { _, err := d.Lock("a/lock"); return err }},
		{Op{Remove, "a/c"}, true, func() error { return d.Remove("a/c") }},
	} {
		asked, answer = nil, refused
		if err := c.do(); !errors.Is(err, refused) {
			t.Errorf("%v that is refused: %v", c.op, err)
		}
		answer = nil
		if err := c.do(); err != nil {
			t.Errorf("%v: %v", c.op, err)
		}
		if !slices.Equal(asked, []Op{c.op, c.op}) || c.op.Writes() != c.writes {
			t.Errorf("%v asks %v, writes: %v", c.op, asked, c.op.Writes())
		}
	}
}
