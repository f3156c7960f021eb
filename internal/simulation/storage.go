package simulation

import (
	"time"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/disk/crash"
)

// storage is a machine's disk: a crash.Disk that takes its time, and that may
// say that it synced when it did not.
type storage struct {
	*crash.Disk
	sync   time.Duration // a sync takes up to twice this
	lies   bool          // syncs do nothing now
	lied   bool          // a sync did nothing since the power was lost and the files read
	stable bool          // the power was lost: what is there now is durable
}

func newStorage() *storage { return &storage{Disk: crash.New()} }

// Open implements disk.FS.
func (s *storage) Open(name string) (disk.File, error) {
	f, err := s.Disk.Open(name)
	return s.wrap(f, err)
}

// Create implements disk.FS.
func (s *storage) Create(name string) (disk.File, error) {
	f, err := s.Disk.Create(name)
	return s.wrap(f, err)
}

func (s *storage) wrap(f disk.File, err error) (disk.File, error) {
	if err != nil {
		return nil, err
	}
	return &lyingFile{f, s}, nil
}

// SyncDir implements disk.FS.
func (s *storage) SyncDir(dir string) error {
	if s.lies {
		s.lied = true
		return nil
	}
	return s.Disk.SyncDir(dir)
}

type lyingFile struct {
	disk.File
	storage *storage
}

func (f *lyingFile) Sync() error {
	if f.storage.lies {
		f.storage.lied = true
		return nil
	}
	return f.File.Sync()
}
