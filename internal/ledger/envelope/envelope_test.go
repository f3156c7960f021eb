package envelope

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"

	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/proof"
)

func ring(mode string, secret keys.Secret) *keys.Ring {
	return keys.NewRing(keys.Service{ID: [16]byte{3}, Mode: mode}, map[keys.Epoch]keys.Secret{{Domain: format.ServiceDomain, Number: 1}: secret})
}

var place = Place{View: 2, Height: 9, Previous: format.Hash{1}, Writer: format.Hash{2}}

// transfer is a draft of the size and shape of an ERC-20 transfer.
func transfer() *Draft {
	blob := func(n int) []byte { b := make([]byte, n); rand.Read(b); return b }
	d := &Draft{Kind: format.KindTransaction, Effects: []format.Effect{{Protocol: "ethereum", Version: 1}},
		Private: format.Private{Request: blob(176), Caller: []byte("anonymous"), Outcome: blob(16), Events: blob(140), NativeID: blob(32),
			Writes: []format.Write{
				{Table: "eth.accounts", Key: blob(20), Value: blob(12)},
				{Table: "eth.storage", Key: blob(52), Value: blob(32)},
				{Table: "eth.storage", Key: blob(52), Value: blob(32)},
			}}}
	for i := range uint64(11) {
		d.Claims = append(d.Claims, proof.Claim{Field: i + 1, Value: blob(20)})
	}
	return d
}

// entry is a block of the given records, as its entry; signature and root do not
// matter here.
func entry(t testing.TB, k *Keys, records []*Record, section []byte) *format.Entry {
	t.Helper()
	h := format.Header{Height: place.Height, View: place.View, FirstSeqno: 5, Count: uint64(len(records)), TreeSize: 4 + uint64(len(records)),
		Previous: place.Previous, Writer: place.Writer, Committed: 8}
	if section != nil {
		sum := sha256.Sum256(section)
		h.Section = sum[:]
	}
	b := format.Block{Header: h.Encode(), Section: section}
	for _, r := range records {
		b.Records = append(b.Records, r.Stored)
	}
	return &format.Entry{Index: 12, Term: 2, Kind: format.EntryBlock, Body: b.Encode()}
}

func TestOpenGivesWhatWasSealed(t *testing.T) {
	r := ring(format.ModeSimulated, keys.Secret{1})
	k, err := KeysOf(r, 0, place)
	if err != nil {
		t.Fatal(err)
	}
	d := transfer()
	d.Public = []format.Write{{Table: "public:coco.test", Key: []byte("k"), Value: []byte{}}}
	records := []*Record{k.Seal(5, d), k.Seal(6, &Draft{Kind: format.KindSnapshot})}
	e := entry(t, k, records, k.SealSection(Section{{Protocol: "ethereum", Data: []byte("header")}}))
	b, err := Open(r, e)
	if err != nil {
		t.Fatal(err)
	}
	got := b.Records[0]
	if !bytes.Equal(got.Private.Request, d.Private.Request) || len(got.Private.Writes) != 3 || len(got.Private.ClaimsSeed) != 32 ||
		got.Public[0].Value == nil || got.Leaf != records[0].Leaf || got.Evidence != records[0].Evidence {
		t.Fatalf("%+v came back as %+v", d, got)
	}
	if string(b.Section.Of("ethereum")) != "header" || b.Section.Of("corda") != nil {
		t.Fatalf("section %v", b.Section)
	}
	seed := [32]byte(got.Private.ClaimsSeed)
	if proof.ClaimsDigest(proof.DomainClaims{Seed: seed, Claims: d.Claims}) != got.Prelude.Claims {
		t.Fatal("the claims do not belong to the seed")
	}
	if b.Records[1].Prelude.Claims != (format.Hash{}) || len(b.Records[1].Private.ClaimsSeed) != 0 {
		t.Fatal("a record without claims has some")
	}
}

func TestOnlyThisServiceAndPlaceOpens(t *testing.T) {
	k, err := KeysOf(ring(format.ModeSimulated, keys.Secret{1}), 0, place)
	if err != nil {
		t.Fatal(err)
	}
	e := entry(t, k, []*Record{k.Seal(5, transfer())}, nil)
	for name, r := range map[string]*keys.Ring{
		"another secret": ring(format.ModeSimulated, keys.Secret{2}),
		"another mode":   ring(format.ModeProduction, keys.Secret{1}),
	} {
		if _, err := Open(r, e); !errors.Is(err, ErrOpen) {
			t.Errorf("%s: %v", name, err)
		}
	}
	elsewhere := place
	elsewhere.Height++
	other, err := KeysOf(ring(format.ModeSimulated, keys.Secret{1}), 0, elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(ring(format.ModeSimulated, keys.Secret{1}), entry(t, other, []*Record{other.Seal(5, transfer())}, nil)); !errors.Is(err, ErrOpen) {
		t.Errorf("a record of another height: %v", err)
	}
}

// TestNothingLeaksInClear looks for the private parts in what is stored.
func TestNothingLeaksInClear(t *testing.T) {
	k, err := KeysOf(ring(format.ModeSimulated, keys.Secret{1}), 0, place)
	if err != nil {
		t.Fatal(err)
	}
	d := transfer()
	stored := k.Seal(5, d).Stored
	secrets := [][]byte{d.Private.Request, d.Private.Outcome, d.Private.Events, d.Private.NativeID, d.Private.Caller}
	for _, w := range d.Private.Writes {
		secrets = append(secrets, w.Key, w.Value, []byte(w.Table))
	}
	for i, s := range secrets {
		if bytes.Contains(stored, s) {
			t.Errorf("secret %d lies in the record", i)
		}
	}
	again := k.Seal(5, d).Stored
	if bytes.Equal(stored, again) {
		t.Error("sealing twice gives the same bytes: a nonce or seed was used again")
	}
}

func TestEvidenceNamesForkAndWriter(t *testing.T) {
	r := ring(format.ModeSimulated, keys.Secret{1})
	base, err := KeysOf(r, 0, place)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[format.Hash]bool{base.Evidence(5): true, base.Evidence(6): true}
	for _, change := range []func(*Place){
		func(p *Place) { p.Previous = format.Hash{9} }, func(p *Place) { p.Writer = format.Hash{9} },
		func(p *Place) { p.View = 3 }, func(p *Place) { p.Height = 10 },
	} {
		p := place
		change(&p)
		k, err := KeysOf(r, 0, p)
		if err != nil {
			t.Fatal(err)
		}
		seen[k.Evidence(5)] = true
	}
	if len(seen) != 6 {
		t.Fatalf("%d distinct evidences, want 6", len(seen))
	}
}

func FuzzOpen(f *testing.F) {
	r := ring(format.ModeSimulated, keys.Secret{1})
	k, err := KeysOf(r, 0, place)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(entry(f, k, []*Record{k.Seal(5, transfer())}, k.SealSection(Section{{Protocol: "a", Data: []byte{1}}})).Body)
	f.Fuzz(func(t *testing.T, body []byte) {
		e := &format.Entry{Index: 2, Term: 2, Kind: format.EntryBlock, Body: body}
		if b, err := Open(r, e); err == nil && len(b.Records) == 0 {
			t.Fatal("a block without records was opened")
		}
	})
}

// TestSealAllIsSeal seals a block by several goroutines and opens it.
func TestSealAllIsSeal(t *testing.T) {
	r := ring(format.ModeSimulated, keys.Secret{1})
	k, err := KeysOf(r, 0, place)
	if err != nil {
		t.Fatal(err)
	}
	drafts := make([]*Draft, 5*share+3)
	for i := range drafts {
		drafts[i] = transfer()
		if i%3 == 0 {
			drafts[i].Claims, drafts[i].Private.Request = nil, make([]byte, 20*i)
		}
	}
	records, body := k.SealAll(5, drafts, 0, 4)
	h := format.Header{Height: place.Height, View: place.View, FirstSeqno: 5, Count: uint64(len(records)), TreeSize: 4 + uint64(len(records)),
		Previous: place.Previous, Writer: place.Writer, Committed: 8}
	b, err := Open(r, &format.Entry{Index: 12, Term: 2, Kind: format.EntryBlock, Body: body.Finish(h.Encode(), nil, nil)})
	if err != nil {
		t.Fatal(err)
	}
	for i := range records {
		got, want := b.Records[i], records[i]
		if !bytes.Equal(got.Private.Request, drafts[i].Private.Request) || !bytes.Equal(got.Stored, want.Stored) || got.Leaf != want.Leaf ||
			got.Evidence != want.Evidence || !bytes.Equal(got.Private.ClaimsSeed, want.Private.ClaimsSeed) {
			t.Fatalf("record %d of %d came back otherwise", i, len(records))
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	k, err := KeysOf(ring(format.ModeSimulated, keys.Secret{1}), 0, place)
	if err != nil {
		b.Fatal(err)
	}
	drafts := make([]*Draft, 300)
	for i := range drafts {
		drafts[i] = transfer()
	}
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				k.SealAll(5, drafts, 0, workers)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(drafts)), "ns/record")
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	r := ring(format.ModeSimulated, keys.Secret{1})
	k, err := KeysOf(r, 0, place)
	if err != nil {
		b.Fatal(err)
	}
	var records []*Record
	for i := range uint64(100) {
		records = append(records, k.Seal(5+i, transfer()))
	}
	e := entry(b, k, records, nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Open(r, e); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/record")
}
