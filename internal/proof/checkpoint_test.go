package proof

import (
	"crypto/ed25519"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

func TestCheckpoint(t *testing.T) {
	c, key, service := exampleCheckpoint(t)
	data, err := c.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseCheckpoint(data)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, c) {
		t.Fatalf("another checkpoint came back: %+v", got)
	}
	if err := got.Verify(Trust{Service: service}); err != nil {
		t.Fatal(err)
	}
	h := format.Header{Height: c.Height, TreeSize: c.Size, Root: c.Root}
	if !got.Matches(&h) {
		t.Error("it does not match its own head")
	}
	for _, other := range []format.Header{{Height: 11, TreeSize: c.Size, Root: c.Root}, {Height: c.Height, TreeSize: 76, Root: c.Root}, {Height: c.Height, TreeSize: c.Size}} {
		if got.Matches(&other) {
			t.Errorf("it matches %+v", other)
		}
	}
	for i := range data {
		for bit := range 8 {
			data[i] ^= 1 << bit
			if c, err := ParseCheckpoint(data); err == nil && c.Verify(Trust{Service: service}) == nil {
				t.Errorf("flipped bit %d of byte %d is accepted:\n%s", bit, i, data)
			}
			data[i] ^= 1 << bit
		}
	}
	// Anyone else reads it as a plain signed note, and witnesses cosign it.
	vkey, _ := note.NewEd25519VerifierKey(c.Origin(), key.Public().(ed25519.PublicKey))
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open(data, note.VerifierList(verifier))
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(n.Text, "\n"); lines[0] != "0102030405060708090a0b0c0d0e0f10/2" || lines[1] != "77" {
		t.Errorf("text:\n%s", n.Text)
	}
	skey, _, _ := note.GenerateKey(strings.NewReader(strings.Repeat("w", 64)), "witness.example")
	witness, _ := note.NewSigner(skey)
	cosigned, err := note.Sign(n, witness)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseCheckpoint(cosigned); err != nil {
		t.Errorf("cosigned: %v", err)
	}
}

// Whatever its bytes are in base64, a key signs.
func TestCheckpointKeys(t *testing.T) {
	c, _, _ := exampleCheckpoint(t)
	for i := range 100 {
		seed := numbered(i)
		key := ed25519.NewKeyFromSeed(seed[:])
		c.Key = key.Public().(ed25519.PublicKey)
		data, err := c.Sign(key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseCheckpoint(data); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCheckpointRefused(t *testing.T) {
	c, key, service := exampleCheckpoint(t)
	for name, change := range map[string]func(*Checkpoint){
		"service":    func(c *Checkpoint) { c.Service[0]++ },
		"mode":       func(c *Checkpoint) { c.Mode = format.ModeSimulated },
		"key number": func(c *Checkpoint) { c.KeyNumber++ },
	} {
		wrong := *c
		change(&wrong)
		data, err := wrong.Sign(key)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseCheckpoint(data)
		if err != nil {
			t.Fatal(err)
		}
		if got.Verify(Trust{Service: service, AllowSimulated: true}) == nil {
			t.Errorf("a checkpoint with another %s is accepted", name)
		}
	}
	stranger := *c
	stranger.Key = make([]byte, 32)
	if _, err := stranger.Sign(key); err == nil {
		t.Error("a key signs for another")
	}
}

func FuzzParseCheckpoint(f *testing.F) {
	c, key, service := exampleCheckpoint(f)
	data, err := c.Sign(key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte("a/b\n1\n\n\n\n\n— x y\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseCheckpoint(data); err == nil {
			c.Verify(Trust{Service: service})
		}
	})
}
