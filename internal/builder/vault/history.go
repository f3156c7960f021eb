package vault

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// Uses calls each with every use that was written down, oldest first, and whose key
// it was; lines that were cut are passed over.
func (f *File) Uses(each func(Use) error) error {
	owners, err := f.owners()
	if err != nil {
		return err
	}
	// The newest file is opened first: it may be set aside meanwhile.
	newest, err := os.Open(f.uses.path())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return down(err)
	}
	if err == nil {
		defer newest.Close()
	}
	before, err := f.uses.before()
	if err != nil {
		return down(err)
	}
	for _, path := range before {
		if newest != nil {
			if twice, err := same(newest, path); err != nil || twice {
				return errors.Join(down(err), read(newest, owners, each))
			}
		}
		file, err := os.Open(path)
		if err != nil {
			return down(err)
		}
		if err := errors.Join(read(file, owners, each), file.Close()); err != nil {
			return err
		}
	}
	if newest == nil {
		return nil
	}
	return read(newest, owners, each)
}

// owner is whose a key is.
type owner struct {
	person  string
	address common.Address
}

// owners are those of the keys that can be read, by their names.
func (f *File) owners() (map[string]owner, error) {
	names, err := os.ReadDir(filepath.Join(f.dir, keysName))
	if err != nil {
		return nil, down(err)
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.seal == nil {
		return nil, errClosed
	}
	all := map[string]owner{}
	for _, n := range names {
		if strings.HasPrefix(n.Name(), draftPrefix) {
			continue
		}
		data, err := readUpTo(filepath.Join(f.dir, keysName, n.Name()), maxKey+1)
		if err != nil {
			continue
		}
		person, secret, err := openKey(f.seal, n.Name(), data)
		if err != nil {
			continue
		}
		if private, err := crypto.ToECDSA(secret); err == nil {
			all[n.Name()] = owner{person, crypto.PubkeyToAddress(private.PublicKey)}
			forget(private)
		}
		clear(secret)
	}
	return all, nil
}

func read(from io.Reader, owners map[string]owner, each func(Use) error) error {
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		var u Use
		if json.Unmarshal(bytes.TrimSpace(lines.Bytes()), &u) != nil || u.Key == "" {
			continue
		}
		u.Person, u.Address = owners[u.Key].person, owners[u.Key].address
		if err := each(u); err != nil {
			return err
		}
	}
	return down(lines.Err())
}

// Name is what the log of uses calls a person's key.
func (f *File) Name(person string) (string, error) {
	_, name, err := f.file(person)
	return name, err
}
