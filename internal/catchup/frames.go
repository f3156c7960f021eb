package catchup

import (
	"errors"
	"fmt"
	"io"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// frames reads entries from a stream of frames. It holds one frame at a time.
type frames struct {
	from   io.Reader
	index  uint64      // of the next entry
	prefix format.Hash // before it
	loose  bool        // the first frame tells its index's prefix hash
}

// next gives the next entry and the prefix hash before it. The entry is the
// caller's. It fails with io.EOF at the end of a frame, and with errLie when the
// bytes are not the frame of the entry that is due.
func (r *frames) next() (*format.Entry, format.Hash, error) {
	var none format.Hash
	var head [format.FrameHead]byte
	if _, err := io.ReadFull(r.from, head[:]); err != nil {
		return nil, none, cut(err)
	}
	h, err := format.ParseFrameHead(head[:])
	switch {
	case err != nil:
		return nil, none, lie("%w", err)
	case h.Index != r.index:
		return nil, none, lie("entry %d where entry %d is due", h.Index, r.index)
	case !r.loose && h.Previous != r.prefix:
		return nil, none, fmt.Errorf("entry %d: %w", h.Index, ErrDiverges)
	}
	body, err := readBody(r.from, h.Length)
	if err != nil {
		return nil, none, err
	}
	e, err := h.Entry(body)
	if err != nil {
		return nil, none, lie("%w", err)
	}
	r.loose, r.index, r.prefix = false, r.index+1, format.NextPrefix(h.Previous, e)
	return e, h.Previous, nil
}

// readBody reads a body and the padding behind it. Memory grows with what has
// come, not with what a head promises.
func readBody(from io.Reader, length int) ([]byte, error) {
	size := int(format.FrameSize(length)) - format.FrameHead
	const step = 1 << 20
	data := make([]byte, 0, min(size, step))
	for len(data) < size {
		n := min(size-len(data), step)
		data = append(data, make([]byte, n)...)
		if _, err := io.ReadFull(from, data[len(data)-n:]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, cut(err)
		}
	}
	for _, b := range data[length:] {
		if b != 0 {
			return nil, lie("padding other than zeros")
		}
	}
	return data[:length:length], nil
}

// cut names an answer that ends inside a frame: the connection broke, or the
// source is confused. It is asked again.
func cut(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("its answer ends inside a frame: %w", err)
	}
	return err
}
