package ledger

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestReadersBesideTheAppender runs the log as a node does: zeroing ahead in its
// goroutine, readers all over the log, and overwrites of the tail now and then.
func TestReadersBesideTheAppender(t *testing.T) {
	l := mustOpen(t, disk.OS(t.TempDir()), Options{Ahead: 64 << 10, ChunkBytes: 256 << 10, OpenChunks: 2, Now: time.Now})
	var mu sync.Mutex
	var committed []format.Entry // never overwritten
	done := make(chan struct{})
	failed := make(chan error, 4)
	var readers sync.WaitGroup
	for id := range uint64(2) {
		readers.Go(func() {
			random := rand.New(rand.NewPCG(id, id))
			for {
				select {
				case <-done:
					return
				default:
				}
				mu.Lock()
				known := committed
				mu.Unlock()
				err := readSome(l, known, random)
				if err == nil && random.IntN(50) == 0 {
					err = l.Sync()
				}
				if err != nil {
					failed <- err
					return
				}
			}
		})
	}
	w := &writer{}
	tail := *w
	for i := range 150 {
		if i%10 == 9 { // drop what was not committed
			w.end = tail.end
		}
		term := uint64(1 + i/10)
		batch := []format.Entry{w.block(term, 3000, i%13 == 5), w.empty(term), w.block(term, 200, i%17 == 3)}
		must(t, l.Append(batch))
		if i%10 < 7 {
			must(t, l.Sync())
			tail = *w
			mu.Lock()
			committed = append(committed, batch...)
			mu.Unlock()
		}
	}
	close(done)
	readers.Wait()
	must(t, l.Close())
	select {
	case err := <-failed:
		t.Fatal(err)
	default:
	}
}

func readSome(l *Log, known []format.Entry, random *rand.Rand) error {
	if len(known) == 0 {
		return nil
	}
	want := &known[random.IntN(len(known))]
	got, err := l.Entry(want.Index)
	if err == nil {
		err = sameEntry(got, want)
	}
	if err != nil {
		return err
	}
	if term, err := l.Term(want.Index); err != nil || term != want.Term {
		return fmt.Errorf("term of %d is %d: %w", want.Index, term, err)
	}
	if want.Kind == format.EntryBlock {
		h, err := format.PeekHeader(want.Body)
		if err != nil {
			return err
		}
		if index, ok := l.IndexOf(h.Height); !ok || index != want.Index {
			return fmt.Errorf("block %d at entry %d, want %d", h.Height, index, want.Index)
		}
	}
	// The tail may be overwritten while it is read, but never looks damaged.
	last := l.Head().LastIndex
	if _, err := l.Entries(max(last, 3)-2, last+1, 1<<20); err != nil && !errors.Is(err, ErrAbsent) {
		return err
	}
	return nil
}
