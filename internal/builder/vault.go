package builder

import (
	"cmp"
	"context"
	"os"
	"path/filepath"

	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/vault"
)

// openVault opens the vault. It makes one only where no key of anybody is known: a
// new one, in place of one that is not mounted, could sign for nobody.
func (b *Builder) openVault(ctx context.Context) (*vault.File, error) {
	keys, err := b.hasKeys(ctx)
	if err != nil {
		return nil, err
	}
	return OpenVault(ctx, b.config, keys)
}

// OpenVault opens the vault of a configuration by its passphrase, its key, or a key
// beside the data. One that exists, or whose key beside the data does, is never made.
func OpenVault(ctx context.Context, c Config, exists bool) (*vault.File, error) {
	o := vault.Options{Dir: cmp.Or(c.Vault.Dir, filepath.Join(c.Data, "vault")), KeyFile: c.Vault.Key, Existing: exists, Clock: c.Clock}
	switch {
	case c.Vault.Passphrase != "":
		text, err := secret("@" + c.Vault.Passphrase)
		if err != nil {
			return nil, err
		}
		o.Passphrase = []byte(text)
	case c.Vault.Key == "":
		o.KeyFile = filepath.Join(c.Data, "vault.key")
		if there(o.KeyFile) {
			o.Existing = o.Existing || !there(o.Dir) // the directory is made before its key
			break
		}
		if o.Existing || there(filepath.Join(o.Dir, "vault.json")) {
			break // the vault asks for it
		}
		if err := os.MkdirAll(o.Dir, 0o700); err != nil {
			return nil, vault.ErrDown.From(err)
		}
		if err := vault.NewKeyFile(o.KeyFile); err != nil {
			return nil, err
		}
	}
	return vault.Open(ctx, o)
}

// hasKeys is whether anybody has an account, and so a key.
func (b *Builder) hasKeys(ctx context.Context) (bool, error) {
	for page := (offchain.Page{Top: 200}); ; page.Skip += page.Top {
		list, err := b.store.People(ctx, offchain.PersonFilter{Page: page})
		if err != nil {
			return false, err
		}
		for i := range list.Rows {
			if len(list.Rows[i].Keys) > 0 {
				return true, nil
			}
		}
		if !list.More {
			return false, nil
		}
	}
}
