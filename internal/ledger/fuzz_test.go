package ledger

import (
	"errors"
	"testing"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// FuzzOpen opens a log whose files hold arbitrary bytes. It may be refused; if
// it is not, it must be a log: readable, in one chain, and able to go on.
func FuzzOpen(f *testing.F) {
	d := crash.New()
	threeChunks(f, d, 0)
	read := func(name string) []byte {
		data, err := disk.ReadFile(d, name, 1<<20)
		must(f, err)
		return data
	}
	one, two, vote := read(newChunk(testDir, 1).name), read(newChunk(testDir, 5).name), read("node/raft/vote")
	f.Add(one, two, vote)
	f.Add(one, two[:700], vote)
	f.Add(one, two, []byte{})
	f.Add(one[:1000], []byte{}, make([]byte, 1024))
	f.Add([]byte{}, []byte("coC0"), []byte("coV0"))
	f.Add(append(one[:512:512], two...), one, vote[:512])
	f.Fuzz(func(t *testing.T, one, two, vote []byte) {
		if len(one)+len(two) > 1<<16 {
			return
		}
		d := crash.New()
		must(t, disk.MakeDir(d, testDir))
		must(t, disk.MakeDir(d, "node/raft"))
		must(t, disk.WriteFile(d, newChunk(testDir, 1).name, one))
		must(t, disk.WriteFile(d, newChunk(testDir, 5).name, two))
		must(t, disk.WriteFile(d, "node/raft/vote", vote))
		l, err := Open(d, testDir, testOptions())
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		goesOn(t, d, l)
	})
}

// goesOn checks that a log is whole and takes entries.
func goesOn(t *testing.T, d disk.FS, l *Log) {
	t.Helper()
	prefix, err := l.Prefix(l.First() - 1)
	must(t, err)
	c := chain{position: position{l.First() - 1, prefix}, loose: l.First() > 1}
	for index := l.First(); index <= l.Head().LastIndex; index++ {
		e := mustEntry(t, l, index)
		s, err := c.next(e)
		must(t, err)
		c = s.after
	}
	if c.term >= 1<<63 || c.index >= 1<<63 {
		return
	}
	w := &writer{end: c}
	must(t, l.Append([]format.Entry{w.empty(c.term + 1), w.block(c.term+1, 10, true)}))
	must(t, l.Close())
	if got := mustOpen(t, d, testOptions()).Head(); got.Prefix != w.end.prefix || got.Torn {
		t.Fatalf("%+v", got)
	}
}
