package keys

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"testing"
)

func hpkeKey(t testing.TB) *ecdh.PrivateKey {
	t.Helper()
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestOneBundleOnEveryNode takes a bundle from its maker to a second node and
// from there to a third: the files differ, the digest does not.
func TestOneBundleOnEveryNode(t *testing.T) {
	b := sample(t)
	if _, err := b.Rewrap(); !errors.Is(err, ErrBundle) {
		t.Fatalf("a bundle that was never sealed is wrapped: %v", err)
	}
	platform := PlatformSealer("sim", NewSecret())
	first, err := b.Seal(platform)
	if err != nil {
		t.Fatal(err)
	}
	digest := b.Digest()
	opened, err := OpenBundle(first, platform)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		to := hpkeKey(t)
		export, err := opened.Export(to.PublicKey(), []byte("node"))
		if err != nil {
			t.Fatal(err)
		}
		if opened, err = Import(export, to, []byte("node")); err != nil {
			t.Fatal(err)
		}
		platform := PlatformSealer("sim", NewSecret())
		file, err := opened.Rewrap(platform, PlatformSealer("other", NewSecret()))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := DigestOf(file); err != nil || got != digest || bytes.Equal(file, first) {
			t.Fatalf("the file of another node has digest %x, not %x: %v", got, digest, err)
		}
		if opened, err = OpenBundle(file, platform); err != nil {
			t.Fatal(err)
		}
	}
	if !opened.ServiceKey.Equal(b.ServiceKey) || !opened.Checkpoint.Equal(b.Checkpoint) || len(opened.Secrets) != len(b.Secrets) ||
		opened.Digest() != digest || opened.Number != b.Number || opened.Service != b.Service {
		t.Fatal("the bundle came back different")
	}
	other := sample(t)
	if _, err := other.Seal(platform); err != nil || other.Digest() == digest {
		t.Fatalf("two bundles have one digest: %v", err)
	}
}

func TestImportIsForOneKeyAndContext(t *testing.T) {
	b, to := sample(t), hpkeKey(t)
	if _, err := b.Export(to.PublicKey(), nil); !errors.Is(err, ErrBundle) {
		t.Fatalf("a bundle that was never sealed is exported: %v", err)
	}
	if _, err := b.Seal(); err != nil {
		t.Fatal(err)
	}
	curve, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Export(curve.PublicKey(), nil); !errors.Is(err, ErrBundle) {
		t.Fatalf("a bundle is sealed to a key of another curve: %v", err)
	}
	export, err := b.Export(to.PublicKey(), []byte("one"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Import(export, to, []byte("one")); err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func() (*Bundle, error){
		"another key":     func() (*Bundle, error) { return Import(export, hpkeKey(t), []byte("one")) },
		"another curve":   func() (*Bundle, error) { return Import(export, curve, []byte("one")) },
		"another context": func() (*Bundle, error) { return Import(export, to, []byte("two")) },
		"cut short":       func() (*Bundle, error) { return Import(export[:len(export)-1], to, []byte("one")) },
		"nothing":         func() (*Bundle, error) { return Import(nil, to, []byte("one")) },
		"too long":        func() (*Bundle, error) { return Import(make([]byte, maxExport+1), to, []byte("one")) },
	} {
		if _, err := open(); !errors.Is(err, ErrBundle) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzImport gives Import bytes as they come, and what an export holds to its
// decoder, as a node could that seals something else.
func FuzzImport(f *testing.F) {
	b, to := sample(f), hpkeKey(f)
	if _, err := b.Seal(PlatformSealer("sim", NewSecret())); err != nil {
		f.Fatal(err)
	}
	export, err := b.Export(to.PublicKey(), nil)
	if err != nil {
		f.Fatal(err)
	}
	file, err := b.Rewrap()
	if err != nil {
		f.Fatal(err)
	}
	plain, err := canonical.Marshal(bundleExport{File: file, Key: b.key})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(export)
	f.Add(plain)
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := Import(data, to, nil); err == nil && !bytes.Equal(data, export) {
			t.Fatal("opened a forged export")
		}
		if got, err := imported(data); err == nil {
			file, err := got.Rewrap()
			if digest, also := DigestOf(file); err != nil || also != nil || digest != got.Digest() {
				t.Fatal("an imported bundle does not keep its digest", err, also)
			}
		} else if !errors.Is(err, ErrBundle) {
			t.Fatal(err)
		}
		if _, err := DigestOf(data); err != nil && !errors.Is(err, ErrBundle) {
			t.Fatal(err)
		}
	})
}
