package builder

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// masterKey reads the 32 bytes that encrypt what is kept. Without a name the key
// lies beside the data, which protects copies of the data and nothing else; it is
// made at the first start.
func masterKey(name, beside string, fresh bool) (key [32]byte, err error) {
	made := name == ""
	if made {
		name = beside
	}
	data, err := os.ReadFile(name)
	if made && fresh && errors.Is(err, fs.ErrNotExist) {
		rand.Read(key[:])
		return key, writeKey(name, key)
	}
	if err != nil {
		return key, ErrConfig.From(fmt.Errorf("the key of the data: %w", err))
	}
	if len(data) != len(key) {
		return key, ErrConfig.From(fmt.Errorf("the key in %s has %d bytes, not 32", name, len(data)))
	}
	return [32]byte(data), nil
}

// writeKey makes a file that is durable before anything is encrypted under it.
func writeKey(name string, key [32]byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return ErrConfig.From(err)
	}
	_, err = f.Write(key[:])
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return ErrConfig.From(err)
	}
	d, err := os.Open(filepath.Dir(name))
	if err != nil {
		return ErrConfig.From(err)
	}
	return errors.Join(d.Sync(), d.Close())
}
