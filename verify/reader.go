package verify

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

const chunkPrefix = "chunk-"

// chunk is one file of the log.
type chunk struct {
	name  string
	first uint64 // index of its first entry, by its name
	size  int64
}

// reader reads the frames of all chunks in order, up to the first place where no
// intact frame lies.
type reader struct {
	fsys   fs.FS
	chunks []chunk
	total  int64
	done   int64

	at     int // number of the chunk being read
	file   fs.File
	in     *bufio.Reader
	offset int64
	ended  bool  // nothing more is read: see stop
	stop   *stop // why, nil at a clean end
}

// place is where a frame lies.
type place struct {
	chunk  *chunk
	offset int64
	last   bool // chunk is the last one
}

// stop is a place where no intact frame lies although the log does not end
// cleanly there.
type stop struct {
	place
	reason string
}

// openLog lists the chunks. Files of other names are none of the log's.
func openLog(fsys fs.FS) (*reader, error) {
	list, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("list the ledger's directory: %w", err)
	}
	r := &reader{fsys: fsys}
	for _, item := range list {
		digits, ok := strings.CutPrefix(item.Name(), chunkPrefix)
		first, err := strconv.ParseUint(digits, 10, 64)
		if !ok || err != nil || fmt.Sprintf("%020d", first) != digits || !item.Type().IsRegular() {
			continue
		}
		info, err := item.Info()
		if err != nil {
			return nil, fmt.Errorf("size of %s: %w", item.Name(), err)
		}
		r.chunks = append(r.chunks, chunk{name: item.Name(), first: first, size: info.Size()})
		r.total += info.Size()
	}
	slices.SortFunc(r.chunks, func(a, b chunk) int { return strings.Compare(a.name, b.name) })
	return r, nil
}

// read gives the next entries, and whether there may be more.
func (r *reader) read() (batch []*entry, more bool, err error) {
	for size := 0; size < batchBytes && len(batch) < batchEntries; {
		e, err := r.next()
		if err != nil {
			return nil, false, err
		}
		if e == nil {
			return batch, false, nil
		}
		size += len(e.body)
		batch = append(batch, e)
	}
	return batch, true, nil
}

// next gives the next intact frame, nil at the end.
func (r *reader) next() (*entry, error) {
	for !r.ended {
		if r.at == len(r.chunks) {
			r.ended = true
			break
		}
		c := &r.chunks[r.at]
		if r.file == nil {
			file, err := r.fsys.Open(c.name)
			if err != nil {
				return nil, fmt.Errorf("open %s: %w", c.name, err)
			}
			r.file, r.in, r.offset = file, bufio.NewReaderSize(file, 256<<10), 0
		}
		e, err := r.frame(c)
		if err != nil || e != nil {
			return e, err
		}
		if r.ended {
			break
		}
		r.close()
		r.at++
	}
	return nil, nil
}

// frame reads one frame. It gives nil at the end of the chunk, and where the
// reading stops, which it notes.
func (r *reader) frame(c *chunk) (*entry, error) {
	left := c.size - r.offset
	if left <= 0 {
		return nil, nil
	}
	e := &entry{place: place{c, r.offset, r.at == len(r.chunks)-1}}
	head := make([]byte, min(left, format.FrameHead))
	if err := r.fill(c, head); err != nil {
		return nil, err
	}
	if zero(head) {
		return nil, r.zeros(e.place)
	}
	var err error
	if e.FrameHeader, err = format.ParseFrameHead(head); err != nil {
		return r.bad(e, err)
	}
	if format.FrameSize(e.Length) > left {
		return r.bad(e, format.ErrFormat.From(fmt.Errorf("the file ends inside the frame")))
	}
	e.body = make([]byte, format.FrameSize(e.Length)-format.FrameHead)
	if err := r.fill(c, e.body); err != nil {
		return nil, err
	}
	padding := e.body[e.Length:]
	e.body = e.body[:e.Length:e.Length]
	if _, err := e.FrameHeader.Entry(e.body); err != nil {
		return r.bad(e, err)
	}
	if !zero(padding) {
		return r.bad(e, format.ErrFormat.From(fmt.Errorf("padding other than zeros")))
	}
	return e, nil
}

func (r *reader) bad(e *entry, why error) (*entry, error) {
	r.ended = true
	r.stop = &stop{e.place, errors.Unwrap(why).Error()}
	return nil, nil
}

// zeros judges zeros where a frame could begin. In the last chunk they are room
// for more if nothing else follows; an older chunk is cut to its last frame.
func (r *reader) zeros(at place) error {
	buffer := make([]byte, 64<<10)
	clean := at.last
	for left := at.chunk.size - r.offset; clean && left > 0; left = at.chunk.size - r.offset {
		part := buffer[:min(left, int64(len(buffer)))]
		if err := r.fill(at.chunk, part); err != nil {
			return err
		}
		clean = zero(part)
	}
	r.ended = true
	switch {
	case !at.last:
		r.stop = &stop{at, "the chunk is not cut to its last frame, or a frame is zeros"}
	case !clean:
		r.stop = &stop{at, "zeros where a frame is due, and more behind them"}
	}
	return nil
}

// fill reads exactly len(b) bytes.
func (r *reader) fill(c *chunk, b []byte) error {
	if _, err := io.ReadFull(r.in, b); err != nil {
		return fmt.Errorf("read %s at byte %d: %w", c.name, r.offset, err)
	}
	r.offset += int64(len(b))
	r.done += int64(len(b))
	return nil
}

func (r *reader) close() {
	if r.file != nil {
		r.file.Close() // only read from
		r.file = nil
	}
}

var zeroBlock [4096]byte

func zero(b []byte) bool {
	for ; len(b) > len(zeroBlock); b = b[len(zeroBlock):] {
		if !bytes.Equal(b[:len(zeroBlock)], zeroBlock[:]) {
			return false
		}
	}
	return bytes.Equal(b, zeroBlock[:len(b)])
}
