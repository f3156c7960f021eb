package ledger

import (
	"bytes"
	"errors"
	"path"
	"testing"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// newerBlock is a block that only a newer build can have written.
func newerBlock(index, term uint64) *format.Entry {
	h := (&format.Header{Height: 7, View: term, FirstSeqno: 8, Count: 1, TreeSize: 8}).Encode()
	h[1] = format.Highest + 1 // its format
	b := format.Block{Header: h, Signature: []byte("signature"), Records: [][]byte{{1}}}
	return &format.Entry{Index: index, Term: term, Kind: format.EntryBlock, Body: b.Encode()}
}

// TestNewerFormatIsLeftAlone opens logs that go on in a format that this build
// does not read: at their end, and behind a torn write. It is not called damage,
// and nothing is cut off or zeroed.
func TestNewerFormatIsLeftAlone(t *testing.T) {
	for name, gap := range map[string]int64{"at the end": 0, "behind a torn write": 2 * format.FrameAlign} {
		t.Run(name, func(t *testing.T) {
			d := crash.New()
			l := mustOpen(t, d, testOptions())
			w := &writer{}
			must(t, l.Append([]format.Entry{w.empty(1), w.block(1, 600, false), w.block(1, 100, false)}))
			prefix := l.Head().Prefix
			used := l.ChunkUsed()
			must(t, l.Close())
			found, err := listChunks(d, testDir)
			must(t, err)
			f, err := d.Open(found[0].name)
			must(t, err)
			torn := bytes.Repeat([]byte{7}, int(gap))
			_, err = f.WriteAt(append(torn, format.AppendFrame(nil, prefix, newerBlock(4, 1))...), used)
			must(t, errors.Join(err, f.Sync(), f.Close()))

			was := contents(t, d, found[0].name)
			if l, err := Open(d, testDir, testOptions()); !errors.Is(err, format.ErrNewer) {
				t.Fatalf("opened: %v, %v", l, err)
			}
			if !bytes.Equal(contents(t, d, found[0].name), was) {
				t.Error("the log was changed")
			}
		})
	}
}

func contents(t *testing.T, d disk.FS, name string) []byte {
	t.Helper()
	data, err := disk.ReadFile(d, path.Clean(name), 1<<20)
	must(t, err)
	return data
}
