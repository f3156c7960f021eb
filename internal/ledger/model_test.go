package ledger

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// model is the log in memory.
type model struct {
	disk    *crash.Disk
	log     *Log
	entries []format.Entry
	ends    []chain // ends[i] is the end before entries[i]; one more than entries
	synced  uint64
	term    uint64
	salt    uint64
}

func (m *model) draw(t *rapid.T, from uint64) (batch []format.Entry, ends []chain) {
	w := &writer{end: m.ends[from-1], salt: m.salt, committed: rapid.Uint64Range(0, 20).Draw(t, "committed")}
	for range rapid.IntRange(1, 5).Draw(t, "entries") {
		size := rapid.OneOf(rapid.IntRange(0, 600), rapid.IntRange(400, 5000)).Draw(t, "size")
		switch rapid.SampledFrom([]string{"block", "block", "block", "end", "empty", "config"}).Draw(t, "kind") {
		case "block":
			batch = append(batch, w.block(m.term, size, false))
		case "end":
			batch = append(batch, w.block(m.term, size, true))
		case "empty":
			batch = append(batch, w.empty(m.term))
		case "config":
			batch = append(batch, w.config(m.term))
		}
		ends = append(ends, w.end)
	}
	m.salt = w.salt
	return batch, ends
}

func (m *model) append(t *rapid.T, from uint64) {
	if rapid.IntRange(0, 3).Draw(t, "new term") == 0 {
		m.term++
	}
	batch, ends := m.draw(t, from)
	if err := m.log.Append(batch); err != nil {
		t.Fatal(err)
	}
	m.entries = append(m.entries[:from-1:from-1], batch...)
	m.ends = append(m.ends[:from:from], ends...)
	m.synced = min(m.synced, from-1)
}

func (m *model) check(t *rapid.T) {
	last := uint64(len(m.entries))
	end := m.ends[last]
	h := m.log.Head()
	if h.LastIndex != last || h.LastTerm != end.term || h.Prefix != end.prefix || h.HasBlock != (end.blocks > 0) ||
		h.HasBlock && h.Height != end.blocks-1 || h.Synced < m.synced {
		t.Fatalf("head %+v, want %+v", h, end)
	}
	var used int64
	height := uint64(0)
	for i := range m.entries {
		e := &m.entries[i]
		used += format.FrameSize(len(e.Body))
		if m.ends[i+1].ended {
			used = 0
		}
		if e.Kind == format.EntryBlock {
			if index, ok := m.log.IndexOf(height); !ok || index != e.Index {
				t.Fatalf("block %d at %d, want %d", height, index, e.Index)
			}
			height++
		}
		if term, err := m.log.Term(e.Index); err != nil || term != e.Term {
			t.Fatalf("term of %d: %d, %v", e.Index, term, err)
		}
		if p, err := m.log.Prefix(e.Index); err != nil || p != m.ends[i+1].prefix {
			t.Fatalf("prefix of %d: %v", e.Index, err)
		}
	}
	if got := m.log.ChunkUsed(); got != used {
		t.Fatalf("chunk used %d, want %d", got, used)
	}
	if _, ok := m.log.IndexOf(height); ok {
		t.Fatal("a block too many")
	}
	if _, err := m.log.Entry(last + 1); !errors.Is(err, ErrAbsent) {
		t.Fatal(err)
	}
	m.checkEntries(t)
}

func (m *model) checkEntries(t *rapid.T) {
	last := uint64(len(m.entries))
	if last == 0 {
		return
	}
	lo := rapid.Uint64Range(1, last).Draw(t, "lo")
	budget := rapid.IntRange(0, 20000).Draw(t, "budget")
	size := 0
	for at := lo; at <= last; {
		got, err := m.log.Entries(at, last+1, budget)
		if err != nil || len(got) == 0 {
			t.Fatal(len(got), err)
		}
		size = 0
		for i := range got {
			if err := sameEntry(&got[i], &m.entries[at-1]); err != nil {
				t.Fatal(err)
			}
			size += int(format.FrameSize(len(got[i].Body)))
			at++
		}
		if size > budget && len(got) > 1 {
			t.Fatalf("%d bytes for a budget of %d", size, budget)
		}
		if at <= last && size+int(format.FrameSize(len(m.entries[at-1].Body))) <= budget {
			t.Fatal("fewer entries than fit")
		}
	}
}

// TestModel holds the log to a model in memory: append, overwrite, sync, reopen.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{disk: crash.New(), ends: []chain{{}}, term: 1}
		open := func() {
			o := testOptions()
			o.VerifyFrom = rapid.Uint64Range(0, uint64(len(m.entries))+1).Draw(t, "verify from")
			var err error
			if m.log, err = Open(m.disk, testDir, o); err != nil {
				t.Fatal(err)
			}
		}
		open()
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) { m.append(t, uint64(len(m.entries))+1) },
			"overwrite": func(t *rapid.T) {
				if len(m.entries) > 0 {
					m.append(t, rapid.Uint64Range(1, uint64(len(m.entries))).Draw(t, "from"))
				}
			},
			"cut": func(t *rapid.T) {
				last := rapid.IntRange(0, len(m.entries)).Draw(t, "last")
				if err := m.log.Cut(uint64(last)); err != nil {
					t.Fatal(err)
				}
				m.entries, m.ends = m.entries[:last:last], m.ends[:last+1:last+1]
				m.synced = min(m.synced, uint64(last))
			},
			"sync": func(t *rapid.T) {
				if err := m.log.Sync(); err != nil {
					t.Fatal(err)
				}
				m.synced = uint64(len(m.entries))
			},
			"reopen": func(t *rapid.T) {
				if err := m.log.Close(); err != nil {
					t.Fatal(err)
				}
				open()
			},
			"kill": func(t *rapid.T) {
				m.disk = m.disk.Restart()
				open()
			},
			"": m.check,
		})
	})
}
