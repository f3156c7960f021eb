package ledger

import (
	"path"
	"strings"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// metered counts what is written to files and how often they are synced.
type metered struct {
	disk.FS
	chunk, vote cost
}

type cost struct{ writes, bytes, syncs int }

func (m *metered) meter(name string, f disk.File, err error) (disk.File, error) {
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(path.Base(name), chunkPrefix) {
		return &meteredFile{f, &m.chunk}, nil
	}
	return &meteredFile{f, &m.vote}, nil
}

func (m *metered) Create(name string) (disk.File, error) {
	f, err := m.FS.Create(name)
	return m.meter(name, f, err)
}

func (m *metered) Open(name string) (disk.File, error) {
	f, err := m.FS.Open(name)
	return m.meter(name, f, err)
}

type meteredFile struct {
	disk.File
	*cost
}

func (f *meteredFile) WriteAt(b []byte, at int64) (int, error) {
	f.writes++
	f.bytes += len(b)
	return f.File.WriteAt(b, at)
}

func (f *meteredFile) Sync() error {
	f.syncs++
	return f.File.Sync()
}

// What a block costs on the disk: one write of its frame and one sync, however many
// blocks share them; the vote file is left alone but for once a second.
func TestCost(t *testing.T) {
	m := &metered{FS: crash.New()}
	now := time.Unix(1000, 0)
	l := mustOpen(t, m, Options{Ahead: -1, Inline: true, Now: func() time.Time { return now }})
	w := &writer{}
	for _, batch := range []int{1, 1, 16} {
		before, votes := m.chunk, m.vote
		entries := make([]format.Entry, batch)
		size := 0
		for i := range entries {
			entries[i] = w.block(1, 1200, false)
			size += int(format.FrameSize(len(entries[i].Body)))
		}
		must(t, l.Append(entries))
		must(t, l.Sync())
		if got, want := m.chunk, (cost{before.writes + 1, before.bytes + size, before.syncs + 1}); got != want {
			t.Errorf("%d blocks: from %+v to %+v, not %+v", batch, before, got, want)
		}
		must(t, l.Sync())
		if m.chunk.syncs != before.syncs+1 || m.vote != votes {
			t.Errorf("%d blocks: nothing is synced again: %+v, %+v before", batch, m, votes)
		}
	}
	now = now.Add(2 * refreshEvery)
	votes := m.vote
	must(t, l.Append([]format.Entry{w.block(1, 1200, false)}))
	must(t, l.Sync())
	if want := (cost{votes.writes + 1, votes.bytes + slotSize, votes.syncs + 1}); m.vote != want {
		t.Errorf("a second later the vote file costs %+v, not %+v", m.vote, want)
	}
	must(t, l.Close())
}
