package keys

import (
	"crypto/rand"
	"errors"
)

type platformSealer struct {
	kind   string
	secret Secret
}

// PlatformSealer wraps under a secret that only the platform can derive again:
// the same chip running the same measurement. kind names the platform, such as
// "sim".
func PlatformSealer(kind string, secret Secret) Sealer {
	return platformSealer{"sealing/" + kind, secret}
}

func (s platformSealer) Recipient() string { return s.kind }

func (s platformSealer) Wrap(key, context []byte) ([]byte, error) {
	nonce := make([]byte, 12)
	rand.Read(nonce)
	return gcm(s.secret).Seal(nonce, nonce, key, context), nil
}

func (s platformSealer) Unwrap(wrapped, context []byte) ([]byte, error) {
	if len(wrapped) < 12 {
		return nil, errors.New("too short")
	}
	return gcm(s.secret).Open(nil, wrapped[:12], wrapped[12:], context)
}
