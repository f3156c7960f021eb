package verify

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// judge decides what a place without an intact frame is. If an intact block
// behind it names a height as committed that the log does not reach, what is
// missing was committed and its loss is damage. Otherwise the log ends there, as
// it does after a crash.
func (c *check) judge(ctx context.Context, r *reader) error {
	s := r.stop
	reason := s.reason
	for i := r.at; i < len(r.chunks); i++ {
		from := int64(0)
		if i == r.at {
			from = s.offset
		}
		b, err := r.behind(ctx, &r.chunks[i], from, c.blocks)
		if err != nil {
			return err
		}
		if b != "" {
			e := &entry{place: s.place}
			e.Index = c.index + 1
			c.fail(e, FrameDamaged, "%s; %s", reason, b)
			return nil
		}
	}
	c.tail = &Tail{Chunk: s.chunk.name, Offset: s.offset, Entry: c.index + 1, Height: c.blocks, Reason: reason}
	return nil
}

// behind looks behind an offset of a chunk for an intact block that names block
// height or a later one as committed, and says so. Every place of a hostile file may look
// like a long frame, so the bytes read are bounded; a file that exceeds the
// bound, which no damage brings about, counts as damaged.
func (r *reader) behind(ctx context.Context, c *chunk, from int64, height uint64) (string, error) {
	file, err := r.fsys.Open(c.name)
	if err != nil {
		return "", fmt.Errorf("open %s: %w", c.name, err)
	}
	defer file.Close()
	in, ok := file.(io.ReaderAt)
	if !ok {
		return "", fmt.Errorf("read %s: its file system gives no io.ReaderAt", c.name)
	}
	head := make([]byte, format.FrameHead)
	budget := 4*c.size + format.MaxBody
	for at := from; at+format.FrameAlign <= c.size; {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		if _, err := in.ReadAt(head, at); err != nil {
			return "", fmt.Errorf("read %s at byte %d: %w", c.name, at, err)
		}
		f, err := format.ParseFrameHead(head)
		if err != nil || f.Kind != format.EntryBlock || at+format.FrameSize(f.Length) > c.size {
			at += format.FrameAlign
			continue
		}
		if budget -= int64(f.Length); budget < 0 {
			return fmt.Sprintf("too much in %s looks like frames", c.name), nil
		}
		body := make([]byte, f.Length)
		if _, err := in.ReadAt(body, at+format.FrameHead); err != nil {
			return "", fmt.Errorf("read %s at byte %d: %w", c.name, at, err)
		}
		if _, err := f.Entry(body); err != nil {
			at += format.FrameAlign
			continue
		}
		h, err := format.PeekHeader(body)
		if errors.Is(err, format.ErrNewer) {
			return fmt.Sprintf("behind it, in %s, lies a block in a format that this build does not read", c.name), nil
		}
		if err == nil && h.Prefix == f.Previous && h.Height > 0 && h.Committed >= height {
			return fmt.Sprintf("block %d behind it, in %s, names block %d as committed", h.Height, c.name, h.Committed), nil
		}
		at += format.FrameSize(f.Length)
	}
	return "", nil
}
