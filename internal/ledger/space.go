package ledger

import (
	"sync"

	"github.com/coco-consortium/coco/internal/disk"
)

// zeroSlice is how much is zeroed and synced at a time, in bytes: small, since a
// commit's sync waits behind it on the disk.
const zeroSlice = 256 << 10

var zeros [zeroSlice]byte

// space is the file of the open chunk as the appender and whoever zeroes ahead
// of it share it. Frames end at used; from there to size the file is zeros, so
// that a sync of a frame changes no metadata of the file, which halves its
// latency.
type space struct {
	file disk.File

	mu    sync.Mutex
	free  sync.Cond // the claim ended
	used  int64     // behind the last frame, one that is being written included
	size  int64     // of the file
	claim int64     // start of the slice that is being zeroed, or -1
	done  bool
}

func newSpace(file disk.File, used, size int64) *space {
	s := &space{file: file, used: used, size: size, claim: -1}
	s.free.L = &s.mu
	return s
}

// write writes frames behind the last one.
func (s *space) write(frames []byte) error {
	s.mu.Lock()
	start := s.used
	s.used += int64(len(frames))
	for s.claim >= 0 && s.used > s.claim {
		s.free.Wait()
	}
	s.mu.Unlock()
	_, err := s.file.WriteAt(frames, start)
	s.mu.Lock()
	s.size = max(s.size, s.used)
	s.mu.Unlock()
	return err
}

// left is how many zeroed bytes lie ahead.
func (s *space) left() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size - s.used
}

// extend zeroes one slice further unless ahead bytes are left or the file has
// limit bytes, and reports whether it did. When concurrent it keeps a slice's
// distance from the appender, so that neither waits for the other; the hole
// between reads as zeros. A write that fails only ends the zeroing; an error is
// that of a sync, after which nothing is known of the frames either.
func (s *space) extend(ahead, limit int64, concurrent bool) (bool, error) {
	s.mu.Lock()
	start, slice := s.size, min(zeroSlice, ahead)
	if concurrent {
		start = max(start, s.used+slice)
	}
	end := min(start+slice, limit)
	if s.done || s.size-s.used >= ahead || end <= start {
		s.mu.Unlock()
		return false, nil
	}
	s.claim = start
	s.mu.Unlock()

	_, full := s.file.WriteAt(zeros[:end-start], start)
	var err error
	if full == nil {
		err = s.file.Sync()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claim = -1
	s.free.Broadcast()
	if full != nil || err != nil {
		s.done = true
		return false, err
	}
	s.size = max(s.size, end)
	return true, nil
}

// close waits for a slice under way and ends the zeroing.
func (s *space) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = true
	for s.claim >= 0 {
		s.free.Wait()
	}
}
