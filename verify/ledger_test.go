package verify

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/proof"
)

func TestRightLedgers(t *testing.T) {
	for name, c := range map[string]struct {
		write    func(testing.TB, string) *author
		voters   []uint64
		recovery uint64
		unbound  uint64
	}{
		"short": {short, []uint64{4}, 1, 0},
		"long":  {long, []uint64{2}, 1, 0},
		"genesis alone": {func(t testing.TB, seed string) *author {
			a := newAuthor(t, seed)
			a.genesis(nil)
			return a
		}, []uint64{1}, 0, 0},
		"raft entries behind": {func(t testing.TB, seed string) *author {
			a := short(t, seed)
			a.block(false, false, a.members(a.candidate(format.NodeLearner, nil)))
			a.elect(8)
			a.config(7, 21, 2, format.ConfigChange{Type: 3, RaftID: 5})
			return a
		}, []uint64{4}, 1, 2},
		"ends with its chunk": {func(t testing.TB, seed string) *author {
			a := short(t, seed)
			a.transactions(1, true)
			return a
		}, []uint64{4}, 1, 0},
		"new service key": {newServiceKey, []uint64{2}, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			for _, seed := range []string{"one", "two"} {
				a := c.write(t, seed)
				r := report(t, a, Options{Checkpoint: a.signedCheckpoint(), Receipt: encodeReceipt(t, a), ServicePEM: a.servicePEM()})
				if r.Result != Valid || r.Tail != nil || len(r.Findings) > 0 {
					t.Fatalf("%s %+v %v", r.Result, r.Tail, r.Findings)
				}
				if r.Entries != uint64(len(a.entries)) || r.Blocks != a.last.Height+1 || r.Records != a.tree.Size() || r.Unbound != c.unbound {
					t.Errorf("%d entries, %d blocks, %d records, %d unbound", r.Entries, r.Blocks, r.Records, r.Unbound)
				}
				if h := r.Head; h.Hash != Hash(a.lastHash) || h.Root != Hash(a.tree.Root()) || h.Seqno != a.tree.Size() || h.View != a.last.View {
					t.Errorf("head %+v", h)
				}
				if !slices.Equal(r.Voters, c.voters) || r.Recoveries != c.recovery || !bytes.Equal(r.ServiceKey, spki(t, a.service)) || r.Mode != a.mode {
					t.Errorf("voters %v, recoveries %d, mode %s", r.Voters, r.Recoveries, r.Mode)
				}
				if data, err := json.Marshal(r); err != nil || !bytes.Contains(data, []byte(r.Head.Hash.String())) {
					t.Errorf("as JSON: %s %v", data, err)
				}
			}
		})
	}
}

// newServiceKey is a ledger recovered by shares under a new service identity.
func newServiceKey(t testing.TB, seed string) *author {
	a := newAuthor(t, seed)
	a.genesis(nil)
	a.elect(2)
	a.transactions(2, false)
	a.recovery(4, func(r *format.Recovery) {
		old := a.service
		a.service = a.key()
		r.Route, r.ServiceKey = format.RouteShares, spki(t, a.service)
		r.ServiceEndorsement = a.endorse(old, proof.PurposeService, r.ServiceKey, r.Count)
		a.self.Endorsement = a.endorse(a.service, proof.PurposeNode, a.self.Key, a.self.RaftID)
		r.Node = a.self
		r.Evidence = a.evidence(attest.RecoveryBinding{GenesisBinding: a.binding(), OldHead: a.lastHash}.ReportData())
	})
	a.transactions(1, false)
	return a
}

// fork is another continuation of the same ledger by the same keys: every check
// but the comparison with something from outside holds.
func fork(t testing.TB, seed string) (a, b *author) {
	a, b = newAuthor(t, seed), newAuthor(t, seed)
	for _, x := range []*author{a, b} {
		x.genesis(nil)
		x.elect(2)
		x.transactions(1, false)
	}
	b.random.Uint64()
	for _, x := range []*author{a, b} {
		x.transactions(2, false)
		x.transactions(1, false)
	}
	return a, b
}

func TestAnchors(t *testing.T) {
	a, b := fork(t, "fork")
	stranger := short(t, "stranger")
	recovered := newServiceKey(t, "fork")
	if r := report(t, b, Options{}); r.Result != Valid {
		t.Fatal(r.Findings)
	}
	otherCount := *a
	otherCount.recoveries++
	for name, c := range map[string]struct {
		ledger *author
		o      Options
		want   []Code
	}{
		"simulated":            {a, Options{AllowSimulated: false}, []Code{SimulatedRefused}},
		"pinned":               {a, Options{AllowSimulated: true, ServicePEM: a.servicePEM()}, nil},
		"pinned old key":       {recovered, Options{AllowSimulated: true, ServicePEM: a.servicePEM()}, nil},
		"pinned new key":       {recovered, Options{AllowSimulated: true, ServicePEM: recovered.servicePEM()}, nil},
		"pinned another":       {a, Options{AllowSimulated: true, ServicePEM: stranger.servicePEM()}, []Code{ServiceKey}},
		"fork by checkpoint":   {b, Options{AllowSimulated: true, Checkpoint: a.signedCheckpoint()}, []Code{CheckpointRewritten}},
		"fork by receipt":      {b, Options{AllowSimulated: true, Receipt: encodeReceipt(t, a)}, []Code{ReceiptRewritten}},
		"foreign checkpoint":   {a, Options{AllowSimulated: true, Checkpoint: stranger.signedCheckpoint()}, []Code{CheckpointForeign}},
		"foreign receipt":      {a, Options{AllowSimulated: true, Receipt: encodeReceipt(t, stranger)}, []Code{ReceiptForeign}},
		"before a recovery":    {a, Options{AllowSimulated: true, Checkpoint: otherCount.signedCheckpoint()}, []Code{CheckpointTruncated}},
		"earlier checkpoint":   {recovered, Options{AllowSimulated: true, Checkpoint: short(t, "fork").signedCheckpoint()}, []Code{CheckpointTruncated}},
		"all at once":          {b, Options{Checkpoint: a.signedCheckpoint(), Receipt: encodeReceipt(t, a), ServicePEM: stranger.servicePEM()}, []Code{SimulatedRefused, ServiceKey, CheckpointRewritten, ReceiptRewritten}},
		"receipt of new key":   {recovered, Options{AllowSimulated: true, Receipt: encodeReceipt(t, recovered)}, nil},
		"checkpoint, new head": {recovered, Options{AllowSimulated: true, Checkpoint: recovered.signedCheckpoint()}, nil},
	} {
		r, err := Ledger(context.Background(), c.ledger.files(), c.o)
		if err != nil {
			t.Fatal(err)
		}
		var got []Code
		for _, f := range r.Findings {
			got = append(got, f.Code)
		}
		if !slices.Equal(got, c.want) || (r.Result == Valid) != (c.want == nil) {
			t.Errorf("%s: %s %v, want %v", name, r.Result, r.Findings, c.want)
		}
	}
}

// What remains unproven is said, and less remains when more is given.
func TestUnproven(t *testing.T) {
	a := short(t, "one")
	plain := report(t, a, Options{}).Unproven
	anchored := report(t, a, Options{Checkpoint: a.signedCheckpoint(), ServicePEM: a.servicePEM()}).Unproven
	says := func(list []string, part string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return strings.Contains(s, part) })
	}
	for part, want := range map[string][2]bool{
		"blocks behind block 11 cannot be excluded": {true, true},
		"may not be committed":                      {true, false},
		"compare the service key":                   {true, false},
		"simulated":                                 {true, true},
		"sealed sections":                           {true, true},
	} {
		if says(plain, part) != want[0] || says(anchored, part) != want[1] {
			t.Errorf("%q: without anchors %v, with %v", part, plain, anchored)
		}
	}
	dir := a.files()
	last := dir[slices.Max(names(dir))]
	last.Data = slices.Clone(last.Data)
	last.Data[len(last.Data)-1] = 1
	r, err := Ledger(context.Background(), dir, Options{AllowSimulated: true})
	if err != nil || r.Result != DamagedTail || !says(r.Unproven, "may have existed") || r.Tail.Entry != uint64(len(a.entries))+1 {
		t.Errorf("damaged tail: %+v %v", r, err)
	}
}

func names(dir fstest.MapFS) []string {
	var list []string
	for name := range dir {
		list = append(list, name)
	}
	return list
}

func TestDirectory(t *testing.T) {
	a := short(t, "one")
	dir := a.files()
	dir["tile/0/000"] = &fstest.MapFile{Data: []byte("tiles are not checked")}
	dir["chunk-1"] = &fstest.MapFile{Data: []byte("not a name of a chunk")}
	dir["chunk-00000000000000000099.part"] = &fstest.MapFile{Data: []byte("nor this")}
	if r := check1(t, dir); r.Result != Valid || r.Chunks != 4 {
		t.Errorf("other files matter: %s %v", r.Result, r.Findings)
	}
	for name, c := range map[string]struct {
		dir  fstest.MapFS
		want Code
	}{
		"nothing":     {fstest.MapFS{}, LedgerEmpty},
		"empty chunk": {fstest.MapFS{chunkName(1): {}}, LedgerEmpty},
		"zeros":       {fstest.MapFS{chunkName(1): {Data: make([]byte, 4096)}}, LedgerEmpty},
	} {
		if r := check1(t, c.dir); r.Result != Invalid || r.Findings[0].Code != c.want {
			t.Errorf("%s: %s %v", name, r.Result, r.Findings)
		}
	}
	// The chunk that the next entry opens may be there, under its right name only.
	a.transactions(1, true)
	dir = a.files() // has one
	next := uint64(len(a.entries)) + 1
	if r := check1(t, dir); r.Result != Valid {
		t.Errorf("a chunk for the next entry: %s %v", r.Result, r.Findings)
	}
	dir[chunkName(next+1)] = dir[chunkName(next)]
	delete(dir, chunkName(next))
	if r := check1(t, dir); r.Result != Invalid || r.Findings[0].Code != ChunkName {
		t.Errorf("a chunk for another entry: %s %v", r.Result, r.Findings)
	}
	delete(dir, chunkName(next+1))
	if r := check1(t, dir); r.Result != Valid {
		t.Errorf("no chunk for the next entry: %s %v", r.Result, r.Findings)
	}
}

func check1(t testing.TB, dir fs.FS) *Report {
	t.Helper()
	r, err := Ledger(context.Background(), dir, Options{AllowSimulated: true})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestProgressAndCancel(t *testing.T) {
	a := long(t, "one")
	var calls []Progress
	r := report(t, a, Options{Progress: func(p Progress) { calls = append(calls, p) }})
	last := calls[len(calls)-1]
	if r.Result != Valid || last.Blocks != r.Blocks || last.Bytes != last.Total || last.Total != r.Bytes {
		t.Errorf("progress %+v, report %+v", last, r)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Ledger(ctx, a.files(), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestOptionsThatAreNone(t *testing.T) {
	for _, o := range []Options{{Checkpoint: []byte("x")}, {Receipt: []byte("x")}, {Receipt: []byte("{}")}, {ServicePEM: []byte("x")}} {
		if r, err := Ledger(context.Background(), fstest.MapFS{}, o); err == nil {
			t.Errorf("%+v: %+v", o, r)
		}
	}
	unreadable := unreadableFS{short(t, "one").files()}
	if _, err := Ledger(context.Background(), unreadable, Options{}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("an unreadable file: %v", err)
	}
}

type unreadableFS struct{ fstest.MapFS }

func (u unreadableFS) Open(name string) (fs.File, error) {
	if strings.HasPrefix(name, chunkPrefix) {
		return nil, fs.ErrPermission
	}
	return u.MapFS.Open(name)
}

// A chunk in which every sector looks like a long frame costs no more than a
// bounded number of bytes.
func TestHostileChunk(t *testing.T) {
	data := make([]byte, 6<<20)
	copy(data, "no frame")
	for at := format.FrameAlign; at < len(data); at += format.FrameAlign {
		copy(data[at:], "coC0")
		data[at+4] = byte(format.EntryBlock)
		binary.BigEndian.PutUint32(data[at+8:], uint32(len(data)-at-format.FrameHead))
	}
	r := check1(t, fstest.MapFS{chunkName(1): {Data: data}})
	if r.Result != Invalid || r.Findings[0].Code != FrameDamaged || !strings.Contains(r.Findings[0].Reason, "looks like frames") {
		t.Errorf("%s %+v %v", r.Result, r.Tail, r.Findings)
	}
}

func TestObjects(t *testing.T) {
	a := short(t, "one")
	receipt := a.receipt(a.tree.Size())
	inJSON, err := receipt.EncodeJSON()
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(1, 0), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(nil, template, template, &a.service.PublicKey, a.service)
	if err != nil {
		t.Fatal(err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	allow := Options{AllowSimulated: true}
	for _, data := range [][]byte{inJSON, encodeReceipt(t, a)} {
		r, err := Receipt(data, certificate, allow)
		if err != nil {
			t.Fatal(err)
		}
		if r.Transaction != "7.20" || r.Height != a.last.Height || r.Block != Hash(a.lastHash) || r.Node != 4 || r.TreeSize != 20 {
			t.Errorf("%+v", r)
		}
		if _, err := Receipt(data, certificate, Options{}); !errors.Is(err, proof.ErrSimulated) && !errors.Is(err, proof.ErrReceipt) {
			t.Errorf("simulated: %v", err)
		}
		if _, err := Receipt(data, short(t, "two").servicePEM(), allow); err == nil {
			t.Error("a receipt of another service is accepted")
		}
		if _, err := Receipt(data[1:], certificate, allow); err == nil {
			t.Error("a cut receipt is accepted")
		}
		if _, err := Receipt(data, nil, allow); err == nil {
			t.Error("a receipt is accepted without a service")
		}
	}
	c, err := Checkpoint(a.signedCheckpoint(), certificate, allow)
	if err != nil || c.Height != a.last.Height || c.TreeSize != 20 || c.Recoveries != 1 || c.Root != Hash(a.tree.Root()) {
		t.Errorf("%+v %v", c, err)
	}
	if _, err := Checkpoint(a.signedCheckpoint(), certificate, Options{}); !errors.Is(err, proof.ErrSimulated) {
		t.Errorf("simulated: %v", err)
	}
	if _, err := Checkpoint(a.signedCheckpoint(), short(t, "two").servicePEM(), allow); err == nil {
		t.Error("a checkpoint of another service is accepted")
	}

	want, at := a.binding().ReportData(), time.Unix(0, int64(a.time))
	e, err := Evidence(a.evidence(want), want, a.policy, at, allow)
	if err != nil || !e.Simulated || e.Profile != "development" || !strings.HasPrefix(e.Measurement, "01") {
		t.Errorf("%+v %v", e, err)
	}
	if _, err := Evidence(a.evidence(want), want, a.policy, at, Options{}); !errors.Is(err, proof.ErrSimulated) {
		t.Errorf("simulated: %v", err)
	}
	if _, err := Evidence(a.evidence(want), [64]byte{}, a.policy, at, allow); err == nil {
		t.Error("evidence for something else is accepted")
	}
}

// A receipt carries the endorsement of the node that wrote its block, whoever
// that is.
func TestReceiptOfANodeThatJoined(t *testing.T) {
	a := newAuthor(t, "joined")
	grown(a)
	first := a.writer
	a.elect(3)
	a.lead(2)
	a.transactions(2, false)
	receipt := a.receipt(a.tree.Size())
	data, err := receipt.EncodeCOSE()
	if err != nil {
		t.Fatal(err)
	}
	r, err := Receipt(data, a.servicePEM(), Options{AllowSimulated: true})
	if err != nil || r.Node != 2 {
		t.Fatalf("%+v %v", r, err)
	}
	if r := report(t, a, Options{Receipt: data}); r.Result != Valid {
		t.Fatal(r.Findings)
	}
	receipt.Writer = first
	if data, err = receipt.EncodeCOSE(); err != nil {
		t.Fatal(err)
	}
	if r, err := Receipt(data, a.servicePEM(), Options{AllowSimulated: true}); err == nil {
		t.Fatalf("a receipt in the name of another node: %+v", r)
	}
}

// FuzzLedger gives the verifier two chunks of anything. It must not panic, and
// calls nothing valid that is not the ledger of the seed corpus.
func FuzzLedger(f *testing.F) {
	rememberVerdicts(f)
	a := short(f, "one")
	dir := a.files()
	list := slices.Sorted(slices.Values(names(dir)))
	f.Add(dir[list[0]].Data, dir[list[1]].Data)
	f.Add(slices.Concat(dir[list[0]].Data, dir[list[1]].Data), []byte{})
	f.Add(make([]byte, 1024), []byte("coC0"))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		r := check1(t, fstest.MapFS{list[0]: {Data: first}, list[1]: {Data: second}})
		if r.Result == Valid && r.Service != report(t, a, Options{}).Service {
			t.Fatalf("valid: %+v", r)
		}
	})
}

func BenchmarkLedger(b *testing.B) {
	a := long(b, "one")
	dir := a.files()
	size := int64(0)
	for _, f := range dir {
		size += int64(len(f.Data))
	}
	b.SetBytes(size)
	for b.Loop() {
		if r := check1(b, dir); r.Result != Valid {
			b.Fatal(r.Findings)
		}
	}
	b.ReportMetric(float64(a.last.Height+1)*float64(b.N)/b.Elapsed().Seconds(), "blocks/s")
}
