package proof

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/veraison/go-cose"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

func TestReceiptVerify(t *testing.T) {
	r, keys := example(t)
	for i, key := range keys {
		if _, err := r.Verify(Trust{key, true}); err != nil {
			t.Errorf("trusting service key %d: %v", i, err)
		}
	}
	if _, err := r.Verify(Trust{keys[0], false}); !errors.Is(err, ErrSimulated) {
		t.Errorf("simulated: %v", err)
	}
	_, stranger := signer(t, "stranger")
	if _, err := r.Verify(Trust{parsed(t, stranger), true}); err == nil {
		t.Error("a stranger's service key is accepted")
	}
	if _, err := r.Verify(Trust{nil, true}); err == nil {
		t.Error("no service key is accepted")
	}
	for name, change := range map[string]func(*Receipt){
		"service":      func(r *Receipt) { r.Service[0]++ },
		"mode":         func(r *Receipt) { r.Mode = format.ModeProduction },
		"unknown mode": func(r *Receipt) { r.Mode = "x" },
		"raft id":      func(r *Receipt) { r.RaftID++ },
		"node":         func(r *Receipt) { _, r.Key = signer(t, "other") },
		"chain order":  func(r *Receipt) { r.Chain = []ServiceKey{r.Chain[0], r.Chain[2], r.Chain[1]} },
		"chain short":  func(r *Receipt) { r.Chain = r.Chain[:2] },
		"no chain":     func(r *Receipt) { r.Chain = nil },
		"first signed": func(r *Receipt) { r.Chain = r.Chain[1:] },
		"header":       func(r *Receipt) { r.Header = changed(t, r.Header, func(h *format.Header) { h.Time++ }) },
		"root":         func(r *Receipt) { r.Header = changed(t, r.Header, func(h *format.Header) { h.Root[0]++ }) },
		"signature":    func(r *Receipt) { r.Signature = twin(r.Signature) },
		"seqno":        func(r *Receipt) { r.Seqno++ },
		"seqno before": func(r *Receipt) { r.Seqno = 1 },
		"seqno behind": func(r *Receipt) { r.Seqno = 14 },
		"record":       func(r *Receipt) { r.Record[0]++ },
		"evidence":     func(r *Receipt) { r.Evidence[0]++ },
		"claims":       func(r *Receipt) { r.Claims[0]++ },
		"path":         func(r *Receipt) { r.Path = bytesOf(r.Path); r.Path[0][0]++ },
		"path long":    func(r *Receipt) { r.Path = make([]Hash, 1000) },
		"disclosure":   func(r *Receipt) { r.Disclosed = append([]Disclosure{}, r.Disclosed...); r.Disclosed[1].Value = nil },
	} {
		wrong := *r
		change(&wrong)
		if _, err := wrong.Verify(Trust{keys[0], true}); err == nil {
			t.Errorf("a receipt with another %s is accepted", name)
		}
	}
}

func changed(t *testing.T, header []byte, change func(*format.Header)) []byte {
	h, err := format.DecodeHeader(header)
	if err != nil {
		t.Fatal(err)
	}
	change(h)
	return h.Encode()
}

func encodings(t testing.TB, r *Receipt) [][]byte {
	inJSON, err := r.EncodeJSON()
	if err != nil {
		t.Fatal(err)
	}
	inCOSE, err := r.EncodeCOSE()
	if err != nil {
		t.Fatal(err)
	}
	return [][]byte{inJSON, inCOSE}
}

func TestReceiptEncodings(t *testing.T) {
	r, keys := example(t)
	bare := *r
	bare.Disclosed, bare.Chain = nil, r.Chain[:1]
	for _, receipt := range []*Receipt{r, &bare} {
		for _, data := range encodings(t, receipt) {
			got, err := DecodeReceipt(data)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(encodings(t, got), encodings(t, receipt)) {
				t.Errorf("another receipt came back: %+v", got)
			}
		}
	}
	// A flipped bit in any byte of either form is refused, by its decoder or by Verify.
	for form, data := range encodings(t, r) {
		verify := func() error {
			got, err := DecodeReceipt(data)
			if err == nil {
				_, err = got.Verify(Trust{keys[0], true})
			}
			return err
		}
		if err := verify(); err != nil {
			t.Fatal(err)
		}
		for i := range data {
			data[i] ^= 1 << (i % 8)
			if verify() == nil {
				t.Fatalf("form %d: byte %d changed to %q is accepted:\n%s", form, i, data[i], data)
			}
			data[i] ^= 1 << (i % 8)
		}
	}
}

func TestReceiptJSONIsStrict(t *testing.T) {
	r, _ := example(t)
	data := encodings(t, r)[0]
	var generic map[string]any
	if err := json.Unmarshal(data, &generic); err != nil {
		t.Fatal(err)
	}
	sorted, _ := json.Marshal(generic) // other order of names, no white space
	if _, err := DecodeReceipt(sorted); err != nil {
		t.Errorf("another order of names is refused: %v", err)
	}
	for name, change := range map[string]func(string) string{
		"trailing": func(s string) string { return s + "{}" },
		"unknown":  func(s string) string { return strings.Replace(s, `"mode"`, `"more": 1, "mode"`, 1) },
		"repeated": func(s string) string { return strings.Replace(s, `"mode"`, `"mode": "simulated", "mode"`, 1) },
		"case":     func(s string) string { return strings.Replace(s, `"mode"`, `"Mode"`, 1) },
		"missing":  func(s string) string { return strings.Replace(s, `"mode": "simulated",`, "", 1) },
		"txid":     func(s string) string { return strings.Replace(s, `"2.9"`, `"2.10"`, 1) },
		"height":   func(s string) string { return strings.Replace(s, `"height": 1`, `"height": 2`, 1) },
		"schema":   func(s string) string { return strings.Replace(s, receiptForm, "coco/receipt/2", 1) },
		"upper":    func(s string) string { return strings.Replace(s, "0a0b0c", "0A0B0C", 1) },
		"name":     func(s string) string { return strings.Replace(s, "ethereum.hash", "ethereum.from", 1) },
	} {
		text := change(string(data))
		if text == string(data) {
			t.Fatalf("%s changes nothing", name)
		}
		if _, err := DecodeReceipt([]byte(text)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// TestOtherCOSEReadsReceipt checks a receipt as a verifier of COSE receipts
// (RFC 9942) does that knows nothing of coco but the entry.
func TestOtherCOSEReadsReceipt(t *testing.T) {
	r, _ := example(t)
	var m cose.Sign1Message
	if err := m.UnmarshalCBOR(encodings(t, r)[1]); err != nil {
		t.Fatal(err)
	}
	proofs := m.Headers.Unprotected[int64(396)].(map[any]any)[int64(-1)].([]any)
	var inclusion struct {
		_     struct{} `cbor:",toarray"`
		Size  uint64
		Index uint64
		Path  [][]byte
	}
	if err := cbor.Unmarshal(proofs[0].([]byte), &inclusion); err != nil {
		t.Fatal(err)
	}
	digest := format.Sum(r.Evidence[:])
	entry := append(append(r.Record[:], digest[:]...), r.Claims[:]...)
	root, err := proof.RootFromInclusionProof(rfc6962.DefaultHasher, inclusion.Index, inclusion.Size, rfc6962.DefaultHasher.HashLeaf(entry), inclusion.Path)
	if err != nil {
		t.Fatal(err)
	}
	key, _ := signer(t, "node")
	verifier, err := cose.NewVerifier(cose.AlgorithmES256, &key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	m.Payload = root
	if err := m.Verify(nil, verifier); err != nil {
		t.Fatal(err)
	}
}

func FuzzDecodeReceipt(f *testing.F) {
	r, keys := example(f)
	bare := *r
	bare.Disclosed, bare.Chain = nil, r.Chain[:1]
	for _, data := range append(encodings(f, r), encodings(f, &bare)...) {
		f.Add(data)
	}
	f.Add([]byte("{}"))
	f.Add([]byte{tagSign1})
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := DecodeReceipt(data)
		if err != nil {
			return
		}
		got.Verify(Trust{keys[0], true})
		again := encodings(t, got)
		if data[0] == tagSign1 && !bytes.Equal(again[1], data) {
			t.Fatal("another encoding was accepted")
		}
	})
}
