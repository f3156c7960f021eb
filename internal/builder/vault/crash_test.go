package vault

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
)

var errPower = errors.New("the power is gone")

// power is the operating system's files until the power fails at a step. What
// was not made durable by then is lost: names since the directory's last sync,
// contents since the file's.
type power struct {
	left    int             // steps until it fails
	keep    bool            // whether what was not durable happened to reach the disk all the same
	names   map[string]bool // made, and their directory not synced since
	content map[string]bool // written, not synced since
	off     bool
}

func newPower(steps int, keep bool) *power {
	return &power{left: steps, keep: keep, names: map[string]bool{}, content: map[string]bool{}}
}

// step counts; the step at which the power fails does half of its work.
func (p *power) step() error {
	if p.off {
		return errPower
	}
	if p.left--; p.left >= 0 {
		return nil
	}
	p.off = true
	return errPower
}

func (p *power) write(path string, data []byte) error {
	err := p.step()
	if err != nil {
		if p.keep && p.left == -1 {
			_ = system{}.write(path, data[:len(data)/2])
		}
		return err
	}
	p.names[path], p.content[path] = true, true
	return system{}.write(path, data)
}

func (p *power) sync(path string) error {
	if err := p.step(); err != nil {
		return err
	}
	delete(p.content, path)
	for name := range p.names {
		if filepath.Dir(name) == path {
			delete(p.names, name)
		}
	}
	return system{}.sync(path)
}

func (p *power) link(from, to string) error {
	if err := p.step(); err != nil {
		return err
	}
	p.names[to] = true
	if p.content[from] {
		p.content[to] = true
	}
	return system{}.link(from, to)
}

func (p *power) remove(path string) error {
	if err := p.step(); err != nil {
		return err
	}
	delete(p.names, path)
	return system{}.remove(path)
}

// lose takes away what was not durable.
func (p *power) lose() {
	if p.keep {
		return
	}
	for path := range p.content {
		_ = os.Truncate(path, 0)
	}
	for path := range p.names {
		_ = os.Remove(path)
	}
}

// TestPowerCuts makes a vault and a key and cuts the power at each step. The
// next start always opens the vault and makes the key, and an address that
// somebody was told stays the person's.
func TestPowerCuts(t *testing.T) {
	for _, keep := range []bool{false, true} {
		for steps := 0; ; steps++ {
			dir := filepath.Join(t.TempDir(), "vault")
			p := newPower(steps, keep)
			var told common.Address
			v, err := open(t, dir, passphrase, p)
			if err == nil {
				var k Key
				if k, err = v.Create(t.Context(), "alice"); err == nil {
					told = k.Address
				}
			}
			if err != nil && !errors.Is(err, errPower) {
				t.Fatalf("step %d: %v", steps, err)
			}
			p.lose()
			// A second cut, while recovering from the first.
			for again := range 3 {
				q := newPower(again, keep)
				if v, err := open(t, dir, passphrase, q); err == nil {
					if k, err := v.Create(t.Context(), "alice"); err == nil {
						if told != (common.Address{}) && told != k.Address {
							t.Fatalf("step %d: alice's address changed", steps)
						}
						told = k.Address
					}
				}
				q.lose()
			}
			v = must(t, dir)
			k, err := v.Create(t.Context(), "alice")
			if err != nil || told != (common.Address{}) && k.Address != told {
				t.Fatalf("step %d: alice was told %s, has %s, %v", steps, told, k.Address, err)
			}
			if _, err := v.Sign(t.Context(), "alice", "", [32]byte{1}); err != nil {
				t.Fatalf("step %d: %v", steps, err)
			}
			drafts := 0
			_ = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, _ error) error {
				if strings.Contains(path, draftPrefix) {
					drafts++
				}
				return nil
			})
			if drafts > 0 {
				t.Errorf("step %d: %d drafts are left", steps, drafts)
			}
			if !p.off {
				if steps < 10 {
					t.Errorf("a vault and a key are made in %d steps: too few to be durable", steps)
				}
				break
			}
		}
	}
}

// TestKilledThenPowerCut kills the process at each step, lets another one tell
// the address, and then cuts the power: what was told must have been durable.
func TestKilledThenPowerCut(t *testing.T) {
	for steps := 0; ; steps++ {
		dir := filepath.Join(t.TempDir(), "vault")
		killed := newPower(steps, false)
		if v, err := open(t, dir, passphrase, killed); err == nil {
			_, _ = v.Create(t.Context(), "alice")
		}
		next := newPower(1000, false)
		next.names, next.content = killed.names, killed.content // nothing was lost yet
		v, err := open(t, dir, passphrase, next)
		if err != nil {
			t.Fatalf("step %d: %v", steps, err)
		}
		told, err := v.Create(t.Context(), "alice")
		if err != nil {
			t.Fatalf("step %d: %v", steps, err)
		}
		next.lose()
		if v, err = open(t, dir, passphrase, nil); err != nil {
			t.Fatalf("step %d: %v", steps, err)
		}
		if k, err := v.Key(t.Context(), "alice"); err != nil || k.Address != told.Address {
			t.Fatalf("step %d: alice was told %s, has %s, %v", steps, told.Address, k.Address, err)
		}
		if !killed.off {
			break
		}
	}
}
