package proof

import (
	"bytes"
	"testing"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
)

// TestFrontierAgreesWithReference compares every size up to 300 with another
// implementation, through an encoding in the middle.
func TestFrontierAgreesWithReference(t *testing.T) {
	factory := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	reference := factory.NewEmptyRange(0)
	f := &Frontier{}
	if f.Root() != Hash(rfc6962.DefaultHasher.EmptyRoot()) {
		t.Fatal("root of the empty tree")
	}
	for i := range 300 {
		leaf := numbered(i)
		f.Append(leaf)
		if err := reference.Append(leaf[:], nil); err != nil {
			t.Fatal(err)
		}
		want, err := reference.GetRootHash(nil)
		if err != nil || f.Root() != Hash(want) {
			t.Fatalf("size %d: root %x, want %x (%v)", i+1, f.Root(), want, err)
		}
		for k, h := range reference.Hashes() {
			if !bytes.Equal(h, f.Hashes()[k][:]) {
				t.Fatalf("size %d: subtree %d differs", i+1, k)
			}
		}
		again, err := DecodeFrontier(f.Encode())
		if err != nil {
			t.Fatal(err)
		}
		copied := again.Clone()
		copied.Append(leaf) // must not reach again
		f = again
		if f.Size() != uint64(i+1) || !f.Matches(uint64(i+1), Hash(want)) || f.Matches(uint64(i), Hash(want)) || f.Matches(uint64(i+1), leaf) && i > 0 {
			t.Fatalf("size %d: matches", i+1)
		}
	}
}

func TestPaths(t *testing.T) {
	const most = 33
	var all leaves
	roots := []Hash{{}}
	var f Frontier
	for i := range most {
		all = append(all, numbered(i))
		f.Append(all[i])
		roots = append(roots, f.Root())
	}
	for size := 1; size <= most; size++ {
		for index := range size {
			path, err := Inclusion(all, uint64(index), uint64(size))
			if err != nil {
				t.Fatal(err)
			}
			if err := VerifyInclusion(all[index], uint64(index), uint64(size), path, roots[size]); err != nil {
				t.Fatal(err)
			}
			refused := 0
			for i := range path {
				path[i][3] ^= 1
				if VerifyInclusion(all[index], uint64(index), uint64(size), path, roots[size]) != nil {
					refused++
				}
				path[i][3] ^= 1
			}
			if refused != len(path) || VerifyInclusion(numbered(99), uint64(index), uint64(size), path, roots[size]) == nil ||
				VerifyInclusion(all[index], uint64(index)+1, uint64(size), path, roots[size]) == nil ||
				VerifyInclusion(all[index], uint64(index), uint64(size), append(path, Hash{}), roots[size]) == nil {
				t.Fatalf("a wrong inclusion of %d in %d is accepted", index, size)
			}
		}
		for first := 1; first <= size; first++ {
			path, err := Consistency(all, uint64(first), uint64(size))
			if err != nil {
				t.Fatal(err)
			}
			if err := VerifyConsistency(uint64(first), roots[first], uint64(size), roots[size], path); err != nil {
				t.Fatal(err)
			}
			if VerifyConsistency(uint64(first), numbered(1000), uint64(size), roots[size], path) == nil {
				t.Fatalf("a wrong consistency of %d in %d is accepted", first, size)
			}
		}
	}
	if _, err := Inclusion(all, 5, 5); err == nil {
		t.Error("inclusion outside the tree")
	}
	if _, err := Consistency(all, 6, 5); err == nil {
		t.Error("consistency with a smaller tree")
	}
}

func FuzzDecodeFrontier(f *testing.F) {
	var example Frontier
	for i := range 5 {
		f.Add(example.Encode())
		example.Append(numbered(i))
	}
	f.Add(bytes.Repeat([]byte{0xff}, 8+64*32))
	f.Fuzz(func(t *testing.T, data []byte) {
		frontier, err := DecodeFrontier(data)
		if err != nil {
			return
		}
		if !bytes.Equal(frontier.Encode(), data) {
			t.Fatal("another encoding was accepted")
		}
		if frontier.Root(); frontier.Size() < 1<<63 {
			frontier.Append(Hash{})
		}
	})
}

func BenchmarkFrontierAppend(b *testing.B) {
	var f Frontier
	leaf := numbered(1)
	b.ReportAllocs()
	for b.Loop() {
		f.Append(leaf)
	}
}

func BenchmarkLeaf(b *testing.B) {
	var h Hash
	b.ReportAllocs()
	for b.Loop() {
		h = Leaf(h, h, h)
	}
}
