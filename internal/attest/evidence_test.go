package attest_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/coco-consortium/coco/internal/attest"
)

var small = attest.Evidence{Kind: attest.KindSNP, Report: []byte{1, 2}, Chip: []byte{3}, Chain: [][]byte{{4}, {5}}}

// golden is CBOR written by hand: ["coco/evidence/1", "snp", h'0102', h'03', [h'04', h'05']].
const golden = "85" + "6f636f636f2f65766964656e63652f31" + "63736e70" + "420102" + "4103" + "82" + "4104" + "4105"

func TestEvidenceEncoding(t *testing.T) {
	data, err := small.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(data); got != golden {
		t.Errorf("encoded as %s, want %s", got, golden)
	}
	back, err := attest.DecodeEvidence(data)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := back.Encode(); !bytes.Equal(again, data) {
		t.Errorf("decoded as %+v", back)
	}
}

func TestEvidenceRefusals(t *testing.T) {
	big := func(n int) []byte { return make([]byte, n) }
	for name, e := range map[string]attest.Evidence{
		"no report":             {Kind: attest.KindSNP, Chip: []byte{1}},
		"no chip certificate":   {Kind: attest.KindSNP, Report: []byte{1}},
		"long report":           {Kind: attest.KindSNP, Report: big(16<<10 + 1), Chip: []byte{1}},
		"long certificate":      {Kind: attest.KindSNP, Report: []byte{1}, Chip: big(8<<10 + 1)},
		"long chain":            {Kind: attest.KindSNP, Report: []byte{1}, Chip: []byte{1}, Chain: [][]byte{{1}, {1}, {1}, {1}, {1}}},
		"empty certificate":     {Kind: attest.KindSNP, Report: []byte{1}, Chip: []byte{1}, Chain: [][]byte{{}}},
		"unknown kind":          {Kind: "sgx", Report: []byte{1}, Chip: []byte{1}},
		"reserved kind":         {Kind: attest.KindTDX, Report: []byte{1}, Chip: []byte{1}},
		"kind in another case":  {Kind: "SNP", Report: []byte{1}, Chip: []byte{1}},
		"long chain element":    {Kind: attest.KindSim, Report: []byte{1}, Chip: []byte{1}, Chain: [][]byte{big(8<<10 + 1)}},
		"nothing":               {},
		"only a kind":           {Kind: attest.KindSim},
		"kind with a zero byte": {Kind: "snp\x00", Report: []byte{1}, Chip: []byte{1}},
	} {
		if _, err := e.Encode(); !errors.Is(err, attest.ErrMalformed) && !errors.Is(err, attest.ErrUnsupported) {
			t.Errorf("%s: encoded, error %v", name, err)
		}
	}
	good, err := hex.DecodeString(golden)
	if err != nil {
		t.Fatal(err)
	}
	replace := func(old, new string) []byte {
		o, _ := hex.DecodeString(old)
		n, _ := hex.DecodeString(new)
		return bytes.Replace(good, o, n, 1)
	}
	for name, data := range map[string][]byte{
		"nothing":                   {},
		"something behind":          append(bytes.Clone(good), 0),
		"cut":                       good[:len(good)-1],
		"longer length than needed": replace("4103", "580103"),
		"indefinite length":         append(replace("85", "9f"), 0xff),
		"another format":            replace("652f31", "652f32"),
		"null for the chain":        append(good[:len(good)-5:len(good)-5], 0xf6),
		"null for the report":       replace("420102", "f6"),
		"text for the report":       replace("420102", "626162"),
		"a tag":                     append([]byte{0xc1}, good...),
		"four elements":             append([]byte{0x84}, good[1:len(good)-5]...),
		"six elements":              append(append([]byte{0x86}, good[1:]...), 0x40),
		"more than the limit":       append(bytes.Clone(good), make([]byte, attest.MaxEvidence)...),
		"reserved kind":             replace("63736e70", "63746478"),
	} {
		if _, err := attest.DecodeEvidence(data); !errors.Is(err, attest.ErrMalformed) && !errors.Is(err, attest.ErrUnsupported) {
			t.Errorf("%s: decoded, error %v", name, err)
		}
	}
}

// What decodes encodes to the same bytes.
func FuzzDecodeEvidence(f *testing.F) {
	good, err := hex.DecodeString(golden)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add([]byte{0x9f, 0xff})
	f.Add([]byte{0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := attest.DecodeEvidence(data)
		if err != nil {
			return
		}
		if again, err := e.Encode(); err != nil || !bytes.Equal(again, data) {
			t.Errorf("%x decodes and encodes as %x, %v", data, again, err)
		}
	})
}
