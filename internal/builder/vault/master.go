package vault

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/crypto/scrypt"

	"github.com/coco-consortium/coco/internal/problem"
)

// header is vault.json: how the master key is found, and how to know it again.
// It holds no secret.
type header struct {
	Format int    `json:"format"` // 1
	Master string `json:"master"` // "passphrase" (scrypt) or "file"
	N      int    `json:"n,omitempty"`
	R      int    `json:"r,omitempty"`
	P      int    `json:"p,omitempty"`
	Salt   []byte `json:"salt"`
	Check  []byte `json:"check"` // what only the right master key gives
}

const (
	headerName = "vault.json"
	keysName   = "keys"
	lockName   = "lock"

	scryptN    = 1 << 17 // 128 MiB and about half a second: what OWASP advises
	maxScryptN = 1 << 20 // of a header that somebody changed
	maxHeader  = 4 << 10
)

// decodeHeader reads vault.json; damaged or unreasonable ones are VAULT_DAMAGED.
func decodeHeader(data []byte) (*header, error) {
	var h header
	if len(data) > maxHeader || json.Unmarshal(data, &h) != nil {
		return nil, ErrDamaged.From(errors.New(headerName + " cannot be read"))
	}
	switch {
	case h.Format != 1:
		return nil, ErrDamaged.From(fmt.Errorf("%s has format %d; this coco knows 1", headerName, h.Format))
	case len(h.Salt) != 32 || len(h.Check) != sha256.Size,
		h.Master == "passphrase" && (h.N < 1<<10 || h.N > maxScryptN || h.N&(h.N-1) != 0 || h.R != 8 || h.P != 1),
		h.Master != "passphrase" && h.Master != "file":
		return nil, ErrDamaged.From(errors.New(headerName + " holds what no vault was made with"))
	}
	return &h, nil
}

// master is the 32 bytes that everything is sealed under.
func (h *header) master(o Options) ([]byte, error) {
	switch {
	case h.Master == "passphrase" && o.KeyFile != "":
		return nil, ErrLocked.From(errors.New("this vault was made with a passphrase, not with a key file"))
	case h.Master == "file" && o.KeyFile == "":
		return nil, ErrLocked.From(errors.New("this vault was made with a key file, not with a passphrase"))
	case h.Master == "passphrase":
		return scrypt.Key(o.Passphrase, h.Salt, h.N, h.R, h.P, 32)
	}
	file, err := readKeyFile(o.KeyFile)
	if err != nil {
		return nil, err
	}
	defer clear(file)
	return derive(file, h.Salt, "master"), nil
}

// check is what the header remembers of a master key.
func (h *header) check(master []byte) []byte { return derive(master, h.Salt, "check "+h.Master) }

// opens says whether this is the vault's master key.
func (h *header) opens(master []byte) bool { return hmac.Equal(h.check(master), h.Check) }

// derive makes a key for one purpose (RFC 5869).
func derive(secret, salt []byte, purpose string) []byte {
	key, err := hkdf.Key(sha256.New, secret, salt, "coco vault 1 "+purpose, 32)
	if err != nil {
		panic(err) // only a length beyond 255 hashes
	}
	return key
}

// newHeader makes a vault's header.
func newHeader(o Options) (*header, error) {
	h := &header{Format: 1, Master: "file", Salt: make([]byte, 32)}
	_, _ = rand.Read(h.Salt) // never fails
	if o.KeyFile == "" {
		h.Master, h.N, h.R, h.P = "passphrase", o.scryptN, 8, 1
	}
	master, err := h.master(o)
	if err != nil {
		return nil, err
	}
	defer clear(master)
	h.Check = h.check(master)
	return h, nil
}

// readKeyFile reads 32 bytes, as they are or as 64 hexadecimal digits.
func readKeyFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, errKeyFile.From(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 128))
	if err != nil {
		return nil, errKeyFile.From(err)
	}
	if len(data) == 32 {
		return data, nil
	}
	defer clear(data)
	text := data
	for len(text) > 0 && (text[len(text)-1] == '\n' || text[len(text)-1] == '\r') {
		text = text[:len(text)-1]
	}
	key := make([]byte, 32)
	if len(text) != 64 {
		return nil, errKeyFile.From(fmt.Errorf("%s does not hold 32 bytes", path))
	}
	if _, err := hex.Decode(key, text); err != nil {
		return nil, errKeyFile.From(fmt.Errorf("%s does not hold 64 hexadecimal digits", path))
	}
	return key, nil
}

var errKeyFile = problem.New("VAULT_KEY_FILE", "the vault's master key file cannot be used", "give a file of 32 random bytes, for example: head -c 32 /dev/urandom > FILE")

// NewKeyFile makes a master key file for its owner's eyes, unless there is one.
// A development network keeps it beside the data, which protects nothing from
// whoever has both, and says so; elsewhere it belongs on another disk.
func NewKeyFile(path string) error {
	if _, err := os.Stat(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return down(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return down(err)
	}
	key := make([]byte, 32)
	defer clear(key)
	_, _ = rand.Read(key)
	if err := place(system{}, path, key); err != nil && !errors.Is(err, fs.ErrExist) {
		return down(err)
	}
	return nil
}

// down is VAULT_DOWN because of err, or nil.
func down(err error) error {
	if err == nil {
		return nil
	}
	return ErrDown.From(err)
}
