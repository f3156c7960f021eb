package ledger

import (
	"errors"
	"fmt"
	"io"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// windowSize is how much a walk reads at a time, in bytes.
const windowSize = 256 << 10

// errFrame is the kind of every error that says that the frame that is due does
// not lie at a place, as opposed to one that says that the place cannot be read.
// errForeign is that of an intact frame which does not continue the log: no
// crash leaves one, since what is overwritten is zeroed first.
var (
	errFrame   = errors.New("bad frame")
	errForeign = fmt.Errorf("%w, intact but not the one that is due", errFrame)
)

func badFrame(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errFrame, fmt.Sprintf(format, args...))
}

// walk reads the frames of a chunk in order.
type walk struct {
	file io.ReaderAt
	size int64 // of the file
	at   int64 // offset of the next frame

	window []byte
	start  int64 // of the window in the file
	read   int   // least to read at a time
}

func newWalk(file io.ReaderAt, size int64) *walk {
	return &walk{file: file, size: size, read: windowSize}
}

// view is n bytes of the file from offset on, valid until the next call.
func (w *walk) view(offset int64, n int) ([]byte, error) {
	if offset+int64(n) > w.size {
		return nil, badFrame("the file ends here")
	}
	if offset < w.start || offset+int64(n) > w.start+int64(len(w.window)) {
		length := int(min(w.size-offset, int64(max(n, w.read))))
		if cap(w.window) < length {
			w.window = make([]byte, length)
		}
		w.window, w.start = w.window[:length], offset
		if got, err := w.file.ReadAt(w.window, offset); got < length {
			w.window = w.window[:0]
			return nil, fmt.Errorf("read %d bytes at %d: %w", length, offset, err)
		}
	}
	from := offset - w.start
	return w.window[from : from+int64(n) : from+int64(n)], nil
}

// head reads the head of the next frame.
func (w *walk) head() (format.FrameHeader, error) {
	b, err := w.view(w.at, format.FrameHead)
	if err != nil {
		return format.FrameHeader{}, err
	}
	h, err := format.ParseFrameHead(b)
	if err != nil {
		return h, badFrame("%v", errors.Unwrap(err))
	}
	if w.at+format.FrameSize(h.Length) > w.size {
		return h, badFrame("the file ends inside the frame")
	}
	return h, nil
}

// entry reads the body behind a head and checks checksum and padding. The entry
// is valid until the walk goes on.
func (w *walk) entry(h *format.FrameHeader) (*format.Entry, error) {
	rest, err := w.view(w.at+format.FrameHead, int(format.FrameSize(h.Length))-format.FrameHead)
	if err != nil {
		return nil, err
	}
	e, err := h.Entry(rest[:h.Length:h.Length])
	if err != nil {
		return nil, badFrame("%v", errors.Unwrap(err))
	}
	if !zero(rest[h.Length:]) {
		return nil, badFrame("padding other than zeros")
	}
	return e, nil
}

// skip goes behind the frame of a head.
func (w *walk) skip(h *format.FrameHeader) { w.at += format.FrameSize(h.Length) }

// next reads the next frame whole, checks that it continues c, advances c and
// goes behind the frame.
func (w *walk) next(c *chain) (*format.Entry, step, error) {
	h, err := w.head()
	if err != nil {
		return nil, step{}, err
	}
	e, err := w.entry(&h)
	if err != nil {
		return nil, step{}, err
	}
	s, err := c.next(e)
	if err == nil && h.Previous != c.prefix {
		err = errors.New("it does not follow the entry before it")
	}
	if err != nil {
		return nil, step{}, fmt.Errorf("%w: %w", errForeign, err)
	}
	*c = s.after
	w.skip(&h)
	return e, s, nil
}

// zeros reports whether all is zero from where the walk stands to the file's end.
func (w *walk) zeros() (bool, error) {
	for at := w.at; at < w.size; {
		n := min(windowSize, w.size-at)
		b, err := w.view(at, int(n))
		if err != nil {
			return false, err
		}
		if !zero(b) {
			return false, nil
		}
		at += n
	}
	return true, nil
}

func zero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}
