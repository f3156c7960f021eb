package snapshot

import (
	"fmt"
	"testing"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/disk/crash"
)

// A snapshot under load gives the disk little at a time, and takes little at a time
// away when it is deleted; the last one of a stop gives it whole frames.
func TestLittleAtATime(t *testing.T) {
	state := newState(t)
	fill(t, state, 0, 240_000)
	for _, hurry := range []bool{false, true} {
		t.Run(fmt.Sprintf("hurry %t", hurry), func(t *testing.T) {
			f := &meter{FS: crash.New()}
			s := openStore(t, f)
			s.Hurry = hurry
			w := write(t, s, state)
			if w.Usage.Frames < 10 {
				t.Fatalf("%d frames are too few for this test", w.Usage.Frames)
			}
			if little := f.unsynced <= diskSlice; little == hurry {
				t.Errorf("%d bytes were written before a sync", f.unsynced)
			}
			must(t, s.Delete(w.Height))
			if little := f.freed <= goneSlice+diskSlice; little == hurry {
				t.Errorf("%d bytes were freed at once", f.freed)
			}
			if names := must2(f.ReadDir(testDir)); len(names) > 0 {
				t.Errorf("%q are left", names)
			}
		})
	}
}

// meter notes the most bytes of a file that waited for a sync, and that were freed
// at once.
type meter struct {
	disk.FS
	sizes           map[string]int64
	unsynced, freed int64
}

type meterFile struct {
	disk.File
	name   string
	of     *meter
	behind int64
}

func (m *meter) Create(name string) (disk.File, error) {
	f, err := m.FS.Create(name)
	return &meterFile{File: f, name: name, of: m}, err
}

func (m *meter) Open(name string) (disk.File, error) {
	f, err := m.FS.Open(name)
	if err != nil {
		return nil, err
	}
	return &meterFile{File: f, name: name, of: m}, nil
}

func (m *meter) Remove(name string) error {
	m.resize(name, 0)
	return m.FS.Remove(name)
}

func (m *meter) resize(name string, size int64) {
	if m.sizes == nil {
		m.sizes = map[string]int64{}
	}
	m.freed = max(m.freed, m.sizes[name]-size)
	m.sizes[name] = size
}

func (f *meterFile) WriteAt(b []byte, at int64) (int, error) {
	f.behind += int64(len(b))
	f.of.unsynced = max(f.of.unsynced, f.behind)
	f.of.resize(f.name, max(f.of.sizes[f.name], at+int64(len(b))))
	return f.File.WriteAt(b, at)
}

func (f *meterFile) Sync() error {
	f.behind = 0
	return f.File.Sync()
}

func (f *meterFile) Truncate(size int64) error {
	f.of.resize(f.name, size)
	return f.File.Truncate(size)
}
