package keys

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/coco-consortium/coco/internal/disk"
)

func sample(t testing.TB) *Bundle {
	t.Helper()
	service, err := NewSigner()
	if err != nil {
		t.Fatal(err)
	}
	checkpoint, err := NewCheckpointKey()
	if err != nil {
		t.Fatal(err)
	}
	return &Bundle{Number: 3, Service: Service{ID: [16]byte{1}, Mode: "simulated"}, ServiceKey: service, Checkpoint: checkpoint,
		Secrets: map[Epoch]Secret{{"service", 1}: NewSecret(), {"service", 2}: NewSecret(), {"parties", 1}: NewSecret()}}
}

func TestBundleOpensForItsRecipientOnly(t *testing.T) {
	secret := NewSecret()
	sealer, again, stranger := PlatformSealer("sim", secret), PlatformSealer("sim", secret), PlatformSealer("sim", NewSecret())
	b := sample(t)
	sealed, err := b.Seal(sealer)
	if err != nil {
		t.Fatal(err)
	}
	got, err := OpenBundle(sealed, again)
	if err != nil {
		t.Fatal(err)
	}
	if !got.ServiceKey.Equal(b.ServiceKey) || !got.Checkpoint.Equal(b.Checkpoint) || len(got.Secrets) != 3 || got.Secrets[Epoch{"service", 2}] != b.Secrets[Epoch{"service", 2}] {
		t.Fatal("the bundle came back different")
	}
	if _, err := OpenBundle(sealed, stranger); !errors.Is(err, ErrBundle) {
		t.Fatalf("another sealing key opened the bundle: %v", err)
	}
	if _, err := OpenBundle(sealed, PlatformSealer("snp", secret)); !errors.Is(err, ErrBundle) {
		t.Fatalf("another platform opened the bundle: %v", err)
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := OpenBundle(changed, sealer); err == nil {
			t.Fatalf("a bundle with byte %d changed was opened", i)
		}
	}
}

func TestSaveKeepsTwoAndReadChecksTheDigest(t *testing.T) {
	root := t.TempDir()
	f := disk.OS(root)
	digests := map[uint64][32]byte{}
	for n := uint64(1); n <= 4; n++ {
		b := sample(t)
		b.Number = n
		sealed, err := b.Seal(PlatformSealer("sim", NewSecret()))
		if err != nil {
			t.Fatal(err)
		}
		digests[n] = b.Digest()
		if err := Save(f, ".", n, sealed); err != nil {
			t.Fatal(err)
		}
	}
	names, err := f.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(names) != "[bundle-3 bundle-4]" {
		t.Fatalf("kept %v", names)
	}
	if _, err := Read(f, ".", 4, digests[4]); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(f, ".", 3, digests[4]); !errors.Is(err, ErrBundle) {
		t.Fatalf("an older bundle passed for the newest: %v", err)
	}
	if err := os.Truncate(root+"/bundle-4", 2<<20); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(f, ".", 4, digests[4]); !errors.Is(err, ErrBundle) {
		t.Fatalf("an oversized bundle was read: %v", err)
	}
}

func TestDerivedKeysDifferInEveryInput(t *testing.T) {
	b := sample(t)
	other := sample(t)
	other.Secrets = b.Secrets
	other.Service.Mode = "production"
	seen := map[[32]byte]string{}
	for name, derive := range map[string]func() ([32]byte, error){
		"base":   func() ([32]byte, error) { return b.Ring().Derive(Epoch{"service", 1}, "a", uint64(1)) },
		"epoch":  func() ([32]byte, error) { return b.Ring().Derive(Epoch{"service", 2}, "a", uint64(1)) },
		"domain": func() ([32]byte, error) { return b.Ring().Derive(Epoch{"parties", 1}, "a", uint64(1)) },
		"label":  func() ([32]byte, error) { return b.Ring().Derive(Epoch{"service", 1}, "b", uint64(1)) },
		"field":  func() ([32]byte, error) { return b.Ring().Derive(Epoch{"service", 1}, "a", uint64(2)) },
		"mode":   func() ([32]byte, error) { return other.Ring().Derive(Epoch{"service", 1}, "a", uint64(1)) },
	} {
		key, err := derive()
		if err != nil {
			t.Fatal(err)
		}
		if was, ok := seen[key]; ok {
			t.Fatalf("%s and %s derive the same key", name, was)
		}
		seen[key] = name
	}
	if _, err := b.Ring().Derive(Epoch{"nobody", 1}, "a"); !errors.Is(err, ErrNoEpoch) {
		t.Fatalf("a domain without secret derived a key: %v", err)
	}
}

func TestSecretsPrintRedacted(t *testing.T) {
	s := NewSecret()
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s", s, s, s, s)} {
		if bytes.Contains([]byte(text), s[:4]) || !bytes.Contains([]byte(text), []byte("[secret]")) {
			t.Fatalf("a secret printed as %q", text)
		}
	}
}

func FuzzOpenBundle(f *testing.F) {
	sealer := PlatformSealer("sim", NewSecret())
	sealed, err := sample(f).Seal(sealer)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Fuzz(func(t *testing.T, data []byte) {
		if b, err := OpenBundle(data, sealer); err == nil && !bytes.Equal(data, sealed) {
			t.Fatalf("opened forged bundle %d", b.Number)
		}
	})
}
