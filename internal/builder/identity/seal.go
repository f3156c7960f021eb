package identity

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/coco-consortium/coco/internal/problem"
)

const (
	maxCookie  = 4000 // bytes of a cookie's value; browsers keep at least 4096 with its name (RFC 6265, 6.1)
	sealFormat = 1    // first byte of a sealed value
)

// sealer seals what a browser carries for us, so that it can neither be read nor
// made elsewhere: AES-256-GCM with a random nonce. The cookie's name is
// authenticated too, so that one kind of value is never taken for another.
type sealer struct{ aead cipher.AEAD }

func newSealer(key []byte) (sealer, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return sealer{}, err
	}
	aead, err := cipher.NewGCM(block)
	return sealer{aead}, err
}

// seal turns a value into a cookie's text.
func (s sealer) seal(name string, value any) (string, error) {
	clear, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	out := make([]byte, 1+s.aead.NonceSize(), 1+s.aead.NonceSize()+len(clear)+s.aead.Overhead())
	out[0] = sealFormat
	_, _ = rand.Read(out[1:]) // never fails
	out = s.aead.Seal(out, out[1:], clear, []byte(name))
	text := base64.RawURLEncoding.EncodeToString(out)
	if len(text) > maxCookie {
		return "", fmt.Errorf("a cookie of %d bytes", len(text))
	}
	return text, nil
}

var errSealed = errors.New("not sealed here")

// open turns a cookie's text into the value again.
func (s sealer) open(name, text string, value any) error {
	if len(text) > maxCookie {
		return errSealed
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(text)
	n := 1 + s.aead.NonceSize()
	if err != nil || len(data) < n || data[0] != sealFormat {
		return errSealed
	}
	clear, err := s.aead.Open(nil, data[1:n], data[n:], []byte(name))
	if err != nil {
		return errSealed
	}
	return json.Unmarshal(clear, value)
}

// secret is a file that holds what create gives when it is first asked for; of
// several processes that ask at once one wins and all get the same.
func secret(path string, create func() ([]byte, error)) ([]byte, error) {
	if data, err := os.ReadFile(path); !errors.Is(err, fs.ErrNotExist) {
		return data, errDir(err)
	}
	data, err := create()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, errDir(err)
	}
	draft, err := write(path, data)
	if err != nil {
		return nil, errDir(err)
	}
	defer os.Remove(draft)
	if err := os.Link(draft, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, errDir(err)
	}
	data, err = os.ReadFile(path)
	return data, errDir(err)
}

// write makes a durable draft beside path: for its owner's eyes only.
func write(path string, data []byte) (draft string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(f.Name())
	}
	return f.Name(), err
}

func errDir(err error) error {
	if err == nil {
		return nil
	}
	return problem.New("IDENTITY_FILES", "the files that sign-in needs cannot be read or written",
		"check the disk and the permissions of the builder's directory").From(err)
}
