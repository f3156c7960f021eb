package attest_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/attest/sim"
)

// policies are one of each form: hardware with and without FMC, simulated.
func policies(t testing.TB) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, name := range []string{"milan", "genoa", "turin"} {
		data, err := os.ReadFile("snp/testdata/policy_" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		out[name] = data
	}
	data, err := sim.Policy([48]byte{1}, [32]byte{2}).JSON()
	if err != nil {
		t.Fatal(err)
	}
	out["simulated"] = data
	return out
}

func parse(t testing.TB, data []byte) attest.Policy {
	t.Helper()
	p, err := attest.ParsePolicy(data)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPolicyFormsAgree(t *testing.T) {
	for name, data := range policies(t) {
		p := parse(t, data)
		encoded, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := attest.DecodePolicy(encoded)
		if err != nil {
			t.Fatal(err)
		}
		written, err := back.JSON()
		if err != nil {
			t.Fatal(err)
		}
		again := parse(t, written)
		d1, err1 := p.Digest()
		d2, err2 := again.Digest()
		if err1 != nil || err2 != nil || d1 != d2 || d1 == [32]byte{} {
			t.Errorf("%s: digest %x becomes %x by way of CBOR and JSON", name, d1, d2)
		}
	}
}

// The encoding is a lasting format: this changes with an ADR only.
func TestPolicyEncodingIsGolden(t *testing.T) {
	encoded, err := parse(t, policies(t)["turin"]).Encode()
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/policy_turin.cbor.hex")
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(encoded); got != strings.TrimSpace(string(want)) {
		t.Errorf("the policy of the Turin vector encodes as\n%s", got)
	}
}

// Removing any single field, at any depth, makes a policy invalid, in both
// forms; so does setting it to null.
func TestNoFieldMayBeLeftUnset(t *testing.T) {
	for name, data := range policies(t) {
		t.Run(name, func(t *testing.T) {
			var paths [][]any
			collect(document(t, data), nil, &paths)
			if len(paths) < 50 {
				t.Fatalf("only %d fields found", len(paths))
			}
			for _, path := range paths {
				for how, null := range map[string]bool{"without": false, "with null for": true} {
					doc := document(t, data)
					unset(doc, path, null)
					text, err := json.Marshal(doc)
					if err != nil {
						t.Fatal(err)
					}
					if _, err := attest.ParsePolicy(text); !errors.Is(err, attest.ErrPolicyInvalid) {
						t.Errorf("JSON %s %v: %v", how, path, err)
					}
					if _, err := attest.DecodePolicy(toCBOR(t, doc)); !errors.Is(err, attest.ErrPolicyInvalid) {
						t.Errorf("CBOR %s %v: %v", how, path, err)
					}
				}
			}
			// The way there and back is not what makes them invalid.
			if _, err := attest.DecodePolicy(toCBOR(t, document(t, data))); err != nil {
				t.Errorf("the whole document: %v", err)
			}
		})
	}
}

func TestInvalidPolicies(t *testing.T) {
	all := policies(t)
	for name, c := range map[string]struct{ policy, old, new string }{
		"hardware beside simulation":     {"turin", `"kind": "snp"`, `"kind": "sim"`},
		"simulation beside hardware":     {"simulated", `"tier": "simulated"`, `"tier": "standard"`},
		"milan in the standard tier":     {"milan", `legacy-hardware`, `standard`},
		"simulated product as hardware":  {"turin", `"name": "turin",`, `"name": "simulated",`},
		"unknown product":                {"turin", `"name": "turin",`, `"name": "venice",`},
		"tdx":                            {"turin", `"kind": "snp"`, `"kind": "tdx"`},
		"unknown tier":                   {"turin", `"tier": "standard"`, `"tier": "best"`},
		"version 0":                      {"turin", `"version": 1`, `"version": 0`},
		"debugging allowed":              {"turin", `"debug": "forbidden"`, `"debug": "any"`},
		"debugging demanded":             {"turin", `"debug": "forbidden"`, `"debug": "required"`},
		"migration allowed":              {"turin", `"migration_agent": "forbidden"`, `"migration_agent": "any"`},
		"no alias check":                 {"turin", `"alias_check_complete": "required"`, `"alias_check_complete": "any"`},
		"VLEK":                           {"turin", `"signer": "vcek"`, `"signer": "vlek"`},
		"a word that is no rule":         {"turin", `"cxl": "forbidden"`, `"cxl": "no"`},
		"an empty word":                  {"turin", `"cxl": "forbidden"`, `"cxl": ""`},
		"vmpl of the host":               {"turin", `"vmpl": 0`, `"vmpl": 4`},
		"negative number":                {"turin", `"vmpl": 0`, `"vmpl": -1`},
		"a fraction":                     {"turin", `"vmpl": 0`, `"vmpl": 0.5`},
		"fmc where there is none":        {"genoa", `"bootloader": 10`, `"bootloader": 10, "fmc": 0`},
		"short measurement":              {"turin", `"digest": "6d`, `"digest": "`},
		"not hexadecimal":                {"turin", `"digest": "6d`, `"digest": "zz`},
		"any and a list":                 {"simulated", `"any": true`, `"any": true, "only": ["` + strings.Repeat("00", 16) + `"]`},
		"any that is false":              {"simulated", `"any": true`, `"any": false`},
		"an empty list":                  {"simulated", `"any": true`, `"only": []`},
		"never and a time":               {"simulated", `"never": true`, `"never": true, "at": 5`},
		"a time before 1970":             {"simulated", `"never": true`, `"at": -5`},
		"an unknown field":               {"turin", `"version": 1`, `"version": 1, "note": ""`},
		"an unknown field inside":        {"turin", `"vmpl": 0`, `"vmpl": 0, "vmpls": 0`},
		"a field twice":                  {"turin", `"vmpl": 0`, `"vmpl": 1, "vmpl": 0`},
		"a field in capitals":            {"turin", `"vmpl": 0`, `"VMPL": 0`},
		"a short chip to deny":           {"turin", `"chips": []`, `"chips": ["00"]`},
		"no profile":                     {"turin", `"profiles": [`, `"profiles": [], "x": [`},
		"a nameless profile":             {"turin", `"name": "turin vector"`, `"name": ""`},
		"percent signs in a bad profile": {"turin", `"name": "turin vector"`, `"name": "%s%n", "x": 1`},
		"an image without a name":        {"turin", `"image": "recorded guest"`, `"image": ""`},
		"something behind":               {"turin", `{`, `{}{`},
		"no object":                      {"turin", `{`, `[`},
	} {
		text := strings.Replace(string(all[c.policy]), c.old, c.new, 1)
		if text == string(all[c.policy]) {
			t.Fatalf("%s: nothing changed", name)
		}
		if _, err := attest.ParsePolicy([]byte(text)); !errors.Is(err, attest.ErrPolicyInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (attest.Policy{}).Validate(); !errors.Is(err, attest.ErrPolicyInvalid) {
		t.Errorf("the empty policy: %v", err)
	}
	if _, err := attest.ParsePolicy(bytes.Repeat([]byte("["), 1<<20)); !errors.Is(err, attest.ErrPolicyInvalid) {
		t.Errorf("deep nesting: %v", err)
	}
	if _, err := attest.ParsePolicy(make([]byte, 1<<20+1)); !errors.Is(err, attest.ErrPolicyInvalid) {
		t.Errorf("a long policy: %v", err)
	}
}

// Rail: one policy never lists hardware and simulation, in whatever order and tier.
func TestMixedPolicyIsInvalid(t *testing.T) {
	all := policies(t)
	hardware, simulated := parse(t, all["turin"]), parse(t, all["simulated"])
	for _, tier := range []attest.Tier{attest.TierStandard, attest.TierLegacy, attest.TierSimulated} {
		for _, profiles := range [][]attest.Profile{
			{hardware.Profiles[0], simulated.Profiles[0]}, {simulated.Profiles[0], hardware.Profiles[0]},
		} {
			p := hardware
			p.Tier, p.Profiles = tier, profiles
			if err := p.Validate(); !errors.Is(err, attest.ErrPolicyInvalid) {
				t.Errorf("tier %s: %v", tier, err)
			}
		}
	}
	p := hardware
	p.Profiles = append(p.Profiles, p.Profiles[0])
	if err := p.Validate(); !errors.Is(err, attest.ErrPolicyInvalid) {
		t.Errorf("a profile twice: %v", err)
	}
	p = parse(t, all["turin"])
	p.Profiles[0].Products = append(p.Profiles[0].Products, p.Profiles[0].Products[0])
	if err := p.Validate(); !errors.Is(err, attest.ErrPolicyInvalid) {
		t.Errorf("a product twice: %v", err)
	}
	p = hardware
	p.Profiles = copies(p.Profiles[0], 65)
	if err := p.Validate(); !errors.Is(err, attest.ErrPolicyInvalid) {
		t.Errorf("65 profiles: %v", err)
	}
}

func copies(p attest.Profile, n int) []attest.Profile {
	out := make([]attest.Profile, n)
	for i := range out {
		out[i] = p
		out[i].Name = fmt.Sprint(i)
	}
	return out
}

// What decodes encodes to the same bytes and is valid; what parses as JSON
// keeps its digest by way of CBOR.
func FuzzDecodePolicy(f *testing.F) {
	for _, data := range policies(f) {
		encoded, err := parse(f, data).Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encoded)
		f.Add(data)
	}
	f.Add([]byte{0xa0})
	f.Add([]byte(`{"profiles":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := attest.DecodePolicy(data); err == nil {
			if again, err := p.Encode(); err != nil || !bytes.Equal(again, data) {
				t.Errorf("decodes and encodes as %x, %v", again, err)
			}
		}
		if p, err := attest.ParsePolicy(data); err == nil {
			encoded, err := p.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := attest.DecodePolicy(encoded); err != nil {
				t.Errorf("a policy that parses does not decode: %v", err)
			}
		}
	})
}

// document is a policy as maps and lists.
func document(t testing.TB, data []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var doc map[string]any
	if err := d.Decode(&doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// collect lists the path of every field.
func collect(v any, at []any, paths *[][]any) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			path := append(append([]any{}, at...), name)
			*paths = append(*paths, path)
			collect(inner, path, paths)
		}
	case []any:
		for i, inner := range v {
			collect(inner, append(append([]any{}, at...), i), paths)
		}
	}
}

func unset(v any, path []any, null bool) {
	for ; len(path) > 1; path = path[1:] {
		switch step := path[0].(type) {
		case string:
			v = v.(map[string]any)[step]
		case int:
			v = v.([]any)[step]
		}
	}
	object, name := v.(map[string]any), path[0].(string)
	if null {
		object[name] = nil
	} else {
		delete(object, name)
	}
}

// toCBOR is the document in the CBOR form: numbers as integers, long
// hexadecimal strings as bytes.
func toCBOR(t testing.TB, doc any) []byte {
	t.Helper()
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		t.Fatal(err)
	}
	data, err := mode.Marshal(plain(t, doc))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func plain(t testing.TB, v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, inner := range v {
			out[name] = plain(t, inner)
		}
		return out
	case []any:
		out := []any{}
		for _, inner := range v {
			out = append(out, plain(t, inner))
		}
		return out
	case json.Number:
		n, err := v.Int64()
		if err != nil {
			t.Fatal(err)
		}
		return n
	case string:
		if b, err := hex.DecodeString(v); err == nil && len(b) >= 16 {
			return b
		}
	}
	return v
}
