package catchup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// Source is a node to fetch from.
type Source struct {
	Name   string       // for people, and to remember who lied
	URL    string       // scheme and host, without a path
	Client *http.Client // reaches only that node, authenticated
}

// What a source may do wrong. errAbsent and errBusy are answers, errUnreached is
// that there is none, errGone is that it has no more what it offered, errLie is that what it sent is not what it can be: it is not
// asked again for a while.
var (
	errUnreached = errors.New("it cannot be reached")
	errAbsent    = errors.New("it does not have that")
	errGone      = errors.New("it offered what it does not have")
	errBusy      = errors.New("it is busy")
	errSlow      = errors.New("it sends too slowly")
	errLie       = errors.New("what it sent is wrong")
)

func lie(format string, args ...any) error {
	return fmt.Errorf("%w: %w", errLie, fmt.Errorf(format, args...))
}

// answer is a response that is being read.
type answer struct {
	body   io.ReadCloser
	guard  *guard
	total  int64        // size of the whole file, -1 when it is not said
	digest *format.Hash // of the whole file, when it is said
	count  func(int)    // is told what was read
}

// Read reads, and fails with errSlow when the guard ended the request.
func (a *answer) Read(p []byte) (int, error) {
	n, err := a.body.Read(p)
	a.guard.moved.Add(int64(n))
	a.count(n)
	if err != nil && err != io.EOF {
		err = a.guard.why(err)
	}
	return n, err
}

func (a *answer) Close() error {
	a.guard.stop()
	return a.body.Close()
}

// get asks a source for a path, from an offset on. The answer must be closed.
func (f *Fetcher) get(ctx context.Context, s Source, path string, offset int64) (*answer, error) {
	g := newGuard(ctx, f.Patience, f.MinRate)
	request, err := http.NewRequestWithContext(g.ctx, http.MethodGet, s.URL+path, nil)
	if err != nil {
		g.stop()
		return nil, err
	}
	request.Header.Set("Accept-Encoding", "identity")
	if offset > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	response, err := s.Client.Do(request)
	if err != nil {
		err = fmt.Errorf("%w: %w", errUnreached, g.why(err))
		g.stop()
		return nil, err
	}
	a := &answer{body: response.Body, guard: g, total: response.ContentLength, count: f.status.read}
	if err := a.begin(response, offset); err != nil {
		a.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return a, nil
}

// begin judges a response's head.
func (a *answer) begin(r *http.Response, offset int64) error {
	switch r.StatusCode {
	case http.StatusOK:
		if offset > 0 {
			return lie("all of it instead of what follows byte %d", offset)
		}
	case http.StatusPartialContent:
		start, total, err := contentRange(r.Header.Get("Content-Range"))
		if err != nil || start != offset {
			return lie("another range than the one from byte %d", offset)
		}
		a.total = total
	case http.StatusNotFound:
		return errAbsent
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return errBusy
	case http.StatusRequestedRangeNotSatisfiable:
		return errRange
	default:
		return fmt.Errorf("status %d", r.StatusCode)
	}
	if field := r.Header.Get("Repr-Digest"); field != "" {
		d, err := parseDigest(field)
		if err != nil {
			return lie("%w", err)
		}
		a.digest = &d
	}
	return nil
}

// errRange says that what is there already is not shorter than the file.
var errRange = errors.New("nothing follows")

// contentRange reads "bytes start-end/total" (RFC 9110 14.4).
func contentRange(field string) (start, total int64, err error) {
	spec, ok := strings.CutPrefix(field, "bytes ")
	span, size, also := strings.Cut(spec, "/")
	from, _, dash := strings.Cut(span, "-")
	if !ok || !also || !dash {
		return 0, 0, errors.New("no range")
	}
	if start, err = strconv.ParseInt(from, 10, 64); err != nil {
		return 0, 0, err
	}
	total, err = strconv.ParseInt(size, 10, 64)
	return start, total, err
}

// document asks a source for a CBOR document.
func (f *Fetcher) document(ctx context.Context, s Source, path string, into any) error {
	data, err := f.small(ctx, s, path, maxDocument)
	if err != nil {
		return err
	}
	if err := format.Decode(data, into); err != nil {
		return lie("%s: %w", path, err)
	}
	return nil
}

// small asks a source for something of at most limit bytes.
func (f *Fetcher) small(ctx context.Context, s Source, path string, limit int64) ([]byte, error) {
	a, err := f.get(ctx, s, path, 0)
	if err != nil {
		return nil, err
	}
	defer a.Close()
	data, err := io.ReadAll(io.LimitReader(a, limit+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(data)) > limit:
		return nil, lie("%s has more than %d bytes", path, limit)
	}
	return data, nil
}

// guard ends a request that moves too little: a source that stands still, or
// sends a byte now and then, must not hold a node up.
type guard struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	moved  atomic.Int64
	done   chan struct{}
}

// newGuard demands least bytes a second over every stretch of patience.
func newGuard(ctx context.Context, patience time.Duration, least int64) *guard {
	g := &guard{done: make(chan struct{})}
	g.ctx, g.cancel = context.WithCancelCause(ctx)
	due := max(int64(patience.Seconds()*float64(least)), 1)
	go func() {
		ticker := time.NewTicker(patience)
		defer ticker.Stop()
		for {
			select {
			case <-g.done:
				return
			case <-g.ctx.Done():
				return
			case <-ticker.C:
				if g.moved.Swap(0) < due {
					g.cancel(errSlow)
					return
				}
			}
		}
	}()
	return g
}

func (g *guard) stop() {
	g.cancel(context.Canceled)
	select {
	case <-g.done:
	default:
		close(g.done)
	}
}

// why is the reason for which a request ended.
func (g *guard) why(err error) error {
	if errors.Is(context.Cause(g.ctx), errSlow) {
		return errSlow
	}
	return err
}
