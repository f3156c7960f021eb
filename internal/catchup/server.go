package catchup

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/ledger"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/snapshot"
	"github.com/coco-consortium/coco/internal/problem"
)

// Config is what a server serves, and to whom.
type Config struct {
	Log       *ledger.Log
	FS        disk.FS
	Snapshots string // directory of the snapshots in FS
	// Committed is the last committed entry and the height of the last committed
	// block. Nothing behind that entry is served.
	Committed func() (index, height uint64)
	// Allow says why a request is not to be served. Without it none is.
	Allow func(*http.Request) error
	// Peer names the node that asks, for the limits; by default its host address.
	Peer   func(*http.Request) string
	Limits Limits
}

// Server is the http.Handler below Path.
type Server struct {
	config Config
	gate   *gate
	mux    *http.ServeMux

	mu      sync.Mutex
	digests map[uint64]format.Hash // of chunks, by first entry
}

const (
	maxDigests = 4096     // remembered
	burst      = 8 << 20  // bytes of entries in one answer, about
	readAtOnce = 1 << 20  // bytes of entries read at a time
	maxRecord  = 64 << 20 // bytes of a record
)

// NewServer makes a server.
func NewServer(c Config) *Server {
	if c.Peer == nil {
		c.Peer = func(r *http.Request) string {
			host, _, err := net.SplitHostPort(r.RemoteAddr)
			if err != nil {
				return r.RemoteAddr
			}
			return host
		}
	}
	s := &Server{config: c, gate: newGate(c.Limits), mux: http.NewServeMux(), digests: map[uint64]format.Hash{}}
	for pattern, handle := range map[string]func(http.ResponseWriter, *http.Request) error{
		"position":                  s.position,
		"prefix/{number}":           s.prefix,
		"chunk/{number}":            s.chunk,
		"chunks/{number}":           s.chunkFile,
		"entries/{number}":          s.entries,
		"snapshots":                 s.snapshots,
		"snapshots/{number}/{part}": s.snapshotPart,
	} {
		s.mux.HandleFunc("GET "+Path+pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := handle(w, r); err != nil {
				refuse(w, err)
			}
		})
	}
	return s
}

// ServeHTTP serves an allowed request when there is room for it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.config.Allow == nil || s.config.Allow(r) != nil {
		refuse(w, ErrRefused)
		return
	}
	p, ok := s.gate.enter(s.config.Peer(r))
	if !ok {
		w.Header().Set("Retry-After", "1")
		refuse(w, ErrBusy)
		return
	}
	defer s.gate.leave(p)
	s.mux.ServeHTTP(&throttled{w, r.Context(), s.gate, p}, r)
}

// refuse answers with a problem's code; what caused it stays here.
func refuse(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	code := problem.CodeOf(err)
	switch code {
	case ledger.ErrAbsent.Code, ledger.ErrDamaged.Code:
		status = http.StatusNotFound
	case ErrRefused.Code:
		status = http.StatusForbidden
	case ErrBusy.Code, ledger.ErrClosed.Code:
		status = http.StatusServiceUnavailable
	}
	http.Error(w, string(code), status)
}

func notHere(format string, args ...any) error {
	return ledger.ErrAbsent.From(fmt.Errorf(format, args...))
}

// number is the number in a request's path.
func number(r *http.Request) (uint64, error) {
	n, err := strconv.ParseUint(r.PathValue("number"), 10, 64)
	if err != nil {
		return 0, notHere("not a number")
	}
	return n, nil
}

func document(w http.ResponseWriter, v any) error {
	w.Header().Set("Content-Type", "application/cbor")
	w.Header().Set("Cache-Control", "no-store")
	_, err := w.Write(format.Encode(v))
	return ignore(err)
}

// ignore drops an error of writing the answer: nobody is left to tell.
func ignore(error) error { return nil }

func (s *Server) position(w http.ResponseWriter, _ *http.Request) error {
	index, height := s.config.Committed()
	prefix, err := s.config.Log.Prefix(index)
	if err != nil {
		return err
	}
	return document(w, Position{First: s.config.Log.First(), Index: index, Prefix: prefix, Height: height})
}

// committed is the number in the path, if it is that of a committed entry.
func (s *Server) committed(r *http.Request) (index, last uint64, err error) {
	if index, err = number(r); err != nil {
		return 0, 0, err
	}
	if last, _ = s.config.Committed(); index > last {
		return 0, 0, notHere("entry %d is not committed here", index)
	}
	return index, last, nil
}

func (s *Server) prefix(w http.ResponseWriter, r *http.Request) error {
	index, _, err := s.committed(r)
	if err != nil {
		return err
	}
	p, err := s.config.Log.Prefix(index)
	if err != nil {
		return err
	}
	return document(w, Prefix{Hash: p})
}

func (s *Server) chunk(w http.ResponseWriter, r *http.Request) error {
	index, last, err := s.committed(r)
	if err != nil {
		return err
	}
	c, err := s.config.Log.Chunk(index)
	if err != nil {
		return err
	}
	answer := Chunk{First: c.First, Last: min(c.Last, last)}
	if c.Closed && c.Last <= last {
		file, _, err := s.config.Log.OpenChunk(c.First)
		if err != nil {
			return err
		}
		defer file.Close()
		size, err := file.Size()
		if err != nil {
			return err
		}
		answer.Closed, answer.Size = true, uint64(size)
	}
	return document(w, answer)
}

func (s *Server) chunkFile(w http.ResponseWriter, r *http.Request) error {
	first, last, err := s.committed(r)
	if err != nil {
		return err
	}
	file, c, err := s.config.Log.OpenChunk(first)
	if err != nil {
		return err
	}
	defer file.Close()
	if c.Last > last {
		return notHere("chunk %d is not committed here", first)
	}
	digest, err := s.digest(first, file)
	if err != nil {
		return err
	}
	return serveFile(w, r, file, &digest)
}

// digest is a chunk's SHA-256. Committed chunks do not change.
func (s *Server) digest(first uint64, file disk.File) (format.Hash, error) {
	s.mu.Lock()
	known, ok := s.digests[first]
	s.mu.Unlock()
	if ok {
		return known, nil
	}
	size, err := file.Size()
	if err != nil {
		return known, err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(file, 0, size)); err != nil {
		return known, err
	}
	known = format.Hash(sum.Sum(nil))
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.digests) >= maxDigests {
		clear(s.digests)
	}
	s.digests[first] = known
	return known, nil
}

// serveFile serves a file or a range of it.
func serveFile(w http.ResponseWriter, r *http.Request, file disk.File, digest *format.Hash) error {
	size, err := file.Size()
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Cache-Control", "no-store")
	if digest != nil {
		h.Set("Repr-Digest", reprDigest(*digest))
		h.Set("ETag", fmt.Sprintf(`"%x"`, *digest))
	}
	http.ServeContent(w, r, "", time.Time{}, io.NewSectionReader(file, 0, size))
	return nil
}

// entries streams frames up to the last committed entry, or about burst bytes.
func (s *Server) entries(w http.ResponseWriter, r *http.Request) error {
	index, last, err := s.committed(r)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "no-store")
	for sent := 0; index <= last && sent < burst; {
		frames, count, err := s.config.Log.Frames(index, last+1, readAtOnce)
		if err != nil && sent > 0 {
			return ignore(err) // what was sent is whole; whoever asks for more is told
		}
		if err != nil {
			return err
		}
		if _, err := w.Write(frames); err != nil {
			return ignore(err)
		}
		index, sent = index+count, sent+len(frames)
	}
	return nil
}

func (s *Server) snapshots(w http.ResponseWriter, _ *http.Request) error {
	usable, _ := snapshot.List(s.config.FS, s.config.Snapshots)
	list := make([]Snapshot, 0, len(usable))
	for _, u := range usable[:min(len(usable), snapshot.Keep)] {
		list = append(list, Snapshot{Height: u.Manifest.Meta.Height, Digest: u.Digest})
	}
	return document(w, list)
}

// snapshotPart serves a file of a snapshot with a receipt. A file that is being
// read stays readable when the snapshot is deleted; a later request for it is
// answered with 404, and the node that asks begins with the newer one.
func (s *Server) snapshotPart(w http.ResponseWriter, r *http.Request) error {
	height, err := number(r)
	if err != nil {
		return err
	}
	receipt, err := disk.ReadFile(s.config.FS, s.file(height, snapshot.Evidence), snapshot.MaxReceipt)
	if err != nil {
		return notHere("no snapshot of block %d", height)
	}
	var data []byte
	switch r.PathValue("part") {
	case partReceipt:
		data = receipt
	case partManifest:
		data, err = disk.ReadFile(s.config.FS, s.file(height, snapshot.Content), snapshot.MaxManifest)
	case partRecord:
		data, err = s.record(receipt)
	case partFrames:
		file, err := s.config.FS.OpenRead(s.file(height, snapshot.Frames))
		if err != nil {
			return notHere("no snapshot of block %d", height)
		}
		defer file.Close()
		return serveFile(w, r, file, nil)
	default:
		err = errors.New("no such part")
	}
	if err != nil {
		return notHere("snapshot of block %d: %w", height, err)
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Repr-Digest", reprDigest(sha256.Sum256(data)))
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	_, err = w.Write(data)
	return ignore(err)
}

func (s *Server) file(height uint64, part snapshot.Part) string {
	return s.config.Snapshots + "/" + snapshot.FileName(height, part)
}

// record is the committed record, as stored, that a receipt is of.
func (s *Server) record(receipt []byte) ([]byte, error) {
	stored, index, _, err := recordOf(receipt, s.config.Log)
	if err != nil {
		return nil, err
	}
	if last, _ := s.config.Committed(); index > last || len(stored) > maxRecord {
		return nil, notHere("entry %d is not committed here", index)
	}
	return stored, nil
}
