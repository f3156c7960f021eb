package proof

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// plainDigest is the claims digest as docs/reference/ledger.md words it, written
// with other tools.
func plainDigest(domains []DomainClaims) []byte {
	factory := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	top := factory.NewEmptyRange(0)
	for _, d := range domains {
		tree := factory.NewEmptyRange(0)
		for _, c := range d.Claims {
			mac := hmac.New(sha256.New, d.Seed[:])
			binary.Write(mac, binary.BigEndian, []uint64{c.Field, c.Index})
			type leaf struct {
				_            struct{} `cbor:",toarray"`
				Salt         []byte
				Field, Index uint64
				Value        []byte
			}
			tree.Append(rfc6962.DefaultHasher.HashLeaf(format.Encode(&leaf{Salt: mac.Sum(nil), Field: c.Field, Index: c.Index, Value: c.Value})), nil)
		}
		if root, _ := tree.GetRootHash(nil); root != nil {
			top.Append(rfc6962.DefaultHasher.HashLeaf(root), nil)
		}
	}
	root, _ := top.GetRootHash(nil)
	return root
}

func TestClaimsDigest(t *testing.T) {
	if ClaimsDigest() != (Hash{}) || ClaimsDigest(DomainClaims{}, DomainClaims{Seed: numbered(1)}) != (Hash{}) {
		t.Error("no claims are not 32 zero bytes")
	}
	all := exampleClaims()
	long := DomainClaims{Seed: numbered(7)}
	for _, n := range []int{23, 24, 255, 256, 65535, 65536} {
		long.Claims = append(long.Claims, Claim{Field: uint64(n), Index: uint64(n) << 20, Value: make([]byte, n)})
	}
	for i, domains := range [][]DomainClaims{all[:1], all[:2], all, all[1:], {all[2], long, all[0]}, {long}} {
		if got, want := ClaimsDigest(domains...), plainDigest(domains); !bytes.Equal(got[:], want) {
			t.Errorf("case %d: %x, want %x", i, got, want)
		}
	}
}

func TestDisclose(t *testing.T) {
	domains := exampleClaims()
	digest := ClaimsDigest(domains...)
	for i := range domains {
		for k, c := range domains[i].Claims {
			d, err := Disclose(domains, i, k)
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Verify(digest); err != nil {
				t.Fatalf("claim %d of domain %d: %v", k, i, err)
			}
			if d.Field != c.Field || d.Index != c.Index || !bytes.Equal(d.Value, c.Value) {
				t.Fatal("another claim was disclosed")
			}
			for name, change := range map[string]func(*Disclosure){
				"field":  func(d *Disclosure) { d.Field++ },
				"index":  func(d *Disclosure) { d.Index++ },
				"value":  func(d *Disclosure) { d.Value = append(bytes.Clone(d.Value), 0) },
				"salt":   func(d *Disclosure) { d.Salt[0] ^= 1 },
				"side":   func(d *Disclosure) { d.Sides ^= 1 },
				"height": func(d *Disclosure) { d.Sides |= 1 << 40 },
				"domain": func(d *Disclosure) { d.DomainSides ^= 1 },
				"path":   func(d *Disclosure) { d.Path = append(bytesOf(d.Path), Hash{}) },
			} {
				wrong := *d
				change(&wrong)
				if wrong.Verify(digest) == nil {
					t.Errorf("claim %d of domain %d with another %s is accepted", k, i, name)
				}
			}
		}
	}
	if _, err := Disclose(domains, 1, 0); err == nil {
		t.Error("a claim that does not exist")
	}
}

func bytesOf(path []Hash) []Hash { return append([]Hash(nil), path...) }

func TestFieldNames(t *testing.T) {
	seen := map[string]bool{}
	for field := FieldEthereumHash; field <= FieldEthereumEffective; field++ {
		if name := FieldName(field); name == "" || seen[name] {
			t.Errorf("field %d has the name %q", field, name)
		} else {
			seen[name] = true
		}
	}
}

func BenchmarkClaims11(b *testing.B) {
	claims := make([]Claim, 11)
	for i := range claims {
		claims[i] = Claim{Field: uint64(i + 1), Value: make([]byte, 20)}
	}
	d := DomainClaims{Seed: numbered(1), Claims: claims}
	b.ReportAllocs()
	for b.Loop() {
		ClaimsDigest(d)
	}
}
