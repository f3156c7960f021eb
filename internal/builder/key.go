package builder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/coco-consortium/coco/internal/builder/vault"
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
		if err = vault.NewKeyFile(name); err == nil {
			data, err = os.ReadFile(name)
		}
	}
	if err != nil {
		return key, ErrConfig.From(fmt.Errorf("the key of the data, 32 random bytes in a file: %w", err))
	}
	if len(data) != len(key) {
		return key, ErrConfig.From(fmt.Errorf("the key in %s has %d bytes, not 32", name, len(data)))
	}
	return [32]byte(data), nil
}
