package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/coco-consortium/coco/internal/problem"
)

const passphrase = "correct horse battery staple"

// open opens a vault by passphrase, with a cheap scrypt when it is new.
func open(t testing.TB, dir, phrase string, f files) (*File, error) {
	t.Helper()
	v, err := Open(t.Context(), Options{Dir: dir, Passphrase: []byte(phrase), scryptN: 1 << 10, files: f})
	if err == nil {
		t.Cleanup(func() { _ = v.Close() })
	}
	return v, err
}

func must(t testing.TB, dir string) *File {
	t.Helper()
	v, err := open(t, dir, passphrase, nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func code(t *testing.T, err error, want problem.Code) {
	t.Helper()
	if got := problem.CodeOf(err); err == nil || got != want {
		t.Errorf("%v, not %s", err, want)
	}
}

func TestLife(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "vault")
	v := must(t, dir)
	ctx := t.Context()
	_, err := v.Key(ctx, "alice")
	code(t, err, "VAULT_KEY_UNKNOWN")
	_, err = v.Sign(ctx, "alice", "nothing", [32]byte{1})
	code(t, err, "VAULT_KEY_UNKNOWN")

	alice, err := v.Create(ctx, "alice")
	if err != nil {
		t.Fatal(err)
	}
	bob, err := v.Create(ctx, "bob")
	if err != nil || bob.Address == alice.Address {
		t.Fatal(bob, err)
	}
	if again, err := v.Create(ctx, "alice"); err != nil || again.Address != alice.Address {
		t.Fatal(again, err)
	}

	// The same after a restart, and it signs for the person named.
	v = must(t, dir)
	k, err := v.Key(ctx, "alice")
	if err != nil || k.Address != alice.Address || k.Person != "alice" || !bytes.Equal(k.PublicKey, alice.PublicKey) {
		t.Fatal(k, err)
	}
	for i := range 40 {
		digest := crypto.Keccak256Hash([]byte{byte(i)})
		sig, err := v.Sign(ctx, "alice", fmt.Sprintf("action %d", i), digest)
		if err != nil || len(sig) != 64 {
			t.Fatal(sig, err)
		}
		if !crypto.VerifySignature(alice.PublicKey, digest[:], sig) { // refuses a high s
			t.Fatal("not alice's signature, or a high s")
		}
		full, err := Recoverable(digest, sig, alice.Address)
		if err != nil || !bytes.Equal(full[:64], sig) {
			t.Fatal(full, err)
		}
		if _, err := Recoverable(digest, sig, bob.Address); err == nil {
			t.Fatal("alice's signature passes for bob's")
		}
	}
	for _, bad := range []string{"", strings.Repeat("x", 513), "\xff"} {
		_, err := v.Create(ctx, bad)
		code(t, err, "VAULT_PERSON")
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := v.Sign(gone, "alice", "", [32]byte{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	_ = v.Close()
	_, err = v.Sign(ctx, "alice", "", [32]byte{})
	code(t, err, "VAULT_DOWN")
}

func TestWhatOpens(t *testing.T) {
	dir, ctx := filepath.Join(t.TempDir(), "vault"), t.Context()
	if _, err := must(t, dir).Create(ctx, "alice"); err != nil {
		t.Fatal(err)
	}
	_, err := open(t, dir, "wrong", nil)
	code(t, err, "VAULT_LOCKED")
	file := filepath.Join(t.TempDir(), "master")
	if err := NewKeyFile(file); err != nil {
		t.Fatal(err)
	}
	_, err = Open(ctx, Options{Dir: dir, KeyFile: file})
	code(t, err, "VAULT_LOCKED")
	_, err = Open(ctx, Options{Dir: dir})
	code(t, err, "VAULT_OPTIONS")

	phrase := []byte(passphrase)
	if _, err := Open(ctx, Options{Dir: dir, Passphrase: phrase}); err != nil || !bytes.Equal(phrase, make([]byte, len(phrase))) {
		t.Error("the passphrase was not cleared", err)
	}

	// A vault by key file.
	dir = filepath.Join(t.TempDir(), "second")
	v, err := Open(ctx, Options{Dir: dir, KeyFile: file})
	if err != nil {
		t.Fatal(err)
	}
	k, err := v.Create(ctx, "alice")
	if err != nil {
		t.Fatal(err)
	}
	_, err = open(t, dir, passphrase, nil)
	code(t, err, "VAULT_LOCKED")
	other := filepath.Join(t.TempDir(), "other")
	if err := NewKeyFile(other); err != nil {
		t.Fatal(err)
	}
	_, err = Open(ctx, Options{Dir: dir, KeyFile: other})
	code(t, err, "VAULT_LOCKED")
	_, err = Open(ctx, Options{Dir: dir, KeyFile: other + "x"})
	code(t, err, "VAULT_KEY_FILE")
	_ = os.WriteFile(other, []byte("short"), 0o600)
	_, err = Open(ctx, Options{Dir: dir, KeyFile: other})
	code(t, err, "VAULT_KEY_FILE")

	// NewKeyFile leaves a file that is there; hexadecimal digits mean the same.
	before, _ := os.ReadFile(file)
	if err := NewKeyFile(file); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.ReadFile(file); !bytes.Equal(before, after) || len(after) != 32 {
		t.Error("the key file changed")
	}
	_ = os.WriteFile(other, fmt.Appendf(nil, "%x\n", before), 0o600)
	v, err = Open(ctx, Options{Dir: dir, KeyFile: other})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := v.Key(ctx, "alice"); err != nil || again.Address != k.Address {
		t.Error(again, err)
	}
}

// TestNothingReadable: neither keys nor persons can be read in the directory.
func TestNothingReadable(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "vault")
	v := must(t, dir)
	const marker = "alice-the-marker"
	k, err := v.Create(t.Context(), marker)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Sign(t.Context(), marker, "action 1", [32]byte{7}); err != nil {
		t.Fatal(err)
	}
	_, secret, err := v.open(marker)
	if err != nil {
		t.Fatal(err)
	}
	files := 0
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		data, err := os.ReadFile(path)
		for _, hidden := range [][]byte{[]byte(marker), []byte(passphrase), secret, fmt.Appendf(nil, "%x", secret), k.Address[:]} {
			if bytes.Contains(data, hidden) || strings.Contains(path, string(hidden)) {
				t.Errorf("%s shows %q", path, hidden)
			}
		}
		if info, _ := d.Info(); info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is readable for others: %v", path, info.Mode())
		}
		return err
	})
	if err != nil || files != 4 {
		t.Errorf("%d files, %v", files, err)
	}
}

func TestDamage(t *testing.T) {
	dir, ctx := filepath.Join(t.TempDir(), "vault"), t.Context()
	v := must(t, dir)
	for _, p := range []string{"alice", "bob", "carol"} {
		if _, err := v.Create(ctx, p); err != nil {
			t.Fatal(err)
		}
	}
	path := func(p string) string { s, _, _ := v.file(p); return s }
	alice, _ := os.ReadFile(path("alice"))

	// Bob's file under alice's name.
	bob, _ := os.ReadFile(path("bob"))
	_ = os.WriteFile(path("alice"), bob, 0o600)
	_, err := v.Sign(ctx, "alice", "", [32]byte{1})
	code(t, err, "VAULT_DAMAGED")
	// Any bit, any length.
	for i := range alice {
		bad := bytes.Clone(alice)
		bad[i] ^= 1
		_ = os.WriteFile(path("alice"), bad, 0o600)
		_, err := v.Sign(ctx, "alice", "", [32]byte{1})
		code(t, err, "VAULT_DAMAGED")
		_ = os.WriteFile(path("alice"), alice[:i], 0o600)
		_, err = v.Sign(ctx, "alice", "", [32]byte{1})
		code(t, err, "VAULT_DAMAGED")
	}
	// A damaged key is never made anew: its address may own something.
	_, err = must(t, dir).Create(ctx, "alice")
	code(t, err, "VAULT_DAMAGED")
	// The others go on, and a restored file works again by itself.
	if _, err := v.Sign(ctx, "bob", "", [32]byte{1}); err != nil {
		t.Error(err)
	}
	_ = os.WriteFile(path("alice"), alice, 0o600)
	if _, err := v.Sign(ctx, "alice", "", [32]byte{1}); err != nil {
		t.Error(err)
	}

	// A vault that lost its header is not made anew over its keys.
	_ = os.Remove(filepath.Join(dir, headerName))
	_, err = open(t, dir, passphrase, nil)
	code(t, err, "VAULT_DAMAGED")
	_ = os.WriteFile(filepath.Join(dir, headerName), []byte(`{"format":1`), 0o600)
	_, err = open(t, dir, passphrase, nil)
	code(t, err, "VAULT_DAMAGED")

	// The directory gone and back.
	if err := os.Rename(filepath.Join(dir, keysName), filepath.Join(dir, "away")); err != nil {
		t.Fatal(err)
	}
	if _, err = v.Sign(ctx, "carol", "", [32]byte{1}); err == nil {
		t.Error("signed without a key file")
	}
	_ = os.Rename(filepath.Join(dir, "away"), filepath.Join(dir, keysName))
	if _, err = v.Sign(ctx, "carol", "", [32]byte{1}); err != nil {
		t.Error(err)
	}
}

func TestUses(t *testing.T) {
	dir, ctx := filepath.Join(t.TempDir(), "vault"), t.Context()
	v := must(t, dir)
	if err := v.Uses(func(Use) error { return errors.New("a use") }); err != nil {
		t.Error(err)
	}
	if _, err := v.Create(ctx, "alice"); err != nil {
		t.Fatal(err)
	}
	sign := func(purpose string) error {
		_, err := v.Sign(ctx, "alice", purpose, [32]byte{0xab})
		return err
	}
	if err := errors.Join(sign("action 1"), sign("line\nbreak"), sign(strings.Repeat("é", 300))); err != nil {
		t.Fatal(err)
	}
	// A line that a crash cut.
	f, _ := os.OpenFile(filepath.Join(dir, usesName), os.O_APPEND|os.O_WRONLY, 0)
	_, _ = f.WriteString(`{"time":"2026-`)
	_ = f.Close()
	if err := sign("after"); err != nil {
		t.Fatal(err)
	}
	name, _ := v.Name("alice")
	var purposes []string
	err := v.Uses(func(u Use) error {
		if u.Key != name || !strings.HasPrefix(u.Digest, "ab00") || u.Time.IsZero() {
			t.Errorf("%+v", u)
		}
		purposes = append(purposes, u.Purpose)
		return nil
	})
	if want := []string{"action 1", "line\nbreak", strings.Repeat("é", 100), "after"}; err != nil || !slices.Equal(purposes, want) {
		t.Errorf("%q %v", purposes, err)
	}

	// What cannot be written down does not happen.
	log := filepath.Join(dir, usesName)
	if err := errors.Join(os.Rename(log, log+".old"), os.Mkdir(log, 0o700)); err != nil {
		t.Fatal(err)
	}
	code(t, sign("unseen"), "VAULT_DOWN")
	if err := os.Remove(log); err != nil {
		t.Fatal(err)
	}
	if err := sign("seen"); err != nil {
		t.Error(err)
	}
}

func TestManyAtOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "vault")
	var mu sync.Mutex
	addresses := map[string]common.Address{}
	var all sync.WaitGroup
	for range 4 { // four vaults over one directory
		v := must(t, dir)
		for i := range 8 {
			all.Go(func() {
				person := fmt.Sprint("person ", i%4)
				k, err := v.Create(t.Context(), person)
				if err == nil {
					_, err = v.Sign(t.Context(), person, "x", [32]byte{1})
				}
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				} else if a, ok := addresses[person]; ok && a != k.Address {
					t.Errorf("%s has two keys", person)
				}
				addresses[person] = k.Address
			})
		}
	}
	all.Wait()
	uses := 0
	if err := must(t, dir).Uses(func(Use) error { uses++; return nil }); err != nil || uses != 32 {
		t.Error(uses, err)
	}
}

// TestProcesses lets several processes make and use the same persons' keys at
// once in a new vault.
func TestProcesses(t *testing.T) {
	if dir := os.Getenv("COCO_TEST_VAULT"); dir != "" {
		v := must(t, dir)
		told := map[string]common.Address{}
		for i := range 20 {
			person := fmt.Sprint("person ", i)
			k, err := v.Create(t.Context(), person)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := v.Sign(t.Context(), person, strings.Repeat("x", 150), [32]byte{1}); err != nil {
				t.Fatal(err)
			}
			told[person] = k.Address
		}
		out, _ := json.Marshal(told)
		fmt.Printf("TOLD%s\n", out)
		return
	}
	dir := filepath.Join(t.TempDir(), "vault")
	outs := make([][]byte, 3)
	var all sync.WaitGroup
	for i := range outs {
		all.Go(func() {
			c := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestProcesses$")
			c.Env = append(os.Environ(), "COCO_TEST_VAULT="+dir)
			var err error
			if outs[i], err = c.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, outs[i])
			}
		})
	}
	all.Wait()
	line := func(out []byte) string {
		_, rest, _ := bytes.Cut(out, []byte("TOLD"))
		told, _, _ := bytes.Cut(rest, []byte("\n"))
		return string(told)
	}
	if line(outs[0]) == "" || line(outs[0]) != line(outs[1]) || line(outs[1]) != line(outs[2]) {
		t.Errorf("the processes do not agree:\n%s\n%s\n%s", outs[0], outs[1], outs[2])
	}
	uses := 0
	if err := must(t, dir).Uses(func(Use) error { uses++; return nil }); err != nil || uses != 60 {
		t.Errorf("%d uses, %v", uses, err)
	}
}
