package catchup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/snapshot"
)

func ask(h http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	if len(header) > 0 {
		r.Header.Set(header[0], header[1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestOnlyCommittedIsServed asks for everything about every entry and looks for
// what is behind the last committed one.
func TestOnlyCommittedIsServed(t *testing.T) {
	d := newDonor(t, crash.New())
	d.chunks(2, 2)
	d.transaction(false)
	d.commit()
	committed := d.committed
	d.chunks(1, 2) // closed, but not committed
	d.transaction(false)
	d.committed = committed
	s := d.server()
	for index := uint64(0); index < d.log.Head().LastIndex+3; index++ {
		entries := ask(s, fmt.Sprintf(pathEntries, index))
		chunk := ask(s, fmt.Sprintf(pathChunk, index))
		prefix := ask(s, fmt.Sprintf(pathPrefix, index))
		file := ask(s, fmt.Sprintf(pathChunks, index))
		if index > committed || index == 0 {
			if entries.Code != 404 || chunk.Code != 404 || file.Code != 404 || prefix.Code != 404 && index > 0 {
				t.Errorf("entry %d: %d %d %d %d", index, entries.Code, chunk.Code, prefix.Code, file.Code)
			}
			continue
		}
		r := &frames{from: entries.Body, index: index, loose: true}
		last := index - 1
		for e, _, err := r.next(); err != io.EOF; e, _, err = r.next() {
			must(t, err)
			last = e.Index
		}
		var c Chunk
		must(t, format.Decode(chunk.Body.Bytes(), &c))
		if last != committed || c.Last > committed || c.Closed && c.Last > committed || (file.Code == 200) != (c.Closed && c.First == index) {
			t.Errorf("entry %d: served up to %d, chunk %+v, file %d", index, last, c, file.Code)
		}
	}
	var p Position
	must(t, format.Decode(ask(s, pathPosition).Body.Bytes(), &p))
	if want, _ := d.log.Prefix(committed); p.Index != committed || p.Prefix != want {
		t.Errorf("%+v", p)
	}
}

// TestNothingElseIsServed: no snapshot without a receipt, no other file, nobody who
// is not allowed, nothing but reading.
func TestNothingElseIsServed(t *testing.T) {
	d, height := example(t)
	must(t, disk.MakeDir(d.fs, "node/keys"))
	must(t, disk.WriteFile(d.fs, "node/keys/bundle-1", []byte("SECRET")))
	must(t, disk.WriteFile(d.fs, snapshotDir+"/"+snapshot.FileName(height+1, snapshot.Frames), []byte("SECRET")))
	must(t, disk.WriteFile(d.fs, snapshotDir+"/"+snapshot.FileName(height+1, snapshot.Content), []byte("SECRET")))
	s := d.server()
	for _, path := range []string{
		"/", "/node/keys/bundle-1", Path, Path + "../node/keys/bundle-1", Path + "chunks/..%2f..%2fkeys%2fbundle-1", Path + "snapshots/..%2fkeys/bundle-1",
		Path + "snapshots/1/../../../node/keys/bundle-1", Path + "snapshots/-1/frames", Path + "snapshots/99999999999999999999999/frames",
		Path + "chunks/+1", Path + "chunks/0x1", Path + "chunks/", Path + "entries/", Path + "entries/x",
		fmt.Sprintf(pathSnapshot, height, "../../keys/bundle-1"), fmt.Sprintf(pathSnapshot, height, "new"),
		fmt.Sprintf(pathSnapshot, height+1, partFrames), fmt.Sprintf(pathSnapshot, height+1, partManifest), fmt.Sprintf(pathSnapshot, height+1, partReceipt),
	} {
		if w := ask(s, path); w.Code == http.StatusOK || strings.Contains(w.Body.String(), "SECRET") {
			t.Errorf("%s: %d %q", path, w.Code, w.Body)
		}
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, pathPosition, nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("a write: %d", w.Code)
	}
	for name, allow := range map[string]func(*http.Request) error{"no rule": nil, "refused": func(*http.Request) error { return errors.New("a stranger") }} {
		c := d.server().config
		c.Allow = allow
		if w := ask(NewServer(c), pathPosition); w.Code != http.StatusForbidden || strings.Contains(w.Body.String(), "stranger") {
			t.Errorf("%s: %d %q", name, w.Code, w.Body)
		}
	}
}

// TestRangesAndDigests: a file in parts is the file, and its digest that of the whole.
func TestRangesAndDigests(t *testing.T) {
	d, _ := example(t)
	s := d.server()
	whole := ask(s, fmt.Sprintf(pathChunks, 1))
	data := files(t, d.fs, ledgerDir, "chunk-00000000000000000001")
	if !bytes.Equal(whole.Body.Bytes(), data["chunk-00000000000000000001"]) {
		t.Fatal("the file is another")
	}
	part := ask(s, fmt.Sprintf(pathChunks, 1), "Range", "bytes=100-")
	if part.Code != http.StatusPartialContent || !bytes.Equal(part.Body.Bytes(), whole.Body.Bytes()[100:]) ||
		part.Header().Get("Repr-Digest") != whole.Header().Get("Repr-Digest") {
		t.Fatalf("%d, %v", part.Code, part.Header())
	}
	if start, total, err := contentRange(part.Header().Get("Content-Range")); err != nil || start != 100 || total != int64(whole.Body.Len()) {
		t.Fatal(start, total, err)
	}
	if w := ask(s, fmt.Sprintf(pathChunks, 1), "Range", fmt.Sprintf("bytes=%d-", whole.Body.Len())); w.Code != http.StatusRequestedRangeNotSatisfiable {
		t.Fatal(w.Code)
	}
}

// A snapshot that is deleted under a reader is read to its end; the next request
// finds it gone.
func TestSnapshotDeletedUnderAReader(t *testing.T) {
	d, height := example(t)
	s := d.server()
	want := files(t, d.fs, snapshotDir, snapshot.FileName(height, snapshot.Frames))
	w := &deleting{ResponseRecorder: httptest.NewRecorder(), first: func() { must(t, d.store.Delete(height)) }}
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, fmt.Sprintf(pathSnapshot, height, partFrames), nil))
	if !bytes.Equal(w.Body.Bytes(), want[snapshot.FileName(height, snapshot.Frames)]) {
		t.Fatal("the file changed under its reader")
	}
	if w := ask(s, fmt.Sprintf(pathSnapshot, height, partFrames)); w.Code != http.StatusNotFound {
		t.Fatal(w.Code)
	}
}

type deleting struct {
	*httptest.ResponseRecorder
	once  sync.Once
	first func()
}

func (d *deleting) Write(p []byte) (int, error) {
	d.once.Do(d.first)
	return d.ResponseRecorder.Write(p)
}

// TestLimits holds transfers open: one more is told to come back, of the same node
// and of others, and there is room again when one ends.
func TestLimits(t *testing.T) {
	d, _ := example(t)
	c := d.server().config
	c.Limits = Limits{Transfers: 3, PeerTransfers: 2}
	entered, release := make(chan struct{}), make(chan struct{})
	var hold atomic.Bool
	hold.Store(true)
	committed := c.Committed
	c.Committed = func() (uint64, uint64) {
		if hold.Load() {
			entered <- struct{}{}
			<-release
		}
		return committed()
	}
	c.Peer = func(r *http.Request) string { return r.Header.Get("From") }
	s := NewServer(c)
	var open sync.WaitGroup
	for range 2 {
		open.Go(func() {
			if w := ask(s, pathPosition, "From", "a"); w.Code != 200 {
				t.Errorf("%d", w.Code)
			}
		})
		<-entered
	}
	if w := ask(s, pathPosition, "From", "a"); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("a third transfer of a node: %d", w.Code)
	}
	hold.Store(false)
	close(release)
	open.Wait()
	if w := ask(s, pathPosition, "From", "c"); w.Code != 200 {
		t.Errorf("%d", w.Code)
	}
	g := newGate(Limits{Transfers: 3, PeerTransfers: 2})
	var in []*peer
	for _, step := range []struct {
		who string
		ok  bool
	}{{"a", true}, {"a", true}, {"a", false}, {"b", true}, {"b", false}, {"c", false}} {
		p, ok := g.enter(step.who)
		if ok != step.ok {
			t.Fatalf("%+v", step)
		}
		if ok {
			in = append(in, p)
		}
	}
	g.leave(in[0])
	if _, ok := g.enter("c"); !ok {
		t.Fatal("no room after a transfer ended")
	}
	for i := range 3 * maxPeers {
		if p, ok := g.enter(fmt.Sprint(i)); ok {
			g.leave(p)
		}
	}
	if len(g.peers) > maxPeers {
		t.Fatalf("%d idle nodes are remembered", len(g.peers))
	}
}

// TestRate: what a bucket does not hold is not written until it is filled again.
func TestRate(t *testing.T) {
	for _, l := range []Limits{{Rate: 1, PeerRate: -1}, {Rate: -1, PeerRate: 1}} {
		g := newGate(l)
		p, _ := g.enter("a")
		ctx, cancel := context.WithCancel(t.Context())
		w := &deleting{ResponseRecorder: httptest.NewRecorder(), first: cancel} // after the first slice
		n, err := (&throttled{w, ctx, g, p}).Write(make([]byte, 3*slice))
		if n != slice || !errors.Is(err, context.Canceled) {
			t.Fatalf("wrote %d, %v", n, err)
		}
	}
}

// serve runs a handler on loopback and gives its source.
func serve(t testing.TB, name string, h http.Handler) Source {
	s := httptest.NewServer(h)
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		s.CloseClientConnections()
		s.Close()
	})
	return Source{Name: name, URL: s.URL, Client: client}
}

// cutting ends the connection after some bytes of an answer.
type cutting struct {
	http.ResponseWriter
	left int
}

func (c *cutting) Write(p []byte) (int, error) {
	if c.left < len(p) {
		c.ResponseWriter.Write(p[:c.left])
		panic(http.ErrAbortHandler)
	}
	c.left -= len(p)
	return c.ResponseWriter.Write(p)
}

// TestCutConnections ends every answer after a part of a snapshot: the fetch goes
// on where it was, in this process and in the next.
func TestCutConnections(t *testing.T) {
	d := newDonor(t, crash.New())
	d.transaction(false)
	d.chunks(1, 3)
	height := d.snapshot(9000) // some frames
	d.transaction(false)
	d.pad = 200 << 10
	d.chunks(1, 8)
	inner := d.server()
	var resumed atomic.Int64
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") != "" {
			resumed.Add(1)
		}
		inner.ServeHTTP(&cutting{w, 5 << 18}, r)
	})
	fs := crash.New()
	f := d.fetcher(fs, serve(t, "cutting", h))
	f.Rounds = 2
	if _, err := f.Snapshot(t.Context()); !errors.Is(err, ErrSources) {
		t.Fatal(err) // a frame a round, and there are more
	}
	f = d.fetcher(fs, serve(t, "cutting", h))
	f.Rounds = 100
	log, _, err := join(t, f, fs)
	must(t, err)
	must(t, d.sameAs(t, fs, log, height))
	if resumed.Load() < 3 {
		t.Fatalf("%d answers continued an earlier one", resumed.Load())
	}
	if len(f.distant) > 0 {
		t.Fatal("a cut connection is taken for a lie")
	}
}

// A node that stands still in the middle of an answer is left for another one.
func TestSlowDonor(t *testing.T) {
	d, height := example(t)
	inner := d.server()
	var stuck atomic.Int64
	slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, partFrames) || strings.Contains(r.URL.Path, "entries") || strings.Contains(r.URL.Path, "chunks") {
			stuck.Add(1)
			w.Write(nil)
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return
		}
		inner.ServeHTTP(w, r)
	})
	fs := crash.New()
	f := d.fetcher(fs, serve(t, "slow", slow), d.source())
	f.Patience = 20 * time.Millisecond
	log, _, err := join(t, f, fs)
	must(t, err)
	must(t, d.sameAs(t, fs, log, height))
	if stuck.Load() == 0 {
		t.Fatal("the slow node was never asked")
	}
	alone := d.fetcher(crash.New(), serve(t, "slow", slow))
	alone.Patience, alone.Rounds = 20*time.Millisecond, 1
	if _, err := alone.Snapshot(t.Context()); !errors.Is(err, errSlow) {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := alone.Snapshot(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// A snapshot that is replaced while it is fetched is fetched anew.
func TestSnapshotReplacedWhileItIsFetched(t *testing.T) {
	d, height := example(t)
	inner := d.server()
	var newest uint64
	var once sync.Once
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, partFrames) {
			once.Do(func() {
				for range 3 {
					d.transaction(false)
					newest = d.snapshot(30)
				}
			})
		}
		inner.ServeHTTP(w, r)
	})
	fs := crash.New()
	log, s, err := join(t, d.fetcher(fs, source("donor", h)), fs)
	must(t, err)
	if got := s.Manifest.Meta.Height; got == height || got != newest {
		t.Fatalf("the snapshot of block %d, the newest is of %d", got, newest)
	}
	must(t, d.sameAs(t, fs, log, newest))
}
