package catchup

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/ledger"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/ledger/lineage"
	"github.com/coco-consortium/coco/internal/ledger/snapshot"
	"github.com/coco-consortium/coco/internal/proof"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"))
}

const (
	ledgerDir   = "node/ledger"
	snapshotDir = "node/snapshot"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// logOptions make every run the same.
func logOptions() ledger.Options {
	return ledger.Options{Ahead: 4 << 10, ChunkBytes: 1 << 20, Inline: true, OpenChunks: 2, Now: func() time.Time { return time.Unix(1000, 0) }}
}

func openLog(t testing.TB, f disk.FS) *ledger.Log {
	t.Helper()
	l, err := ledger.Open(f, ledgerDir, logOptions())
	must(t, err)
	return l
}

var testService = format.ServiceID{1, 2, 3}

// donor is a node with a ledger of signed blocks.
type donor struct {
	t       testing.TB
	fs      disk.FS
	log     *ledger.Log
	tiles   *ledger.Tiles
	state   *kv.Store
	store   *snapshot.Store
	service *ecdsa.PrivateKey
	node    *ecdsa.PrivateKey
	writer  proof.Writer
	tree    proof.Frontier
	block   format.Hash // hash of the last block
	height  uint64      // blocks so far
	term    uint64

	committed uint64 // index, and that many blocks
	blocks    uint64
	pad       int // bytes of a record beyond its frame
}

func newKey(t testing.TB) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := keys.NewSigner()
	must(t, err)
	return key, keys.SPKI(&key.PublicKey)
}

// newDonor begins a ledger.
func newDonor(t testing.TB, fs disk.FS) *donor {
	t.Helper()
	d := &donor{t: t, fs: fs, term: 2, pad: 700}
	var service, node []byte
	d.service, service = newKey(t)
	d.node, node = newKey(t)
	d.writer = proof.Writer{Service: testService, Mode: format.ModeSimulated, RaftID: 1, Key: node, Chain: []proof.ServiceKey{{Key: service}}}
	var err error
	d.writer.Endorsement, err = proof.Endorse(d.service, proof.Subject{Service: testService, Mode: format.ModeSimulated, Purpose: proof.PurposeNode, Key: node, Number: 1})
	must(t, err)
	d.log = openLog(t, fs)
	d.tiles = ledger.NewTiles(fs, ledgerDir)
	d.state, err = kv.New(kv.Table{Name: "eth.accounts", Kind: kv.Ordered})
	must(t, err)
	d.store, err = snapshot.Open(fs, snapshotDir)
	must(t, err)
	return d
}

func (d *donor) trust() proof.Trust {
	key, err := proof.ParseKey(keys.SPKI(&d.service.PublicKey))
	must(d.t, err)
	return proof.Trust{Service: key, AllowSimulated: true}
}

// write appends a block of records with public writes, and gives the receipts'
// parts of its first record.
func (d *donor) write(kind format.RecordKind, chunkEnd bool, writes ...format.Write) (header, signature, stored []byte, evidence format.Hash) {
	d.t.Helper()
	head := d.log.Head()
	seqno := d.tree.Size() + 1
	evidence = sha256.Sum256(binary.BigEndian.AppendUint64([]byte("evidence"), seqno))
	prelude := format.Prelude{Format: format.Founding, View: d.term, Seqno: seqno, Kind: kind, Effects: []format.Effect{}, Evidence: sha256.Sum256(evidence[:])}
	record := format.Record{Prelude: format.Encode(&prelude), Public: format.Encode(append([]format.Write{}, writes...)), Sealed: []format.Sealed{}}
	stored = record.Encode()
	leaf := proof.Leaf(sha256.Sum256(stored), prelude.Evidence, prelude.Claims)
	d.tree.Append(leaf)
	must(d.t, d.tiles.Append(leaf))
	h := format.Header{Format: format.Founding, Height: d.height, View: d.term, FirstSeqno: seqno, Count: 1, TreeSize: seqno, Root: d.tree.Root(),
		Previous: d.block, Prefix: head.Prefix, Time: seqno, Writer: sha256.Sum256(d.writer.Key), ChunkEnd: chunkEnd}
	if d.height > 0 {
		h.Committed = min(max(d.blocks, 1), d.height) - 1
	}
	header = h.Encode()
	signature, err := proof.SignRoot(d.node, h.Writer, testService, header, h.Root)
	must(d.t, err)
	b := format.Block{Header: header, Signature: signature, Records: [][]byte{stored}}
	must(d.t, d.log.Append([]format.Entry{{Index: head.LastIndex + 1, Term: d.term, Kind: format.EntryBlock, Body: b.Encode()}}))
	d.block, d.height = sha256.Sum256(header), d.height+1
	return header, signature, stored, evidence
}

func (d *donor) transaction(chunkEnd bool) {
	d.t.Helper()
	value := bytes.Repeat([]byte{byte(d.height)}, d.pad)
	d.write(format.KindTransaction, chunkEnd, format.Write{Table: "public:x", Key: []byte("k"), Value: value})
}

// empty appends an entry that Raft makes at an election.
func (d *donor) empty() {
	d.t.Helper()
	d.term++
	must(d.t, d.log.Append([]format.Entry{{Index: d.log.Head().LastIndex + 1, Term: d.term, Kind: format.EntryRaftEmpty}}))
}

// commit makes all that is appended durable and committed.
func (d *donor) commit() {
	d.t.Helper()
	must(d.t, d.log.Sync())
	d.committed, d.blocks = d.log.Head().LastIndex, d.height
}

// chunks appends closed chunks of some blocks each, and commits.
func (d *donor) chunks(n, blocks int) {
	d.t.Helper()
	for range n {
		d.empty()
		for i := range blocks {
			d.transaction(i == blocks-1)
		}
	}
	d.commit()
}

func testRing() *keys.Ring {
	return keys.NewRing(keys.Service{ID: testService, Mode: format.ModeSimulated}, map[keys.Epoch]keys.Secret{{Domain: format.ServiceDomain, Number: 1}: {9}})
}

// snapshot takes a snapshot of n rows at the last block, has the ledger name it,
// and gives its height.
func (d *donor) snapshot(rows int) uint64 {
	d.t.Helper()
	table, _ := d.state.Table("eth.accounts")
	var writes []kv.Write
	for i := range rows {
		writes = append(writes, kv.Write{Table: table, Key: binary.BigEndian.AppendUint64(nil, uint64(i)), Value: bytes.Repeat([]byte{byte(i), byte(d.height)}, 500)})
	}
	height := d.height - 1
	next := uint64(0)
	if at, ok := d.state.Height(); ok {
		next = at + 1
	}
	for ; next < height; next++ {
		must(d.t, d.state.Apply(next, nil))
	}
	must(d.t, d.state.Apply(height, writes))
	head := d.log.Head()
	index, _ := d.log.IndexOf(height)
	prefix, err := d.log.Prefix(index)
	must(d.t, err)
	view := d.state.Pin()
	w, err := d.store.Write(d.t.Context(), d.state, view, testRing(), snapshot.Meta{Height: height, View: d.term, Seqno: d.tree.Size(), Time: 1,
		Block: d.block, Index: index, Prefix: prefix, Edge: d.tiles.Edge(), Changed: lineage.TxID{View: 1, Seqno: 1}, Config: lineage.Alone(1)})
	view.Release()
	must(d.t, err)
	evidence := w.Evidence()
	header, signature, stored, commit := d.write(format.KindSnapshot, false, format.Write{Table: format.TableService, Key: []byte(format.KeySnapshot), Value: format.Encode(&evidence)})
	r, err := proof.NewReceipt(d.tiles, d.writer, header, signature, d.tree.Size(), sha256.Sum256(stored), commit, format.Hash{})
	must(d.t, err)
	receipt, err := r.EncodeCOSE()
	must(d.t, err)
	d.commit()
	must(d.t, d.store.SetReceipt(height, receipt))
	if head.LastIndex == d.log.Head().LastIndex {
		d.t.Fatal("no evidence")
	}
	return height
}

func (d *donor) server() *Server {
	return NewServer(Config{Log: d.log, FS: d.fs, Snapshots: snapshotDir, Committed: func() (uint64, uint64) { return d.committed, max(d.blocks, 1) - 1 },
		Allow: func(*http.Request) error { return nil }, Limits: Limits{Rate: -1, PeerRate: -1}})
}

// direct calls a handler without a network.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	response := w.Result()
	response.Request = r
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return response, nil
}

func source(name string, h http.Handler) Source {
	return Source{Name: name, URL: "http://" + name, Client: &http.Client{Transport: direct{h}}}
}

func (d *donor) source() Source { return source("honest", d.server()) }

// fetcher asks sources, and gives up after a few rounds.
func (d *donor) fetcher(fs disk.FS, sources ...Source) *Fetcher {
	return &Fetcher{Peers: func() []Source { return sources }, FS: fs, Snapshots: snapshotDir, Trust: d.trust(),
		Backoff: time.Microsecond, Pause: time.Nanosecond, Rounds: 4, Settle: time.Nanosecond, Logger: slog.New(slog.DiscardHandler)}
}

// files are the files below a directory that begin with a prefix.
func files(t testing.TB, f disk.FS, dir, prefix string) map[string][]byte {
	t.Helper()
	names, err := f.ReadDir(dir)
	must(t, err)
	all := map[string][]byte{}
	for _, name := range names {
		if strings.HasPrefix(name, prefix) {
			all[name], err = disk.ReadFile(f, path.Join(dir, name), 1<<30)
			must(t, err)
		}
	}
	return all
}

// sameAs holds a joiner's files to the donor's: every closed and committed chunk
// byte for byte, the last one up to where the joiner's frames end, and the newest
// snapshot.
func (d *donor) sameAs(t testing.TB, f disk.FS, log *ledger.Log, height uint64) error {
	got, want := files(t, f, ledgerDir, ""), files(t, d.fs, ledgerDir, "chunk-")
	for name, data := range want {
		mine, ok := got[name]
		c, err := log.Chunk(firstOf(name))
		if err == nil && !c.Closed && ok {
			used := log.ChunkUsed()
			if data, mine = data[:used], mine[:used]; !bytes.Equal(data, mine) {
				return fmt.Errorf("the open %s differs", name)
			}
		} else if !bytes.Equal(mine, data) {
			return fmt.Errorf("%s differs: %d bytes, %d", name, len(mine), len(data))
		}
		delete(got, name)
	}
	delete(got, "tile")
	if len(got) > 0 {
		return fmt.Errorf("%d files too many", len(got))
	}
	for _, part := range []snapshot.Part{snapshot.Frames, snapshot.Content, snapshot.Evidence} {
		name := snapshot.FileName(height, part)
		if !bytes.Equal(files(t, f, snapshotDir, name)[name], files(t, d.fs, snapshotDir, name)[name]) {
			return fmt.Errorf("%s differs", name)
		}
	}
	if left := files(t, f, snapshotDir, partialPrefix); len(left) > 0 {
		return fmt.Errorf("%d files of the fetch are left", len(left))
	}
	return nil
}

func firstOf(name string) (first uint64) {
	fmt.Sscanf(name, "chunk-%d", &first)
	return first
}

// join does what a node does that joins for the first time, or goes on with it.
func join(t testing.TB, f *Fetcher, fs disk.FS) (*ledger.Log, *snapshot.Snapshot, error) {
	store, err := snapshot.Open(fs, snapshotDir)
	if err != nil {
		return nil, nil, err
	}
	log, err := ledger.Open(fs, ledgerDir, logOptions())
	if err != nil {
		return nil, nil, err
	}
	var s *snapshot.Snapshot
	if usable, _ := store.List(); len(usable) > 0 {
		s = usable[0]
	} else if s, err = f.Snapshot(t.Context()); err != nil {
		return log, nil, err
	}
	if err := f.Begin(t.Context(), log, &s.Manifest.Meta); err != nil {
		return log, s, err
	}
	if err := f.Entries(t.Context(), log, nil); err != nil {
		return log, s, err
	}
	if err := Vouched(s, log, f.Trust); err != nil {
		return log, s, err
	}
	return log, s, f.Backfill(t.Context(), log)
}

// example is a donor with closed chunks, a snapshot in one of the later ones, and
// a tail.
func example(t testing.TB) (*donor, uint64) {
	t.Helper()
	d := newDonor(t, crash.New())
	d.transaction(false)
	d.chunks(3, 3)
	d.transaction(false)
	height := d.snapshot(40)
	d.chunks(2, 2)
	d.transaction(false)
	d.transaction(false)
	d.commit()
	return d, height
}

var _ io.Reader = (*answer)(nil)
