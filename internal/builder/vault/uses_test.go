package vault

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// TestUsesAreSetAside fills files of the log from two openings of the vault at once:
// each use is found once, with whose it was.
func TestUsesAreSetAside(t *testing.T) {
	const most, each = 1000, 60
	dir, ctx := filepath.Join(t.TempDir(), "vault"), t.Context()
	var group sync.WaitGroup
	for _, person := range []string{"alice", "bob"} {
		v := must(t, dir)
		v.uses.most = most
		if _, err := v.Create(ctx, person); err != nil {
			t.Fatal(err)
		}
		group.Go(func() {
			for n := range each {
				if _, err := v.Sign(ctx, person, fmt.Sprintf("action %d", n), [32]byte{1}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	v := must(t, dir)
	found := map[string][]string{}
	if err := v.Uses(func(u Use) error {
		if k, err := v.Key(ctx, u.Person); err != nil || k.Address != u.Address {
			t.Errorf("%+v: %v", u, err)
		}
		found[u.Person] = append(found[u.Person], u.Purpose)
		return nil
	}); err != nil {
		t.Error(err)
	}
	var want []string
	for n := range each {
		want = append(want, fmt.Sprintf("action %d", n))
	}
	for _, person := range []string{"alice", "bob"} { // two writers of one person keep no order
		slices.SortFunc(found[person], func(a, b string) int { return slices.Index(want, a) - slices.Index(want, b) })
		if !slices.Equal(found[person], want) {
			t.Errorf("%s: %q", person, found[person])
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "uses*.log"))
	if err != nil || len(files) < 2*each*100/most {
		t.Errorf("%v %v", files, err)
	}
	for _, name := range files {
		if info, err := os.Stat(name); err != nil || info.Size() > 2*most {
			t.Errorf("%s has %d bytes, %v", name, info.Size(), err)
		}
	}
}

// TestExisting wants a vault that is known never to be made anew.
func TestExisting(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "vault")
	existing := func() (*File, error) {
		return Open(t.Context(), Options{Dir: dir, Passphrase: []byte(passphrase), Existing: true, scryptN: 1 << 10})
	}
	for range 2 {
		_, err := existing()
		code(t, err, "VAULT_MISSING")
		if names, _ := os.ReadDir(dir); len(names) != 0 {
			t.Errorf("it made %v", names)
		}
		_ = os.Mkdir(dir, 0o700) // nothing is mounted there
	}
	v := must(t, dir)
	if _, err := v.Create(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	v, err := existing()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if _, err := v.Key(t.Context(), "alice"); err != nil {
		t.Error(err)
	}
}
